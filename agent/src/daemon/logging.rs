//! The log lines of passes. Each is logged once, until it changes.

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::Agent;
use crate::clock::spoken;
use crate::log::Loudness;
use crate::process_status::{ProcessStatus, State};
use crate::repeats::Repeats;
use crate::report::{Outcome, OutcomeKind, Report};

/// Lines logged about the processes.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Steps and notes that may come again and again.
    repeats: Repeats<Loudness>,
    /// With which generation the processes have converged, where that was the last word of them.
    converged: Option<u32>,
}

impl Told {
    /// A step, which may be the same as some moments ago: with each file the first is copied.
    fn step(&mut self, step: Option<&Result<String, String>>, generation: Option<u32>) {
        let (text, loudness) = match step {
            Some(Ok(text)) => (text, Loudness::Info),
            Some(Err(text)) => (text, Loudness::Warn),
            None => return,
        };
        if self.repeats.hear(&format!("{generation:?} {text}"), text, loudness, Instant::now()) {
            say(text, loudness);
        } else {
            debug!("{text}");
        }
    }

    fn note(&mut self, note: &str) {
        if self.repeats.hear(note, note, Loudness::Warn, Instant::now()) {
            warn!("{note}");
        }
    }

    /// Logs the number of repeats that were left out, where it is due.
    fn counts(&mut self) {
        for count in self.repeats.counted(Instant::now()) {
            say(&count.text, count.tag);
        }
    }

    /// Logs all such numbers, at the end of the agent.
    pub(super) fn end(&mut self) {
        for count in self.repeats.end(Instant::now()) {
            say(&count.text, count.tag);
        }
    }

    /// Logs a new state of the processes. The return to the state before a repeated step is none.
    fn processes(&mut self, processes: &ProcessStatus, past: Option<&ProcessStatus>) {
        if past.is_some_and(|past| past.state == processes.state && past.text == processes.text) {
            return;
        }
        match processes.state {
            State::Held => {
                self.converged = None;
                // A hold that comes and goes with the answers of others is one.
                let text = &processes.text;
                if self.repeats.hear(text, text, Loudness::Warn, Instant::now()) {
                    error!("{text}");
                } else {
                    debug!("{text}");
                }
            }
            State::Waiting => debug!("{}", processes.text),
            State::Converged => {
                let generation = processes.said.as_ref().and_then(|said| said.fileversion);
                if generation.is_some() && self.converged == generation {
                    debug!(generation, "{}", processes.text);
                } else {
                    info!(generation, "{}", processes.text);
                }
                self.converged = generation;
            }
        }
    }
}

fn say(text: &str, loudness: Loudness) {
    match loudness {
        Loudness::Warn => warn!("{text}"),
        Loudness::Info => info!("{text}"),
        Loudness::Debug => debug!("{text}"),
    }
}

/// A step that was taken, or was not.
pub(super) fn log_step(step: Option<&Result<String, String>>) {
    match step {
        Some(Ok(text)) => info!("{text}"),
        Some(Err(text)) => warn!("{text}"),
        None => {}
    }
}

impl Agent {
    /// Logs a pass that changed something; of others, logs a line that is new.
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
        for note in report.notes.iter().filter(|note| !self.status.findings.notes.contains(note)) {
            self.told.note(note);
        }
        for member in report.left_out.iter().filter(|member| !self.status.findings.left_out.contains(member))
        {
            self.told.note(&format!("left out: {member}"));
        }
        let generation = self.reconciler.store().ledger().written.as_ref().map(|written| written.fileversion);
        self.told.step(report.step.as_ref(), generation);
        if let Some(processes) = &report.processes {
            self.told.processes(processes, self.status.processes.as_ref());
        }
        self.told.counts();
    }

    /// Returns true where this line was logged since the last good pass. The list is short: a fault in ever new words
    /// is logged again.
    fn said_before(&mut self, report: &Report) -> bool {
        const REMEMBERED: usize = 8;
        let good =
            matches!(report.outcome, Outcome::Installed(_) | Outcome::Rewritten(..) | Outcome::Unchanged);
        if good || self.outcomes.said.len() >= REMEMBERED {
            self.outcomes.said.clear();
        }
        !self.outcomes.said.insert(report.outcome.to_string())
    }

    fn log_recovery(&mut self, report: &Report) {
        let doubtful = matches!(report.outcome.kind(), OutcomeKind::Doubtful | OutcomeKind::Restored);
        if report.asked.is_none() && !doubtful {
            // No question was put, so the state of the source is unknown.
            return;
        }
        self.outcomes.doubtful = match (doubtful, self.outcomes.doubtful.take()) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx_state::NodeStatus;
    use crate::clock::Timestamp;
    use crate::log::heard::Log;
    use crate::process_status::Said;
    use std::time::Duration;

    fn processes(state: State, text: &str, fileversion: u32) -> ProcessStatus {
        let status = NodeStatus::from_bits(0x21);
        let said = Said { at: Timestamp(0), fileversion: Some(fileversion), status, servers: Vec::new() };
        ProcessStatus { state, said: Some(said), ..ProcessStatus::unknown(text) }
    }

    /// A server's prompt to slaves that were turned away, repeated after each file.
    #[tokio::test(start_paused = true)]
    async fn a_step_that_repeats_is_one_line_a_file_and_so_is_what_it_comes_back_to() {
        let (mut told, (log, _guard)) = (Told::default(), Log::taken());
        let step = Ok("send chmpx UPDATESTATUS: slaves try again".to_owned());
        let converged = |version| processes(State::Converged, "converged", version);
        let mut past = None;
        for version in [7, 8] {
            for _ in 0..6 {
                let moving = processes(State::Waiting, "send chmpx UPDATESTATUS", version);
                told.step(Some(&step), Some(version));
                told.processes(&moving, past.as_ref());
                told.processes(&converged(version), Some(&moving));
                past = Some(converged(version));
                tokio::time::advance(Duration::from_secs(6)).await;
                told.counts();
            }
        }
        let news = |log: &Log| log.text().lines().filter(|line| !line.contains("DEBUG")).count();
        assert_eq!((news(&log), log.count("again 5 times within ")), (5, 1), "{}", log.text());
        told.end();
        assert_eq!((news(&log), log.count("again 5 times within ")), (6, 2), "{}", log.text());
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_back_after_somebody_had_to_look_is_news() {
        let (mut told, (log, _guard)) = (Told::default(), Log::taken());
        let (well, held) =
            (processes(State::Converged, "converged", 7), processes(State::Held, "it is masked", 7));
        told.processes(&well, None);
        told.processes(&held, Some(&well));
        told.processes(&well, Some(&held));
        assert_eq!((log.count("INFO"), log.count("ERROR")), (2, 1), "{}", log.text());
    }
}
