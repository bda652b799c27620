//! A chmpx that is not one: a program of the same name, with the same ears for its file, the same answers and the same
//! ways to lose data, as far as the recordings of the real one show them (docs/facts.md C).
//!
//! ```text
//! program      from the command line to the end          chmpxstatus  the other program: prints a picture
//! config, own  the ini as chmpx understands it           watch        inotify on the inode
//! node         the one owner of all state, by events     dial, link   sockets, one task each
//! event        the events of a chmpx                     sight        the picture it gives
//! acting       the model in this process                 wire         the messages between processes
//! row, places  the rows, and their nodes in the model     peers        other chmpx, and calls to them
//! reloading    the effects of a changed file             commands     the answers of the control port
//! copying      the part of k2hdkc in a merge             serving      the requests for keys
//! picture      everything to see at one moment           shm, dump, listing: where and how it is seen
//! ```
//!
//! Each decision is that of `model::ring`: the program is one node of that ring, with sockets for its network, a file for its ini
//! and a control port for its commands.

mod acting;
pub mod chmpxstatus;
pub mod commands;
pub mod config;
pub mod copying;
pub mod date;
pub mod dial;
pub mod dump;
pub mod event;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod link;
pub mod listing;
pub mod node;
pub mod own;
pub mod peers;
pub mod picture;
mod places;
pub mod program;
pub mod reloading;
pub mod row;
pub mod serving;
pub mod shm;
pub mod sight;
pub mod watch;
pub mod wire;
