//! Real agents that drive simulated chmpx and k2hdkc: what they lose nothing by, and what they would lose without
//! their rules.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

#[path = "ring/cures.rs"]
mod cures;
#[path = "ring/joins.rs"]
mod joins;
#[path = "ring/keys.rs"]
mod keys;
#[path = "ring/kills.rs"]
mod kills;
#[path = "ring/names.rs"]
mod names;
#[path = "ring/picking.rs"]
mod picking;
#[path = "ring/reloads.rs"]
mod reloads;
#[path = "ring/restarts.rs"]
mod restarts;
#[path = "ring/rollback.rs"]
mod rollback;
