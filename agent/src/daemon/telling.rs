//! What the log says of passes: what is new, once.

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::Agent;
use crate::clock::spoken;
use crate::report::{Kind, Outcome, Report};
use crate::standing::State;

/// A step that was taken, or was not.
pub(super) fn log_step(step: Option<&Result<String, String>>) {
    match step {
        Some(Ok(text)) => info!("{text}"),
        Some(Err(text)) => warn!("{text}"),
        None => {}
    }
}

impl Agent {
    /// One line for a pass that changed something; for others a line when it is a new one.
    pub(super) fn log(&mut self, report: &Report) {
        let (line, reasons) = (report.line(), report.reasons.as_str());
        let again = self.said_before(report);
        self.log_recovery(report);
        match &report.outcome {
            Outcome::Installed(_) => info!(reasons, "{line}"),
            Outcome::Restored(..) | Outcome::Rewritten(..) => warn!(reasons, "{line}"),
            Outcome::RolledBack(..) => error!(reasons, "{line}"),
            Outcome::Unchanged | Outcome::Settling => debug!(reasons, "{line}"),
            _ if again => debug!(reasons, "{line}"),
            Outcome::Doubtful(_) | Outcome::Held(_) => warn!(reasons, "{line}"),
            Outcome::Refused(_) | Outcome::Rejected(_) | Outcome::Failed(_) => error!(reasons, "{line}"),
        }
        for note in report.notes.iter().filter(|note| !self.status.notes.contains(note)) {
            warn!("{note}");
        }
        log_step(report.step.as_ref());
        self.log_standing(report);
    }

    /// One line when the processes have come to another state.
    fn log_standing(&self, report: &Report) {
        let Some(standing) = &report.standing else { return };
        let past = self.status.standing.as_ref();
        if past.is_some_and(|past| past.state == standing.state && past.text == standing.text) {
            return;
        }
        match standing.state {
            State::Held => error!("{}", standing.text),
            State::Waiting => debug!("{}", standing.text),
            State::Converged => {
                let generation = standing.said.as_ref().and_then(|said| said.fileversion);
                info!(generation, "{}", standing.text);
            }
        }
    }

    /// Whether this very sentence was logged since the last good pass. The memory is short: what fails in ever new
    /// words is told again.
    fn said_before(&mut self, report: &Report) -> bool {
        const REMEMBERED: usize = 8;
        let good =
            matches!(report.outcome, Outcome::Installed(_) | Outcome::Rewritten(..) | Outcome::Unchanged);
        if good || self.said.len() >= REMEMBERED {
            self.said.clear();
        }
        !self.said.insert(report.outcome.line())
    }

    fn log_recovery(&mut self, report: &Report) {
        let doubtful = matches!(report.outcome.kind(), Kind::Doubtful | Kind::Restored);
        if report.asked.is_none() && !doubtful {
            // Nobody was asked, so nothing is known of the source.
            return;
        }
        self.doubtful = match (doubtful, self.doubtful.take()) {
            (true, Some((since, count))) => Some((since, count + 1)),
            (true, None) => Some((Instant::now(), 1)),
            (false, Some((since, count))) => {
                info!(after = spoken(since.elapsed()), doubtful = count, "the source answers again");
                None
            }
            (false, None) => None,
        };
    }
}
