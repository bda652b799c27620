//! Reasons for which K2HR3 gives no answer, in words.

use std::path::PathBuf;
use std::time::Duration;

use derive_more::Display;

use super::certificate;
use crate::answer::{Doubt, DoubtKind};
use crate::clock::spoken;
use crate::names::NameError;
use crate::problem::printable;

/// Longest piece of a foreign text in a message.
pub(super) const SHOWN: usize = 160;

/// Reason for which K2HR3 gives no answer.
#[derive(Debug, Display)]
pub(super) enum Trouble {
    #[display("neither K2HR3 nor a role is known")]
    NoRole,
    #[display("set k2hr3.{_0}: the role has no parent")]
    NoParent(&'static str),
    #[display("k2hr3.auth is \"token\", but there is no role token")]
    NoToken,
    #[display("this node is not a member, and to register takes a role token: put one into {}", _0.display())]
    NoTokenToRegister(PathBuf),
    #[display("k2hr3.proxy: {_0}")]
    Proxy(String),
    #[display("cannot set up TLS: {_0}")]
    Tls(String),
    #[display("k2hr3.ca-file {}: {_1}", _0.display())]
    CaFile(PathBuf, String),
    #[display("a header for K2HR3 has a character that cannot be sent")]
    Header,
    #[display("no request can be made of k2hr3.api-uri {_0}: {_1}")]
    ApiUri(String, String),
    #[display("no connection to K2HR3 in time: {_0}")]
    LateConnection(String),
    #[display("no whole answer of K2HR3 within {}", spoken(*_0))]
    LateAnswer(Duration),
    #[display("no connection to K2HR3: {_0}{}", certificate::remedy(_0))]
    NoConnection(String),
    #[display("K2HR3's answer broke off: {_0}{}", certificate::remedy(_0))]
    BrokeOff(String),
    #[display(
        "K2HR3 answered {status}{}{}{}",
        after.map(|time| format!(" after {} (a sick backend answers like that)", spoken(time))).unwrap_or_default(),
        if (300..400).contains(status) { " (a redirect, which is not followed)" } else { "" },
        message.as_ref().map(|message| format!(": {message}")).unwrap_or_default()
    )]
    Refused { status: u16, after: Option<Duration>, message: Option<String> },
    #[display("K2HR3 answered {_0} without \"result\": true{_1}")]
    NoResult(u16, String),
    #[display("K2HR3's answer has more than {_0} bytes")]
    TooLong(u64),
    #[display("K2HR3 answered 304 to a question without a tag")]
    NoQuestion,
    #[display("K2HR3 answered {_0} with an empty body")]
    NoBody(u16),
    #[display("K2HR3 answered {_0} without readable JSON: {_1}")]
    NoJson(u16, serde_json::Error),
    #[display("K2HR3 answered 200 with {_0} that cannot be read: {}", cause(_1))]
    Damaged(&'static str, serde_json::Error),
    #[display("K2HR3 answered 200 with {_0} instead of {_1}")]
    Instead(&'static str, &'static str),
    #[display("K2HR3 answered 200 with an empty resource")]
    NoText,
    #[display("K2HR3's record of host \"{}\": {}", printable(_0, SHOWN), cause(_1))]
    Record(String, serde_json::Error),
    #[display("K2HR3 made a token, but {_0}")]
    Token(NameError),
}

impl From<Trouble> for Doubt {
    fn from(trouble: Trouble) -> Self {
        use Trouble as T;
        let kind = match &trouble {
            T::NoRole | T::NoParent(_) | T::NoToken | T::NoTokenToRegister(_) | T::Proxy(_) => {
                DoubtKind::NotReady
            }
            T::Tls(_) | T::CaFile(..) | T::Header | T::ApiUri(..) => DoubtKind::NotReady,
            T::LateConnection(_) | T::LateAnswer(_) => DoubtKind::TooSlow,
            T::NoConnection(_) | T::BrokeOff(_) => DoubtKind::Unreachable,
            T::Refused { .. } | T::NoResult(..) => DoubtKind::Denied,
            T::TooLong(_) | T::NoQuestion | T::NoBody(_) | T::NoJson(..) | T::Damaged(..) => {
                DoubtKind::Unreadable
            }
            T::Instead(..) | T::NoText | T::Record(..) | T::Token(_) => DoubtKind::Unreadable,
        };
        let status = if let T::Refused { status, .. } = &trouble { Some(*status) } else { None };
        Self { kind, text: trouble.to_string(), status }
    }
}

