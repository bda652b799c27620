//! A chmpx that is not one: a program of the same name, with the same ears for its file, the same answers and the same
//! ways to lose data, as far as the recordings of the real one show them (docs/facts.md C).
//!
//! ```text
//! program      from the command line to the end          chmpxstatus  the other program: prints a picture
//! config, own  the ini as chmpx understands it           watch        inotify on the inode
//! node         the one owner of all state, by events     dial, link   sockets, one task each
//! event        the events of a chmpx                     sight        the picture it gives
//! peers, rows  other chmpx, and whose word counts        wire         the messages between them
//! reloading    the effects of a changed file             commands     the answers of the control port
//! merging, copying  the steps of a merge, and its keys   serving      the requests for keys
//! picture      everything to see at one moment           shm, dump, listing: where and how it is seen
//! ```
//!
//! The rules of the ring itself, without sockets and clocks, are in `model`.

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
pub mod merging;
pub mod node;
pub mod own;
pub mod peers;
pub mod picture;
pub mod program;
pub mod reloading;
pub mod rows;
pub mod serving;
pub mod shm;
pub mod sight;
pub mod watch;
pub mod wire;
