//! Events of the Docker daemon, and the processes that come or go without one.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::EventsOptionsBuilder;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use crate::wake::{Reason, Waker};

/// Pause between two checks for an end within a container, which has no event.
const PULSE: Duration = Duration::from_secs(2);
/// Events that change the place of the processes. An exec is none: the agent itself runs programs all the time.
const EVENTS: [&str; 8] = ["create", "start", "die", "destroy", "rename", "pause", "unpause", "restart"];

/// Filter of events: true if a container of that name and image matters to the wanted ones.
pub(in crate::supervisor::docker) type Concerns = fn(name: &str, image: &str, wanted: &[String]) -> bool;

/// Wakes a pass, and notes for it that an event came.
#[derive(Debug, Clone)]
pub(super) struct Bell(mpsc::UnboundedSender<()>, Waker);

impl Bell {
    /// Makes a bell whose events the receiver of `sender` counts.
    pub(super) fn new(sender: mpsc::UnboundedSender<()>, waker: Waker) -> Self {
        Self(sender, waker)
    }

    fn ring(&self) {
        // The receiver is gone only while the agent ends.
        let _ = self.0.send(());
        self.1.wake(Reason::SupervisorChanged);
    }
}

/// Turns events into wakes until the connection breaks, which wakes as well.
pub(super) async fn hear(
    docker: Docker,
    concerns: Concerns,
    (names, found): (Vec<String>, watch::Receiver<Vec<String>>),
    bell: Bell,
) {
    let filters = HashMap::from([
        ("type".to_owned(), vec!["container".to_owned()]),
        ("event".to_owned(), EVENTS.map(str::to_owned).into()),
    ]);
    let mut stream = Box::pin(docker.events(Some(EventsOptionsBuilder::new().filters(&filters).build())));
    while let Some(Ok(event)) = super::next(stream.as_mut()).await {
        let actor = event.actor.unwrap_or_default();
        let (id, attributes) = (actor.id.unwrap_or_default(), actor.attributes.unwrap_or_default());
        let of = |key: &str| attributes.get(key).map(String::as_str).unwrap_or_default();
        let old = of("oldName").trim_start_matches('/');
        let by_name = concerns(of("name"), of("image"), &names) || concerns(old, "", &names);
        if by_name || may_be_found(&id, &names, &found.borrow()) {
            bell.ring();
        }
    }
    bell.ring();
}

/// True if the container of an event is a known one, or may be the wanted one: events lack the entry point, which
/// identifies a container without a name.
fn may_be_found(id: &str, names: &[String], found: &[String]) -> bool {
    found.iter().any(|known| known == id) || (names.is_empty() && found.is_empty())
}

/// Wakes a pass when a process of these containers comes or goes.
pub(super) async fn feel(docker: Docker, ids: Vec<String>, bell: Bell) {
    let mut pulse = interval(PULSE);
    pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = None;
    loop {
        pulse.tick().await;
        let mut now = Vec::new();
        for id in &ids {
            let Some(alive) = super::top(&docker, id).await else {
                // Stopped or gone, which has events.
                now.clear();
                break;
            };
            now.extend(alive.into_iter().map(|alive| (alive.program, alive.pid)));
        }
        if before.as_ref().is_some_and(|before| *before != now) {
            bell.ring();
        }
        before = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_container_known_by_its_entry_point_alone_are_heard_by_its_id() {
        let (found, other) = (["0123".to_owned()], ["other".to_owned()]);
        assert!(may_be_found("0123", &[], &found) && may_be_found("0123", &other, &found));
        assert!(!may_be_found("4567", &[], &found) && !may_be_found("4567", &other, &[]));
        assert!(may_be_found("4567", &[], &[]), "it may be the one that is looked for");
    }
}
