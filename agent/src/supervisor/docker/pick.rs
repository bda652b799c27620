//! The containers of the programs of this node. Pure.
//!
//! Trove 1.0.2 labels nothing: its container is known by its name, its image and its entry point. Beside it there may be
//! containers of the same image family with the same volumes, which back up and restore, and are never the one.

use std::collections::BTreeMap;

use super::address;
use super::words::{NoWay, Why};
use crate::problem::listed;
use crate::settings::Containers;
use crate::supervisor::Program;

/// Trove's container, its image family and its entry point (dbaas.md 8.1).
pub(super) const NAME: &str = "database";
pub(super) const FAMILY: &str = "k2hdkc-trove";
const BACKUP: &str = "k2hdkc-trove-backup";
pub(super) const ENTRY: &str = "/usr/libexec/k2hdkctrove.sh";
const SHELLS: [&str; 4] = ["sh", "ash", "dash", "bash"];

impl Containers {
    /// Address of the daemon, `unix://` and a path; any other one is refused at the connection.
    pub fn daemon(&self) -> String {
        address::host(self, |name| std::env::var(name).ok())
    }

    pub(super) fn names(&self) -> Vec<String> {
        [&self.container, &self.chmpx, &self.k2hdkc].into_iter().flatten().cloned().collect()
    }
}

/// State of a container, in Docker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    /// Its processes run.
    Running,
    /// The processes are frozen.
    Paused,
    /// The container starts or ends by itself.
    Moving,
    /// The container has no process.
    Stopped,
}

/// A file or directory from outside of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mount {
    /// Path on the host.
    pub(super) source: String,
    /// Path in the container.
    pub(super) destination: String,
    /// True if the container may write there.
    pub(super) writable: bool,
}

/// A container as the daemon lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) image: String,
    /// Entry point and command.
    pub(super) command: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) state: RunState,
    /// Address of its own, unless it shares its host's network.
    pub(super) address: Option<String>,
    pub(super) mounts: Vec<Mount>,
}

impl Container {
    /// True if its first process is Trove's loop, directly or through a shell. The loop restarts what ends in the
    /// container, and rewrites the ini.
    pub(super) fn loops(&self) -> bool {
        let mut words = self.command.split([' ', '\t', '\n', '\'', '"', ';']).filter(|word| !word.is_empty());
        let mut first = words.next().unwrap_or_default();
        if SHELLS.contains(&last_of(first)) {
            first = words.find(|word| !word.starts_with('-') && *word != "exec").unwrap_or_default();
        }
        first == ENTRY
    }

    /// Backups and restores: by the names that Trove gives them, or by their image.
    fn is_errand(&self) -> bool {
        last_of(&self.image).starts_with(BACKUP)
            || ["db_restore", "db_backup"].iter().any(|name| self.name.starts_with(name))
    }

    fn is_named(&self, wanted: &str) -> bool {
        match wanted.split_once('=') {
            Some((key, value)) => self.labels.get(key).is_some_and(|label| label == value),
            None => self.name == wanted,
        }
    }
}

/// The last part of an image's name, with its tag.
fn last_of(image: &str) -> &str {
    image.rsplit('/').next().unwrap_or_default()
}

/// True for an image of Trove's family, which includes its backups.
fn is_of_family(image: &str) -> bool {
    last_of(image).split([':', '@']).next().unwrap_or_default().starts_with(FAMILY)
}

/// True for an image of which Trove's container may be made.
pub(super) fn is_troves(image: &str) -> bool {
    is_of_family(image) && !last_of(image).starts_with(BACKUP)
}

/// The places of both programs; why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picked {
    pub(super) chmpx: Result<Container, Why>,
    pub(super) k2hdkc: Result<Container, Why>,
    /// True if both programs share a container.
    pub(super) shared: bool,
    /// True if the daemon lacks every candidate for chmpx, running or stopped.
    pub(super) nowhere: bool,
}

impl Picked {
    /// The place of a program.
    pub(super) fn place(&self, program: Program) -> &Result<Container, Why> {
        match program {
            Program::Chmpx => &self.chmpx,
            Program::K2hdkc => &self.k2hdkc,
        }
    }

    /// Each container once.
    pub(super) fn containers(&self) -> Vec<Container> {
        let mut all: Vec<Container> = Vec::new();
        for container in [&self.chmpx, &self.k2hdkc].into_iter().flatten() {
            if !all.iter().any(|known| known.id == container.id) {
                all.push(container.clone());
            }
        }
        all
    }
}

