//! Finds out if a process waits for a name server. chmpx resolves names in its main loop or in a thread of its sockets, and
//! every connection and status change waits meanwhile, for a minute and more. Such a chmpx is silent, but comes back by
//! itself, and its successor would wait for the same server.
//!
//! Read from `/proc`: a process that waits has a socket to port 53, and chmpx uses that port for nothing else. Where its
//! threads wait (`wchan`) tells less: with SOCKTHREADCNT 8 the main one was seen in epoll as ever. A resolver that is spoken
//! to by a local socket (nss-resolve, nscd) is not seen.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use crate::supervisor::sockets::sockets;

const PROC: &str = "/proc";
/// Port of name servers.
const DOMAIN: u16 = 53;
const TABLES: [(&str, bool); 4] = [("udp", true), ("udp6", true), ("tcp", false), ("tcp6", false)];

/// The name server that this process waits for.
pub(in crate::supervisor) fn awaited_by(pid: u32) -> Option<String> {
    awaited_in(Path::new(PROC), pid)
}

fn awaited_in(proc: &Path, pid: u32) -> Option<String> {
    let place = proc.join(pid.to_string());
    let asked: Vec<Socket> = TABLES
        .into_iter()
        .filter_map(|(table, is_udp)| Some((fs::read_to_string(place.join("net").join(table)).ok()?, is_udp)))
        .flat_map(|(text, is_udp)| {
            text.lines().filter_map(|line| Socket::read(line, is_udp)).collect::<Vec<_>>()
        })
        .filter(Socket::is_of_a_resolver)
        .collect();
    // The processes of a whole host share the tables, and few of them ask.
    if asked.is_empty() {
        return None;
    }
    let own: BTreeSet<u64> =
        sockets(&place).unwrap_or_default().into_iter().map(|socket| socket.inode).collect();
    let socket = asked.into_iter().find(|socket| own.contains(&socket.inode))?;
    Some(if socket.remote.port() == DOMAIN { socket.remote.to_string() } else { "its resolver".to_owned() })
}

/// A line of a table of sockets.
#[derive(Debug, PartialEq, Eq)]
struct Socket {
    remote: SocketAddr,
    inode: u64,
    is_udp: bool,
}

impl Socket {
    /// `sl local remote state queues timer retransmits uid timeout inode …`
    fn read(line: &str, is_udp: bool) -> Option<Self> {
        let mut words = line.split_ascii_whitespace().skip(2);
        let remote = address(words.next()?)?;
        Some(Self { remote, inode: words.nth(6)?.parse().ok()?, is_udp })
    }

    /// glibc connects its sockets. musl does not (read, `res_msend.c`); but chmpx has no other datagrams.
    fn is_of_a_resolver(&self) -> bool {
        self.remote.port() == DOMAIN
            || (self.is_udp && self.remote.port() == 0 && self.remote.ip().is_unspecified())
    }
}

/// `0100007F:0035`, or four such words for IPv6: each in the byte order of the host.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| Some(u32::from_str_radix(host.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match host.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for at in 0..4 {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word(at)?);
            }
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::file;

    const HEAD: &str =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

    /// A process 7 whose sockets have these numbers, with these tables beside it.
    fn process(sockets: &[u64], tables: &[(&str, &str)]) -> Option<String> {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("7");
        fs::create_dir_all(place.join("fd")).unwrap();
        fs::create_dir_all(place.join("net")).unwrap();
        for inode in sockets {
            symlink(format!("socket:[{inode}]"), place.join("fd").join(inode.to_string())).unwrap();
        }
        symlink("anon_inode:[eventpoll]", place.join("fd/3")).unwrap();
        for (table, lines) in tables {
            file::store(&place.join("net").join(table), format!("{HEAD}{lines}").as_bytes()).unwrap();
        }
        awaited_in(dir.path(), 7)
    }

    fn line(remote: &str, inode: u64) -> String {
        format!(
            "  12: 0100007F:B2F1 {remote} 01 00000000:00000000 00:00000000 00000000     0        0 {inode} 2 0000 0\n"
        )
    }

    fn v4(octets: [u8; 4], port: u16) -> String {
        format!("{:08X}:{port:04X}", u32::from_ne_bytes(octets))
    }

    #[test]
    fn a_process_with_a_socket_to_a_name_server_waits_for_it() {
        let asks = line(&v4([10, 77, 8, 254], 53), 42);
        assert_eq!(process(&[41, 42], &[("udp", &asks)]).unwrap(), "10.77.8.254:53");
        assert_eq!(process(&[42], &[("tcp", &asks)]).unwrap(), "10.77.8.254:53");
        let words: String = Ipv6Addr::LOCALHOST
            .octets()
            .chunks(4)
            .map(|w| format!("{:08X}", u32::from_ne_bytes(w.try_into().unwrap())))
            .collect();
        assert_eq!(process(&[42], &[("udp6", &line(&format!("{words}:0035"), 42))]).unwrap(), "[::1]:53");
        let unconnected = line(&v4([0; 4], 0), 42);
        assert_eq!(process(&[42], &[("udp", &unconnected)]).unwrap(), "its resolver");
    }

    #[test]
    fn a_process_without_one_does_not() {
        let asks = line(&v4([10, 77, 8, 254], 53), 42);
        assert_eq!(process(&[41], &[("udp", &asks)]), None, "another process asks");
        assert_eq!(process(&[42], &[("tcp", &line(&v4([10, 77, 8, 2], 8020), 42))]), None, "a peer");
        assert_eq!(process(&[42], &[("tcp", &line(&v4([0; 4], 0), 42))]), None, "it listens");
        assert_eq!(process(&[42], &[("udp", "garbage\n")]), None);
        assert_eq!(awaited_in(Path::new("/nowhere"), 7), None);
    }

    #[test]
    fn the_kernel_s_own_tables_are_read_so() {
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        resolver.connect("127.0.0.9:53").unwrap();
        assert_eq!(awaited_by(std::process::id()).unwrap(), "127.0.0.9:53");
    }
}
