//! A ring of chmpx and k2hdkc as pure values: no socket, no file, no process and no clock. The simulated programs in `chmpx` and
//! `k2hdkc` are shells around it.
//!
//! ```text
//! status   status words and their transitions      table    the rows of a ring, and its order
//! id       chmpxid, and the hash of a key          share    slots: the holders of a key, the keys of a server
//! keys     the keys of one server                  routing  the servers that a request goes to
//! merging  the next step of a merge                 ring     many of them in virtual time, each with its own view
//! ```

pub mod id;
pub mod keys;
pub mod merging;
pub mod ring;
pub mod routing;
pub mod share;
pub mod status;
pub mod table;