/// Finds them among all containers of the daemon.
pub(super) fn pick(all: &[Container], wanted: &Containers) -> Picked {
    if let Some(chmpx) = &wanted.chmpx {
        let k2hdkc = wanted.k2hdkc.as_ref();
        let k2hdkc = k2hdkc.map_or(Err(Why::K2hdkcIsNotNamed), |name| named(all, name, "k2hdkc-container"));
        let nowhere = !all.iter().any(|container| container.is_named(chmpx));
        return Picked { chmpx: named(all, chmpx, "chmpx-container"), k2hdkc, shared: false, nowhere };
    }
    let (found, nowhere) = match &wanted.container {
        Some(name) => (named(all, name, "container"), !all.iter().any(|container| container.is_named(name))),
        None => (trove(all), !all.iter().any(is_trove)),
    };
    Picked { chmpx: found.clone(), k2hdkc: found, shared: true, nowhere }
}

fn named(all: &[Container], wanted: &str, key: &'static str) -> Result<Container, Why> {
    let found: Vec<_> = all.iter().filter(|container| container.is_named(wanted)).collect();
    one(&found, Why::NoneIsCalled { name: wanted.to_owned(), key })
}

fn trove(all: &[Container]) -> Result<Container, Why> {
    let found: Vec<_> = all.iter().filter(|container| is_trove(container)).collect();
    let called: Vec<_> = found.iter().copied().filter(|container| container.name == NAME).collect();
    // While Trove makes it again, the old one may still be there under another name.
    one(if called.is_empty() { &found } else { &called }, Why::NoneOfTrove)
}

fn is_trove(container: &Container) -> bool {
    let called = container.name == NAME && is_of_family(&container.image);
    (called || container.loops()) && !container.is_errand()
}

/// Selects the only candidate, or the only one that runs.
fn one(found: &[&Container], none: Why) -> Result<Container, Why> {
    let running: Vec<_> =
        found.iter().copied().filter(|container| container.state != RunState::Stopped).collect();
    match (found, running.as_slice()) {
        ([], _) => Err(none),
        ([container], _) | (_, [container]) => Ok((*container).clone()),
        _ => Err(Why::Several(listed(found.iter().map(|container| &container.name), ", "))),
    }
}

/// True if an event of a container of that name and image may concern this node.
pub(super) fn concerns(name: &str, image: &str, wanted: &[String]) -> bool {
    // A label is not told in every event: then every container may be meant.
    wanted.iter().any(|wanted| wanted == name || wanted.contains('='))
        // By its entry point another one may be meant, whose image has no name any more.
        || (wanted.is_empty()
            && (name == NAME || is_of_family(image) || image.starts_with("sha256:")))
}

