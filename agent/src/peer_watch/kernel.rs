//! Connections as the kernel counts them: reads them by `NETLINK_SOCK_DIAG`, and destroys single ones.
//!
//! A socket of that kind belongs to the network namespace in which it was made. For a chmpx in a container a thread of its own
//! enters that namespace, makes the socket there, and ends: the socket goes on, and this process stays where it is.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_SYN_SENT};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_packet_sock_diag::{SockDiagDestroy, SockDiagMessage};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as Kernel};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::peers::{Connection, Ends, Trouble};
use crate::supervisor::sockets;

/// Bytes that the kernel fills at a time in a dump.
const BUFFER: usize = 64 * 1024;

/// A connection with the inode by which its owner is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The connection.
    pub(crate) connection: Connection,
    inode: u32,
    id: SocketId,
    family: u8,
}

/// Reads and destroys connections of one network namespace.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    socket: Socket,
    buffer: Vec<u8>,
    /// Obstacle of a destruction, as a trial on a connection of the agent's own has shown it.
    pub(crate) obstacle: Option<Trouble>,
}

impl Diagnosis {
    /// Opens the diagnosis of the network namespace of a process.
    ///
    /// # Errors
    ///
    /// The namespace cannot be entered, or the kernel has no such socket.
    pub(crate) fn of(pid: u32) -> Result<Self, Trouble> {
        let theirs = PathBuf::from(format!("/proc/{pid}/ns/net"));
        let is_own = fs::read_link("/proc/thread-self/ns/net").ok() == fs::read_link(&theirs).ok();
        if is_own {
            return Self::open();
        }
        let closed = |error: &dyn std::fmt::Display| Trouble::Namespace(error.to_string());
        let namespace = File::open(&theirs).map_err(|error| closed(&error))?;
        let entered = std::thread::Builder::new().name("namespace".to_owned()).spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(|errno| Trouble::Namespace(errno.to_string()))?;
            Self::open()
        });
        let entered = entered.map_err(|error| closed(&error))?;
        entered.join().unwrap_or_else(|_| Err(Trouble::Namespace("the thread in it failed".to_owned())))
    }

    fn open() -> Result<Self, Trouble> {
        let failed = |error: io::Error| Trouble::NoDiagnosis(error.to_string());
        let mut socket = Socket::new(NETLINK_SOCK_DIAG).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&Kernel::new(0, 0)).map_err(failed)?;
        // The kernel answers in the call itself: whatever is not there then does not come.
        socket.set_non_blocking(true).map_err(failed)?;
        let mut diagnosis = Self { socket, buffer: vec![0; BUFFER], obstacle: None };
        diagnosis.obstacle = diagnosis.rehearse();
        Ok(diagnosis)
    }

    /// Destroys a connection of the agent's own to itself. Whether that is possible shows only on one that exists.
    fn rehearse(&mut self) -> Option<Trouble> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let address = listener.local_addr().ok()?;
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        let own = (stream.local_addr().ok()?, address);
        let entries = self.connections().ok()?;
        let entry = entries.into_iter().find(|entry| entry.connection.ends == own)?;
        self.destroy(&entry).err()
    }

    /// Reads every connection of the namespace that is open or opening.
    ///
    /// # Errors
    ///
    /// The kernel does not answer.
    pub(crate) fn connections(&mut self) -> Result<Vec<Entry>, Trouble> {
        let mut entries = Vec::new();
        for id in [SocketId::new_v4(), SocketId::new_v6()] {
            let family = family(&id);
            let states = StateFlags::ESTABLISHED
                | StateFlags::SYN_SENT
                | StateFlags::FIN_WAIT1
                | StateFlags::CLOSE_WAIT
                | StateFlags::CLOSING
                | StateFlags::LAST_ACK;
            let request = request(family, id, ExtensionFlags::INFO, states);
            let dumped =
                self.ask(NLM_F_REQUEST | NLM_F_DUMP, SockDiagMessage::InetRequest(request), |response| {
                    entries.extend(Entry::of(response));
                });
            dumped.map_err(|error| Trouble::NoDiagnosis(error.to_string()))?;
        }
        Ok(entries)
    }

    /// Destroys a connection: its program finds it closed at once. One that has gone is no error.
    ///
    /// # Errors
    ///
    /// The agent may not, or the kernel cannot.
    pub(crate) fn destroy(&mut self, entry: &Entry) -> Result<(), Trouble> {
        let request = request(entry.family, entry.id.clone(), ExtensionFlags::empty(), StateFlags::all());
        let message = SockDiagDestroy::new(SockDiagMessage::InetRequest(request));
        match self.ask(NLM_F_REQUEST | NLM_F_ACK, message, |_| {}) {
            Ok(()) => Ok(()),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOENT) => Ok(()),
                Some(Errno::PERM | Errno::ACCESS) => Err(Trouble::NoCapability),
                Some(Errno::OPNOTSUPP) => Err(Trouble::NoDestruction),
                _ => Err(Trouble::Failed(error.to_string())),
            },
        }
    }

    /// Sends a request, and takes the answer to its end.
    fn ask<M>(&mut self, flags: u16, message: M, mut take: impl FnMut(&InetResponse)) -> io::Result<()>
    where
        M: NetlinkSerializable + Into<NetlinkPayload<M>>,
    {
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        let mut packet = NetlinkMessage::new(header, message.into());
        packet.finalize();
        let mut bytes = vec![0; packet.buffer_len()];
        packet.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let size = self.socket.recv(&mut &mut self.buffer[..], 0)?;
            let mut rest = &self.buffer[..size];
            while !rest.is_empty() {
                let answer = <NetlinkMessage<Answer>>::deserialize(rest).map_err(io::Error::other)?;
                match &answer.payload {
                    NetlinkPayload::InnerMessage(Answer(Some(response))) => take(response),
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
                let length = (answer.header.length as usize).next_multiple_of(4);
                rest = rest.get(length..).filter(|_| length > 0).unwrap_or_default();
            }
        }
    }
}

