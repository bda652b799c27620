//! A K2HR3 and a ring of real agents with simulated chmpx and k2hdkc, which enter their roles and leave them by themselves:
//! what the suites about whole lives of nodes begin with. Servers have numbers below 100, slaves from 100 on.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k2hdkc_agent::admin::{self, Request, Response};
use k2hdkc_agent::process_status::State;
use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::status::Status;
use tokio::runtime::{self, Runtime};

use crate::ring::{FAST, PATIENCE, processes_of, signal};
use k2hdkc_simulators::k2hdkc::Client;
use k2hdkc_simulators::k2hr3::{Cluster, Lab, Options, Server};
use k2hdkc_simulators::node::{Node, Plan, wait_for};
use k2hdkc_simulators::simulators::place::Place;

/// The deployment. Dropped, every process of it is killed.
#[derive(Debug)]
pub struct Deployment {
    lab: Lab,
    cluster: Cluster,
    server: Option<Server>,
    network: String,
    nodes: BTreeMap<u32, Node>,
    /// Further lines of every node's configuration.
    more: String,
    roots: tempfile::TempDir,
    runtime: Runtime,
}

impl Deployment {
    /// Makes one without nodes.
    pub fn new(more: &str) -> io::Result<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), LAST.fetch_add(1, Ordering::Relaxed));
        // Apart from those of `Stage`, and from those of other suites that run.
        let network = format!("127.{}.{}", 217 + process % 37, (process / 37 + number * 11) % 250);
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let lab = Lab::new();
        let cluster = lab.create_cluster("tenant0", "mycluster");
        let options = Options { lab: lab.clone() };
        let server = Some(runtime.block_on(Server::start(([127, 0, 0, 1], 0).into(), options))?);
        let (nodes, roots) = (BTreeMap::new(), tempfile::tempdir()?);
        Ok(Self { lab, cluster, server, network, nodes, more: more.to_owned(), roots, runtime })
    }

    /// Makes one with servers 1 on and slaves 100 on, all members, and converged.
    pub fn settled(more: &str, servers: u32, slaves: u32) -> io::Result<Self> {
        let mut deployment = Self::new(more)?;
        deployment.settle(servers, slaves)?;
        Ok(deployment)
    }

    /// Adds and starts servers 1 on and slaves 100 on, and waits until all are members and converged.
    pub fn settle(&mut self, servers: u32, slaves: u32) -> io::Result<()> {
        let numbers: Vec<u32> = (1..=servers).chain(100..100 + slaves).collect();
        for number in &numbers {
            self.add(*number)?;
        }
        for number in &numbers {
            self.node_mut(*number).start()?;
        }
        self.assert_ring(&numbers)
    }

    /// From now on each key has so many copies besides its first one.
    pub fn replicate(&self, copies: u32) {
        let (usual, other) = ("REPLICA             = 1", format!("REPLICA             = {copies}"));
        self.lab.edit_text(&self.cluster.resource, |text| text.replace(usual, &other));
    }

    /// The control of K2HR3.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The names and tokens.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A new VM, as K2HR3's user-data leaves it; nothing runs yet.
    pub fn add(&mut self, number: u32) -> io::Result<()> {
        let root = self.roots.path().join(format!("node-{number}"));
        std::fs::create_dir_all(root.join("var/lib/antpickax/k2hdkc/data"))?;
        k2hdkc_simulators::simulators::install(&root.join("bin"))?;
        let address = format!("{}.{}", self.network, number + 1);
        let Cluster { server_role, server_token, slave_role, slave_token, .. } = &self.cluster;
        let (role, token) =
            if number < 100 { (server_role, server_token) } else { (slave_role, slave_token) };
        let plan = Plan {
            api_uri: self.server.as_ref().map(Server::uri).unwrap_or_default(),
            role: role.clone(),
            token: Some(token.clone()),
            cuk: format!("cuk-{number}"),
            config: config(&root, &address, number, &self.more),
            address,
        };
        self.nodes.insert(number, Node::new(&root, plan)?);
        Ok(())
    }

    /// A node.
    pub fn node(&self, number: u32) -> &Node {
        &self.nodes[&number]
    }

    /// A node, to start and stop its agent.
    ///
    /// # Panics
    ///
    /// Where no such node was added.
    #[expect(clippy::expect_used, reason = "a suite asks for the nodes that it has added")]
    pub fn node_mut(&mut self, number: u32) -> &mut Node {
        self.nodes.get_mut(&number).expect("no such node")
    }

    /// Checks whether K2HR3 has the node in its role; how many records it has of it.
    pub fn records(&self, number: u32) -> usize {
        let role = if number < 100 { &self.cluster.server_role } else { &self.cluster.slave_role };
        let address = &self.node(number).plan().address;
        self.lab.members(role).iter().filter(|member| member.host == *address).count()
    }

    /// The status of a node's agent, if it answers.
    pub fn status(&self, number: u32) -> Option<Status> {
        let directory = self.node(number).root().join("run/k2hdkc-agent");
        match self.runtime.block_on(admin::ask(&directory, &Request::Status)) {
            Ok(Response::Status(status)) => Some(*status),
            _ => None,
        }
    }

    /// Processes of the node that run, besides its agent.
    pub fn processes(&self, number: u32) -> usize {
        processes_of(self.node(number).root()).len()
    }

    /// Waits until these nodes, and no others, are the ring: members, in every file of theirs, and converged.
    pub fn assert_ring(&self, numbers: &[u32]) -> io::Result<()> {
        let servers: Vec<String> = cuks(numbers.iter().filter(|number| **number < 100));
        for number in numbers {
            let fits = || {
                let follows = self.node(*number).cuks(Mode::Server) == servers;
                follows && self.records(*number) == 1 && self.is_converged(*number, servers.len())
            };
            if !wait_for(PATIENCE, fits) {
                let all: Vec<_> = numbers.iter().map(|number| self.told(*number)).collect();
                return Err(io::Error::other(format!(
                    "node {number} is not in the ring:\n{}",
                    all.join("\n")
                )));
            }
        }
        Ok(())
    }

    fn is_converged(&self, number: u32, servers: usize) -> bool {
        let processes = self.status(number).and_then(|status| status.processes);
        processes.is_some_and(|processes| {
            processes.state == State::Converged && processes.healthy() == (servers, servers)
        })
    }

    /// Collects everything that explains the state of a node.
    pub fn told(&self, number: u32) -> String {
        let node = self.node(number);
        let status = node.run(&["status"]).map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let log = node.log();
        let news: Vec<_> = log.lines().filter(|line| !line.contains("DEBUG unchanged")).collect();
        let last = news[news.len().saturating_sub(60)..].join("\n");
        format!("node {number}: {}\n{last}", status.unwrap_or_default())
    }

    /// An application program on that node, with a handle for each command.
    pub fn client(&self, number: u32) -> Client {
        let node = self.node(number);
        Client::per_command(&node.ini(), Place::at(node.root()))
    }

    /// Sets keys `key0` on.
    pub fn write(&self, number: u32, keys: usize) -> io::Result<()> {
        let mut client = self.client(number);
        (0..keys).try_for_each(|key| {
            client.set(&format!("key{key}"), &format!("value{key}")).map_err(io::Error::other)
        })
    }

    /// Keys that an application on the node does not get, although it asks again for this long.
    pub fn unreadable(&self, number: u32, keys: usize, patience: Duration) -> usize {
        let mut client = self.client(number);
        let mut serves = |key: usize| {
            let (name, value) = (format!("key{key}"), format!("value{key}"));
            wait_for(patience, || client.get(&name).ok().flatten().as_deref() == Some(value.as_str()))
        };
        (0..keys).filter(|key| !serves(*key)).count()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        let roots: Vec<_> = self.nodes.values().map(|node| node.root().to_owned()).collect();
        // The agents first, or they start again what is killed.
        self.nodes.clear();
        for pid in roots.iter().flat_map(|root| processes_of(root)) {
            // What has ended by itself is no loss.
            let _ = signal(pid, "KILL");
        }
    }
}

