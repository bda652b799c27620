//! The configuration files as they are written: one optional field a key, unknown keys are errors with their line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A whole configuration file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Raw {
    pub(super) k2hr3: K2hr3,
    pub(super) join: Join,
    pub(super) poll: Poll,
    pub(super) ini: Ini,
    pub(super) hosts: Hosts,
    pub(super) guard: Guard,
    pub(super) profile: Profile,
    pub(super) supervisor: Supervisor,
    pub(super) state: State,
    pub(super) log: Log,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct K2hr3 {
    pub(super) api_uri: Option<String>,
    pub(super) role: Option<String>,
    pub(super) server_role: Option<String>,
    pub(super) slave_role: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) cuk: Option<String>,
    pub(super) token_file: Option<String>,
    pub(super) ca_file: Option<String>,
    pub(super) source: Option<super::SourceKind>,
    pub(super) file: Option<String>,
    pub(super) auth: Option<super::Auth>,
    pub(super) proxy: Option<String>,
    pub(super) source_address: Option<String>,
    pub(super) connect_timeout: Option<Span>,
    pub(super) timeout: Option<Span>,
    pub(super) max_body: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Join {
    pub(super) enabled: Option<bool>,
    pub(super) repair: Option<bool>,
    pub(super) confirm_polls: Option<u32>,
    pub(super) confirm_for: Option<Span>,
    pub(super) tag: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Poll {
    pub(super) interval: Option<Span>,
    pub(super) max_interval: Option<Span>,
    pub(super) jitter: Option<f64>,
    pub(super) load: Option<f64>,
    pub(super) backoff: Option<Span>,
    pub(super) max_backoff: Option<Span>,
    pub(super) settle: Option<Span>,
    pub(super) max_settle: Option<Span>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Ini {
    pub(super) path: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) group: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) extra_sections: Option<Vec<String>>,
    pub(super) keep: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Hosts {
    pub(super) enabled: Option<bool>,
    pub(super) path: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Guard {
    pub(super) max_lost_servers: Option<usize>,
    pub(super) max_lost_share: Option<f64>,
    pub(super) confirm_polls: Option<u32>,
    pub(super) confirm_for: Option<Span>,
    pub(super) removal_polls: Option<u32>,
    pub(super) removal_for: Option<Span>,
    pub(super) window: Option<Span>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Profile {
    pub(super) group: Option<String>,
    pub(super) naming: Option<crate::membership::Naming>,
    pub(super) peers: Option<bool>,
    pub(super) server_port: Option<u16>,
    pub(super) server_ctlport: Option<u16>,
    pub(super) slave_ctlport: Option<u16>,
    pub(super) global: BTreeMap<String, Scalar>,
    pub(super) k2hdkc: BTreeMap<String, Scalar>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Supervisor {
    pub(super) kind: Option<super::SupervisorKind>,
    pub(super) take_over: Option<bool>,
    pub(super) systemd: Systemd,
    pub(super) docker: Docker,
    pub(super) chmpx: Option<String>,
    pub(super) k2hdkc: Option<String>,
    pub(super) chmpxstatus: Option<String>,
    pub(super) chmpx_options: Option<Vec<String>>,
    pub(super) k2hdkc_options: Option<Vec<String>>,
    pub(super) user: Option<String>,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) on_exit: Option<super::OnExit>,
    pub(super) drain: Option<Span>,
    pub(super) restarts: Option<crate::lifecycle::Restarts>,
    pub(super) pair: Option<bool>,
    pub(super) wait_for_peers: Option<bool>,
    pub(super) quiet: Option<Span>,
    pub(super) between_questions: Option<Span>,
    pub(super) answer_within: Option<Span>,
    pub(super) look: Option<Span>,
    pub(super) start_gap: Option<Span>,
    pub(super) stop_gap: Option<Span>,
    pub(super) stop_within: Option<Span>,
    pub(super) deaf_after: Option<Span>,
    pub(super) roll_back_within: Option<Span>,
    pub(super) peers_within: Option<Span>,
    pub(super) join_within: Option<Span>,
    pub(super) idle_merge: Option<Span>,
    pub(super) merge_within: Option<Span>,
    pub(super) turn: Option<Span>,
    pub(super) calm: Option<Span>,
    pub(super) restart_backoff: Option<Span>,
    pub(super) max_restart_backoff: Option<Span>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Systemd {
    pub(super) chmpx_unit: Option<String>,
    pub(super) k2hdkc_unit: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Docker {
    pub(super) container: Option<String>,
    pub(super) chmpx_container: Option<String>,
    pub(super) k2hdkc_container: Option<String>,
    pub(super) socket: Option<String>,
    pub(super) ini: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct State {
    pub(super) directory: Option<String>,
    pub(super) runtime_directory: Option<String>,
    pub(super) status_group: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(super) struct Log {
    pub(super) level: Option<super::Level>,
    pub(super) format: Option<super::Format>,
}

/// A length of time: a number and one of `ms`, `s`, `m`, `h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Span(pub(super) Duration);

impl Span {
    pub(super) fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = text[..digits].parse().ok()?;
        let milliseconds = match text[digits..].trim() {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(number.checked_mul(milliseconds)?)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(SpanVisitor)
    }
}

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as \"10s\", \"500ms\", \"5m\" or \"2h\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Span, E> {
        Span::read(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// A value for an ini file, written in TOML as text, number or truth.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Scalar {
    Text(String),
    Number(i64),
    Truth(bool),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Text(text) => f.write_str(text),
            Scalar::Number(number) => number.fmt(f),
            Scalar::Truth(truth) => f.write_str(if *truth { "on" } else { "off" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, milliseconds) in
            [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("5 min", 300_000), ("2h", 7_200_000)]
        {
            assert_eq!(Span::read(text), Some(Span(Duration::from_millis(milliseconds))), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1d", "99999999999999999999h", "9999999999999999h"] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }
}
