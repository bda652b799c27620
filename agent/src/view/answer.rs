//! The short answers: to commands, to VERSION and TRACEVIEW, and of `chmpxstatus -wait`.

use std::time::Duration;

use super::ViewError;
use super::fields::shown;
use super::reading::whole_lines;

/// What chmpx says to a command (chmpx 1.0.113, lib/chmeventsock.cc:91-129).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Accepted, which is not done: only the status tells when it is. With a note where there was nothing to do, or
    /// nobody to do it with; a slave says the same to MERGE.
    Succeeded(Option<String>),
    /// Refused, and chmpx's own words for it.
    Refused(Refusal, String),
    /// There is no such command.
    Unknown(String),
}

/// Why chmpx refuses a command, as far as the difference matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A merge is under way somewhere in the ring; it may be tried again afterwards.
    Operating,
    /// The status of the server does not allow it: no k2hdkc joined, or it is already what it should become.
    NotAllowed,
    /// Only servers take this command.
    SlaveNode,
    /// No server has that host, control port and id.
    NoSuchServer,
    /// Some server of the ring cannot do it now, for example one that is in service and down.
    SomeServers,
    /// It was passed on to the server it is for, and failed there.
    NotTransferred,
    /// Any other reason; the text tells.
    Other,
}

/// The texts of refusals, without the word in front.
const REFUSALS: &[(&str, Refusal)] = &[
    ("Could not change status, because server is operating now.", Refusal::Operating),
    ("Could not change status, because status is not allowed.", Refusal::NotAllowed),
    ("The command can not be executed on the slave node.", Refusal::SlaveNode),
    ("There is no such as server.", Refusal::NoSuchServer),
    (
        "Could not change status, because some servers could not be changed its status now.",
        Refusal::SomeServers,
    ),
    (
        "Failed to transfer command to other target server, something error occured on target server.",
        Refusal::NotTransferred,
    ),
];

/// Which chmpx answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its version: `1.0.113`.
    pub number: String,
    /// What it was built from.
    pub commit: String,
    /// The TLS library in it: `OpenSSL`, `GnuTLS` or `NSS`.
    pub tls: String,
}

/// One message that went through a chmpx while TRACE was on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Where: `Input Socket`, `Output MQ` and so on.
    pub way: String,
    /// Its length.
    pub bytes: u64,
    /// When it began, since 1970.
    pub start: Duration,
    /// When it was through, since 1970.
    pub finish: Duration,
}

/// Reads the answer to a command.
pub fn answer(text: &str) -> Result<Answer, ViewError> {
    let asked = "a command";
    let Some(said) = text.strip_suffix('\n') else { return Err(ViewError::CutOff { answer: asked }) };
    if said == "SUCCEED" {
        return Ok(Answer::Succeeded(None));
    }
    if let Some(note) = said.strip_prefix("SUCCEED: ") {
        return Ok(Answer::Succeeded(Some(note.to_owned())));
    }
    if let Some(why) = said.strip_prefix("ERROR: ").or_else(|| said.strip_prefix("INTERNAL ERROR: ")) {
        let known = REFUSALS.iter().find(|(words, _)| *words == why);
        let refusal = known.map_or(Refusal::Other, |(_, refusal)| *refusal);
        return Ok(Answer::Refused(refusal, why.to_owned()));
    }
    let unknown = said.strip_prefix("Unknown command(").and_then(|rest| rest.strip_suffix(')'));
    let command = unknown.ok_or_else(|| ViewError::Said { answer: asked, said: shown(said) })?;
    Ok(Answer::Unknown(command.to_owned()))
}

/// Reads the answer to VERSION: `Version 1.0.113 (commit: 84192b9) with OpenSSL`.
pub fn version(text: &str) -> Result<Version, ViewError> {
    let answer = "VERSION";
    whole_lines(text, answer)?;
    let parts = || {
        let (number, rest) = text.trim_end().strip_prefix("Version ")?.split_once(" (commit: ")?;
        let (commit, tls) = rest.split_once(") with ")?;
        Some(Version { number: number.to_owned(), commit: commit.to_owned(), tls: tls.to_owned() })
    };
    parts().ok_or_else(|| ViewError::Said { answer, said: shown(text.trim_end()) })
}

/// Reads the answer to TRACEVIEW, in its order. It has no end of its own: cut off between two lines it looks like a
/// shorter one.
pub fn traces(text: &str) -> Result<Vec<Trace>, ViewError> {
    let answer = "TRACEVIEW";
    whole_lines(text, answer)?;
    let said = |line| ViewError::Said { answer, said: shown(line) };
    text.lines().map(|line| trace(line).ok_or_else(|| said(line))).collect()
}

fn trace(line: &str) -> Option<Trace> {
    let mut columns = line.split('\t');
    let way = columns.next()?.strip_prefix('[')?.strip_suffix(']')?;
    let bytes = columns.next()?.strip_suffix(" byte")?.parse().ok()?;
    let (start, finish) = columns.next()?.split_once(" - ")?;
    Some(Trace {
        way: way.to_owned(),
        bytes,
        start: moment(start, "START(")?,
        finish: moment(finish, "FINISH(")?,
    })
}

/// `START(1795314354s 891203436ns)`
fn moment(text: &str, head: &str) -> Option<Duration> {
    let (seconds, nanoseconds) = text.strip_prefix(head)?.strip_suffix("ns)")?.split_once("s ")?;
    let nanoseconds = nanoseconds.parse().ok().filter(|ns| *ns < 1_000_000_000)?;
    Some(Duration::new(seconds.parse().ok()?, nanoseconds))
}

/// Reads what `chmpxstatus -wait` prints: whether the status came in time.
pub fn waited(text: &str) -> Result<bool, ViewError> {
    let answer = "chmpxstatus -wait";
    match text {
        "SUCCEED\n" => Ok(true),
        "FAILED\n" => Ok(false),
        _ if text.ends_with('\n') => Err(ViewError::Said { answer, said: shown(text.trim_end()) }),
        _ => Err(ViewError::CutOff { answer }),
    }
}
