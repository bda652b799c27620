//! Names that K2HR3 gives to programs of root. Each is one word of harmless characters, and none looks like an option.

use std::fmt;

use thiserror::Error;

use crate::problem::printable;

/// Longest name of any kind, in bytes.
const LONGEST: usize = 128;
/// Longest piece of a refused name in an error.
const SHOWN: usize = 60;

/// Reason why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("\"{name}\" is no name of a {kind}: {rule}")]
pub struct NameError {
    name: String,
    kind: &'static str,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $rule:literal, $is:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<&str> for $type {
            type Error = NameError;

            fn try_from(name: &str) -> Result<Self, NameError> {
                let is: fn(&str) -> bool = $is;
                if name.len() <= LONGEST && is(name) {
                    return Ok(Self(whole($kind, name)));
                }
                Err(NameError { name: printable(name, SHOWN), kind: $kind, rule: $rule })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A package of apt or dnf; no version, architecture, file or repository.
    Package,
    "package",
    "letters, digits, . + - and _, first a letter or a digit",
    |name| begins_well(name) && consists_of(name, b".+-_")
);
name!(
    /// A unit of systemd that may be enabled.
    Unit,
    "unit",
    "letters, digits, : _ . @ and -, then .service, .timer, .socket, .path, .target or nothing, which is .service",
    |name| begins_well(name) && consists_of(name, b":_.@-") && has_unit_suffix(name)
);
name!(
    /// A system user.
    UserName,
    "user",
    "at most 32 small letters, digits, _ and -, first a letter or _",
    |name| {
        let small = name.bytes().all(|byte| !byte.is_ascii_uppercase());
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
        name.len() <= 32 && small && first && consists_of(name, b"_-")
    }
);

fn begins_well(name: &str) -> bool {
    name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
}

fn consists_of(name: &str, others: &[u8]) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte))
}

fn has_unit_suffix(name: &str) -> bool {
    let kinds = ["service", "timer", "socket", "path", "target"];
    name.rsplit_once('.').is_none_or(|(_, kind)| kinds.contains(&kind))
}

/// Completes the name of a unit: systemctl takes one without a suffix for a service.
fn whole(kind: &str, name: &str) -> String {
    let suffix = if kind == "unit" && !name.contains('.') { ".service" } else { "" };
    format!("{name}{suffix}")
}
