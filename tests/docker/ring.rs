//! The beginning of the tests: a ring of containers whose agents have converged.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use k2hdkc_agent::process_status::State;
use k2hdkc_agent::status::Status;
use k2hdkc_simulators::node::{Node, wait_for};
use k2hdkc_tests::environments::systemd::INI;
use k2hdkc_tests::environments::trove::{Environment, Layout};
use k2hdkc_tests::environments::{Container, keys, say, settings};

/// The longest time for anything on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) const KEYS: usize = 60;

/// The setting that lets an agent send the loop elsewhere.
pub(crate) const TAKES_OVER: &str = "take-over = true\n";

/// The length of a second of the image's script and helpers, in seconds. A helper starts again what ended after ten of
/// them, and the agent must have ended chmpx by then.
const SECOND: f64 = 0.2;

/// A ring, and the agents of its servers.
pub(crate) struct Ring {
    pub(crate) agents: BTreeMap<u32, Node>,
    pub(crate) environment: Environment,
    layout: Layout,
}

impl Ring {
    /// Servers whose containers have registered and whose agents have converged, and keys from slave 100.
    pub(crate) fn start(layout: Layout, servers: u32, more: &str) -> io::Result<Self> {
        let environment = Environment::start(layout, SECOND, servers, 1)?;
        let mut ring = Self { agents: BTreeMap::new(), environment, layout };
        let begun = Instant::now();
        for number in 1..=servers {
            ring.employ(number, more)?;
        }
        ring.settled();
        say(&format!(
            "{servers} servers ({layout:?}) converged {:.1} s after the agents' start",
            begun.elapsed().as_secs_f64()
        ));
        ring.environment.start_slave(100)?;
        keys::write_at_last(ring.environment.slave(100), INI, KEYS, LONG)?;
        ring.all_readable();
        Ok(ring)
    }

    /// A server without an agent yet.
    pub(crate) fn alone() -> io::Result<Self> {
        Self::unattended(1, 0)
    }

    /// Servers of which none has an agent yet, with their processes up, and the VMs of slaves.
    pub(crate) fn unattended(servers: u32, slaves: u32) -> io::Result<Self> {
        let environment = Environment::start(Layout::Database, SECOND, servers, slaves)?;
        let ring = Self { agents: BTreeMap::new(), environment, layout: Layout::Database };
        for number in 1..=servers {
            let runs = wait_for(LONG, || ring.pids(number).1.is_some());
            assert!(runs, "{}", ring.environment.server(number).database().log());
        }
        Ok(ring)
    }

    /// The same with keys from slave 100.
    pub(crate) fn unattended_with_keys(servers: u32) -> io::Result<Self> {
        let ring = Self::unattended(servers, 1)?;
        ring.environment.start_slave(100)?;
        keys::write_at_last(ring.environment.slave(100), INI, KEYS, LONG)?;
        Ok(ring)
    }

    /// Gives a server its agent.
    pub(crate) fn employ(&mut self, number: u32, more: &str) -> io::Result<()> {
        let mut agent = self.environment.agent(number, &settings("docker", more))?;
        agent.start()?;
        self.agents.insert(number, agent);
        Ok(())
    }

    /// Gives the agent other settings, and waits until it has read them.
    pub(crate) fn configure(&self, number: u32, settings: &str) {
        let agent = &self.agents[&number];
        let read = || agent.log().matches("the configuration was read again").count();
        let before = read();
        agent.swap("etc/k2hdkc-agent/agent.toml", settings).unwrap();
        assert!(wait_for(LONG, || read() > before), "{}", self.told(number));
    }

    pub(crate) fn status(&self, number: u32) -> Option<Status> {
        let output = self.agents[&number].run(&["status", "--json"]).ok()?;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Checks whether its agent says that the processes run what the file says, with all servers in service.
    pub(crate) fn is_settled(&self, number: u32) -> bool {
        let servers = self.agents.len();
        self.status(number).and_then(|status| status.processes).is_some_and(|processes| {
            processes.state == State::Converged && processes.healthy() == (servers, servers)
        })
    }

    pub(crate) fn settled(&self) -> Duration {
        let begun = Instant::now();
        for number in self.agents.keys() {
            assert!(wait_for(LONG, || self.is_settled(*number)), "{}", self.told(*number));
        }
        begun.elapsed()
    }

    /// Collects everything that explains the state of a node.
    pub(crate) fn told(&self, number: u32) -> String {
        let agent = &self.agents[&number];
        let status = agent.run(&["status"]).map(|output| output.stdout).unwrap_or_default();
        let log = agent.log();
        let last: Vec<_> = log.lines().rev().take(120).collect();
        let last: Vec<_> = last.into_iter().rev().collect();
        format!(
            "server {number}: {}\n{}\n--- {}",
            String::from_utf8_lossy(&status),
            last.join("\n"),
            self.container(number, "chmpx").log()
        )
    }

    /// Reads what its agent reports of the processes: the text of what is held, or waited for.
    pub(crate) fn says(&self, number: u32, text: &str) -> bool {
        self.agents[&number]
            .run(&["status"])
            .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(text))
    }

    /// The pids of both programs.
    pub(crate) fn pids(&self, number: u32) -> (Option<u32>, Option<u32>) {
        let [chmpx, k2hdkc] = ["chmpx", "k2hdkc"].map(|program| self.container(number, program).pid(program));
        (chmpx, k2hdkc)
    }

    /// The container of that program.
    pub(crate) fn container(&self, number: u32, program: &str) -> Container {
        let server = self.environment.server(number);
        match self.layout {
            Layout::Database => server.database(),
            Layout::Split => server.container(program),
        }
    }

    /// Waits for a moment in which all keys are readable.
    pub(crate) fn all_readable(&self) {
        let mut count = 0;
        let all = wait_for(LONG, || {
            count = keys::readable(self.environment.slave(100), INI, KEYS).unwrap_or_default();
            count == KEYS
        });
        assert!(all, "{count} of {KEYS} keys are readable: {}", self.told(1));
    }

    /// Checks whether the loop of its container has been told to write elsewhere.
    pub(crate) fn is_neutralised(&self, number: u32) -> bool {
        let conf = self.environment.server(number).database().read("/etc/antpickax/override.conf");
        conf.is_ok_and(|text| text.ends_with("OUTPUT_FILE = .shadow.ini\n"))
    }
}
