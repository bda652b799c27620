//! The events, as data: each with its change, and with what every node must show afterwards.
//!
//! The director plays and measures them.

use k2hdkc_agent::ring::Mode;

use super::census::Program;
use super::cost::Restarts;
use super::options::Options;
use super::sick::{Cause, SickAnswer, sick_answers, some_sick_answers};

/// An event.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    /// For people, in one line.
    pub title: String,
    /// The change.
    pub what: What,
    /// The state that every node must show afterwards.
    pub then: Then,
}

/// The change.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    /// New nodes are registered, one after the other without a pause, and their agents start.
    Join {
        /// The number of server nodes.
        servers: usize,
        /// The number of slave nodes.
        slaves: usize,
    },
    /// The newest node of this kind leaves as `k2hdkc-agent leave` does it: keys, processes, role; a slave its role first.
    Leave(Mode),
    /// This many of the newest servers are gone from their role at once, and serve on.
    Vanish(usize),
    /// K2HR3 answers wrongly, or not at all.
    Sick(SickAnswer),
    /// The first server's agent is killed with SIGKILL, and the operator changes a key meanwhile.
    AgentKilled,
    /// This program of the second server is killed with SIGKILL.
    Killed(Program),
    /// The newest slave shuts down, its ini is lost, and it boots while K2HR3 is down.
    StartWithoutNetwork,
}

impl What {
    /// Counts what restarts by it; nothing else may.
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

/// The state that every node must show afterwards.
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

/// The most servers of a scenario are so many more than those that it starts with.
pub(super) const MORE_SERVERS: u8 = 2;

/// The events of a run with these options.
pub(super) fn scenario(options: &Options) -> Vec<Event> {
    let (servers, slaves) = (usize::from(options.servers), usize::from(options.slaves));
    let mut events = vec![start(servers, slaves)];
    if options.short {
        events.extend([join_server(servers), leave_server(servers + 1)]);
        events.push(burst(servers, servers + 2));
    } else {
        events.extend([join_server(servers), join_server(servers + 1)]);
        events.extend([leave_server(servers + 2), leave_server(servers + 1), leave_server(servers)]);
        events.extend([join_slave(slaves), leave_slave(slaves + 1)]);
        events.push(burst(servers - 1, servers + 2));
    }
    events.extend(answers(options).into_iter().map(sick));
    events.extend([lose_two(servers + 2), agent_killed()]);
    events.extend([killed(Program::Chmpx), killed(Program::K2hdkc), start_without_network()]);
    events
}

/// The sick answers that were asked for. Among real programs the server that registers again and again is left out: it needs
/// the address of a node here.
fn answers(options: &Options) -> Vec<SickAnswer> {
    let mut answers = match (options.sick, options.short) {
        (false, _) => Vec::new(),
        (true, true) => some_sick_answers(),
        (true, false) => sick_answers(),
    };
    answers.retain(|answer| !options.real || answer.cause != Cause::FirstServerBlinks);
    answers
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

fn sick(answer: SickAnswer) -> Event {
    Event::new(answer.name, What::Sick(answer), Then::EveryFileStays)
}

fn lose_two(before: usize) -> Event {
    Event::new(format!("K2HR3 loses 2 of {before} servers"), What::Vanish(2), Then::HeldUntilReleased)
}

fn agent_killed() -> Event {
    Event::new("kill -9 the agent of a server", What::AgentKilled, Then::CaughtUp)
}

fn killed(program: Program) -> Event {
    let title = format!("kill -9 {} of a server", program.name());
    Event::new(title, What::Killed(program), Then::BackInOrder)
}

fn start_without_network() -> Event {
    Event::new("a slave boots without K2HR3", What::StartWithoutNetwork, Then::RunsFromKept)
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
        assert_eq!(titles(&[]).len(), 14);
    }

    #[test]
    fn a_short_run_has_an_event_of_each_kind() {
        let events = titles(&["--short"]);
        assert_eq!(events.len(), 9, "{events:?}");
        assert_eq!(events.last().unwrap(), "a slave boots without K2HR3");
    }

    #[test]
    fn sick_answers_are_played_where_they_are_asked_for() {
        let counts =
            [&["--sick"][..], &["--sick", "--short"], &["--sick", "--real"]].map(|a| titles(a).len());
        assert_eq!(counts, [46, 15, 45]);
    }
}
