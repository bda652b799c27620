//! Failures of systemd and its bus.

use std::time::Duration;

use thiserror::Error;

/// Reason why systemd failed.
#[derive(Debug, Error)]
pub enum BusError {
    /// The bus or systemd on it cannot be reached, or did not answer in time.
    #[error("systemd cannot be reached over D-Bus")]
    Unreachable(#[source] zbus::Error),
    /// systemd refused.
    #[error("systemd does not {what} {unit}")]
    Refused {
        /// "start", "stop", "disable", "enable".
        what: &'static str,
        /// The unit.
        unit: String,
        /// Answer of systemd.
        #[source]
        source: zbus::Error,
    },
    /// The unit was stopped, and has not ended.
    #[error("{unit} was stopped, and has not ended within {} s", .within.as_secs())]
    StaysOn {
        /// The unit.
        unit: String,
        /// Deadline.
        within: Duration,
    },
}
