//! The ground of every environment: a network, the K2HR3 simulator at its gateway, one cluster, and a directory.
//!
//! Servers have numbers below 100, slaves from 100 on. Node N has the address `<network>.(N+10)`, the host name `nodeN`
//! and the CUK `cuk-N`.

use std::io;
use std::path::{Path, PathBuf};

use tokio::runtime::{self, Runtime};

use super::container::Container;
use super::depot::Depot;
use super::docker::Docker;
use super::image::{self, Base};
use super::owner::{LABEL, Owner};
use super::sweep::{self, HOME};
use k2hdkc_simulators::k2hr3::{Cluster, HostRecord, Lab, Options, Server};

/// The ground of one environment. Dropped, everything on it is gone.
#[derive(Debug)]
pub struct Ground {
    docker: Docker,
    base: &'static Base,
    owner: Owner,
    name: String,
    /// The first three numbers of its addresses.
    network: String,
    dir: PathBuf,
    server: Option<Server>,
    lab: Lab,
    cluster: Cluster,
    // Last, so that the simulator is dropped on it.
    runtime: Runtime,
}

/// The identity of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The number.
    pub number: u32,
    /// The address on the environment's network.
    pub address: String,
    /// The host name, and the tag of its record.
    pub host: String,
    /// The CUK.
    pub cuk: String,
}

impl Identity {
    /// Checks whether it is a server.
    pub fn is_server(&self) -> bool {
        self.number < 100
    }

    /// The control port, by the keys of the cluster.
    pub fn ctlport(&self) -> u16 {
        if self.is_server() { 8021 } else { 8031 }
    }
}

impl Ground {
    /// A ground without any node.
    pub fn open() -> io::Result<Self> {
        let (owner, docker, base) = (Owner::own(), Docker::of_machine(), image::base()?);
        let name = format!("{owner}-{}", Owner::next_environment());
        let network = make_network(&docker, owner, &name)?;
        let dir = Path::new(HOME).join(&name);
        std::fs::create_dir_all(&dir)?;
        let lab = Lab::new();
        let cluster = lab.create_cluster("tenant0", "mycluster");
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut ground =
            Self { docker, base, owner, name, network, dir, server: None, lab, cluster, runtime };
        ground.resume_k2hr3()?;
        Ok(ground)
    }

    /// The machine's daemon.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// The base image.
    pub fn base(&self) -> &Base {
        self.base
    }

    /// The name of the environment, and of its network.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The control of the K2HR3 simulator.
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Names and tokens of the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// `http://host:port` of K2HR3, as nodes reach it.
    pub fn api_uri(&self) -> String {
        self.server.as_ref().map(Server::uri).unwrap_or_default()
    }

    /// Ends the API's process; its data stays.
    pub fn stop_k2hr3(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }

    /// Starts it, if it does not run. Its port is 18080 always: no other environment has this address.
    pub fn resume_k2hr3(&mut self) -> io::Result<()> {
        if self.server.is_none() {
            let gateway = format!("{}.1:18080", self.network).parse().map_err(io::Error::other)?;
            let options = Options { lab: self.lab.clone() };
            self.server = Some(self.runtime.block_on(Server::start(gateway, options))?);
        }
        Ok(())
    }

    /// Serves these files, each under its name, at the gateway's address as well.
    pub fn serve(&self, files: Vec<(String, Vec<u8>)>) -> io::Result<Depot> {
        let gateway = format!("{}.1:18081", self.network).parse().map_err(io::Error::other)?;
        self.runtime.block_on(Depot::start(gateway, files))
    }

    /// Returns the identity of node N.
    pub fn identity(&self, number: u32) -> Identity {
        Identity {
            number,
            address: format!("{}.{}", self.network, number + 10),
            host: format!("node{number}"),
            cuk: format!("cuk-{number}"),
        }
    }

    /// The role of node N and the token with which it reads it.
    pub fn role(&self, number: u32) -> (&str, &str) {
        let Cluster { server_role, server_token, slave_role, slave_token, .. } = &self.cluster;
        if number < 100 { (server_role, server_token) } else { (slave_role, slave_token) }
    }

    /// Enters node N into its role.
    pub fn register(&self, number: u32) {
        let Identity { address, host, cuk, .. } = self.identity(number);
        self.lab.register(self.role(number).0, HostRecord::openstack(address, cuk, host));
    }

    /// Takes it out.
    pub fn deregister(&self, number: u32) {
        self.lab.deregister(self.role(number).0, &self.identity(number).cuk);
    }

    /// Changes a key of the cluster, which every node's file is made of.
    pub fn set_key(&self, key: &str, value: u16) {
        self.lab.set_key(&self.cluster.resource, key, value);
    }

    /// Changes the cluster's template: this text, which is in it, becomes that.
    pub fn edit_template(&self, from: &str, to: &str) {
        self.lab.edit_text(&self.cluster.resource, |text| text.replace(from, to));
    }

    /// Checks whether it is in.
    pub fn is_member(&self, number: u32) -> bool {
        let cuk = self.identity(number).cuk;
        self.lab.members(self.role(number).0).iter().any(|record| record.cuk.as_deref() == Some(cuk.as_str()))
    }

    /// Starts a container for node N on the environment's network, with its address and host name.
    pub fn run(&self, number: u32, options: &[String], command: &[&str]) -> io::Result<Container> {
        self.run_from(&self.base.name, number, options, command)
    }

    /// The same from another image than the base one.
    pub fn run_from(
        &self,
        image: &str,
        number: u32,
        options: &[String],
        command: &[&str],
    ) -> io::Result<Container> {
        let Identity { address, host, .. } = self.identity(number);
        let name = format!("{}-{host}", self.name);
        let label = format!("{LABEL}={}", self.owner);
        let mut words = vec!["run", "--detach", "--name", &name, "--label", &label];
        words.extend(["--network", &self.name, "--ip", &address, "--hostname", &host]);
        words.extend(options.iter().map(String::as_str));
        words.push(image);
        words.extend(command);
        self.docker.run(words)?;
        Ok(Container::new(&self.docker, &name))
    }
}

/// A network of 254 addresses that nothing on this machine has yet: the daemon refuses those that overlap with another.
fn make_network(docker: &Docker, owner: Owner, name: &str) -> io::Result<String> {
    let label = format!("{LABEL}={owner}");
    let first = std::process::id() % 250;
    let mut refused = None;
    for step in 0..250 {
        // Environments that begin at once begin to look at places far apart.
        let network = format!("10.201.{}", (first + step * 7) % 250);
        let subnet = format!("{network}.0/24");
        match docker.run(["network", "create", "--label", &label, "--subnet", &subnet, name]) {
            Ok(_) => return Ok(network),
            Err(error) if error.to_string().contains("overlap") => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(refused.unwrap_or_else(|| io::Error::other("no network")))
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Its port first: the next environment takes the network, and the port with it, as soon as the network is gone.
        self.stop_k2hr3();
        // What stays is taken away by the next run's sweep.
        let filter = format!("network={}", self.name);
        let containers = self.docker.run(["ps", "--all", "--quiet", "--filter", &filter]).unwrap_or_default();
        if !containers.is_empty() {
            let words = ["rm", "--force", "--volumes"].into_iter().chain(containers.lines());
            let _ = self.docker.run(words);
        }
        let _ = self.docker.run(["network", "rm", &self.name]);
        let _ = sweep::clear(&self.dir);
    }
}
