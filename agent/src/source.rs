//! The source of the wanted membership. A unit test cannot have one, hence the trait.

pub mod file;
pub mod k2hr3;

use std::future::Future;
use std::time::Duration;

use crate::answer::{Answer, Doubt};
use crate::identity::{self, Identity};
use crate::problem::Problem;
use crate::settings::{self, Settings, SourceKind};

/// Asks for the wanted membership. One question at a time.
pub trait Source {
    /// Asks once, within the deadlines of the settings.
    fn ask(&mut self, identity: &Identity) -> impl Future<Output = Asked>;
}

/// A question and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The answer, or why there is none.
    pub result: Result<Answer, Doubt>,
    /// From question to verdict.
    pub took: Duration,
    /// Remark for the operator, although there is an answer.
    pub note: Option<String>,
}

/// A question that was put, as whom, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Identity of this node, or the reason for which it is not known yet.
    pub identity: Result<Identity, Vec<Problem>>,
    /// Outcome; `None` where no question was put.
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
