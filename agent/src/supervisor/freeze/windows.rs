//! Widens the receive buffers of a program that is about to stand still, and waits until it has read them.
//!
//! A status that goes round the ring is a packet of 26,864 bytes, and a change of three servers has seventeen. A new connection
//! takes four of them while its program stands still (131,072 bytes). Then chmpx of each server waits 100 ms for each packet, and drops
//! the rest of one that it has begun (lib/chmeventsock.cc, `RawSend`): C36.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionread};
use rustix::net::{self, SocketType, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use thiserror::Error;
use tokio::time::{sleep, timeout};

use crate::supervisor::ProcessId;
use crate::supervisor::local::watched;
use crate::supervisor::sockets::{Socket, sockets};

/// Bytes that a connection takes from its peer while its program stands still. A change of ten servers sends 1.6 MB.
pub const WIDE: usize = 8 << 20;

/// Pause between two looks at what waits to be read.
const LOOK: Duration = Duration::from_millis(5);

/// Looks in a row at which nothing waits: the last packet is in the hands of the process at the first one.
const EMPTY_LOOKS: u32 = 3;

/// Failure to widen the buffers.
#[derive(Debug, Error)]
pub enum WidenError {
    /// The process has ended.
    #[error("process {0} has ended: it has no connection to widen")]
    Gone(u32),
    /// The connections cannot be reached or changed.
    #[error(
        "cannot widen the receive buffers of process {pid}: the ring may wait for it while it stands still; give the agent \
         CAP_SYS_PTRACE and CAP_NET_ADMIN, or set the second number of the sysctl net.ipv4.tcp_rmem to {WIDE}"
    )]
    Refused {
        /// The process.
        pid: u32,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// Widens the receive buffers of the connections of a process to [`WIDE`]. Returns the number of connections that were narrower.
///
/// The descriptors are borrowed from the process by `pidfd_getfd` (Linux 5.6), so it may be in another network namespace.
///
/// # Errors
///
/// The process has ended, or a connection of it cannot be reached or widened.
pub fn widen(id: ProcessId) -> Result<usize, WidenError> {
    let failed = |errno: Errno| refused(id, errno.into());
    let mut widened = 0;
    for connection in connections(id)? {
        if sockopt::socket_recv_buffer_size(&connection).is_ok_and(|size| size < WIDE) {
            sockopt::set_socket_recv_buffer_size_force(&connection, WIDE).map_err(failed)?;
            widened += 1;
        }
    }
    Ok(widened)
}

/// Waits until a process that was continued has read what its peers had sent, at most for that time. Returns false where it has not.
///
/// # Errors
///
/// The process has ended, or a connection of it cannot be reached.
pub async fn read_up(id: ProcessId, limit: Duration) -> Result<bool, WidenError> {
    Ok(are_read(&connections(id)?, limit).await)
}

async fn are_read(connections: &[OwnedFd], limit: Duration) -> bool {
    let waits = |connection: &OwnedFd| ioctl_fionread(connection).is_ok_and(|bytes| bytes > 0);
    let read = async {
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            sleep(LOOK).await;
            empty = if connections.iter().any(waits) { 0 } else { empty + 1 };
        }
    };
    timeout(limit, read).await.is_ok()
}

/// Borrows the TCP connections of a process.
fn connections(id: ProcessId) -> Result<Vec<OwnedFd>, WidenError> {
    let process = watched::open(id.pid).map_err(|source| refused(id, source))?;
    if !super::is_alive(id) {
        return Err(WidenError::Gone(id.pid));
    }
    let sockets = sockets(Path::new(&format!("/proc/{}", id.pid))).unwrap_or_default();
    let mut connections = Vec::new();
    for Socket { descriptor, .. } in sockets {
        match pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty()) {
            Ok(socket) if is_connection(&socket) => connections.push(socket),
            Ok(_) | Err(Errno::BADF) => {}
            Err(errno) => return Err(refused(id, errno.into())),
        }
    }
    Ok(connections)
}

fn refused(id: ProcessId, source: io::Error) -> WidenError {
    match Errno::from_io_error(&source) {
        Some(Errno::SRCH) => WidenError::Gone(id.pid),
        _ => WidenError::Refused { pid: id.pid, source },
    }
}

/// Returns true for a TCP socket with a peer.
fn is_connection(socket: &OwnedFd) -> bool {
    let is_tcp = sockopt::socket_type(socket) == Ok(SocketType::STREAM)
        && sockopt::socket_domain(socket)
            .is_ok_and(|family| [net::AddressFamily::INET, net::AddressFamily::INET6].contains(&family));
    is_tcp && net::getpeername(socket).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener, TcpStream};

    use super::*;
    use crate::supervisor::local::found;

    /// Bytes that a connection takes whose reader does not read.
    fn room(stream: &mut TcpStream) -> usize {
        stream.set_nonblocking(true).unwrap();
        let (packet, mut taken) = (vec![0; 26_864], 0);
        loop {
            match stream.write(&packet) {
                Ok(length) => taken += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return taken,
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_connection_that_nobody_reads_takes_a_change_of_ten_servers() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (reader, _) = listener.accept().unwrap();
        let own = found::identity(std::process::id()).unwrap();
        match widen(own) {
            Ok(widened) => assert!(widened >= 2),
            // Without the capability the buffers stay as they are.
            Err(WidenError::Refused { source, .. }) if source.kind() == ErrorKind::PermissionDenied => return,
            Err(error) => panic!("{error}"),
        }
        assert!(room(&mut stream) > 1_600_000);
        let size = sockopt::socket_recv_buffer_size(&reader).unwrap();
        assert!(size >= WIDE, "{size}");
    }

    #[tokio::test]
    async fn what_waits_in_a_connection_is_seen_until_it_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut reader, _) = listener.accept().unwrap();
        let connections = [OwnedFd::from(reader.try_clone().unwrap())];
        stream.write_all(b"status").unwrap();
        assert!(!are_read(&connections, Duration::from_millis(50)).await);
        reader.read_exact(&mut [0; 6]).unwrap();
        assert!(are_read(&connections, Duration::from_mins(1)).await);
    }

    #[test]
    fn a_process_that_has_ended_is_named() {
        let gone = ProcessId { pid: u32::MAX / 2, start_ticks: 1 };
        assert!(matches!(widen(gone), Err(WidenError::Gone(_))));
    }
}