/// The error, with the meaning of an odd escape.
fn cause(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let odd = text.contains("hex escape") || text.contains("surrogate");
    text + if odd { " (half of a surrogate pair, an escape like \\ud800 alone, is no character)" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Token;

    #[test]
    fn each_trouble_has_its_kind_and_its_sentence() {
        let broken = || serde_json::from_str::<u8>("x").unwrap_err();
        let half = || serde_json::from_str::<String>(r#""\ud800""#).unwrap_err();
        let refused = |status, after, message: Option<&str>| Trouble::Refused {
            status,
            after,
            message: message.map(str::to_owned),
        };
        for (trouble, kind, sentence) in [
            (Trouble::NoRole, DoubtKind::NotReady, "neither K2HR3 nor a role is known"),
            (
                Trouble::NoParent("slave-role"),
                DoubtKind::NotReady,
                "set k2hr3.slave-role: the role has no parent",
            ),
            (Trouble::NoToken, DoubtKind::NotReady, "k2hr3.auth is \"token\", but there is no role token"),
            (
                Trouble::NoTokenToRegister("/t".into()),
                DoubtKind::NotReady,
                "this node is not a member, and to register takes a role token: put one into /t",
            ),
            (Trouble::Proxy("bad".to_owned()), DoubtKind::NotReady, "k2hr3.proxy: bad"),
            (Trouble::Tls("bad".to_owned()), DoubtKind::NotReady, "cannot set up TLS: bad"),
            (Trouble::CaFile("/ca".into(), "bad".to_owned()), DoubtKind::NotReady, "k2hr3.ca-file /ca: bad"),
            (Trouble::Header, DoubtKind::NotReady, "a header for K2HR3 has a character that cannot be sent"),
            (
                Trouble::ApiUri("http://x".to_owned(), "bad".to_owned()),
                DoubtKind::NotReady,
                "no request can be made of k2hr3.api-uri http://x: bad",
            ),
            (
                Trouble::LateConnection("slow".to_owned()),
                DoubtKind::TooSlow,
                "no connection to K2HR3 in time: slow",
            ),
            (
                Trouble::LateAnswer(Duration::from_secs(30)),
                DoubtKind::TooSlow,
                "no whole answer of K2HR3 within 30.0 s",
            ),
            (
                Trouble::NoConnection("refused".to_owned()),
                DoubtKind::Unreachable,
                "no connection to K2HR3: refused",
            ),
            (
                Trouble::BrokeOff("reset".to_owned()),
                DoubtKind::Unreachable,
                "K2HR3's answer broke off: reset",
            ),
            (refused(404, None, Some("gone")), DoubtKind::Denied, "K2HR3 answered 404: gone"),
            (
                refused(302, None, None),
                DoubtKind::Denied,
                "K2HR3 answered 302 (a redirect, which is not followed)",
            ),
            (
                refused(401, Some(Duration::from_secs(14)), None),
                DoubtKind::Denied,
                "K2HR3 answered 401 after 14.0 s (a sick backend answers like that)",
            ),
            (
                Trouble::NoResult(201, " (no)".to_owned()),
                DoubtKind::Denied,
                "K2HR3 answered 201 without \"result\": true (no)",
            ),
            (Trouble::TooLong(9), DoubtKind::Unreadable, "K2HR3's answer has more than 9 bytes"),
            (Trouble::NoQuestion, DoubtKind::Unreadable, "K2HR3 answered 304 to a question without a tag"),
            (Trouble::NoBody(201), DoubtKind::Unreadable, "K2HR3 answered 201 with an empty body"),
            (
                Trouble::NoJson(200, broken()),
                DoubtKind::Unreadable,
                "K2HR3 answered 200 without readable JSON: expected value at line 1 column 1",
            ),
            (
                Trouble::Damaged("a host list", half()),
                DoubtKind::Unreadable,
                "K2HR3 answered 200 with a host list that cannot be read: unexpected end of hex escape at line 1 column 8 \
                 (half of a surrogate pair, an escape like \\ud800 alone, is no character)",
            ),
            (
                Trouble::Instead("a list", "a host list"),
                DoubtKind::Unreadable,
                "K2HR3 answered 200 with a list instead of a host list",
            ),
            (Trouble::NoText, DoubtKind::Unreadable, "K2HR3 answered 200 with an empty resource"),
            (
                Trouble::Record("a\n".to_owned(), broken()),
                DoubtKind::Unreadable,
                "K2HR3's record of host \"a\\n\": expected value at line 1 column 1",
            ),
        ] {
            let doubt = Doubt::from(trouble);
            assert_eq!((doubt.kind, doubt.text.as_str()), (kind, sentence));
        }
        assert_eq!(Doubt::from(refused(401, None, None)).status, Some(401));
        let token = Trouble::Token(Token::try_from("x").unwrap_err());
        assert!(token.to_string().starts_with("K2HR3 made a token, but "), "{token}");
    }
}
