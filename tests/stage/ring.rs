//! A ring of real agents with simulated chmpx and k2hdkc: what the suites about processes begin with.
//!
//! Each node reads its members from a file of its own, so that a suite says what is in it and when; K2HR3 is the
//! business of other suites. Servers have numbers below 100, slaves from 100 on.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use k2hdkc_agent::admin::{self, Request, Response};
use k2hdkc_agent::process_status::{ProcessStatus, State};
use k2hdkc_agent::status::Status;

use tokio::runtime::{self, Runtime};

use k2hdkc_simulators::k2hdkc::Client;
use k2hdkc_simulators::node::{FILE_SOURCE, Node, Plan, wait_for};
use k2hdkc_simulators::simulators::place::Place;
use k2hdkc_simulators::simulators::stage::{CTLPORT, Stage, Style};

/// Settings under which a suite need not wait: what was measured on the real ones, and the simulators do not need.
pub const FAST: &str = "\
[poll]
interval = \"100ms\"
jitter = 0.0
backoff = \"50ms\"
max-backoff = \"100ms\"
settle = \"0ms\"
max-settle = \"0ms\"
[guard]
removal-polls = 1
removal-for = \"0s\"
max-lost-servers = 9
max-lost-share = 1.0
[log]
level = \"debug\"
";

/// The same for `[supervisor]`; a suite adds its own keys behind it.
const SUPERVISOR: &str = "\
[supervisor]
kind = \"process\"
timing.resync-interval = \"500ms\"
timing.min-query-interval = \"100ms\"
timing.quiet-after-write = \"100ms\"
timing.peers-within = \"5s\"
timing.restart-backoff = \"200ms\"
timing.settle-before-drain = \"1s\"
";

/// Settings under which chmpx runs the merges; they follow those of `[supervisor]`.
pub const BY_CHMPX: &str = "[merge]\nby = \"chmpx\"\n";

/// The longest time for anything on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The ring. Dropped, every process of it is killed.
#[derive(Debug)]
pub struct Ring {
    stage: Stage,
    supervisor: String,
    nodes: BTreeMap<u32, Node>,
    runtime: Runtime,
}

