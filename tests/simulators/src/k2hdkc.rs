//! A k2hdkc that is not one: keeps keys, joins its chmpx, and takes part in merges only if it joined before its chmpx
//! restarted (docs/facts.md D1 to D8).
//!
//! ```text
//! program   from the command line to the end     attach   the way to the chmpx of this host
//! store     the keys                             client   what application programs use; linetool: by hand
//! ```

pub mod attach;
pub mod client;
pub mod linetool;
pub mod program;
pub mod store;

pub use client::{Client, Failure};