/// An answer of the kernel; `None` for one of another kind.
#[derive(Debug)]
struct Answer(Option<Box<InetResponse>>);

impl NetlinkDeserializable for Answer {
    type Error = netlink_packet_core::DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(match SockDiagMessage::deserialize(header, payload)? {
            SockDiagMessage::InetResponse(response) => Some(response),
            _ => None,
        }))
    }
}

fn family(id: &SocketId) -> u8 {
    if id.source_address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn request(family: u8, socket_id: SocketId, extensions: ExtensionFlags, states: StateFlags) -> InetRequest {
    InetRequest { family, protocol: IPPROTO_TCP, extensions, states, socket_id }
}

impl Entry {
    /// Reads an answer; `None` where the kernel sent no counters with it.
    fn of(response: &InetResponse) -> Option<Self> {
        let header = &response.header;
        let info = response.nlas.iter().find_map(|nla| match nla {
            Nla::TcpInfo(bytes) => Some(bytes.as_slice()),
            _ => None,
        })?;
        let id = &header.socket_id;
        let connection = Connection {
            ends: (
                SocketAddr::new(id.source_address.to_canonical(), id.source_port),
                SocketAddr::new(id.destination_address.to_canonical(), id.destination_port),
            ),
            established: header.state != TCP_SYN_SENT,
            unanswered: unanswered(info, header.send_queue > 0)?,
            quiet: quiet(info)?,
        };
        Some(Self { connection, inode: header.inode, id: id.clone(), family: header.family })
    }
}

/// `tcpi_retransmits` and `tcpi_probes` of `struct tcp_info`: both begin again at each acknowledgement.
fn unanswered(info: &[u8], has_data: bool) -> Option<u8> {
    let (retransmissions, probes) = (*info.get(2)?, *info.get(3)?);
    Some(if has_data { retransmissions.max(probes) } else { probes })
}

/// The smaller one of `tcpi_last_data_recv` and `tcpi_last_ack_recv`, in milliseconds.
fn quiet(info: &[u8]) -> Option<Duration> {
    let milliseconds = |at: usize| Some(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?));
    Some(Duration::from_millis(u64::from(milliseconds(52)?.min(milliseconds(56)?))))
}

/// Inodes of the sockets that a process has open; none of one that has ended.
///
/// # Errors
///
/// The descriptors cannot be read.
pub(crate) fn sockets(pid: u32) -> Result<BTreeSet<u64>, Trouble> {
    match sockets::sockets(&Path::new("/proc").join(pid.to_string())) {
        Ok(sockets) => Ok(sockets.into_iter().map(|socket| socket.inode).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Trouble::Unreadable(error.to_string())),
    }
}

/// Keeps the connections of these sockets, and those with these ends.
pub(crate) fn of_sockets(entries: Vec<Entry>, sockets: &BTreeSet<u64>, ends: &BTreeSet<Ends>) -> Vec<Entry> {
    let is_of =
        |entry: &Entry| sockets.contains(&u64::from(entry.inode)) || ends.contains(&entry.connection.ends);
    entries.into_iter().filter(is_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_connection_is_read_as_established_and_answered() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let mut diagnosis = Diagnosis::of(std::process::id()).unwrap();
        let own = sockets(std::process::id()).unwrap();
        let entries = of_sockets(diagnosis.connections().unwrap(), &own, &BTreeSet::new());
        let ends = (stream.local_addr().unwrap(), address);
        let entry = entries.into_iter().find(|entry| entry.connection.ends == ends).unwrap();
        let Connection { established, unanswered, quiet, .. } = entry.connection;
        assert_eq!((established, unanswered, quiet < Duration::from_secs(60)), (true, 0, true));
        let of = |ends: &[Ends]| {
            of_sockets(vec![entry.clone()], &BTreeSet::from([1]), &ends.iter().copied().collect())
        };
        assert_eq!((of(&[]), of(&[ends])), (Vec::new(), vec![entry.clone()]));
    }

    #[test]
    fn the_counters_begin_again_with_each_acknowledgement_and_an_idle_window_counts_nothing() {
        let mut info = [0_u8; 60];
        (info[2], info[3]) = (4, 1);
        info[52..56].copy_from_slice(&3500_u32.to_ne_bytes());
        info[56..60].copy_from_slice(&2500_u32.to_ne_bytes());
        assert_eq!((unanswered(&info, true), unanswered(&info, false)), (Some(4), Some(1)));
        assert_eq!(quiet(&info), Some(Duration::from_millis(2500)));
        assert_eq!(
            (unanswered(&info[..2], true), quiet(&info[..56])),
            (None, None),
            "an older kernel sent less"
        );
    }
}
