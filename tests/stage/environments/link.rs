//! The link between a node and the network of its environment. Without it a node vanishes: no FIN and no RST leave it.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use super::container::Container;
use super::docker::told;

/// PORT of the servers, by the keys of the cluster.
const PORT: u16 = 8020;
/// The state of an established connection in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";

/// The port of a container at the bridge of its network.
#[derive(Debug)]
pub struct Link {
    port: String,
}

impl Link {
    /// Finds the link of a container with a network of its own.
    pub fn of(container: &Container) -> io::Result<Self> {
        let index = container.read("/sys/class/net/eth0/iflink")?;
        let is_port =
            |port: &Path| fs::read_to_string(port.join("ifindex")).is_ok_and(|other| other == index);
        let mut ports = fs::read_dir("/sys/class/net")?.flatten();
        let found = ports.find(|port| is_port(&port.path()));
        let port = found.ok_or_else(|| io::Error::other(format!("{} has no port here", container.name())))?;
        Ok(Self { port: port.file_name().to_string_lossy().into_owned() })
    }

    /// Takes it down.
    pub fn down(&self) -> io::Result<()> {
        self.set("down")
    }

    /// Takes it up again.
    pub fn up(&self) -> io::Result<()> {
        self.set("up")
    }

    fn set(&self, state: &str) -> io::Result<()> {
        told(Command::new("ip").args(["link", "set", "dev", &self.port, state]).output()?).map(drop)
    }
}

/// Checks whether the chmpx of a container's network has a connection to a host, by the kernel's own table.
pub fn is_connected(container: &Container, host: &str) -> io::Result<bool> {
    let host: Ipv4Addr = host.parse().map_err(io::Error::other)?;
    let host = format!("{:08X}:", u32::from_ne_bytes(host.octets()));
    let port = format!(":{PORT:04X}");
    let is_one = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (Some(own), Some(other), Some(ESTABLISHED)) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        other.starts_with(&host) && (own.ends_with(&port) || other.ends_with(&port))
    };
    Ok(container.read("/proc/net/tcp")?.lines().any(is_one))
}
