//! The address of K2HR3, as operators and user-data write it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// `http://` or `https://`, a host, and nothing that belongs to a request.
///
/// # Errors
/// The part of the text that no request can go to.
pub fn api_uri(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "is not of the form http://host:port or https://host:port";
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).ok_or(FORM)?;
    if rest.contains(|c: char| c.is_whitespace() || c.is_control() || "?#@\\".contains(c)) {
        return Err(FORM);
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[').map(|inner| inner.split_once(']')) {
        Some(Some((host, port))) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
        Some(_) => return Err("has brackets, but no IPv6 address in them"),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if host.is_empty() {
        return Err(FORM);
    }
    let has_port = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(port) => is_port(port),
    };
    if !has_port {
        return Err("has a port that is no number from 1 to 65535 (an IPv6 address stands in brackets)");
    }
    // What ends in a number is an address, or nothing.
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let numeric = !host.contains(':') && last.bytes().all(|byte| byte.is_ascii_digit());
    if numeric && host.parse::<Ipv4Addr>().is_err() {
        return Err("names a host that is neither a name nor an address");
    }
    Ok(text.to_owned())
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_addresses_ports_and_a_path_are_taken() {
        for text in [
            "http://k2hr3.example",
            "https://k2hr3.example:443",
            "http://192.0.2.80:18080",
            "http://[2001:db8::80]:18080",
            "http://[2001:db8::80]",
            "https://k2hr3.example/below/a/path",
            "http://host-1.2b",
            "http://localhost:1",
            "http://host:65535",
        ] {
            assert_eq!(api_uri(text), Ok(text.to_owned()));
        }
        assert_eq!(api_uri(" http://k2hr3.example:80//\n"), Ok("http://k2hr3.example:80".to_owned()));
    }

    #[test]
    fn what_no_request_can_go_to_is_told_by_its_part() {
        for (text, word) in [
            ("k2hr3.example:80", "not of the form"),
            ("http://", "not of the form"),
            ("http://:80", "not of the form"),
            ("http://a b", "not of the form"),
            ("http://user:word@host", "not of the form"),
            ("http://host?x", "not of the form"),
            ("http://host:99999", "a port that is no number"),
            ("http://host:0", "a port that is no number"),
            ("http://host:", "a port that is no number"),
            ("http://host:http", "a port that is no number"),
            ("http://host:+80", "a port that is no number"),
            ("http://2001:db8::80", "IPv6 address stands in brackets"),
            ("http://[2001:db8::80]18080", "a port that is no number"),
            ("http://[2001:db8::80", "no IPv6 address in them"),
            ("http://[192.0.2.80]", "no IPv6 address in them"),
            ("http://192.0.2.520", "neither a name nor an address"),
            ("http://192.0.2:80", "neither a name nor an address"),
        ] {
            let wrong = api_uri(text).unwrap_err();
            assert!(wrong.contains(word), "{text}: {wrong}");
        }
    }
}
