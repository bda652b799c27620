//! Faults that the programs inject, from a TOML file that is read at the moment concerned.
//!
//! What happens a limited number of times is counted beside the file, in `<file>.used`, so that it stays used up
//! when the program starts again; remove that file to have it all once more.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::log::Log;
use super::place::Place;

/// The entries of the file; each is optional.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Entries {
    /// `KEY=VALUE` of `[GLOBAL]`: a loadable file with it ends chmpx at a reload and does not let it start.
    pub dislike: Option<String>,
    /// Likewise, but chmpx dies of SIGSEGV.
    pub crash_on: Option<String>,
    /// So many of the next reloads are swallowed.
    pub swallow: u32,
    /// The watch on the file is lost with the next event.
    pub deaf: bool,
    /// Which state a merge sticks in, once: `add-done`, `doing` or `service-out`.
    pub stick: Option<Stick>,
    /// Milliseconds before each answer of the control port.
    pub silent_ms: u64,
    /// Milliseconds that k2hdkc takes at least for its first answer in a merge.
    pub merge_ms: u64,
    /// Milliseconds between two looks for peers while none is UP; the real ones take ten seconds.
    pub rescan_ms: Option<u64>,
    /// So many of the next starts of chmpx fail.
    pub fail_starts: u32,
    /// So many of the next starts of k2hdkc fail.
    pub fail_k2hdkc_starts: u32,
    /// Chance that chmpx loses the answer of its k2hdkc at the begin of a copy, unless it comes late (docs/facts.md C29).
    pub loses_answers: f64,
}

/// A stuck state of docs/facts.md C21.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stick {
    /// `[ADD][Done]`; UPDATESTATUS cures it.
    AddDone,
    /// `[Doing]`; only SIGKILL of chmpx cures it.
    Doing,
    /// `[SERVICE OUT][NoSuspend]`; SERVICEIN cures it.
    ServiceOut,
}

impl Stick {
    fn name(self) -> &'static str {
        match self {
            Self::AddDone => "add-done",
            Self::Doing => "doing",
            Self::ServiceOut => "service-out",
        }
    }
}

/// The faults that one node injects.
#[derive(Debug, Clone)]
pub struct Faults {
    file: PathBuf,
    log: Log,
}

impl Faults {
    /// Returns the faults of a place. The file need not exist, now or ever.
    pub fn of(place: &Place, log: &Log) -> Self {
        Self { file: place.faults(), log: log.clone() }
    }

    /// Reads the file.
    pub fn read(&self) -> Entries {
        let Ok(text) = std::fs::read_to_string(&self.file) else { return Entries::default() };
        toml::from_str(&text).unwrap_or_else(|error| {
            self.log.err(format_args!("{}: {error}", self.file.display()));
            Entries::default()
        })
    }

    /// Checks whether this reload is to be swallowed; counts it.
    pub fn swallows(&self) -> bool {
        self.use_up("swallow", self.read().swallow)
    }

    /// Checks whether this start of chmpx is to fail; counts it.
    pub fn fails_start(&self) -> bool {
        self.use_up("fail-starts", self.read().fail_starts)
    }

    /// Checks whether this start of k2hdkc is to fail; counts it.
    pub fn fails_k2hdkc_start(&self) -> bool {
        self.use_up("fail-k2hdkc-starts", self.read().fail_k2hdkc_starts)
    }

    /// Checks whether a merge is to stick so; once.
    pub fn sticks(&self, stick: Stick) -> bool {
        self.read().stick == Some(stick) && self.use_up(stick.name(), 1)
    }

    /// Returns the time that k2hdkc takes at least for its first answer in a merge.
    pub fn merge_time(&self) -> Duration {
        Duration::from_millis(self.read().merge_ms)
    }

    /// Returns the time that a server that is alone waits before it looks for others again.
    pub fn rescan_time(&self) -> Option<Duration> {
        self.read().rescan_ms.map(Duration::from_millis)
    }

    /// Checks whether an answer that comes at once is lost, by chance.
    pub fn loses_answer(&self) -> bool {
        fastrand::f64() < self.read().loses_answers
    }

    fn use_up(&self, name: &str, limit: u32) -> bool {
        if limit == 0 {
            return false;
        }
        let mut used = self.used();
        let count = used.entry(name.to_owned()).or_default();
        if *count >= limit {
            return false;
        }
        *count += 1;
        if let Err(error) = self.keep(&used) {
            self.log.err(format_args!("{}: {error}", self.used_file().display()));
        }
        true
    }

    fn used_file(&self) -> PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(".used");
        PathBuf::from(name)
    }

    fn used(&self) -> BTreeMap<String, u32> {
        let text = std::fs::read_to_string(self.used_file()).unwrap_or_default();
        toml::from_str(&text).unwrap_or_default()
    }

    fn keep(&self, used: &BTreeMap<String, u32>) -> std::io::Result<()> {
        let lines: String = used.iter().map(|(name, count)| format!("{name} = {count}\n")).collect();
        let mut file =
            std::fs::File::options().write(true).create(true).truncate(true).open(self.used_file())?;
        file.write_all(lines.as_bytes())
    }
}

/// Checks whether `[GLOBAL]` has the `KEY=VALUE` of an entry.
pub fn is_in(entry: Option<&str>, global: impl Fn(&str) -> String) -> bool {
    let Some((key, value)) = entry.and_then(|entry| entry.split_once('=')) else { return false };
    global(key.trim()) == value.trim()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulators::log::Level;

    fn faults(text: &str) -> (tempfile::TempDir, Faults) {
        let root = tempfile::tempdir().unwrap();
        let mut file = std::fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .open(root.path().join("simulator.toml"))
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let faults = Faults::of(&Place::at(root.path()), &Log::new("T", Level::Silent));
        (root, faults)
    }

    #[test]
    fn what_is_used_up_stays_so_for_the_next_process() {
        let (root, first) = faults("swallow = 2\nstick = \"add-done\"\n");
        assert!(first.swallows());
        let second = Faults::of(&Place::at(root.path()), &Log::new("T", Level::Silent));
        assert!(second.swallows() && !second.swallows());
        assert!(
            second.sticks(Stick::AddDone) && !first.sticks(Stick::AddDone) && !first.sticks(Stick::Doing)
        );
    }

    #[test]
    fn without_a_file_nothing_goes_wrong() {
        let root = tempfile::tempdir().unwrap();
        let faults = Faults::of(&Place::at(root.path()), &Log::new("T", Level::Silent));
        assert_eq!(faults.read(), Entries::default());
        assert!(!faults.fails_start());
    }

    #[test]
    fn an_entry_names_one_value_of_global() {
        let global = |key: &str| if key == "REPLICA" { "2".to_owned() } else { String::new() };
        assert!(is_in(Some("REPLICA=2"), global));
        assert!(!is_in(Some("REPLICA=1"), global) && !is_in(Some("GROUP=x"), global) && !is_in(None, global));
    }
}
