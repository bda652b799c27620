//! The connection to the daemon: kept while it holds, made anew with growing pauses where it broke.

use std::time::Duration;

use super::engine::{Concerns, Engine, EngineError};
use super::pick;
use crate::problem::chain;
use crate::settings::Containers;
use crate::supervisor::SupervisorError;
use crate::supervisor::unreachable::Unreachable;
use crate::wake::Waker;

/// Pauses between attempts to reach a daemon that is away: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// See the module.
#[derive(Debug, Default)]
pub(super) struct DaemonConnection {
    engine: Option<Engine>,
    /// Last failed attempt, if it was the last one.
    unreachable: Option<Unreachable>,
}

impl DaemonConnection {
    /// A client that hears, and whether something has happened. What keeps it away, where it is not to be had.
    pub(super) async fn engine(
        &mut self,
        wanted: &Containers,
        waker: &Waker,
        listens: bool,
    ) -> Result<(&mut Engine, bool), String> {
        let mut news = false;
        if let Some(engine) = &mut self.engine {
            let (whole, heard) = engine.news();
            news = heard;
            if listens && !whole {
                self.lost("it has closed the connection".to_owned(), waker);
            }
        }
        if self.engine.is_none() {
            if let Some(away) = self.unreachable.as_ref().filter(|away| away.rests()) {
                return Err(away.why().to_owned());
            }
            let address = wanted.daemon();
            let concerns = listens.then_some(pick::concerns as Concerns);
            match Engine::connect(&address, waker, concerns, wanted.names()).await {
                Ok(engine) => (self.engine, news) = (Some(engine), true),
                Err(error) => return Err(self.lost(chain(&error), waker)),
            }
        }
        match &mut self.engine {
            Some(engine) => Ok((engine, news)),
            None => Err("the Docker daemon is away".to_owned()),
        }
    }

    /// A client for a step, after which it is looked again anyway.
    pub(super) async fn for_step(
        &mut self,
        wanted: &Containers,
        waker: &Waker,
        listens: bool,
    ) -> Result<&mut Engine, SupervisorError> {
        self.engine(wanted, waker, listens)
            .await
            .map(|(engine, _)| engine)
            .map_err(SupervisorError::Unreachable)
    }

    /// Notes an answer of the daemon.
    pub(super) fn well(&mut self) {
        self.unreachable = None;
    }

    /// The client is of no more use.
    pub(super) fn lost(&mut self, why: String, waker: &Waker) -> String {
        let away = Unreachable::more(self.unreachable.take(), why.clone(), AGAIN, waker);
        (self.engine, self.unreachable) = (None, Some(away));
        why
    }

    /// An error of a single call: only that of a daemon that is away ends the connection.
    pub(super) fn judge(&mut self, error: &EngineError, waker: &Waker) -> String {
        match error {
            EngineError::Unreachable { .. } | EngineError::Late { .. } => self.lost(chain(error), waker),
            EngineError::Address(_) | EngineError::Refused { .. } | EngineError::Failed { .. } => {
                chain(error)
            }
        }
    }
}
