//! The status in one line, for `systemctl status`. Pure.

use super::Status;
use crate::process_status::{ProcessStatus, State};
use crate::supervisor::Kind;

impl Status {
    /// The operator's next task, then the ring, then the file. Ages are absent: the line stands until the next one.
    pub fn summary(&self) -> String {
        let refused =
            self.agent.settings_error.as_ref().map(|_| "the new configuration is refused".to_owned());
        let leaving = self.leaving.as_ref().map(|leaving| format!("LEAVES: {}", leaving.stage.text()));
        let stopped = self.stopped.as_ref().map(|stopped| format!("STOPPED: {}", stopped.stage.text()));
        let leaving = stopped.or(leaving);
        let ring = self.processes.as_ref().map(ring);
        let picked = self.agent.picked.as_ref().filter(|picked| picked.kind == Kind::None);
        let ring = ring.or(picked.map(|_| "supervisor none: nothing that runs chmpx was found".to_owned()));
        let left_out = match self.findings.left_out.len() {
            0 => None,
            1 => Some("1 record in K2HR3 is no good and left out".to_owned()),
            several => Some(format!("{several} records in K2HR3 are no good and left out")),
        };
        let file = match self.generations.written.as_ref() {
            Some(written) => format!("file {}: {}", written.fileversion, self.line()),
            None => format!("no file yet: {}", self.line()),
        };
        let parts: Vec<String> =
            refused.into_iter().chain(leaving).chain(left_out).chain(ring).chain([file]).collect();
        parts.join("; ").replace('\n', " ")
    }
}

fn ring(processes: &ProcessStatus) -> String {
    match processes.state {
        State::Held => format!("ATTENTION: {}", processes.text),
        State::Waiting => processes.text.clone(),
        State::Converged => {
            let (healthy, all) = processes.healthy();
            format!("in the ring, {healthy} of {all} servers in service")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::generation::Generation;
    use crate::ledger::Ledger;
    use crate::lifecycle::Departure;
    use crate::ring::Mode;

    fn status(processes: Option<ProcessStatus>) -> Status {
        let written = Generation { fileversion: 7, ring: "abc".into(), at: Timestamp(1) };
        let ledger = Ledger { written: Some(written), ..Ledger::default() };
        let mut status = Status::idle(&ledger, "systemd", "/x.ini".into());
        status.outcome =
            Some(crate::fixtures::outcome(crate::report::OutcomeKind::Unchanged, "nothing changed"));
        status.processes = processes;
        status
    }

    #[test]
    fn a_calm_node_says_that_it_is_in_the_ring() {
        let processes = ProcessStatus { state: State::Converged, ..ProcessStatus::unknown("") };
        let line = status(Some(processes)).summary();
        assert_eq!(line, "in the ring, 0 of 0 servers in service; file 7: nothing changed");
    }

    #[test]
    fn what_somebody_must_look_at_comes_first_and_stays_one_line() {
        let held =
            ProcessStatus { state: State::Held, ..ProcessStatus::unknown("k2hdkc.service is\nmasked") };
        let mut status = status(Some(held));
        status.agent.settings_error = Some("bad".into());
        let line = status.summary();
        assert_eq!(
            line,
            "the new configuration is refused; ATTENTION: k2hdkc.service is masked; file 7: nothing changed"
        );
    }

    #[test]
    fn a_node_that_leaves_says_so_first() {
        let mut status = status(None);
        status.leaving = Some(Departure::begin(Timestamp(1), Mode::Server, false, true));
        let line = status.summary();
        assert_eq!(line, "LEAVES: the other servers take over its keys first; file 7: nothing changed");
    }

    #[test]
    fn a_node_that_was_told_to_stop_says_so_first_in_line_and_status_and_is_for_somebody_to_look_at() {
        let mut status = status(None);
        status.agent.pid = Some(7);
        assert!(status.is_good());
        let mut stopped = Departure::begin_stop(Timestamp(1_000), Mode::Server, false, None);
        stopped.stage = crate::lifecycle::Stage::Stopped;
        status.stopped = Some(stopped);
        assert!(!status.is_good());
        let text = "nothing of it runs until 'k2hdkc-agent start', not after a reboot either";
        assert_eq!(status.summary(), format!("STOPPED: {text}; file 7: nothing changed"));
        let now = crate::clock::Now { wall: Timestamp(61_000), boot: crate::fixtures::boot_time(60_000) };
        let first = status.text(now).lines().next().unwrap().to_owned();
        assert_eq!(first, format!("STOPPED     1 min 0 s ago: {text}"));
    }

    #[test]
    fn a_node_without_a_file_says_why() {
        let mut status = Status::idle(&Ledger::default(), "none", "/x.ini".into());
        status.outcome = Some(crate::fixtures::outcome(crate::report::OutcomeKind::Doubtful, "no answer"));
        assert_eq!(status.summary(), "no file yet: no answer");
    }
}