impl Ring {
    /// An empty one, whose agents have these further lines in `[supervisor]`.
    pub fn new(style: Style, supervisor: &str) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self {
            stage: Stage::new(style)?,
            supervisor: supervisor.to_owned(),
            nodes: BTreeMap::new(),
            runtime,
        })
    }

    /// Servers 1 to `servers` and slaves 100 on, all started and converged.
    pub fn running(style: Style, supervisor: &str, servers: u32, slaves: u32) -> io::Result<Self> {
        let mut ring = Self::new(style, supervisor)?;
        let (servers, slaves): (Vec<_>, Vec<_>) = ((1..=servers).collect(), (100..100 + slaves).collect());
        for number in servers.iter().chain(&slaves) {
            ring.add(*number)?;
        }
        ring.tell(&servers, &slaves)?;
        for number in servers.iter().chain(&slaves) {
            ring.node_mut(*number).start()?;
        }
        ring.settled()?;
        Ok(ring)
    }

    /// Lays out a node; nothing runs in it yet.
    pub fn add(&mut self, number: u32) -> io::Result<()> {
        let place = self.stage.node(number)?;
        let root = place.root().to_owned();
        let bin = root.join("bin");
        k2hdkc_simulators::simulators::install(&bin)?;
        let programs = ["chmpx", "k2hdkc", "chmpxstatus"]
            .iter()
            .map(|name| format!("process.{name} = \"{}/{name}\"\n", bin.display()));
        let usual = format!("{SUPERVISOR}{}", programs.collect::<String>());
        // A key that the suite sets itself stands only once.
        let extra = &self.supervisor;
        let sets = |line: &&str| !extra.lines().any(|own| own.split(" =").next() == line.split(" =").next());
        let usual: String = usual.lines().filter(sets).map(|line| format!("{line}\n")).collect();
        let environment =
            format!("[supervisor.process.environment]\nK2HDKC_SIMULATOR_ROOT = \"{}\"\n", root.display());
        let config = format!("{FILE_SOURCE}{FAST}{usual}{extra}\n{environment}");
        let plan = Plan {
            api_uri: "http://127.0.0.1:1".to_owned(),
            role: "yrn:yahoo:::tenant0:role:mycluster/server".to_owned(),
            token: None,
            address: place.address.clone(),
            cuk: format!("cuk-{number}"),
            config,
        };
        self.nodes.insert(number, Node::new(&root, plan)?);
        Ok(())
    }

    /// Tells every node that these are the members.
    pub fn tell(&self, servers: &[u32], slaves: &[u32]) -> io::Result<()> {
        self.nodes.keys().try_for_each(|number| self.tell_one(*number, servers, slaves))
    }

    /// Tells one node.
    pub fn tell_one(&self, number: u32, servers: &[u32], slaves: &[u32]) -> io::Result<()> {
        self.node(number).give(&self.stage.ini(number, 1, servers, slaves))
    }

    /// The same ini for this node with one more line in `[GLOBAL]`.
    pub fn tell_more(&self, number: u32, servers: &[u32], slaves: &[u32], line: &str) -> io::Result<()> {
        let ini = self.stage.ini(number, 1, servers, slaves);
        self.node(number).give(&ini.replacen("MQACK = no\n", &format!("MQACK = no\n{line}\n"), 1))
    }

    /// The node.
    pub fn node(&self, number: u32) -> &Node {
        &self.nodes[&number]
    }

    /// The node, to start and stop its agent.
    ///
    /// # Panics
    ///
    /// Where no such node was added.
    #[expect(clippy::expect_used, reason = "a suite asks for the nodes that it has added")]
    pub fn node_mut(&mut self, number: u32) -> &mut Node {
        self.nodes.get_mut(&number).expect("no such node")
    }

    /// Returns the control port of a node's chmpx.
    pub fn control_port(&self, number: u32) -> String {
        format!("{}:{CTLPORT}", self.node(number).plan().address)
    }

    /// Sets the faults that the node injects.
    pub fn faults(&self, number: u32, toml: &str) -> io::Result<()> {
        self.node(number).write("simulator.toml", toml)
    }

    /// The status of a node's agent, if it answers.
    pub fn status(&self, number: u32) -> Option<Status> {
        let directory = self.node(number).root().join("run/k2hdkc-agent");
        match self.runtime.block_on(admin::ask(&directory, &Request::Status)) {
            Ok(Response::Status(status)) => Some(*status),
            _ => None,
        }
    }

    /// Returns the state of a node's processes, by its agent.
    pub fn processes(&self, number: u32) -> Option<ProcessStatus> {
        self.status(number)?.processes
    }

    /// Checks whether the node runs what its own source says, by chmpx's own word.
    pub fn is_settled(&self, number: u32) -> bool {
        let node = self.node(number);
        let (Some(status), Ok(Some((ring, fileversion)))) = (self.status(number), node.ring()) else {
            return false;
        };
        let wanted = k2hdkc_agent::installed::read_bytes(
            &std::fs::read(node.root().join("source.ini")).unwrap_or_default(),
        );
        let told = wanted.ring().is_some_and(|wanted| {
            let mut wanted = (**wanted).clone();
            // The keys that the agent writes otherwise: no more copies than there are other servers, and the way of merging.
            for key in ["REPLICA", "AUTOMERGE", "MERGETIMEOUT"] {
                wanted.profile.global.remove(key);
                let written = ring.profile.global.get_key_value(key);
                wanted.profile.global.extend(written.map(|(key, value)| (key.clone(), value.clone())));
            }
            wanted == ring
        });
        let Some(processes) = status.processes.filter(|processes| processes.state == State::Converged) else {
            return false;
        };
        told && processes.said.is_some_and(|said| said.fileversion == Some(fileversion))
    }

    /// Waits until every node that runs is settled; how long that took.
    pub fn settled(&mut self) -> io::Result<Duration> {
        let begun = Instant::now();
        let running: Vec<u32> =
            self.nodes.iter_mut().filter_map(|(number, node)| node.is_running().then_some(*number)).collect();
        for number in running {
            if !wait_for(PATIENCE, || self.is_settled(number)) {
                return Err(io::Error::other(format!(
                    "node {number} did not settle:\n{}",
                    self.told(number)
                )));
            }
        }
        Ok(begun.elapsed())
    }

    /// Collects everything that explains the state of a node.
    pub fn told(&self, number: u32) -> String {
        let node = self.node(number);
        let status = node.run(&["status"]).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let log = node.log();
        let lines: Vec<_> = log.lines().filter(|line| !line.contains(" unchanged: ")).collect();
        let last = lines[lines.len().saturating_sub(120)..].join("\n");
        format!("{}\n{last}", status.unwrap_or_default())
    }

    /// The process of a node's program, as its agent sees it.
    pub fn pid(&self, number: u32, program: &str) -> Option<u32> {
        let processes = self.processes(number)?;
        let process = if program == "chmpx" { processes.chmpx } else { processes.k2hdkc };
        process.map(|process| process.pid)
    }

    /// Kills a node's program; which process that was.
    pub fn kill(&self, number: u32, program: &str) -> io::Result<u32> {
        let pid = self.pid(number, program).ok_or_else(|| io::Error::other(format!("no {program} runs")))?;
        signal(pid, "KILL")?;
        Ok(pid)
    }

    /// An application program on that node, with a handle for each command.
    pub fn client(&self, number: u32) -> Client {
        let node = self.node(number);
        Client::per_command(&node.ini(), Place::at(node.root()))
    }

    /// Sets keys `key0` on.
    pub fn write(&self, number: u32, keys: usize) -> io::Result<()> {
        let mut client = self.client(number);
        for key in 0..keys {
            client.set(&format!("key{key}"), &format!("value{key}")).map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Counts those that are readable.
    pub fn readable(&self, number: u32, keys: usize) -> usize {
        let mut client = self.client(number);
        let mut reads = |key: usize| {
            let read = client.get(&format!("key{key}")).ok().flatten();
            read.as_deref() == Some(format!("value{key}").as_str())
        };
        (0..keys).filter(|key| reads(*key)).count()
    }

    /// Counts those that an application gets that asks again for this long, as one does while a ring changes.
    pub fn served(&self, number: u32, keys: usize, patience: Duration) -> usize {
        let mut client = self.client(number);
        let mut serves = |key: usize| {
            let (name, value) = (format!("key{key}"), format!("value{key}"));
            wait_for(patience, || client.get(&name).ok().flatten().as_deref() == Some(value.as_str()))
        };
        (0..keys).filter(|key| serves(*key)).count()
    }

    /// Checks whether all of them are readable within the usual time; else how many were.
    pub fn all_readable(&self, number: u32, keys: usize) -> Result<(), usize> {
        let mut last = 0;
        let came = wait_for(PATIENCE, || {
            last = self.readable(number, keys);
            last == keys
        });
        if came { Ok(()) } else { Err(last) }
    }

    /// Ends a node: its agent, and what it started.
    pub fn destroy(&mut self, number: u32) -> io::Result<()> {
        let pids = ["k2hdkc", "chmpx"].map(|program| self.pid(number, program));
        if let Some(mut node) = self.nodes.remove(&number) {
            node.kill()?;
        }
        pids.into_iter().flatten().try_for_each(|pid| signal(pid, "KILL"))
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // The agents first, or they start again what is killed.
        let roots: Vec<_> = self.nodes.values().map(|node| node.root().to_owned()).collect();
        self.nodes.clear();
        for root in roots {
            for pid in processes_of(&root) {
                // What has ended by itself is no loss.
                let _ = signal(pid, "KILL");
            }
        }
    }
}

/// The processes of the simulators with an ini below `root`.
pub fn processes_of(root: &std::path::Path) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let below = format!("{}/", root.display());
    let of_root = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let is_ini = |word: &[u8]| word.starts_with(below.as_bytes()) && word.ends_with(b".ini");
        line.split(|byte| *byte == 0).skip(1).any(is_ini)
    };
    pids.filter(of_root).collect()
}

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) -> io::Result<()> {
    let signal: nix::sys::signal::Signal = format!("SIG{name}").parse().map_err(io::Error::other)?;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).map_err(io::Error::other)?);
    Ok(nix::sys::signal::kill(pid, signal)?)
}
