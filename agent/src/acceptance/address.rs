//! Texts that chmpx can look up: an address, or the name of a host. It takes any text as it is, and then waits for a node that
//! nobody is (chmpx 1.0.113, lib/chmnetdb.cc; getaddrinfo decides).

use std::net::{IpAddr, Ipv6Addr};

use crate::problem::is_unseen;

/// Names the reason for which a text is neither an address nor the name of a host; `None` where it is one.
pub(super) fn wrong(host: &str) -> Option<&'static str> {
    if host.parse::<IpAddr>().is_ok() || is_scoped(host) {
        return None;
    }
    match host {
        _ if host.contains(is_unseen) => Some("it has an invisible character in it"),
        _ if host.contains(' ') => Some("it has a blank in it"),
        _ if host.contains("://") => Some("it is a URL: only the host in it belongs here"),
        _ if host.contains('/') => Some("it has a '/' in it: a network or a path is no host"),
        _ if host.contains(':') => {
            Some("it has a ':' in it and is no IPv6 address: a port has a key of its own")
        }
        _ if !host.is_ascii() => Some("it is not ASCII: a resolver takes the xn-- form of such a name"),
        _ if looks_like_a_number(host) => Some("it looks like an IPv4 address and is none"),
        _ if host.len() > 253 => Some("it has more than the 253 characters of a host's name"),
        _ => host.strip_suffix('.').unwrap_or(host).split('.').find_map(wrong_label),
    }
}

fn wrong_label(label: &str) -> Option<&'static str> {
    let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match label {
        "" => Some("it has nothing between two dots"),
        _ if label.len() > 63 => Some("it has more than 63 characters between two dots"),
        _ if !plain => Some("a host's name has letters, digits, '-', '_' and dots"),
        _ if label.starts_with('-') || label.ends_with('-') => {
            Some("a '-' stands beside a dot or at an end of it")
        }
        _ => None,
    }
}

/// A resolver reads a last label of digits as a part of an IPv4 address, `10.1` as 10.0.0.1 and `010` as 8.
fn looks_like_a_number(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").or(last.strip_prefix("0X"));
    match hexadecimal {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

/// `fe80::1%eth0`
fn is_scoped(host: &str) -> bool {
    let scoped = host.split_once('%').filter(|(address, _)| address.parse::<Ipv6Addr>().is_ok());
    scoped
        .is_some_and(|(_, scope)| !scope.is_empty() && scope.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The host of `host`, `host:port`, `[address]:port` or a bare IPv6 address, as chmpx's lists have them.
pub(super) fn host_of(entry: &str) -> &str {
    if entry.parse::<IpAddr>().is_ok() || is_scoped(entry) {
        return entry;
    }
    if let Some((address, _)) = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address;
    }
    match entry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_of_hosts_are_hosts() {
        for host in [
            "192.0.2.52",
            "2001:db8::52",
            "::ffff:192.0.2.52",
            "fe80::1%eth0",
            "vm1",
            "VM_1.example.com",
            "vm1.example.com.",
            "1vm",
            "10.example",
            "localhost",
            &"a".repeat(63),
        ] {
            assert_eq!(wrong(host), None, "{host}");
        }
    }

    #[test]
    fn what_only_looks_like_a_host_is_none() {
        for (host, why) in [
            ("my vm", "blank"),
            ("http://192.0.2.52", "URL"),
            ("192.0.2.520", "IPv4"),
            ("192.0.2", "IPv4"),
            ("192.0.2.052", "IPv4"),
            ("1234", "IPv4"),
            ("0x7f000001", "IPv4"),
            ("192.0.2.52/24", "'/'"),
            ("192.0.2.52:8020", "port"),
            ("\u{a0}192.0.2.52", "invisible"),
            ("\u{feff}vm1", "invisible"),
            ("münchen.example", "xn--"),
            ("vm1..example", "nothing between"),
            (".example", "nothing between"),
            ("-vm1", "'-'"),
            ("vm1;reboot", "letters"),
            ("", "nothing between"),
            (&"a".repeat(64), "63"),
            (&["abcd"; 60].join("."), "253"),
        ] {
            assert!(wrong(host).is_some_and(|text| text.contains(why)), "{host}: {:?}", wrong(host));
        }
    }

    #[test]
    fn lists_name_hosts_with_or_without_a_port() {
        for (entry, host) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:8020", "192.0.2.1"),
            ("vm1:8020", "vm1"),
            ("[2001:db8::1]:8020", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("http://vm1", "http://vm1"),
        ] {
            assert_eq!(host_of(entry), host);
        }
    }
}
