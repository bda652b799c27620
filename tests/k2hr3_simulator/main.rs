//! The K2HR3 simulator itself: its sicknesses on the wire, and its control.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

mod control;
mod sickness;
mod fixture;
