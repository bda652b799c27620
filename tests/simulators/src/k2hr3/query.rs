//! Percent decoding and the query string, with the habits of JavaScript.

use serde_json::Value;

/// The parameters behind `?`, in order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode_form(name), decode_form(value))
        });
        Self(pairs.collect())
    }

    /// The value of a parameter given exactly once and not empty. Twice makes an array in Express, which the
    /// API then takes for "not given" (recorded as m09).
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        let mut values = self.values(name);
        let first = values.next()?;
        (values.next().is_none() && !first.is_empty()).then_some(first)
    }

    /// As [`Self::text`], trimmed, and nothing when only blanks are left: how `cuk` is read.
    pub(super) fn trimmed(&self, name: &str) -> Option<&str> {
        self.text(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// A number, or nothing when it is none (`port=abc` is no port, b16).
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// As `JSON.stringify` shows the parameter in messages.
    pub(super) fn as_json(&self, name: &str) -> String {
        let values: Vec<&str> = self.values(name).collect();
        match values[..] {
            [] => "undefined".to_owned(),
            [one] => Value::from(one).to_string(),
            _ => Value::from(values).to_string(),
        }
    }

    /// As string concatenation shows it in messages: an array joined by commas.
    pub(super) fn as_printed(&self, name: &str) -> String {
        let values: Vec<&str> = self.values(name).collect();
        if values.is_empty() { "undefined".to_owned() } else { values.join(",") }
    }

    fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(given, _)| given == name).map(|(_, value)| value.as_str())
    }
}

/// `decodeURI`: escapes of characters that mean something in a URI stay, so `%3A` and `%2F` are not undone
/// and a percent-encoded YRN is another name (c29). Nothing for a malformed escape, where it throws (m02).
pub(super) fn decode_uri(text: &str) -> Option<String> {
    decode(text, b";/?:@&=+$,#")
}

/// `decodeURIComponent`: everything is decoded.
pub(super) fn decode_component(text: &str) -> Option<String> {
    decode(text, b"")
}

fn decode_form(text: &str) -> String {
    let text = text.replace('+', " ");
    decode(&text, b"").unwrap_or(text)
}

fn decode(text: &str, kept: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            decoded.push(first);
            continue;
        }
        let (digits, behind) = behind.split_at_checked(2)?;
        let byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        rest = behind;
        if kept.contains(&byte) {
            decoded.push(b'%');
            decoded.extend_from_slice(digits);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_keeps_its_reserved_escapes() {
        assert_eq!(decode_uri("a%20b%3Ac%2fd").unwrap(), "a b%3Ac%2fd");
        assert_eq!(decode_uri("%E0%A4%A"), None);
        assert_eq!(decode_component("a%2Fb").unwrap(), "a/b");
    }

    #[test]
    fn a_parameter_given_twice_is_not_given() {
        let query = Query::parse("a=1&a=2&b=x%20y&c=&port=abc");
        assert_eq!((query.text("a"), query.text("b"), query.text("c")), (None, Some("x y"), None));
        assert_eq!((query.number("port"), query.has("c")), (None, true));
        assert_eq!(
            (query.as_printed("a"), query.as_json("b"), query.as_json("d")),
            ("1,2".into(), "\"x y\"".into(), "undefined".into())
        );
    }
}
