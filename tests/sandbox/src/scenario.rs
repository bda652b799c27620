//! What happens, as data: a list of events, each with what changes and what every node must show afterwards.
//!
//! It plays nothing and measures nothing; the director does.

use k2hdkc_agent::ring::Mode;

use super::census::Program;
use super::malady::{Cause, Malady, maladies, some_maladies};
use super::options::Options;
use super::toll::Restarts;

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// For people, in one line.
    pub title: String,
    /// What changes.
    pub what: What,
    /// What every node must show afterwards.
    pub then: Then,
}

/// What changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// New nodes are registered, one after the other without a pause, and their agents start.
    Join {
        /// How many server nodes.
        servers: usize,
        /// How many slave nodes.
        slaves: usize,
    },
    /// The newest node of this kind leaves as `k2hdkc-agent leave` does it: keys, processes, role; a slave its role first.
    Leave(Mode),
    /// This many of the newest servers are gone from their role at once, and serve on.
    Vanish(usize),
    /// K2HR3 answers wrongly, or not at all.
    Sick(Malady),
    /// The first server's agent is killed with SIGKILL, and the operator changes a key meanwhile.
    AgentKilled,
    /// This program of the second server is killed with SIGKILL.
    Killed(Program),
    /// The newest slave shuts down, its ini is lost, and it boots while K2HR3 is down.
    StartWithoutNetwork,
}

impl What {
    /// What restarts by it, and nothing else may.
    pub(super) fn restarts(&self) -> Restarts {
        let none = Restarts::default();
        match self {
            Self::Join { .. } | Self::Leave(_) | Self::Vanish(_) | Self::Sick(_) => none,
            Self::AgentKilled | Self::Killed(Program::Agent) => Restarts { agents: 1, ..none },
            // k2hdkc is never older than its chmpx.
            Self::Killed(Program::Chmpx) => Restarts { chmpx: 1, k2hdkc: 1, ..none },
            Self::Killed(Program::K2hdkc) => Restarts { k2hdkc: 1, ..none },
            Self::StartWithoutNetwork => Restarts { chmpx: 1, agents: 1, ..none },
        }
    }
}

/// What every node must show afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Every file lists exactly the members of the roles, and every chmpx lists the servers, each in service. What left
    /// has ended in order.
    EveryRingFollows,
    /// No file changes, neither bytes nor inode, no ring either, and every status says why; after that the next good
    /// answer is applied by all.
    EveryFileStays,
    /// No file changes, every status shows the loss; once the servers are out of service, `confirm` on one node releases
    /// it there, and repeated polls on the others.
    HeldUntilReleased,
    /// The file is whole all the time, and after a new start of the agent it shows what was changed meanwhile; chmpx and
    /// k2hdkc run on.
    CaughtUp,
    /// The processes run again, k2hdkc started after chmpx, and every ring is whole.
    BackInOrder,
    /// The node runs from a kept file and joins the ring, the others keep theirs; with K2HR3 back all follow the next
    /// change.
    RunsFromKept,
}

impl Event {
    fn new(title: impl Into<String>, what: What, then: Then) -> Self {
        Self { title: title.into(), what, then }
    }
}

/// The events of a run with these options.
pub(super) fn scenario(options: &Options) -> Vec<Event> {
    let (servers, slaves) = (usize::from(options.servers), usize::from(options.slaves));
    let mut events = vec![start(servers, slaves)];
    if options.short {
        events.extend([join_server(servers), leave_server(servers + 1)]);
        events.push(burst(servers, servers + 2));
        events.extend(some_maladies().into_iter().map(sick));
    } else {
        events.extend([join_server(servers), join_server(servers + 1)]);
        events.extend([leave_server(servers + 2), leave_server(servers + 1), leave_server(servers)]);
        events.extend([join_slave(slaves), leave_slave(slaves + 1)]);
        events.push(burst(servers - 1, servers + 2));
        events.extend(maladies().into_iter().map(sick));
    }
    if options.real {
        events.retain(
            |event| !matches!(&event.what, What::Sick(malady) if malady.cause == Cause::FirstServerBlinks),
        );
    }
    events.extend([lose_two(servers + 2), agent_killed()]);
    events.extend([killed(Program::Chmpx), killed(Program::K2hdkc), start_without_network()]);
    events
}

fn start(servers: usize, slaves: usize) -> Event {
    let title = format!("{servers} servers and {slaves} slaves start");
    Event::new(title, What::Join { servers, slaves }, Then::EveryRingFollows)
}

fn join_server(before: usize) -> Event {
    let title = format!("servers {before} -> {}", before + 1);
    Event::new(title, What::Join { servers: 1, slaves: 0 }, Then::EveryRingFollows)
}

fn join_slave(before: usize) -> Event {
    let title = format!("slaves {before} -> {}", before + 1);
    Event::new(title, What::Join { servers: 0, slaves: 1 }, Then::EveryRingFollows)
}

fn leave_server(before: usize) -> Event {
    let title = format!("servers {before} -> {}", before - 1);
    Event::new(title, What::Leave(Mode::Server), Then::EveryRingFollows)
}

fn leave_slave(before: usize) -> Event {
    let title = format!("slaves {before} -> {}", before - 1);
    Event::new(title, What::Leave(Mode::Slave), Then::EveryRingFollows)
}

fn burst(before: usize, after: usize) -> Event {
    let title = format!("servers {before} -> {after} at once");
    Event::new(title, What::Join { servers: after - before, slaves: 0 }, Then::EveryRingFollows)
}

fn sick(malady: Malady) -> Event {
    Event::new(malady.name, What::Sick(malady), Then::EveryFileStays)
}

fn lose_two(before: usize) -> Event {
    Event::new(
        format!("2 of {before} servers are gone from K2HR3 at once"),
        What::Vanish(2),
        Then::HeldUntilReleased,
    )
}

fn agent_killed() -> Event {
    Event::new("an agent is killed with -9", What::AgentKilled, Then::CaughtUp)
}

fn killed(program: Program) -> Event {
    let title = format!("{} of a server is killed with -9", program.name());
    Event::new(title, What::Killed(program), Then::BackInOrder)
}

fn start_without_network() -> Event {
    Event::new("a slave boots without K2HR3 and file", What::StartWithoutNetwork, Then::RunsFromKept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn titles(arguments: &[&str]) -> Vec<String> {
        let options = Options::try_parse_from([&["k2hdkc-sandbox"], arguments].concat()).unwrap();
        scenario(&options).into_iter().map(|event| event.title).collect()
    }

    #[test]
    fn the_usual_run_scales_from_three_to_five_to_two_servers() {
        let expected = [
            "3 servers and 2 slaves start",
            "servers 3 -> 4",
            "servers 4 -> 5",
            "servers 5 -> 4",
            "servers 4 -> 3",
            "servers 3 -> 2",
            "slaves 2 -> 3",
            "slaves 3 -> 2",
            "servers 2 -> 5 at once",
        ];
        assert_eq!(titles(&[])[..9], expected);
    }

    #[test]
    fn a_short_run_has_an_event_of_each_kind() {
        let events = titles(&["--short"]);
        assert!(events.len() < 20 && events.len() < titles(&[]).len() / 2, "{events:?}");
        assert_eq!(events.last().unwrap(), "a slave boots without K2HR3 and file");
    }
}
