//! Every way in which K2HR3 can be sick that a reader of the resource meets, as data.

use std::time::Duration;

use k2hdkc_simulators::k2hr3::Sickness;

/// One way to be sick.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Malady {
    /// For people.
    pub name: &'static str,
    /// How it is done.
    pub cause: Cause,
}

/// How K2HR3 is made sick.
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
    /// Whether a node may rightly take over what else has changed: those other than the first server only wait
    /// until its removal is confirmed.
    pub(super) fn lets_changes_through(&self) -> bool {
        matches!(self, Self::FirstServerMissing | Self::FirstServerBlinks)
    }

    /// Whether one answer takes seconds, so that one must do.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Self::Answers(Sickness::SlowDrip { .. } | Sickness::BackendDead { .. }))
    }
}

/// Longer than the agent takes for a plain refusal, shorter than its deadline in the sandbox.
const SLOW: Duration = Duration::from_millis(3020);
/// A body of the resource takes minutes at this rate.
const DRIP: Duration = Duration::from_millis(100);
/// What issue 2 asks for; the agent reads no more than 8 MiB of it.
const HUGE: u64 = 100_000_000;

/// All of them.
pub(super) fn maladies() -> Vec<Malady> {
    [bad_bodies(), bad_members(), bad_statuses(), bad_connections()].concat()
}

/// One or two of each kind, the quick ones.
pub(super) fn some_maladies() -> Vec<Malady> {
    let names = [
        "null resource",
        "503 that says result:true",
        "no servers",
        "half of the servers missing",
        "401",
        "connection refused",
    ];
    maladies().into_iter().filter(|malady| names.contains(&malady.name)).collect()
}

fn answers(name: &'static str, sickness: Sickness) -> Malady {
    Malady { name, cause: Cause::Answers(sickness) }
}

fn bad_bodies() -> Vec<Malady> {
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

fn bad_members() -> Vec<Malady> {
    vec![
        answers("no servers", Sickness::NoServers),
        answers("no slaves", Sickness::NoSlaves),
        Malady { name: "server-1 missing", cause: Cause::FirstServerMissing },
        Malady { name: "server-1 blinks (registers again)", cause: Cause::FirstServerBlinks },
        answers("half of the servers missing", Sickness::HalfOfServers),
        answers("newlines in a tag", Sickness::NewlineInTag),
        answers("control characters in a tag", Sickness::ControlCharacters),
    ]
}

fn bad_statuses() -> Vec<Malady> {
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

fn bad_connections() -> Vec<Malady> {
    vec![
        answers("one byte each 100 ms", Sickness::SlowDrip { byte_every: DRIP }),
        answers("reset in mid-body", Sickness::ResetInMidBody),
        answers("closed after a stall", Sickness::StallThenClose(DRIP)),
        answers("accepted and closed", Sickness::Refuse),
        Malady { name: "connection refused", cause: Cause::Down },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_malady_has_a_name_of_its_own_and_the_short_list_finds_all_of_its_names() {
        let names: std::collections::BTreeSet<_> = maladies().iter().map(|malady| malady.name).collect();
        assert_eq!(names.len(), maladies().len());
        assert_eq!(some_maladies().len(), 6);
    }
}
