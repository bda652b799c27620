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
