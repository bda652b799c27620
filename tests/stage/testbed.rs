//! A K2HR3 with one cluster in it, and the nodes that follow it: what most end-to-end suites begin with.
//!
//! The simulator runs on a thread of its own, so that a suite may be plain sequential code that starts agents and
//! waits for files. Servers are 127.0.0.11 and up, slaves 127.0.0.31 and up.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use tempfile::TempDir;
use tokio::runtime::{self, Runtime};

use k2hdkc_simulators::k2hr3::{Cluster, HostRecord, Lab, Options, Request, Server};
use k2hdkc_simulators::node::{Node, Plan};

/// Settings that let a suite wait for a dozen polls: 50 ms between two of them, 20 to 100 ms after a bad answer.
///
/// The log is at `debug`, where every pass has a line, so that passes can be counted.
pub const FAST: &str = "\
[poll]
interval = \"50ms\"
max-interval = \"50ms\"
jitter = 0.0
backoff = \"20ms\"
max-backoff = \"100ms\"
settle = \"20ms\"
max-settle = \"100ms\"
[k2hr3]
connect-timeout = \"1s\"
timeout = \"1s\"
[log]
level = \"debug\"
";

/// A simulator, its cluster, and room for the nodes' directories. Dropped, everything is gone.
#[derive(Debug)]
pub struct Testbed {
    server: Option<Server>,
    address: SocketAddr,
    lab: Lab,
    cluster: Cluster,
    roots: TempDir,
    runtime: Runtime,
}

impl Testbed {
    /// A cluster with servers 11, 12 .. and slaves 31, 32 ..
    pub fn open(servers: u8, slaves: u8) -> io::Result<Self> {
        let lab = Lab::new();
        let cluster = lab.create_cluster("tenant0", "mycluster");
        Self::serve(lab, cluster, servers, slaves)
    }

    /// The same with an own template of the resource.
    pub fn open_with_template(template: &str, servers: u8, slaves: u8) -> io::Result<Self> {
        let lab = Lab::new();
        let cluster = lab.create_cluster_with_template("tenant0", "mycluster", template);
        Self::serve(lab, cluster, servers, slaves)
    }

    fn serve(lab: Lab, cluster: Cluster, servers: u8, slaves: u8) -> io::Result<Self> {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let options = Options { lab: lab.clone() };
        let server = runtime.block_on(Server::start(([127, 0, 0, 1], 0).into(), options))?;
        let address = server.address();
        let roots = tempfile::tempdir()?;
        let testbed = Self { server: Some(server), address, lab, cluster, roots, runtime };
        (11..11 + servers).for_each(|number| testbed.add_server(number));
        (31..31 + slaves).for_each(|number| testbed.add_slave(number));
        Ok(testbed)
    }

    /// The control of the simulator.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The names and tokens of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The address of K2HR3.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The directory of all nodes.
    pub fn roots(&self) -> &std::path::Path {
        self.roots.path()
    }

    /// Runs something asynchronous beside the simulator.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Ends the API's process: connections are refused. The data stays.
    pub fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    /// Starts it again at the same address, if it was stopped.
    pub fn resume(&mut self) -> io::Result<()> {
        if self.server.is_some() {
            return Ok(());
        }
        let options = Options { lab: self.lab.clone() };
        self.server = Some(self.runtime.block_on(Server::start(self.address, options))?);
        Ok(())
    }

    /// Registers a server node.
    pub fn add_server(&self, number: u8) {
        self.lab.register(&self.cluster.server_role, host(number));
    }

    /// Removes a server node.
    pub fn remove_server(&self, number: u8) {
        self.lab.deregister(&self.cluster.server_role, &cuk(number));
    }

    /// Registers a slave node.
    pub fn add_slave(&self, number: u8) {
        self.lab.register(&self.cluster.slave_role, host(number));
    }

    /// Removes a slave node.
    pub fn remove_slave(&self, number: u8) {
        self.lab.deregister(&self.cluster.slave_role, &cuk(number));
    }

    /// Plans a server node.
    pub fn server_plan(&self, number: u8, config: &str) -> Plan {
        let Cluster { server_role, server_token, .. } = &self.cluster;
        self.plan(number, server_role, server_token, config)
    }

    /// Plans a slave node.
    pub fn slave_plan(&self, number: u8, config: &str) -> Plan {
        let Cluster { slave_role, slave_token, .. } = &self.cluster;
        self.plan(number, slave_role, slave_token, config)
    }

    fn plan(&self, number: u8, role: &str, token: &str, config: &str) -> Plan {
        Plan {
            api_uri: format!("http://{}", self.address),
            role: role.to_owned(),
            token: Some(token.to_owned()),
            address: address(number),
            cuk: cuk(number),
            config: config.to_owned(),
        }
    }

    /// A node in a directory of its own, named after its CUK. Nothing runs yet.
    pub fn node(&self, plan: Plan) -> io::Result<Node> {
        Node::new(&self.roots.path().join(&plan.cuk), plan)
    }

    /// The polls since then.
    pub fn polls_since(&self, start: Instant) -> Vec<Request> {
        let is_poll = |request: &Request| {
            request.at >= start && request.method == "GET" && request.path.starts_with("/v1/resource/")
        };
        self.lab.requests().into_iter().filter(is_poll).collect()
    }
}

/// The record of a host.
pub fn host(number: u8) -> HostRecord {
    HostRecord::openstack(address(number), cuk(number), format!("vm{number}.example"))
}

/// The address.
pub fn address(number: u8) -> String {
    format!("127.0.0.{number}")
}

/// The CUK.
pub fn cuk(number: u8) -> String {
    format!("cuk-{number}")
}

/// The CUKs of some hosts, as [`Node::cuks`] lists them.
pub fn cuks(numbers: impl IntoIterator<Item = u8>) -> Vec<String> {
    numbers.into_iter().map(cuk).collect()
}
