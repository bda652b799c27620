//! Which processes the nodes have, and which they had: read from `/proc`, so that neither an agent nor a chmpx has a say
//! in whether something was restarted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Between two counts.
const EVERY: Duration = Duration::from_millis(150);
/// The longest wait for a count; none takes so long.
const FRESH_WITHIN: Duration = Duration::from_secs(10);

/// The programs of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    /// The communication layer.
    Chmpx,
    /// The database.
    K2hdkc,
    /// The agent.
    Agent,
}

impl Program {
    const ALL: [Self; 3] = [Self::Chmpx, Self::K2hdkc, Self::Agent];

    /// The name of its process.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chmpx => "chmpx",
            Self::K2hdkc => "k2hdkc",
            Self::Agent => "k2hdkc-agent",
        }
    }
}

/// A process and when it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    /// The number.
    pub pid: u32,
    /// When it started, in clock ticks since the host did.
    pub ticks: u64,
    /// When it was first seen.
    pub first: Instant,
    /// When it was last seen.
    pub last: Instant,
}

/// All processes of all nodes, by the name of the node, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub(super) struct Lives {
    lives: BTreeMap<(String, Program), Vec<Life>>,
    counted: Option<Instant>,
}

impl Lives {
    /// The one that runs.
    pub(super) fn running(&self, node: &str, program: Program) -> Option<Life> {
        self.last(node, program).filter(|life| Some(life.last) == self.counted)
    }

    /// The last one that was seen.
    pub(super) fn last(&self, node: &str, program: Program) -> Option<Life> {
        self.of(node, program).last().copied()
    }

    /// Counts how often one was followed by another since then. A chmpx whose k2hdkc has never run is in no ring yet, so nobody
    /// misses the first one: see [`Lives::fresh_starts`].
    pub(super) fn restarts(&self, node: &str, program: Program, since: Instant) -> usize {
        let joined = self.of(node, Program::K2hdkc).first().map(|life| life.first);
        let counts = |life: &&Life| match (program, joined) {
            (Program::Chmpx, Some(joined)) => life.first > joined,
            (Program::Chmpx, None) => !node.starts_with("server"),
            (Program::K2hdkc | Program::Agent, _) => true,
        };
        self.of(node, program).iter().skip(1).filter(|life| life.first >= since).filter(counts).count()
    }

    /// The same of all nodes.
    pub(super) fn all_restarts(&self, program: Program, since: Instant) -> usize {
        let nodes = self.lives.keys().filter(|(_, of)| *of == program);
        nodes.map(|(node, _)| self.restarts(node, program, since)).sum()
    }

    /// Servers that started chmpx anew before they joined the ring: they were not let in, and looked again.
    pub(super) fn fresh_starts(&self, since: Instant) -> Vec<&str> {
        let again = |node: &str| {
            let starts =
                self.of(node, Program::Chmpx).iter().skip(1).filter(|life| life.first >= since).count();
            starts > self.restarts(node, Program::Chmpx, since)
        };
        let nodes = self.lives.keys().filter(|(_, of)| *of == Program::Chmpx);
        nodes.map(|(node, _)| node.as_str()).filter(|node| again(node)).collect()
    }

    fn of(&self, node: &str, program: Program) -> &[Life] {
        self.lives.get(&(node.to_owned(), program)).map_or(&[], Vec::as_slice)
    }

    fn note(&mut self, found: Vec<Found>, at: Instant) {
        self.counted = Some(at);
        for Found { node, program, pid, ticks, .. } in found {
            let lives = self.lives.entry((node, program)).or_default();
            match lives.iter_mut().find(|life| (life.pid, life.ticks) == (pid, ticks)) {
                Some(life) => life.last = at,
                None => lives.push(Life { pid, ticks, first: at, last: at }),
            }
        }
        // Of several that run the newest is the last.
        self.lives.values_mut().for_each(|lives| lives.sort_by_key(|life| (life.ticks, life.pid)));
    }
}

/// Counts until it is dropped.
#[derive(Debug)]
pub(super) struct Census {
    lives: watch::Receiver<Lives>,
    _counting: JoinSet<()>,
}

impl Census {
    /// Counts the processes of the nodes below `home` from now on.
    pub(super) fn start(home: PathBuf) -> Self {
        let (sender, lives) = watch::channel(Lives::default());
        let mut counting = JoinSet::new();
        counting.spawn(async move {
            let mut ticks = interval(EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                sender.send_modify(|lives| lives.note(find(&home), Instant::now()));
            }
        });
        Self { lives, _counting: counting }
    }

    /// Returns what is known now.
    pub(super) fn lives(&self) -> Lives {
        self.lives.borrow().clone()
    }

    /// For whoever shows it.
    pub(super) fn subscribe(&self) -> watch::Receiver<Lives> {
        self.lives.clone()
    }

    /// Returns what is known, counted after this moment.
    pub(super) async fn fresh(&self) -> Lives {
        let now = Instant::now();
        self.until(FRESH_WITHIN, |lives| lives.counted.is_some_and(|counted| counted > now)).await;
        self.lives()
    }

