//! Where the wanted membership comes from. One of the two things that a unit test cannot have, hence a trait.

pub mod file;
pub mod k2hr3;

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::identity::{self, Identity};
use crate::membership::HostRecord;
use crate::problem::Problem;
use crate::settings::{self, Settings, SourceKind};

/// Asks for the wanted membership. One question at a time.
pub trait Source {
    /// Asks once, within the deadlines of the settings.
    fn ask(&mut self, identity: &Identity) -> impl Future<Output = Asked>;
}

/// One question and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The answer, or why there is none.
    pub result: Result<Answer, Doubt>,
    /// From question to verdict.
    pub took: Duration,
    /// What an operator should know although there is an answer.
    pub note: Option<String>,
}

/// A question that was put, as whom, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Who asked, or why this node does not know yet.
    pub identity: Result<Identity, Vec<Problem>>,
    /// What came of it; `None` where nobody was asked.
    pub asked: Option<Asked>,
}

/// Puts the question as the node that this host is now.
pub async fn put(source: &mut impl Source, settings: &settings::K2hr3) -> Answered {
    let identity = identity::read(settings);
    let asked = match &identity {
        Ok(identity) => Some(source.ask(identity).await),
        Err(_) => None,
    };
    Answered { identity, asked }
}

/// An answer that may be read. Whether it may be believed is decided later.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// The same as the last one (304).
    Unchanged,
    /// The operator's ini, expanded.
    Ini(String),
    /// The members of the two roles.
    Members {
        /// Members of the server role.
        servers: Rc<[HostRecord]>,
        /// Members of the slave role.
        slaves: Rc<[HostRecord]>,
    },
}

/// Why a question has no answer. All kinds mean the same to the cluster: nothing is known, nothing changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// Which kind, for `status` and counters.
    pub kind: DoubtKind,
    /// One line for people, tokens masked.
    pub text: String,
    /// The HTTP status, where there was one.
    pub status: Option<u16>,
}

/// Kinds of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoubtKind {
    /// This node does not know yet whom to ask, or as whom.
    NotReady,
    /// No connection, or it broke.
    Unreachable,
    /// A deadline passed.
    TooSlow,
    /// An answer with another status than 200, or without `result: true`.
    Denied,
    /// 200, but not what was asked for.
    Unreadable,
}

impl Doubt {
    /// A doubt of that kind; `text` must be free of tokens.
    pub fn new(kind: DoubtKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), status: None }
    }

    /// The same with more to its text.
    #[must_use]
    pub fn with(mut self, more: &str) -> Self {
        self.text.push_str(more);
        self
    }
}

/// The source that the settings name.
#[derive(Debug)]
pub enum AnySource {
    /// K2HR3, either kind of answer.
    K2hr3(Box<k2hr3::K2hr3>),
    /// A file on this host.
    File(file::FileSource),
}

impl AnySource {
    /// Makes the source of the settings; nothing is asked yet.
    pub fn new(settings: &Settings) -> Self {
        match (&settings.k2hr3.source, &settings.k2hr3.file) {
            (SourceKind::File, Some(path)) => {
                Self::File(file::FileSource::new(path.clone(), settings.k2hr3.max_body))
            }
            _ => Self::K2hr3(Box::new(k2hr3::K2hr3::new(settings.k2hr3.clone()))),
        }
    }
}

impl Source for AnySource {
    async fn ask(&mut self, identity: &Identity) -> Asked {
        match self {
            Self::K2hr3(source) => source.ask(identity).await,
            Self::File(source) => source.ask(identity).await,
        }
    }
}
