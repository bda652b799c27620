//! Real agents that drive simulated chmpx and k2hdkc: what they lose nothing by, and what they would lose without
//! their rules.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod copies;
mod cures;
mod joins;
mod keys;
mod kills;
mod names;
mod picking;
mod reloads;
mod restarts;
mod rollback;