fn cuks<'a>(numbers: impl Iterator<Item = &'a u32>) -> Vec<String> {
    let mut cuks: Vec<_> = numbers.map(|number| format!("cuk-{number}")).collect();
    cuks.sort();
    cuks
}

fn config(root: &Path, address: &str, number: u32, more: &str) -> String {
    let bin = root.join("bin");
    let programs = ["chmpx", "k2hdkc", "chmpxstatus"];
    let programs: String =
        programs.iter().map(|name| format!("process.{name} = \"{}/{name}\"\n", bin.display())).collect();
    format!(
        "{FAST}[k2hr3]\nsource-address = \"{address}\"\nconnect-timeout = \"1s\"\ntimeout = \"3s\"\n\
         [join]\nenabled = true\ntag = \"vm{number}.example\"\nconfirm-polls = 3\nconfirm-for = \"500ms\"\n{more}\
         [supervisor]\nkind = \"process\"\ntiming.resync-interval = \"300ms\"\ntiming.min-query-interval = \"100ms\"\ntiming.quiet-after-write = \"100ms\"\n\
         timing.peers-within = \"5s\"\ntiming.restart-backoff = \"200ms\"\ntiming.settle-before-drain = \"500ms\"\n{programs}\
         [supervisor.process.environment]\nK2HDKC_SIMULATOR_ROOT = \"{}\"\n",
        root.display()
    )
}
