//! Containers as the daemon lists them. Pure.

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum};

use crate::supervisor::docker::pick::{Container, Mount, RunState};

/// Reads a container. Mounts and labels get a fixed order, since the daemon's varies.
pub(super) fn container(listed: ContainerSummary) -> Option<Container> {
    let name = listed.names?.into_iter().next()?.trim_start_matches('/').to_owned();
    let mode = listed.host_config.and_then(|host| host.network_mode).unwrap_or_default();
    let networks = listed.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut addresses: Vec<_> =
        networks.into_iter().filter_map(|(name, end)| Some((name, end.ip_address?))).collect();
    addresses.sort();
    let address = addresses.into_iter().map(|(_, address)| address).find(|address| !address.is_empty());
    let mounts = listed.mounts.unwrap_or_default().into_iter().map(|mount| Mount {
        source: mount.source.unwrap_or_default(),
        destination: mount.destination.unwrap_or_default(),
        writable: mount.rw.unwrap_or(true),
    });
    let mut mounts: Vec<_> = mounts.collect();
    mounts.sort();
    Some(Container {
        id: listed.id?,
        name,
        image: listed.image.unwrap_or_default(),
        command: listed.command.unwrap_or_default(),
        labels: listed.labels.unwrap_or_default().into_iter().collect(),
        state: match listed.state? {
            ContainerSummaryStateEnum::RUNNING => RunState::Running,
            ContainerSummaryStateEnum::PAUSED => RunState::Paused,
            ContainerSummaryStateEnum::RESTARTING
            | ContainerSummaryStateEnum::REMOVING
            | ContainerSummaryStateEnum::STOPPING => RunState::Moving,
            ContainerSummaryStateEnum::EMPTY
            | ContainerSummaryStateEnum::CREATED
            | ContainerSummaryStateEnum::EXITED
            | ContainerSummaryStateEnum::DEAD => RunState::Stopped,
        },
        address: address.filter(|_| mode != "host"),
        mounts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::MountPoint;

    /// A container as the daemon lists it, with mounts and labels in that order.
    fn listed(order: [&str; 3]) -> ContainerSummary {
        let mount = |name: &str| MountPoint {
            source: Some(format!("/srv/{name}")),
            destination: Some(format!("/{name}")),
            rw: Some(name != "a"),
            ..MountPoint::default()
        };
        ContainerSummary {
            id: Some("0123".to_owned()),
            names: Some(vec!["/database".to_owned()]),
            state: Some(ContainerSummaryStateEnum::RUNNING),
            labels: Some(order.map(|name| (name.to_owned(), format!("is {name}"))).into()),
            mounts: Some(order.map(mount).into()),
            ..ContainerSummary::default()
        }
    }

    #[test]
    fn a_container_is_the_same_in_whatever_order_the_daemon_lists_its_mounts_and_labels() {
        let one = container(listed(["a", "b", "c"])).unwrap();
        let places: Vec<_> = one.mounts.iter().map(|mount| (&*mount.destination, mount.writable)).collect();
        assert_eq!(places, [("/a", false), ("/b", true), ("/c", true)]);
        assert_eq!(one.labels["b"], "is b");
        for order in [["c", "b", "a"], ["b", "c", "a"], ["b", "a", "c"]] {
            assert_eq!(container(listed(order)).as_ref(), Some(&one));
        }
    }
}
