//! The place where the nodes live, and the programs that they run: loopback addresses and simulators, or namespaces and the
//! real programs.
//!
//! The differences between simulated and real programs are here and in what this hands out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::supervisor::control_port::{self, Command};

use super::handle::Door;
use super::hub::{Hub, Namespaces, ask_within};
use super::member::Member;
use super::programs::Programs;
use super::ring::Eye;
use k2hdkc_simulators::chmpx::shm;
use k2hdkc_simulators::simulators::{self, place};

/// GROUP, which the simulator's template takes from the name of the cluster.
pub(super) const GROUP: &str = "sandbox";
/// The control port of servers.
pub(super) const SERVER_CTLPORT: u16 = 8021;
/// The control port of slaves.
const SLAVE_CTLPORT: u16 = 8031;
/// The port of K2HR3, on an address of its own.
const K2HR3_PORT: u16 = 18080;
/// Longest wait for an answer of a control port.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The ground that the nodes stand on.
#[derive(Debug)]
pub(super) enum Ground {
    /// Addresses of 127.0.0.0/8, and simulators.
    Loopback(Loopback),
    /// Namespaces on a bridge, and real programs.
    Bridge(Box<Hub>),
}

/// A network of loopback addresses that no other sandbox uses: the ports of chmpx are fixed.
#[derive(Debug)]
pub(super) struct Loopback {
    network: u8,
    programs: PathBuf,
    _claim: TcpListener,
}

/// The ways into one node, and to look at it from outside.
#[derive(Debug)]
pub(super) struct Seat {
    /// The words before those of a program that is to run in the node.
    pub entry: Vec<OsString>,
    /// The way to look at its chmpx.
    pub eye: Eye,
    /// The way of programs on it to the ring.
    pub door: Door,
    /// The namespaces that it lives in, where it is more than a directory.
    pub namespaces: Option<Namespaces>,
}

impl Ground {
    /// Simulated programs, linked below `home`.
    pub(super) fn simulated(home: &Path) -> io::Result<Self> {
        let programs = home.join("programs");
        simulators::install(&programs)?;
        let claim = |network| {
            let address = SocketAddr::from((Ipv4Addr::new(127, network, 0, 2), K2HR3_PORT));
            TcpListener::bind(address).ok().map(|claim| (network, claim))
        };
        let free = (80..=250).find_map(claim);
        let (network, claim) =
            free.ok_or_else(|| io::Error::other("no network 127.80.0.0/16 to 127.250.0.0/16 is free"))?;
        Ok(Self::Loopback(Loopback { network, programs, _claim: claim }))
    }

    /// Real programs. This process must be the first one of its namespaces.
    pub(super) fn real() -> io::Result<Self> {
        Ok(Self::Bridge(Box::new(Hub::open()?)))
    }

    /// The address of K2HR3.
    pub(super) fn k2hr3(&self) -> SocketAddr {
        match self {
            Self::Loopback(Loopback { network, .. }) => {
                (Ipv4Addr::new(127, *network, 0, 1), K2HR3_PORT).into()
            }
            Self::Bridge(_) => (Hub::address(), K2HR3_PORT).into(),
        }
    }

    /// The address of a node.
    pub(super) fn address(&self, mode: Mode, number: u8) -> Ipv4Addr {
        match self {
            Self::Loopback(Loopback { network, .. }) => {
                Ipv4Addr::new(127, *network, if mode == Mode::Server { 1 } else { 2 }, number)
            }
            Self::Bridge(_) => Hub::address_of(mode, number),
        }
    }

    /// Renders the beginning of `[supervisor]` for a node with that root.
    pub(super) fn supervisor(&self, root: &Path) -> String {
        match self {
            Self::Loopback(Loopback { programs, .. }) => {
                let path = |name: &str| programs.join(name);
                let environment = format!("{} = \"{}\"", place::ROOT, root.display());
                supervisor([path("chmpx"), path("k2hdkc"), path("chmpxstatus")], &environment)
            }
            Self::Bridge(hub) => {
                let Programs { chmpx, k2hdkc, chmpxstatus, .. } = hub.programs.clone();
                supervisor([chmpx, k2hdkc, chmpxstatus], "")
            }
        }
    }

