//! The commands of the control port and how they are worded (chmpx 1.0.113, lib/chmeventsock.cc:5336-5647).

use std::fmt;
use std::num::NonZeroU32;

use thiserror::Error;

use crate::names::Port;

/// A command of the control port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Which chmpx it is.
    Version,
    /// All of its shared memory.
    Dump,
    /// Its own state.
    SelfStatus,
    /// All servers that it knows.
    AllStatus,
    /// Says its own status to the ring once more, which cures a server that stays at `[ADD][Done]`.
    UpdateStatus,
    /// Puts the server that is asked into service.
    ServiceIn,
    /// Takes a server out of service; any node takes it and passes it on.
    ServiceOut(Server),
    /// Starts the merge that waits.
    Merge,
    /// Lets the ring use what was merged.
    CompMerge,
    /// Gives up the merge.
    AbortMerge,
    /// Stops AUTOMERGE in the whole ring, until the next reload of each chmpx.
    SuspendMerge,
    /// Lets AUTOMERGE go on.
    NoSuspendMerge,
    /// Begins or ends to note each message.
    Trace(bool),
    /// The messages that were noted.
    TraceView {
        /// Which way they went.
        direction: Direction,
        /// Through what.
        device: Device,
        /// How many at most; more than MAXHISTLOG is refused.
        count: Option<NonZeroU32>,
    },
}

/// Which way a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To chmpx.
    In,
    /// From chmpx.
    Out,
    /// Both.
    All,
}

/// What a message went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// A socket, to other nodes.
    Socket,
    /// A message queue, to local processes.
    Queue,
    /// Both.
    All,
}

/// A server as SERVICEOUT names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    host: String,
    ctlport: Port,
    id: String,
}

/// Why a server cannot be named: the parts are split at colons and blanks, and there is no way to quote either. So a
/// host must have a name or an IPv4 address, and CTLENDPOINTS do not go at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsayable {
    /// There is no host.
    #[error("SERVICEOUT needs a host")]
    NoHost,
    /// A part has a character that ends it.
    #[error("SERVICEOUT cannot say \"{0}\": it has a colon, a blank or a control character in it")]
    Splits(String),
    /// chmpx reads 8191 bytes at once, and no more.
    #[error("SERVICEOUT would have {0} bytes, and chmpx reads 8191")]
    TooLong(usize),
}

/// What chmpx reads of one command.
const LONGEST: usize = 8191;

impl Server {
    /// The server of that host, control port and id: its seed, or its CUK, by CHMPXIDTYPE; empty where the NAME is the
    /// id and it has no CUK.
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
    /// Whether its answer tells by itself that it is whole. The lists of ALLSTATUS and TRACEVIEW just stop.
    pub(super) fn has_an_end(&self) -> bool {
        !matches!(self, Command::AllStatus | Command::TraceView { .. })
    }
}

impl fmt::Display for Command {
    /// As it is sent; chmpx needs no newline behind it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Command::Version => "VERSION",
            Command::Dump => "DUMP",
            Command::SelfStatus => "SELFSTATUS",
            Command::AllStatus => "ALLSTATUS",
            Command::UpdateStatus => "UPDATESTATUS",
            Command::ServiceIn => "SERVICEIN",
            Command::ServiceOut(server) => return write!(f, "SERVICEOUT {server}"),
            Command::Merge => "MERGE",
            Command::CompMerge => "COMPMERGE",
            Command::AbortMerge => "ABORTMERGE",
            Command::SuspendMerge => "SUSPENDMERGE",
            Command::NoSuspendMerge => "NOSUSPENDMERGE",
            // Any other word than chmpx's own would end it and be answered with SUCCEED.
            Command::Trace(true) => "TRACE enable",
            Command::Trace(false) => "TRACE disable",
            Command::TraceView { direction, device, count } => {
                write!(f, "TRACEVIEW DIR={} DEV={}", direction.word(), device.word())?;
                return count.map_or(Ok(()), |count| write!(f, " {count}"));
            }
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.ctlport)?;
        if self.id.is_empty() { Ok(()) } else { write!(f, ":{}", self.id) }
    }
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Direction::In => "IN",
            Direction::Out => "OUT",
            Direction::All => "ALL",
        }
    }
}

impl Device {
    fn word(self) -> &'static str {
        match self {
            Device::Socket => "SOCK",
            Device::Queue => "MQ",
            Device::All => "ALL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, id: &str) -> Result<Server, Unsayable> {
        Server::new(host, Port::try_from(8021).unwrap(), id)
    }

    #[test]
    fn every_command_has_chmpx_s_words() {
        let view = |direction, device, count| Command::TraceView { direction, device, count };
        for (command, words) in [
            (Command::Version, "VERSION"),
            (Command::Dump, "DUMP"),
            (Command::SelfStatus, "SELFSTATUS"),
            (Command::AllStatus, "ALLSTATUS"),
            (Command::UpdateStatus, "UPDATESTATUS"),
            (Command::ServiceIn, "SERVICEIN"),
            (Command::ServiceOut(server("vm1", "seed-1").unwrap()), "SERVICEOUT vm1:8021:seed-1"),
            (Command::ServiceOut(server("192.0.2.1", "").unwrap()), "SERVICEOUT 192.0.2.1:8021"),
            (Command::Merge, "MERGE"),
            (Command::CompMerge, "COMPMERGE"),
            (Command::AbortMerge, "ABORTMERGE"),
            (Command::SuspendMerge, "SUSPENDMERGE"),
            (Command::NoSuspendMerge, "NOSUSPENDMERGE"),
            (Command::Trace(true), "TRACE enable"),
            (Command::Trace(false), "TRACE disable"),
            (view(Direction::All, Device::All, None), "TRACEVIEW DIR=ALL DEV=ALL"),
            (view(Direction::In, Device::Socket, NonZeroU32::new(5)), "TRACEVIEW DIR=IN DEV=SOCK 5"),
            (view(Direction::Out, Device::Queue, None), "TRACEVIEW DIR=OUT DEV=MQ"),
        ] {
            assert_eq!(command.to_string(), words);
        }
    }

    #[test]
    fn a_part_that_chmpx_would_split_cannot_be_said() {
        assert_eq!(server("", "seed"), Err(Unsayable::NoHost));
        assert_eq!(server("2001:db8::1", "seed"), Err(Unsayable::Splits("2001:db8::1".into())));
        assert_eq!(server("vm1", "a:b"), Err(Unsayable::Splits("a:b".into())));
        assert_eq!(server("vm 1", ""), Err(Unsayable::Splits("vm 1".into())));
        assert_eq!(server("vm1", "a\n"), Err(Unsayable::Splits("a\\n".into())));
        assert_eq!(server("vm1", "a\0"), Err(Unsayable::Splits("a\\0".into())));
    }

    #[test]
    fn a_command_that_chmpx_would_not_read_whole_cannot_be_said() {
        let length = |id: usize| server("vm1", &"x".repeat(id)).err();
        assert_eq!(length(8191 - "SERVICEOUT vm1:8021:".len()), None);
        assert_eq!(length(8192 - "SERVICEOUT vm1:8021:".len()), Some(Unsayable::TooLong(8192)));
    }
}
