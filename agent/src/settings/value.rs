//! Values as the configuration files write them: lengths of time, names, modes, and scalars of an ini.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::api_uri;
use crate::names::{Cuk, Tag, Yrn};

/// Reads a length of time of the command line: like one of the configuration, or a number of seconds.
///
/// # Errors
///
/// The forms that it takes.
pub fn length(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    seconds
        .or_else(|| span_of(text))
        .ok_or_else(|| "is not a number of seconds, or one with ms, s, m or h behind it".to_owned())
}

/// A number and one of `ms`, `s`, `m`, `h`.
fn span_of(text: &str) -> Option<Duration> {
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
    Some(Duration::from_millis(number.checked_mul(milliseconds)?))
}

/// A text that stands for a value.
struct Text<T> {
    /// The form of the text, for the message about a number or a truth in its place.
    form: &'static str,
    read: fn(&str) -> Result<T, String>,
}

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.form)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

/// Reads a length of time.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    const FORM: &str = "a length of time such as \"500ms\", \"10s\", \"5m\" or \"2h\"";
    let read = |text: &str| span_of(text).ok_or_else(|| format!("\"{text}\" is not {FORM}"));
    deserializer.deserialize_str(Text { form: FORM, read })
}

/// Reads the YRN of a role.
pub(super) fn role<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Yrn>, D::Error> {
    let read = |text: &str| Yrn::role(text).map_err(|error| error.to_string());
    deserializer.deserialize_str(Text { form: "the YRN of a role", read }).map(Some)
}

/// Reads the YRN of a resource.
pub(super) fn resource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Yrn>, D::Error> {
    let read = |text: &str| Yrn::resource(text).map_err(|error| error.to_string());
    deserializer.deserialize_str(Text { form: "the YRN of a resource", read }).map(Some)
}

/// Reads the CUK of this node.
pub(super) fn cuk<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cuk>, D::Error> {
    let read = |text: &str| Cuk::try_from(text).map_err(|error| error.to_string());
    deserializer.deserialize_str(Text { form: "a CUK", read }).map(Some)
}

/// Reads the tag of this node.
pub(super) fn tag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Tag>, D::Error> {
    let read = |text: &str| Tag::try_from(text).map_err(|error| error.to_string());
    deserializer.deserialize_str(Text { form: "a host name", read }).map(Some)
}

/// Reads the address of K2HR3's API.
pub(super) fn uri<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let read = |text: &str| api_uri(text).map_err(str::to_owned);
    deserializer.deserialize_str(Text { form: "http://host:port or https://host:port", read }).map(Some)
}

/// Reads the permission bits of a file.
pub(super) fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    const FORM: &str = "an octal mode such as \"0644\"";
    let read = |text: &str| match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err(format!("\"{text}\" is not {FORM}")),
    };
    deserializer.deserialize_str(Text { form: FORM, read }).map(Some)
}

/// A value of an ini, written in TOML as text, number or truth.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "is not a text, a whole number or a truth")]
enum Scalar {
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

/// Reads keys of an ini, and lays them over `defaults`.
pub(super) fn overlaid<'de, D: Deserializer<'de>>(
    deserializer: D,
    defaults: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, D::Error> {
    let mut keys = owned(defaults);
    let given = BTreeMap::<String, Scalar>::deserialize(deserializer)?;
    keys.extend(given.into_iter().map(|(key, value)| (key, value.to_string())));
    Ok(keys)
}

/// Returns the same pairs as a map.
pub(super) fn owned(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, milliseconds) in
            [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("5 min", 300_000), ("2h", 7_200_000)]
        {
            assert_eq!(span_of(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1d", "99999999999999999999h", "9999999999999999h"] {
            assert_eq!(span_of(text), None, "{text}");
        }
        assert_eq!(length("10"), Ok(Duration::from_secs(10)));
    }
}