    /// Waits until it is so; whether it came true in time.
    pub(super) async fn until(&self, within: Duration, mut is_so: impl FnMut(&Lives) -> bool) -> bool {
        let mut lives = self.lives.clone();
        matches!(timeout(within, lives.wait_for(|lives| is_so(lives))).await, Ok(Ok(_)))
    }
}

/// Kills chmpx and k2hdkc of one node: they outlive their agent.
pub(super) fn kill_of(root: &Path) {
    let (Some(home), Some(name)) = (root.parent(), root.file_name()) else { return };
    let own = |found: &Found| found.node.as_str() == name && found.program != Program::Agent;
    for found in find(home).into_iter().filter(own) {
        // It may have ended by itself meanwhile.
        let _ = signal(found.pid, Signal::SIGKILL);
    }
}

/// Sends a signal.
pub(super) fn signal(pid: u32, signal: Signal) -> std::io::Result<()> {
    let pid = i32::try_from(pid).map_err(std::io::Error::other)?;
    Ok(kill(Pid::from_raw(pid), signal)?)
}

#[derive(Debug)]
struct Found {
    node: String,
    program: Program,
    pid: u32,
    ticks: u64,
    parent: u32,
}

fn find(home: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    without_forks(pids.filter_map(|pid| one(pid, home)).collect())
}

/// Between fork and exec a child is called like its parent.
fn without_forks(mut found: Vec<Found>) -> Vec<Found> {
    let pids: Vec<_> = found.iter().map(|found| (found.program, found.pid)).collect();
    found.retain(|found| !pids.contains(&(found.program, found.parent)));
    found
}

fn one(pid: u32, home: &Path) -> Option<Found> {
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    let program = Program::ALL.into_iter().find(|program| program.name() == comm.trim_end())?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments = String::from_utf8_lossy(&arguments).into_owned();
    // Commands of the agent come and go.
    if program == Program::Agent && !arguments.split('\0').any(|argument| argument == "run") {
        return None;
    }
    // The program itself may be below it, too.
    let below =
        arguments.split('\0').skip(1).find_map(|argument| Path::new(argument).strip_prefix(home).ok())?;
    let node = below.components().next()?.as_os_str().to_str()?.to_owned();
    let (parent, ticks) = origin(pid)?;
    Some(Found { node, program, pid, ticks, parent })
}

/// Parent and start (fields 4 and 22) of a process that is not a zombie.
fn origin(pid: u32) -> Option<(u32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    let ticks = fields.nth(17)?.parse().ok()?;
    (state != "Z").then_some((parent, ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(node: &str, program: Program, pid: u32, ticks: u64) -> Found {
        Found { node: node.to_owned(), program, pid, ticks, parent: 1 }
    }

    #[test]
    fn a_process_that_follows_another_is_a_restart_and_the_first_one_is_none() {
        let (mut lives, start) = (Lives::default(), Instant::now());
        let second = |n| start + Duration::from_secs(n);
        lives.note(
            vec![found("server-1", Program::Chmpx, 7, 100), found("server-1", Program::K2hdkc, 8, 110)],
            start,
        );
        lives.note(vec![found("server-1", Program::Chmpx, 9, 200)], second(1));
        assert_eq!(lives.restarts("server-1", Program::Chmpx, start), 1);
        assert_eq!(lives.fresh_starts(start), Vec::<&str>::new());
        assert_eq!(lives.all_restarts(Program::K2hdkc, start), 0);
        assert_eq!(lives.restarts("server-1", Program::Chmpx, second(2)), 0);
        assert_eq!(lives.running("server-1", Program::Chmpx).map(|life| life.pid), Some(9));
        assert_eq!(lives.running("server-1", Program::K2hdkc), None);
    }

    #[test]
    fn a_server_that_has_never_joined_may_look_again_and_a_slave_may_not() {
        let (mut lives, start) = (Lives::default(), Instant::now());
        for (n, pid) in [(0, 7), (1, 9)] {
            let both = ["server-1", "slave-1"].map(|node| found(node, Program::Chmpx, pid, u64::from(pid)));
            lives.note(both.into(), start + Duration::from_secs(n));
        }
        let count = |node| lives.restarts(node, Program::Chmpx, start);
        assert_eq!((count("server-1"), count("slave-1")), (0, 1));
        assert_eq!(lives.fresh_starts(start), ["server-1"]);
    }

    #[test]
    fn a_child_that_is_not_yet_what_it_will_be_is_nobody() {
        let agent = found("server-1", Program::Agent, 7, 100);
        let child = Found { parent: 7, ..found("server-1", Program::Agent, 8, 110) };
        let pids: Vec<_> = without_forks(vec![agent, child]).iter().map(|found| found.pid).collect();
        assert_eq!(pids, [7]);
    }

    #[test]
    fn a_process_without_a_node_is_not_counted() {
        let (parent, ticks) = origin(std::process::id()).unwrap();
        assert!(parent > 0 && ticks > 0);
        assert!(one(std::process::id(), Path::new("/nowhere")).is_none());
    }
}
