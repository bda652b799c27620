//! Commands of the control port in chmpx's wording (chmpx 1.0.113, lib/chmeventsock.cc:5336-5647).

use std::fmt;

use thiserror::Error;

use crate::names::Port;

/// A command of the control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Prints the whole shared memory.
    Dump,
    /// Prints all known servers.
    AllStatus,
    /// Announces its own status to the ring once more, which ends a stay at `[ADD][Done]`.
    UpdateStatus,
    /// Puts the asked server into service.
    ServiceIn,
    /// Takes a server out of service; every node accepts it and passes it on.
    ServiceOut(Server),
    /// Starts the merge that waits.
    Merge,
    /// Has the ring use the merged data.
    CompMerge,
    /// Gives the merge up.
    AbortMerge,
}

/// A server as SERVICEOUT names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    host: String,
    ctlport: Port,
    id: String,
}

/// Reason why SERVICEOUT cannot name a server. chmpx splits its parts at colons and blanks, and knows no quotes. So a host
/// needs a name or an IPv4 address, and CTLENDPOINTS are impossible as an id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsayable {
    /// The host is empty.
    #[error("SERVICEOUT needs a host")]
    NoHost,
    /// A part contains a character that ends it.
    #[error("SERVICEOUT cannot name \"{0}\": it contains a colon, a blank or a control character")]
    Splits(String),
    /// The command is longer than one read of chmpx.
    #[error("SERVICEOUT would have {0} bytes, and chmpx reads 8191")]
    TooLong(usize),
}

/// Longest command that chmpx reads, in bytes.
const LONGEST: usize = 8191;

impl Server {
    /// The server of that host, control port and id. The id is its seed or its CUK, by CHMPXIDTYPE; it is empty if the
    /// ids come from NAME and the server has no CUK.
    ///
    /// # Errors
    ///
    /// The command would not arrive as meant, see [`Unsayable`].
    pub fn new(host: &str, ctlport: Port, id: &str) -> Result<Self, Unsayable> {
        if host.is_empty() {
            return Err(Unsayable::NoHost);
        }
        for part in [host, id] {
            if part.chars().any(|c| c == ':' || c.is_whitespace() || c.is_control()) {
                return Err(Unsayable::Splits(part.escape_debug().to_string()));
            }
        }
        let server = Self { host: host.to_owned(), ctlport, id: id.to_owned() };
        match Command::ServiceOut(server.clone()).to_string().len() {
            length if length > LONGEST => Err(Unsayable::TooLong(length)),
            _ => Ok(server),
        }
    }
}

impl Command {
    /// True if the answer shows by itself that it is whole. The list of ALLSTATUS just stops.
    pub(super) fn has_an_end(&self) -> bool {
        *self != Command::AllStatus
    }
}

impl fmt::Display for Command {
    /// Writes the command as it is sent; chmpx needs no newline behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Command::Dump => "DUMP",
            Command::AllStatus => "ALLSTATUS",
            Command::UpdateStatus => "UPDATESTATUS",
            Command::ServiceIn => "SERVICEIN",
            Command::ServiceOut(server) => return write!(f, "SERVICEOUT {server}"),
            Command::Merge => "MERGE",
            Command::CompMerge => "COMPMERGE",
            Command::AbortMerge => "ABORTMERGE",
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.ctlport)?;
        if self.id.is_empty() { Ok(()) } else { write!(f, ":{}", self.id) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, id: &str) -> Result<Server, Unsayable> {
        Server::new(host, Port::try_from(8021).unwrap(), id)
    }

    #[test]
    fn a_server_is_named_by_host_control_port_and_id() {
        for (server, words) in [
            (server("vm1", "seed-1").unwrap(), "SERVICEOUT vm1:8021:seed-1"),
            (server("192.0.2.1", "").unwrap(), "SERVICEOUT 192.0.2.1:8021"),
        ] {
            assert_eq!(Command::ServiceOut(server).to_string(), words);
        }
    }

    #[test]
    fn a_part_that_chmpx_would_split_is_refused() {
        assert_eq!(server("", "seed"), Err(Unsayable::NoHost));
        assert_eq!(server("2001:db8::1", "seed"), Err(Unsayable::Splits("2001:db8::1".into())));
        assert_eq!(server("vm1", "a:b"), Err(Unsayable::Splits("a:b".into())));
        assert_eq!(server("vm 1", ""), Err(Unsayable::Splits("vm 1".into())));
        assert_eq!(server("vm1", "a\n"), Err(Unsayable::Splits("a\\n".into())));
        assert_eq!(server("vm1", "a\0"), Err(Unsayable::Splits("a\\0".into())));
    }

    #[test]
    fn a_command_that_chmpx_would_not_read_whole_is_refused() {
        let length = |id: usize| server("vm1", &"x".repeat(id)).err();
        assert_eq!(length(8191 - "SERVICEOUT vm1:8021:".len()), None);
        assert_eq!(length(8192 - "SERVICEOUT vm1:8021:".len()), Some(Unsayable::TooLong(8192)));
    }
}
