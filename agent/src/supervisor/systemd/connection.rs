//! The connection to systemd: kept while it holds, made anew with growing pauses where it broke.

use std::time::Duration;

use tokio::time::timeout;

use super::Units;
use super::bus::{Bus, JobEnd};
use crate::problem::chain;
use crate::supervisor::SupervisorError;
use crate::supervisor::unreachable::Unreachable;
use crate::wake::Waker;

/// Pauses between attempts to reach systemd: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// Longest wait for it in a pass.
pub(super) const WITHIN: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct BusConnection {
    bus: Option<Bus>,
    /// Last failed attempt, if it was the last one.
    unreachable: Option<Unreachable>,
}

impl BusConnection {
    /// A connection that hears; a new one where the old one broke, but not at every pass.
    pub(super) async fn bus(&mut self, units: &Units, waker: &Waker) -> Option<&mut Bus> {
        if self.bus.as_mut().is_some_and(|bus| !bus.is_whole()) {
            self.lost("the connection broke".to_owned(), waker);
        }
        if self.bus.is_none() && !self.unreachable.as_ref().is_some_and(Unreachable::rests) {
            let names = [units.chmpx.as_str(), units.k2hdkc.as_str()];
            match timeout(WITHIN, Bus::connect(&names, Some(&units.rival[0]), waker)).await {
                Ok(Ok(bus)) => (self.bus, self.unreachable) = (Some(bus), None),
                Ok(Err(error)) => self.lost(chain(&error), waker),
                Err(_) => self.late(waker),
            }
        }
        self.bus.as_mut()
    }

    /// The connection for a step.
    ///
    /// # Errors
    ///
    /// The reason why there is none.
    pub(super) async fn for_step(
        &mut self,
        units: &Units,
        waker: &Waker,
    ) -> Result<&mut Bus, SupervisorError> {
        let why = self.why().unwrap_or("systemd is away").to_owned();
        self.bus(units, waker).await.ok_or(SupervisorError::Unreachable(why))
    }

    /// Reason why there is no connection.
    pub(super) fn why(&self) -> Option<&str> {
        self.unreachable.as_ref().map(Unreachable::why)
    }

    /// Jobs for the units that have ended since the last call.
    pub(super) fn ended(&mut self) -> Vec<JobEnd> {
        self.bus.as_mut().map(Bus::ended).unwrap_or_default()
    }

    /// True if the rival's unit has changed since the last call.
    pub(super) fn rival_stirred(&mut self) -> bool {
        self.bus.as_mut().is_some_and(Bus::rival_stirred)
    }

    /// The connection is of no more use.
    pub(super) fn lost(&mut self, why: String, waker: &Waker) {
        let away = Unreachable::more(self.unreachable.take(), why, AGAIN, waker);
        (self.bus, self.unreachable) = (None, Some(away));
    }

    /// Gives the connection up after a deadline.
    pub(super) fn late(&mut self, waker: &Waker) {
        self.lost("systemd did not answer in time".to_owned(), waker);
    }
}
