//! A ring of chmpx and k2hdkc as pure values: no socket, no file, no process and no clock. The simulated programs in `chmpx` and
//! `k2hdkc` are shells around it.
//!
//! ```text
//! status  status words and their transitions
//! id      chmpxid, and the hash of a key
//! ring    the list, the tokens and the merges of a chmpx, the keys of a k2hdkc; and many of them in virtual time
//! ```

pub mod id;
pub mod ring;
pub mod status;
