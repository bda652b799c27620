//! Where the nodes live and which programs they run: loopback addresses and simulators.
//!
//! Everything that differs between simulated and real programs is here and in what this hands out.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k2hdkc_agent::ring::Mode;
use k2hdkc_agent::target::control_port::{self, Command};

use super::handle::Door;
use super::member::Member;
use super::ring::Eye;
use crate::chmpx::shm;
use crate::simulators::{self, place};

/// GROUP, which the simulator's template takes from the name of the cluster.
pub(super) const GROUP: &str = "sandbox";
/// The control port of servers.
pub(super) const SERVER_CTLPORT: u16 = 8021;
/// The control port of slaves.
const SLAVE_CTLPORT: u16 = 8031;
/// Where K2HR3 listens, on an address of its own.
const K2HR3_PORT: u16 = 18080;
/// Longest wait for an answer of a control port.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The ground that the nodes stand on.
#[derive(Debug)]
pub(super) enum Ground {
    /// Addresses of 127.0.0.0/8, and simulators.
    Loopback(Loopback),
}

/// A network of loopback addresses that no other sandbox uses: the ports of chmpx are fixed.
#[derive(Debug)]
pub(super) struct Loopback {
    network: u8,
    programs: PathBuf,
    _claim: TcpListener,
}

/// How one node is entered, and looked at from outside.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    /// What stands before the words of a program that is to run in the node.
    pub entry: Vec<OsString>,
    /// `[target]` of its `agent.toml`.
    pub target: String,
    /// How its chmpx is looked at.
    pub eye: Eye,
    /// How programs on it reach the ring.
    pub door: Door,
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

    /// Where K2HR3 listens.
    pub(super) fn k2hr3(&self) -> SocketAddr {
        match self {
            Self::Loopback(Loopback { network, .. }) => {
                (Ipv4Addr::new(127, *network, 0, 1), K2HR3_PORT).into()
            }
        }
    }

    /// The address of a node.
    pub(super) fn address(&self, mode: Mode, number: u8) -> Ipv4Addr {
        match self {
            Self::Loopback(Loopback { network, .. }) => {
                Ipv4Addr::new(127, *network, if mode == Mode::Server { 1 } else { 2 }, number)
            }
        }
    }

    /// Prepares a node with that root.
    pub(super) fn seat(&self, root: &Path, mode: Mode) -> io::Result<Seat> {
        // Below a root the agent makes no directories for others.
        fs::create_dir_all(root.join("var/lib/antpickax/k2hdkc/data"))?;
        match self {
            Self::Loopback(Loopback { programs, .. }) => {
                let place = place::Place::at(root);
                let port = if mode == Mode::Server { SERVER_CTLPORT } else { SLAVE_CTLPORT };
                let memory = shm::path(&place, GROUP, Some(i32::from(port)));
                Ok(Seat {
                    entry: Vec::new(),
                    target: target(programs, &format!("{} = \"{}\"", place::ROOT, root.display())),
                    eye: Eye::Memory(memory),
                    door: Door::Simulated(root.join("etc/antpickax/k2hdkc.ini"), place),
                })
            }
        }
    }

    /// How to play with the programs: lines for people, which know `$NODES`.
    pub(super) fn instructions(&self) -> String {
        match self {
            Self::Loopback(Loopback { programs, .. }) => format!(
                r"
What chmpx says, and what happens to the ring (SIGKILL of any process is fine too):

  chmpx's own word   K2HDKC_SIMULATOR_ROOT=$NODES/slave-1 {programs}/chmpxstatus \
                       -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini
  read a key         echo 'print slave-1/0' | K2HDKC_SIMULATOR_ROOT=$NODES/slave-1 \
                       {programs}/k2hdkclinetool -conf $NODES/slave-1/etc/antpickax/k2hdkc.ini
  mischief           echo 'swallow = 1' >$NODES/server-1/simulator.toml
",
                programs = programs.display()
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
        }
    }
}

/// `[target]` with programs of one directory.
fn target(programs: &Path, environment: &str) -> String {
    let line = |key: &str, name: &str| format!("{key:<15} = \"{}\"\n", programs.join(name).display());
    [
        "kind            = \"process\"   # default \"none\"\n".to_owned(),
        line("chmpx", "chmpx"),
        line("k2hdkc", "k2hdkc"),
        line("chmpxstatus", "chmpxstatus"),
        format!("environment     = {{ {environment} }}\n"),
    ]
    .concat()
}
