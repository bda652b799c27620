//! Widens the receive buffers of a program that is about to stand still.
//!
//! A status that goes round the ring is a packet of 26,864 bytes, and a change of three servers has seventeen. A new connection
//! takes four of them while its program stands still (131,072 bytes). Then chmpx of each server waits 100 ms for each packet, and drops
//! the rest of one that it has begun (lib/chmeventsock.cc, `RawSend`): C36.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{self, SocketType, sockopt};
use rustix::process::{PidfdGetfdFlags, pidfd_getfd};
use thiserror::Error;

use crate::supervisor::ProcessId;
use crate::supervisor::local::watched;
use crate::supervisor::sockets::{Socket, sockets};

/// Bytes that a connection takes from its peer while its program stands still. A change of ten servers sends 1.6 MB.
pub const WIDE: usize = 8 << 20;

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
    let failed = |source: io::Error| match Errno::from_io_error(&source) {
        Some(Errno::SRCH) => WidenError::Gone(id.pid),
        _ => WidenError::Refused { pid: id.pid, source },
    };
    let process = watched::open(id.pid).map_err(failed)?;
    if !super::is_alive(id) {
        return Err(WidenError::Gone(id.pid));
    }
    let sockets = sockets(Path::new(&format!("/proc/{}", id.pid))).unwrap_or_default();
    let mut widened = 0;
    for Socket { descriptor, .. } in sockets {
        let socket = match pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty()) {
            Ok(socket) => socket,
            Err(Errno::BADF) => continue,
            Err(errno) => return Err(failed(errno.into())),
        };
        if is_narrow(&socket) {
            let widen = sockopt::set_socket_recv_buffer_size_force(&socket, WIDE);
            widen.map_err(|errno| failed(errno.into()))?;
            widened += 1;
        }
    }
    Ok(widened)
}

/// Returns true for a TCP connection whose buffer is narrower than [`WIDE`].
fn is_narrow(socket: &OwnedFd) -> bool {
    let is_tcp = sockopt::socket_type(socket) == Ok(SocketType::STREAM)
        && sockopt::socket_domain(socket)
            .is_ok_and(|family| [net::AddressFamily::INET, net::AddressFamily::INET6].contains(&family));
    let is_connected = is_tcp && net::getpeername(socket).is_ok();
    is_connected && sockopt::socket_recv_buffer_size(socket).is_ok_and(|size| size < WIDE)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Write as _};
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
        assert!(!is_narrow(&reader.into()), "a second call finds it wide");
    }

    #[test]
    fn a_process_that_has_ended_is_named() {
        let gone = ProcessId { pid: u32::MAX / 2, start_ticks: 1 };
        assert!(matches!(widen(gone), Err(WidenError::Gone(_))));
    }
}
