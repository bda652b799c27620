//! The one question to the source that may be under way. The passes do not wait for it: K2HR3 may take half a minute,
//! and meanwhile processes end and merges go on.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::settings::{self, Settings};
use crate::source::{self, Answered, AnySource};
use crate::wake::{Reason, Reasons};

/// Questions that an event asks for come at least this far apart.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);

/// The source while it is asked, and what comes of it.
type Question = Pin<Box<dyn Future<Output = (AnySource, Answered)>>>;

/// See the module.
pub(super) struct Asker {
    /// The source, while no question is under way.
    source: Option<AnySource>,
    question: Option<Question>,
    /// Reasons for the question under way.
    reasons: Reasons,
    /// Reasons for the next question.
    again: Reasons,
    /// The next question by the clock. None before the first answer: the start asks by itself.
    next: Option<Instant>,
    last: Option<Instant>,
}

impl Asker {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            source: Some(AnySource::new(settings)),
            question: None,
            reasons: Reasons::default(),
            again: Reasons::default(),
            next: None,
            last: None,
        }
    }

    /// Takes new settings. A question by the old ones is dropped, and put again.
    pub(super) fn follow(&mut self, settings: &Settings) {
        self.source = Some(AnySource::new(settings));
        if self.question.take().is_some() {
            self.again = self.again.with(self.reasons);
        }
    }

    /// Returns true while a question is under way.
    pub(super) fn is_asking(&self) -> bool {
        self.question.is_some()
    }

    /// Returns the time of the next question, where one is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Holds the next question back for this time.
    pub(super) fn rest(&mut self, wait: Duration) {
        self.next = Some(Instant::now() + wait);
        if !self.again.is_empty() {
            self.hurry();
        }
    }

    /// Puts a question for these reasons, now or soon: events may hurry it, but not to more than one a second, and what
    /// happens while one is under way may not be in its answer.
    pub(super) fn ask(&mut self, reasons: Reasons, settings: &settings::K2hr3) {
        self.again = self.again.with(reasons);
        let own = self.again.contains(Reason::Timer) || self.again.contains(Reason::SourceChanged);
        let too_early = !own && Instant::now() < self.earliest();
        if too_early {
            self.hurry();
        }
        if self.again.is_empty() || too_early || self.is_asking() {
            return;
        }
        let Some(mut source) = self.source.take() else { return };
        let settings = settings.clone();
        (self.reasons, self.again) = (std::mem::take(&mut self.again), Reasons::default());
        self.last = Some(Instant::now());
        self.question = Some(Box::pin(async move {
            let answered = source::put(&mut source, &settings).await;
            (source, answered)
        }));
    }

    /// Waits for what comes of the question under way; for ever where there is none.
    pub(super) async fn answered(&mut self) -> (Reasons, Answered) {
        let Some(question) = &mut self.question else { return std::future::pending().await };
        let (source, answered) = question.await;
        (self.question, self.source) = (None, Some(source));
        (self.reasons, answered)
    }

    /// Makes the next question due as soon as an event may ask for one.
    fn hurry(&mut self) {
        let earliest = self.earliest();
        self.next = Some(self.next.map_or(earliest, |next| next.min(earliest)));
    }

    fn earliest(&self) -> Instant {
        self.last.map_or_else(Instant::now, |last| last + BETWEEN_QUESTIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Origin;

    #[tokio::test(start_paused = true)]
    async fn a_start_is_one_question_however_late_it_comes_to_it() {
        let settings = settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap();
        let mut asker = Asker::new(&settings);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(asker.due(), None, "the clock asks for nothing beside the start");
        asker.ask(Reason::Start.into(), &settings.k2hr3);
        let (reasons, _) = asker.answered().await;
        assert_eq!(reasons, Reason::Start.into());
        asker.rest(Duration::from_secs(3600));
        assert_eq!(asker.due(), Some(Instant::now() + Duration::from_secs(3600)));
    }
}
