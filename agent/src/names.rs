//! Newtypes at the trust boundary: what K2HR3, the user-data files and the operator hand us becomes one of
//! these or is refused with a sentence. Nothing else in the crate checks these strings again.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::problem::{is_unseen, printable};

/// Reasons against an outside string.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Not of the form `yrn:yahoo:<service>::<tenant>:role:<path>`.
    #[error("\"{}\" is not a role YRN (yrn:yahoo:::<tenant>:role:<name>)", printable(.0, SHOWN))]
    NotARole(String),
    /// Not of the form `yrn:yahoo:<service>::<tenant>:resource:<path>`.
    #[error("\"{}\" is not a resource YRN (yrn:yahoo:::<tenant>:resource:<name>)", printable(.0, SHOWN))]
    NotAResource(String),
    /// A CUK that K2HR3 or chmpx cannot carry.
    #[error("a CUK {0}")]
    Cuk(&'static str),
    /// A tag that would spoil the ini of every member.
    #[error("a tag {0}")]
    Tag(&'static str),
    /// A port that chmpx would read as a negative number, or as none.
    #[error("port \"{}\" is not a number from 1 to 32767 (chmpx keeps ports in a signed 16-bit number)", printable(.0, SHOWN))]
    Port(String),
    /// A role token that is not 64 hexadecimal digits.
    #[error("the role token is not 64 hexadecimal digits")]
    Token,
}

/// The CUK of the placeholder slave in upstream's templates.
pub const PLACEHOLDER_CUK: &str = "dummy_cuk";

/// Longest piece of a wrong name in a sentence.
const SHOWN: usize = 200;

/// The YRN of a role or of a resource in K2HR3, folded to lower case as K2HR3 itself does.
///
/// It goes raw into the URL's path: K2HR3 does not decode `%3A` and `%2F` there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Yrn(String);

impl Yrn {
    /// Reads a full role YRN.
    ///
    /// # Errors
    ///
    /// The text is no YRN of a role.
    pub fn role(text: &str) -> Result<Self, NameError> {
        Self::of_kind(text, "role").ok_or_else(|| NameError::NotARole(text.to_owned()))
    }

    /// Reads a full resource YRN.
    ///
    /// # Errors
    ///
    /// The text is no YRN of a resource.
    pub fn resource(text: &str) -> Result<Self, NameError> {
        Self::of_kind(text, "resource").ok_or_else(|| NameError::NotAResource(text.to_owned()))
    }

    fn of_kind(text: &str, kind: &str) -> Option<Self> {
        let folded = text.trim().to_lowercase();
        let fields: Vec<&str> = folded.split(':').collect();
        let [yrn, domain, _service, region, tenant, found, path] = fields[..] else { return None };
        let shape = yrn == "yrn" && domain == "yahoo" && region.is_empty() && found == kind;
        let filled = !tenant.is_empty() && !path.is_empty() && path.split('/').all(|part| !part.is_empty());
        // What would change the request line: K2HR3 has no escape for these in a name.
        let raw =
            folded.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%' | '"' | '<' | '>'));
        (shape && filled && raw).then_some(Self(folded))
    }

    /// The resource that belongs to this role by convention: `:role:` replaced by `:resource:`.
    #[must_use]
    pub fn to_resource(&self) -> Self {
        Self(self.0.replacen(":role:", ":resource:", 1))
    }

    /// The role or resource beside this one under the same parent: `…/server` to `…/slave`.
    pub fn sibling(&self, name: &str) -> Option<Self> {
        let (parent, _) = self.path().rsplit_once('/')?;
        let head = &self.0[..self.0.len() - self.path().len()];
        Some(Self(format!("{head}{parent}/{name}")))
    }

    /// The name behind the last colon, for example `mycluster/server`.
    pub fn path(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }

    /// The whole YRN.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Yrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A container unique key: who a node is, to K2HR3 and to chmpx. On OpenStack the UUID of the instance.
///
/// Without blanks (K2HR3 takes such a record with 201 and never shows it again), without `:` trouble left to
/// chmpx, and below the 2048 bytes that chmpx copies without looking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cuk(String);

impl Cuk {
    /// The text as it stands in the ini and in K2HR3.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads the CUK of any member's record: whatever K2HR3 and chmpx can carry.
    ///
    /// # Errors
    ///
    /// [`NameError::Cuk`] where one of them cannot.
    pub fn of_record(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        match text {
            "" => Err(NameError::Cuk("is empty")),
            _ if text.chars().any(char::is_whitespace) => Err(NameError::Cuk("has a blank in it")),
            _ if text.chars().any(char::is_control) => Err(NameError::Cuk("has a control character in it")),
            _ if text.len() >= LONGEST_ID => {
                Err(NameError::Cuk("is longer than chmpx can hold (2047 bytes)"))
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// Words that programs write where they have no id.
const NO_ID: [&str; 7] = ["none", "null", "(null)", "nil", "undefined", "unknown", PLACEHOLDER_CUK];

impl TryFrom<&str> for Cuk {
    type Error = NameError;

    /// Reads the CUK of this very node, which must also be one that no other host has.
    fn try_from(text: &str) -> Result<Self, NameError> {
        let cuk = Self::of_record(text)?;
        let (text, has) = (cuk.as_str(), |characters: &[char]| cuk.0.contains(characters));
        match text {
            _ if text.contains(is_unseen) => {
                Err(NameError::Cuk("has an invisible character in it, such as a byte order mark"))
            }
            _ if has(&['{', '}', '<', '>', '$']) || text.contains("%%") || text.contains("__SELF_") => {
                Err(NameError::Cuk("is a template that nobody has filled in"))
            }
            _ if has(&['"', '\'', '`', '\\']) => {
                Err(NameError::Cuk("has a quote or a backslash in it: write the bare id"))
            }
            _ if NO_ID.iter().any(|word| text.eq_ignore_ascii_case(word)) => {
                Err(NameError::Cuk("is a word for no id: write the id of the instance"))
            }
            _ => Ok(cuk),
        }
    }
}

impl fmt::Display for Cuk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The free text beside a node's record in K2HR3, by convention the host's name: Trove's template calls the node by it, in
/// every member's ini and unescaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a JSON string: K2HR3 parses a tag first, answers 500 to `123` and `true`, and keeps this without its quotes.
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl TryFrom<&str> for Tag {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let plain = text.chars().all(|c| c != ' ' && !is_unseen(c) && !matches!(c, '"' | '\\'));
        match text {
            "" => Err(NameError::Tag("is empty")),
            _ if !plain => Err(NameError::Tag("has a blank, a quote or a control character in it")),
            _ if text.starts_with('.') => {
                Err(NameError::Tag("begins with a dot: the host's own name is missing"))
            }
            _ if is_local(text) => Err(NameError::Tag("is a name that every host has for itself")),
            _ if text.len() > 253 || text.split('.').any(|label| label.is_empty() || label.len() > 63) => {
                Err(NameError::Tag(
                    "is no host name: 1 to 63 bytes between two dots, and 253 in all, are what a resolver takes",
                ))
            }
            _ => Ok(Self(text.to_owned())),
        }
    }
}

/// The names by which a host calls itself, with any domain behind them; `(none)` is what the kernel says before it has one.
fn is_local(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let label = name.split('.').next().unwrap_or_default();
    let own = ["localhost", "localhost4", "localhost6", "ip6-localhost", "ip6-loopback", "(none)"];
    own.contains(&label) || name.ends_with(".localhost")
}

/// Bytes that chmpx has for a CUK or a seed, its end mark included; it copies them unchecked.
pub const LONGEST_ID: usize = 2048;

/// A port that chmpx can listen on: 1 to 32767, since it keeps ports in a C `short`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Port(u16);

impl Port {
    /// The smallest port there is.
    pub const LEAST: Self = Self(1);

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Port {
    type Error = NameError;

    fn try_from(number: u16) -> Result<Self, NameError> {
        if (1..=32767).contains(&number) {
            Ok(Self(number))
        } else {
            Err(NameError::Port(number.to_string()))
        }
    }
}

impl TryFrom<&str> for Port {
    type Error = NameError;

    /// Digits only: chmpx's `atoi` would read ` 80x` as 80, and we would compare something else.
    fn try_from(text: &str) -> Result<Self, NameError> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let number = digits.then(|| text.parse::<u16>().ok()).flatten();
        number.and_then(|n| Self::try_from(n).ok()).ok_or_else(|| NameError::Port(text.to_owned()))
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> u16 {
        port.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A role token of K2HR3. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The 64 digits, for the one header that carries them.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Token {
    type Error = NameError;

    fn try_from(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if hex { Ok(Self(text.to_owned())) } else { Err(NameError::Token) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Replaces everything that looks like a token by `***`: K2HR3 echoes tokens in its error texts.
pub fn without_tokens(text: &str) -> String {
    const SHORTEST: usize = 32;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let run = rest[start..].find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len() - start);
        out.push_str(&rest[..start]);
        out.push_str(if run >= SHORTEST { "***" } else { &rest[start..start + run] });
        rest = &rest[start + run..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_yrn_is_folded_and_leads_to_its_resource_and_its_sibling() {
        let role = Yrn::role(" yrn:yahoo:::Tenant0:role:MyCluster/server\n").unwrap();
        assert_eq!(role.as_str(), "yrn:yahoo:::tenant0:role:mycluster/server");
        assert_eq!(role.path(), "mycluster/server");
        assert_eq!(role.to_resource().as_str(), "yrn:yahoo:::tenant0:resource:mycluster/server");
        assert_eq!(role.sibling("slave").unwrap().as_str(), "yrn:yahoo:::tenant0:role:mycluster/slave");
        assert_eq!(Yrn::role("yrn:yahoo:::t:role:alone").unwrap().sibling("slave"), None);
    }

    #[test]
    fn other_shapes_are_not_roles() {
        for text in [
            "",
            "mycluster/server",
            "yrn:yahoo:::t:resource:x",
            "yrn:yahoo::r:t:role:x",
            "yrn:yahoo::::role:x",
            "yrn:yahoo:::t:role:",
            "yrn:yahoo:::t:role:a//b",
            "yrn:yahoo:::t:role:a b",
            "yrn:yahoo:::t:role:a?b",
            "yrn:yahoo:::t:role:a:b",
        ] {
            assert_eq!(Yrn::role(text), Err(NameError::NotARole(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_cuk_without_blanks_is_taken_and_any_other_refused() {
        assert_eq!(Cuk::try_from(" abc-1\n").unwrap().as_str(), "abc-1");
        for text in ["", " ", "a b", "a\u{7}b", &"x".repeat(2048)] {
            assert!(Cuk::try_from(text).is_err(), "{text:?}");
        }
        assert!(Cuk::try_from("x".repeat(2047).as_str()).is_ok());
    }

    #[test]
    fn what_a_broken_template_leaves_is_no_cuk_of_this_node() {
        for text in [
            "\u{feff}i-0abc",
            "i-0\u{200b}abc",
            "\"i-0abc\"",
            "'i-0abc'",
            "None",
            "null",
            "undefined",
            "dummy_cuk",
            "{{v1.instance_id}}",
            "${INSTANCE_ID}",
            "<id>",
            "%%SELF_CONTAINER_CUK%%",
            "__SELF_INSTANCE_ID__",
        ] {
            assert!(Cuk::try_from(text).is_err(), "{text:?}");
        }
        // The record of another member is as it is, where chmpx and K2HR3 can carry it.
        assert_eq!(Cuk::of_record("None").unwrap().as_str(), "None");
        for id in ["99c0d9e5-a050-45f8-829c-fee6975310ad", "i-0abc", "eyJrIjoidiJ9%3d", "a/b,c:d_e"] {
            assert_eq!(Cuk::try_from(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn a_tag_is_one_word_and_goes_out_as_a_json_string() {
        assert_eq!(Tag::try_from("123\n").unwrap().quoted(), "\"123\"");
        for text in ["", "a b", "a\nb", "a\"b", "a\\b", "a\u{a0}b", "a\u{202e}b"] {
            assert!(Tag::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_tag_that_other_hosts_have_as_well_is_none() {
        for text in [
            ".example.com",
            ".",
            "localhost",
            "LOCALHOST",
            "localhost.localdomain",
            "localhost.openstacklocal",
            "vm1.localhost",
            "ip6-loopback",
            "(none)",
            "(none).example.com",
            "vm1..example.com",
            "vm1.",
            &"a".repeat(64),
            &["a"; 150].join("."),
        ] {
            assert!(Tag::try_from(text).is_err(), "{text:?}");
        }
        for text in ["VM1", "vm_1.example.com", "localhost1", "my-localhost.example.com", &"a".repeat(63)] {
            assert_eq!(Tag::try_from(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn ports_end_at_32767() {
        assert_eq!(Port::try_from("8021").unwrap().get(), 8021);
        assert!(Port::try_from("32767").is_ok());
        for text in ["", "0", "-1", "32768", "65536", "80x", "+80", "0x50", "99999999999"] {
            assert_eq!(Port::try_from(text), Err(NameError::Port(text.to_owned())));
        }
    }

    #[test]
    fn a_token_never_shows_itself() {
        let digits = "81f0e7c67937adc0a0077613a78a8c919eee5e9dcb5db78e1f8a36cde1587f73";
        let token = Token::try_from(digits).unwrap();
        assert_eq!(format!("{token:?}"), "***");
        assert_eq!(Token::try_from("R=81f0"), Err(NameError::Token));
        let echoed = format!("token({digits}) is not existed, because it is expired");
        assert_eq!(without_tokens(&echoed), "token(***) is not existed, because it is expired");
        assert_eq!(without_tokens("no token at all: cafe"), "no token at all: cafe");
    }
}