    /// Prepares a node with that root.
    pub(super) fn seat(&self, root: &Path, mode: Mode, address: Ipv4Addr) -> io::Result<Seat> {
        // Below a root the agent makes no directories for others.
        fs::create_dir_all(root.join("var/lib/antpickax/k2hdkc/data"))?;
        let conf = root.join("etc/antpickax/k2hdkc.ini");
        match self {
            Self::Loopback(_) => {
                let place = place::Place::at(root);
                let port = if mode == Mode::Server { SERVER_CTLPORT } else { SLAVE_CTLPORT };
                let memory = shm::path(&place, GROUP, Some(i32::from(port)));
                let door = Door::Simulated(conf, place);
                Ok(Seat { entry: Vec::new(), eye: Eye::Memory(memory), door, namespaces: None })
            }
            Self::Bridge(hub) => {
                let namespaces = hub.attach(root, address)?;
                let entry = namespaces.entry(&hub.programs);
                let words = |program: &Path, more: &[&str]| {
                    let own = [program.as_os_str().to_owned(), "-conf".into(), conf.clone().into()];
                    entry.iter().cloned().chain(own).chain(more.iter().map(OsString::from)).collect()
                };
                let eye = Eye::Program(words(&hub.programs.chmpxstatus, &[]));
                let door = Door::Program(words(&hub.programs.k2hdkclinetool, &["-perm"]));
                Ok(Seat { entry, eye, door, namespaces: Some(namespaces) })
            }
        }
    }

    /// Renders how to play with the programs: lines for people, in which `$NODES` is set.
    pub(super) fn instructions(&self) -> String {
        match self {
            Self::Loopback(Loopback { programs, .. }) => format!(
                r"
What chmpx says, and what happens to the ring (SIGKILL of any process is fine too):

  chmpx's own word   K2HDKC_SIMULATOR_ROOT=$NODES/slave-1 {programs}/chmpxstatus \
                       -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini
  read a key         echo 'print slave-1/0' | K2HDKC_SIMULATOR_ROOT=$NODES/slave-1 \
                       {programs}/k2hdkclinetool -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini
  inject a fault     echo 'swallow = 1' >$NODES/server-1/simulator.toml
",
                programs = programs.display()
            ),
            Self::Bridge(hub) => format!(
                r"
Everything above runs in namespaces: enter those of the hub first, and from there a node's.

  the hub            nsenter --target {hub} --all
  a node, from there nsenter --target $(pgrep -fx '.*--as-node .*/slave-1') --net --ipc --mount --uts
  chmpx's own word   {chmpxstatus} -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini
  read a key         {linetool} -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini -perm
                       and then: print slave-1/0
",
                hub = hub.pid_outside,
                chmpxstatus = hub.programs.chmpxstatus.display(),
                linetool = hub.programs.k2hdkclinetool.display(),
            ),
        }
    }

    /// Gives a server's control port a command.
    pub(super) async fn command(&self, server: &Member, command: &Command) -> io::Result<String> {
        let address = SocketAddr::from((server.address, SERVER_CTLPORT));
        match self {
            Self::Loopback(_) => {
                control_port::ask(address, command, ANSWER_WITHIN).await.map_err(io::Error::other)
            }
            Self::Bridge(_) => {
                let network = server.seat.namespaces.as_ref().map(Namespaces::network).unwrap_or_default();
                ask_within(network, address, command.clone()).await
            }
        }
    }
}

/// `[supervisor]` with the programs chmpx, k2hdkc and chmpxstatus.
fn supervisor(programs: [PathBuf; 3], environment: &str) -> String {
    let names = ["process.chmpx", "process.k2hdkc", "process.chmpxstatus"];
    let line = |(key, path): (&str, PathBuf)| format!("{key:<19} = \"{}\"\n", path.display());
    let lines: String = names.into_iter().zip(programs).map(line).collect();
    let kind = "kind                = \"process\"   # default \"auto\"\n";
    let environment = if environment.is_empty() {
        String::new()
    } else {
        format!("process.environment = {{ {environment} }}\n")
    };
    [kind, &lines, &environment].concat()
}