/// Reason why a rename in the container cannot replace the ini there, if so.
///
/// A file that is mounted by itself cannot be renamed over, and what is renamed over it on the host is another file that the
/// container never sees (measured; dbaas.md 8.3). In a mounted directory a rename inside is one on the host.
pub(super) fn no_way_to(ini: &str, mounts: &[Mount]) -> Option<NoWay> {
    if let Some(mount) = mounts.iter().find(|mount| mount.destination == ini) {
        return Some(NoWay::MountedByItself { ini: ini.to_owned(), source: mount.source.clone() });
    }
    let above = |mount: &&Mount| {
        ini.strip_prefix(mount.destination.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
    };
    let mount = mounts.iter().filter(above).max_by_key(|mount| mount.destination.len())?;
    let rest = ini.strip_prefix(mount.destination.trim_end_matches('/')).unwrap_or_default();
    (!mount.writable).then(|| NoWay::ReadOnly {
        mount: mount.destination.clone(),
        instead: mount.source.trim_end_matches('/').to_owned() + rest,
    })
}

/// A running container, for tests.
#[cfg(test)]
pub(super) fn container(name: &str, image: &str, command: &str) -> Container {
    Container {
        id: format!("id-{name}"),
        name: name.into(),
        image: image.into(),
        command: command.into(),
        labels: BTreeMap::new(),
        state: RunState::Running,
        address: None,
        mounts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(all: &[Container], wanted: &Containers) -> Result<String, Why> {
        pick(all, wanted).chmpx.map(|container| container.name)
    }

    #[test]
    fn troves_container_is_known_by_name_and_image_or_by_its_entry_point() {
        let usual = Containers::default();
        for image in [
            "antpickax/k2hdkc-trove:1.0.5-alpine",
            "docker.io/antpickax/k2hdkc-trove",
            "registry.example:5000/x/k2hdkc-trove@sha256:0123",
        ] {
            assert_eq!(picked(&[container("database", image, "x")], &usual), Ok("database".to_owned()));
        }
        let by_entry = container("other", "sha256:01", "/usr/libexec/k2hdkctrove.sh --now");
        assert_eq!(picked(&[by_entry], &usual), Ok("other".to_owned()));
        let mysql = container("database", "mysql:8", "mysqld");
        assert_eq!(picked(&[mysql], &usual), Err(Why::NoneOfTrove));
    }

    #[test]
    fn troves_container_is_made_of_an_image_of_its_family_and_not_of_one_that_backs_up() {
        assert!(
            is_troves("antpickax/k2hdkc-trove:1.0.5-alpine")
                && is_troves("registry.example:5000/k2hdkc-trove")
        );
        assert!(!is_troves("antpickax/k2hdkc-trove-backup:1.0.5") && !is_troves("mysql:8"));
    }

    #[test]
    fn the_loop_is_known_where_a_shell_is_told_to_run_it_too() {
        let loops = |command: &str| container("x", "x", command).loops();
        for command in [
            "/usr/libexec/k2hdkctrove.sh",
            "sh -c /usr/libexec/k2hdkctrove.sh",
            "/bin/sh /usr/libexec/k2hdkctrove.sh --now",
            "bash -c 'exec /usr/libexec/k2hdkctrove.sh; exit'",
        ] {
            assert!(loops(command), "{command}");
        }
        for command in
            ["", "sh", "sh -c 'cat /usr/libexec/k2hdkctrove.sh'", "chmpx -conf /usr/libexec/k2hdkctrove.sh"]
        {
            assert!(!loops(command), "{command}");
        }
    }

    #[test]
    fn what_backs_up_or_restores_is_never_it() {
        let entry = "/usr/libexec/k2hdkctrove.sh";
        let all = [
            container("db_restore", "antpickax/k2hdkc-trove:1", entry),
            container("db_backup", "antpickax/k2hdkc-trove-backup:1", entry),
            container("database", "antpickax/k2hdkc-trove-backup:1", entry),
        ];
        assert!(picked(&all, &Containers::default()).is_err());
    }

    #[test]
    fn of_several_the_one_called_database_then_the_one_that_runs() {
        let entry = "/usr/libexec/k2hdkctrove.sh";
        let image = "antpickax/k2hdkc-trove:1";
        let (old, new) = (container("database_old", image, entry), container("database", image, entry));
        assert_eq!(picked(&[old.clone(), new], &Containers::default()), Ok("database".to_owned()));
        let another = container("another", image, entry);
        let several = picked(&[old.clone(), another.clone()], &Containers::default());
        assert_eq!(several, Err(Why::Several("database_old, another".to_owned())));
        let stopped = Container { state: RunState::Stopped, ..old };
        assert_eq!(picked(&[stopped, another], &Containers::default()), Ok("another".to_owned()));
    }

    #[test]
    fn each_program_may_have_a_container_of_its_own_by_name_or_label() {
        let mut k2hdkc = container("pod_k2hdkc_1", "x", "k2hdkc");
        k2hdkc.labels = BTreeMap::from([("app".into(), "k2hdkc".into())]);
        let all = [container("chmpx", "x", "chmpx"), k2hdkc];
        let wanted = Containers {
            chmpx: Some("chmpx".into()),
            k2hdkc: Some("app=k2hdkc".into()),
            ..Containers::default()
        };
        let picked = pick(&all, &wanted);
        assert_eq!((picked.chmpx.unwrap().name, picked.shared), ("chmpx".into(), false));
        assert_eq!(picked.k2hdkc.unwrap().name, "pod_k2hdkc_1");
        let wanted = Containers { k2hdkc: Some("gone".into()), ..wanted };
        let gone = Why::NoneIsCalled { name: "gone".into(), key: "k2hdkc-container" };
        assert_eq!(pick(&all, &wanted).k2hdkc, Err(gone));
    }

    #[test]
    fn a_file_mounted_by_itself_cannot_be_replaced_and_a_directory_can_where_it_may_be_written() {
        let ini = "/etc/antpickax/k2hdkc.ini";
        let mount = |destination: &str, writable| Mount {
            source: "/srv/x".into(),
            destination: destination.into(),
            writable,
        };
        assert_eq!(no_way_to(ini, &[]), None);
        assert_eq!(no_way_to(ini, &[mount("/etc/antpickax", true), mount("/etc/anti", false)]), None);
        let alone = NoWay::MountedByItself { ini: ini.into(), source: "/srv/x".into() };
        assert_eq!(no_way_to(ini, &[mount(ini, true)]), Some(alone));
        let read_only =
            NoWay::ReadOnly { mount: "/etc/antpickax/".into(), instead: "/srv/x/k2hdkc.ini".into() };
        let mounts = [mount("/", true), mount("/etc/antpickax/", false)];
        assert_eq!(no_way_to(ini, &mounts), Some(read_only));
    }

    #[test]
    fn events_of_a_container_known_by_its_entry_point_concern() {
        let entry = container("other", "sha256:01", "/usr/libexec/k2hdkctrove.sh");
        assert!(picked(std::slice::from_ref(&entry), &Containers::default()).is_ok());
        assert!(concerns(&entry.name, &entry.image, &[]));
    }
}
