//! The source of the wanted membership. A unit test cannot have one, hence the trait.

pub mod file;
pub mod k2hr3;

use std::future::Future;
use std::time::Duration;

use crate::answer::{Answer, Doubt, DoubtKind};
use crate::identity::{self, Identity};
use crate::problem::{Problem, one_line};
use crate::settings::{self, Settings, SourceKind};

/// Asks for the wanted membership, one question at a time.
pub trait Source {
    /// Asks once, within the deadlines of the settings.
    fn ask(&mut self, identity: &Identity) -> impl Future<Output = Answered>;
}

/// A question and its outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// Identity of this node, or the reasons for which it is not known yet.
    pub identity: Result<Identity, Vec<Problem>>,
    /// The answer, or the doubt in its place.
    pub result: Result<Answer, Doubt>,
    /// Time from question to verdict; `None` where no question was put.
    pub took: Option<Duration>,
    /// Remark for the operator, although there is an answer.
    pub note: Option<String>,
}

impl Answered {
    /// Makes the outcome of a question that was put as this node.
    pub fn new(identity: &Identity, result: Result<Answer, Doubt>, took: Duration) -> Self {
        Self { identity: Ok(identity.clone()), result, took: Some(took), note: None }
    }
}

/// Puts the question as the node that this host is now.
pub async fn put(source: &mut impl Source, settings: &settings::K2hr3) -> Answered {
    match identity::read(settings) {
        Ok(identity) => source.ask(&identity).await,
        Err(problems) => Answered {
            result: Err(Doubt::new(DoubtKind::NotReady, one_line(&problems))),
            identity: Err(problems),
            took: None,
            note: None,
        },
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
    async fn ask(&mut self, identity: &Identity) -> Answered {
        match self {
            Self::K2hr3(source) => source.ask(identity).await,
            Self::File(source) => source.ask(identity).await,
        }
    }
}
