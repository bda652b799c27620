//! A generation: one writing of the ini file, by its FILEVERSION.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// A writing of the ini file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// FILEVERSION; every writing has its own.
    pub fileversion: u32,
    /// The name of the ring it says, see [`crate::render::name`].
    pub ring: String,
    /// Time of its making.
    pub at: Timestamp,
}
