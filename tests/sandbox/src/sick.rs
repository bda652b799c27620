//! The sick answers of K2HR3 that a reader of the resource can meet, as data.

use std::time::Duration;

use k2hdkc_simulators::k2hr3::Sickness;

/// A way to be sick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SickAnswer {
    /// For people.
    pub name: &'static str,
    /// The way to make K2HR3 so.
    pub cause: Cause,
}

/// The ways to make K2HR3 sick.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cause {
    /// Every answer is like that.
    Answers(Sickness),
    /// Every answer lacks the first server.
    FirstServerMissing,
    /// The first server registers again and again, and each time the next reader misses it.
    FirstServerBlinks,
    /// The API's process is gone: connections are refused.
    Down,
}

impl Cause {
    /// Checks whether a node may rightly take over what else has changed: those other than the first server only wait
    /// until its removal is confirmed.
    pub(super) fn lets_changes_through(&self) -> bool {
        matches!(self, Self::FirstServerMissing | Self::FirstServerBlinks)
    }

    /// Checks whether one answer takes seconds, so that one must do.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Answers(Sickness::SlowDrip { .. } | Sickness::BackendDead { .. }))
    }
}

/// Longer than the agent takes for a plain refusal, shorter than its deadline in the sandbox.
const SLOW: Duration = Duration::from_millis(3020);
/// A body of the resource takes minutes at this rate.
const DRIP: Duration = Duration::from_millis(100);
/// The size of a huge answer; the agent reads no more than 8 MiB of it.
const HUGE: u64 = 100_000_000;

/// Lists all of them.
pub(super) fn sick_answers() -> Vec<SickAnswer> {
    [bad_bodies(), bad_members(), bad_statuses(), bad_connections()].concat()
}

/// Lists a few of each kind, the quick ones.
pub(super) fn some_sick_answers() -> Vec<SickAnswer> {
    let names = [
        "null resource",
        "503 that says result:true",
        "no servers",
        "half of the servers missing",
        "401",
        "connection refused",
    ];
    sick_answers().into_iter().filter(|answer| names.contains(&answer.name)).collect()
}

fn answers(name: &'static str, sickness: Sickness) -> SickAnswer {
    SickAnswer { name, cause: Cause::Answers(sickness) }
}

fn bad_bodies() -> Vec<SickAnswer> {
    vec![
        answers("empty body", Sickness::EmptyBody),
        answers("null resource", Sickness::NullResource),
        answers("empty resource", Sickness::EmptyString),
        answers("a web page instead", Sickness::Html),
        answers("503 that says result:true", Sickness::ServerErrorSayingTrue),
        answers("200 that says result:false", Sickness::ResultFalse200),
        answers("truncated JSON", Sickness::TruncatedJson),
        answers("truncated body", Sickness::TruncatedBody),
        answers("Content-Length too small", Sickness::WrongContentLength),
        answers("bytes that are no UTF-8", Sickness::NotUtf8),
        answers("JSON nested 100000 deep", Sickness::DeepJson),
        answers("a body of 100 MB", Sickness::Huge { bytes: HUGE }),
    ]
}

fn bad_members() -> Vec<SickAnswer> {
    vec![
        answers("no servers", Sickness::NoServers),
        answers("no slaves", Sickness::NoSlaves),
        SickAnswer { name: "server-1 missing", cause: Cause::FirstServerMissing },
        SickAnswer { name: "server-1 registers all the time", cause: Cause::FirstServerBlinks },
        answers("half of the servers missing", Sickness::HalfOfServers),
        answers("newlines in a tag", Sickness::NewlineInTag),
        answers("control characters in a tag", Sickness::ControlCharacters),
    ]
}

fn bad_statuses() -> Vec<SickAnswer> {
    vec![
        answers("redirect", Sickness::Redirect),
        answers("401", Sickness::Status(401)),
        answers("403", Sickness::Status(403)),
        answers("404", Sickness::Status(404)),
        answers("413", Sickness::Status(413)),
        answers("431", Sickness::Status(431)),
        answers("500", Sickness::Status(500)),
        answers("401 after 3 s (backend dead)", Sickness::BackendDead { after: SLOW }),
    ]
}

fn bad_connections() -> Vec<SickAnswer> {
    vec![
        answers("one byte each 100 ms", Sickness::SlowDrip { byte_every: DRIP }),
        answers("reset in mid-body", Sickness::ResetInMidBody),
        answers("closed after a stall", Sickness::StallThenClose(DRIP)),
        answers("accepted and closed", Sickness::Refuse),
        SickAnswer { name: "connection refused", cause: Cause::Down },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sick_answer_has_a_name_of_its_own_and_the_short_list_finds_all_of_its_names() {
        let names: std::collections::BTreeSet<_> = sick_answers().iter().map(|answer| answer.name).collect();
        assert_eq!(names.len(), sick_answers().len());
        assert_eq!(some_sick_answers().len(), 6);
    }
}
