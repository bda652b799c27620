//! REPLICA against the number of servers, in words.

use std::fmt::{self, Display, Formatter};

use crate::problem::{Fault, Severity, coded};

/// A REPLICA that the servers have no room for.
pub(super) enum TooMany {
    /// A single server, as the file says it.
    OneServer { asked: u32 },
    /// More copies than other servers, as the file says it.
    Servers { asked: u32, most: u32 },
    /// A single server, as the answer says it.
    WrittenZero { asked: u32 },
    /// More copies than other servers, as the answer says it.
    WrittenLess { asked: u32 },
}

coded! { TooMany {
    Self::OneServer { .. } | Self::Servers { .. } => "too-many-replicas",
    Self::WrittenZero { .. } | Self::WrittenLess { .. } => "replicas-reduced",
}}

impl Fault for TooMany {
    fn severity(&self) -> Severity {
        match self {
            Self::Servers { .. } => Severity::Harmful,
            Self::OneServer { .. } | Self::WrittenZero { .. } | Self::WrittenLess { .. } => Severity::Note,
        }
    }
}

impl Display for TooMany {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneServer { asked } => {
                write!(f, "REPLICA {asked} with one server: there is nowhere for a copy")
            }
            Self::Servers { asked, most } => {
                let servers = u64::from(*most) + 1;
                write!(
                    f,
                    "REPLICA {asked} with {servers} servers: a server that joins would copy one slot only, and most keys \
                     were not found there; {most} is the most, and gives every server every key"
                )
            }
            Self::WrittenZero { asked } => {
                write!(f, "REPLICA {asked} is asked for, and 0 is written as long as there is one server")
            }
            Self::WrittenLess { asked } => write!(
                f,
                "REPLICA {asked} is asked for, and one less than there are servers is written: with more a server that \
                 joins would copy one slot only"
            ),
        }
    }
}
