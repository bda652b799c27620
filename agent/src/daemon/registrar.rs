//! The one attempt to enter or leave the role that may be under way, and when the next one is due. What an attempt is for
//! is decided in [`crate::registration`].

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::answer::{Doubt, DoubtKind};
use crate::clock::Clock;
use crate::identity::{self, Identity};
use crate::ledger::{Joined, Ledger, Missing};
use crate::lifecycle::Stage;
use crate::names::Tag;
use crate::problem::one_line;
use crate::registration::{self, Past, Verdict, Wish};
use crate::retry::Retry;
use crate::settings::{self, Auth, Settings};
use crate::source::Answered;
use crate::source::k2hr3::Role;

/// The client while it is used, and what comes of it.
type Attempt = Pin<Box<dyn Future<Output = (Role, Attempted)>>>;

/// An attempt and what came of it.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) wish: Wish,
    /// As whom; `None` where this node does not know yet who it is.
    pub(super) who: Option<Joined>,
    pub(super) result: Result<Verdict, Doubt>,
}

/// Outcome of an attempt, for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Came {
    /// True where the wish is fulfilled.
    pub(super) good: bool,
    /// True where the operator need not look either.
    pub(super) calm: bool,
    /// In one line.
    pub(super) line: String,
}

/// See the module.
pub(super) struct Registrar {
    role: Option<Role>,
    attempt: Option<Attempt>,
    verdict: Option<Verdict>,
    /// As whom this host asked last: what is known besides is about that node.
    whom: Option<Joined>,
    /// The order of a command, which comes before everything else until it is fulfilled.
    ordered: Option<Wish>,
    /// Returns the count of answers that do not show this node, for the ledger.
    missing: Option<Missing>,
    clock: Clock,
    retry: Retry,
    /// True until an attempt has ended.
    first: bool,
    /// The latest log line.
    said: Option<String>,
}

impl Registrar {
    pub(super) fn new(settings: &Settings, clock: Clock) -> Self {
        Self {
            role: Some(Role::new(settings.k2hr3.clone())),
            attempt: None,
            verdict: None,
            whom: None,
            ordered: None,
            missing: None,
            clock,
            retry: Retry::default(),
            first: true,
            said: None,
        }
    }

    /// Takes new settings: this node may be another one now. An attempt by the old ones is dropped.
    pub(super) fn follow(&mut self, settings: &Settings) {
        let (first, said) = (self.first, self.said.take());
        let new = Self::new(settings, self.clock.clone());
        *self = Self { first, said, ordered: self.ordered, ..new };
    }

    /// Takes up what an earlier agent has counted, where this host is still the node that it was counted for. A count of
    /// another boot begins from zero.
    pub(super) fn recall(&mut self, settings: &Settings, ledger: &Ledger) {
        let (now, who) = (self.clock.now().boot, known(settings));
        let counts = ledger.joined.is_some() && who == ledger.joined;
        self.missing = ledger.missing.filter(|missing| counts && now.since(missing.since).is_some());
        self.whom = who.filter(|_| self.missing.is_some());
    }

    /// Returns the count of answers that do not show this node, for the ledger.
    pub(super) fn missing(&self) -> Option<Missing> {
        self.missing
    }

    /// Orders a wish, to be tried at once.
    pub(super) fn order(&mut self, wish: Wish) {
        self.ordered = Some(wish);
        self.retry.succeeded();
    }

    /// Follows the ledger's leave, at once.
    pub(super) fn leave(&mut self) {
        self.ordered = None;
        self.hurry();
    }

    /// Allows the next attempt at once: a file that it lacked may be there now.
    pub(super) fn hurry(&mut self) {
        self.retry.hurry();
    }

    /// Allows the next attempt at once, and drops the knowledge of another node that this host was before.
    pub(super) fn is_perhaps_another(&mut self, settings: &Settings) {
        self.forget_unless(known(settings).as_ref());
        self.hurry();
    }

    fn forget_unless(&mut self, who: Option<&Joined>) {
        if who.is_some() && self.whom.is_some() && self.whom.as_ref() != who {
            (self.verdict, self.missing, self.whom) = (None, None, None);
        }
    }

    /// Returns the wish of the next attempt; `None` while one is under way, and where none is needed.
    pub(super) fn errand(&self, settings: &Settings, ledger: &Ledger, joined: bool) -> Option<Wish> {
        if self.attempt.is_some() {
            return None;
        }
        if let Some(ordered) = self.ordered {
            return Some(ordered);
        }
        if let Some(leaving) = &ledger.processes.leaving {
            return (leaving.stage == Stage::Removing).then_some(Wish::Leave);
        }
        let now = self.clock.now().boot;
        let waited = |missing: Missing| (missing.polls, now.since(missing.since).unwrap_or_default());
        let missing = self.missing.map_or((0, Duration::ZERO), waited);
        let past = Past { joined, verdict: self.verdict.as_ref(), missing };
        registration::wish(&settings.join, past)
    }

    /// Returns true where another wish has replaced this one, so that its outcome is of no use.
    pub(super) fn is_over(&self, wish: Wish, ledger: &Ledger) -> bool {
        match self.ordered {
            Some(ordered) => wish != ordered,
            None => ledger.processes.leaving.is_some() != (wish == Wish::Leave),
        }
    }

    /// Returns the time of the next attempt.
    pub(super) fn due(&self) -> Instant {
        self.retry.not_before().unwrap_or_else(Instant::now)
    }

    /// Returns true where this node is about to become a member for the first time, so that the source is not asked
    /// yet.
    pub(super) fn comes_first(&self, settings: &Settings, ledger: &Ledger) -> bool {
        self.first && settings.join.enabled && ledger.joined.is_none() && ledger.processes.leaving.is_none()
    }

    /// Begins an attempt, as the node that this host is now.
    pub(super) fn begin(&mut self, settings: &Settings, ledger: &Ledger) {
        let Some(mut role) = self.role.take() else { return };
        let who = who(settings);
        let joined = who.as_ref().is_ok_and(|(who, ..)| who.is(ledger.joined.as_ref()));
        let Some(wish) = self.errand(settings, ledger, joined) else {
            self.role = Some(role);
            return;
        };
        self.attempt = Some(Box::pin(async move {
            match who {
                Ok((who, identity, tag)) => {
                    let result = match (wish, tag) {
                        (Wish::Join, Err(doubt)) => Err(doubt),
                        (_, tag) => role.attempt(wish, &identity, tag.ok().as_ref()).await,
                    };
                    (role, Attempted { wish, who: Some(who), result })
                }
                Err(doubt) => (role, Attempted { wish, who: None, result: Err(doubt) }),
            }
        }));
    }

    /// Waits for what comes of the attempt under way; for ever where there is none.
    pub(super) async fn ended(&mut self) -> Attempted {
        let Some(attempt) = &mut self.attempt else { return std::future::pending().await };
        let (role, attempted) = attempt.await;
        (self.attempt, self.role, self.first) = (None, Some(role), false);
        attempted
    }

    /// Learns from an attempt, and returns its outcome.
    pub(super) fn take(&mut self, attempted: &Attempted, settings: &Settings) -> Came {
        let Attempted { wish, who, result } = attempted;
        let Came { good, calm, line } = match result {
            Ok(verdict) => said(verdict, *wish, who.as_ref(), settings),
            Err(doubt) => Came { good: false, calm: false, line: doubt.text.clone() },
        };
        let still = known(settings);
        self.forget_unless(still.as_ref());
        // An answer for the node that this host was before leads to a new question as the present one.
        if let Ok(verdict) = result
            && (still.is_none() || still == *who)
        {
            self.verdict = Some(verdict.clone());
            self.whom.clone_from(who);
        }
        // A success may not be kept; K2HR3 gets no question without a pause then either. A rival may stay for long.
        let (now, random, backoff) = (Instant::now(), fastrand::f64(), settings.poll.pauses());
        if calm {
            self.retry.succeeded();
            self.retry.hold_until(now + backoff.pause(1, random));
        } else {
            self.retry.failed(now, line.as_str(), &backoff, random);
        }
        if good {
            // Polls that hide this node still count from zero: an unchanged answer is no further evidence.
            let since = self.clock.now().boot;
            self.missing = self.missing.map(|_| Missing { since, polls: 0 });
            self.ordered = self.ordered.filter(|ordered| ordered != wish);
        }
        Came { good, calm, line }
    }

    /// Returns the outcome by the last answers, for a node that HEAD called a member: `status` shows one of both
    /// only.
    pub(super) fn shown(&self, settings: &Settings) -> Option<Came> {
        let verdict = self.verdict.as_ref().filter(|verdict| matches!(verdict, Verdict::Member(_)))?;
        let role = self.whom.as_ref().map_or("", |whom| whom.role.as_str());
        Some(match self.missing {
            Some(missing) if missing.polls > 0 => {
                Came { good: false, calm: false, line: registration::hidden(role, &settings.join) }
            }
            _ => said(verdict, Wish::Look, self.whom.as_ref(), settings),
        })
    }

    /// Logs a new line.
    pub(super) fn log(&mut self, Came { calm, line, .. }: &Came) {
        match (self.said.replace(line.clone()).as_ref() == Some(line), calm) {
            (true, _) => debug!("{line}"),
            (false, true) => info!("{line}"),
            (false, false) => warn!("{line}"),
        }
    }

    /// Learns from an answer to a poll whether this node is still in its role.
    pub(super) fn answered(&mut self, answered: &Answered, settings: &Settings) {
        let Answered { identity: Ok(identity), result, .. } = answered else { return };
        let shown = match result {
            Ok(answer) => registration::shown(answer, &identity.cuk),
            Err(doubt) if registration::disowns(doubt, by_address(&settings.k2hr3, identity)) => Some(false),
            Err(_) => return,
        };
        match (shown, &mut self.missing) {
            (Some(true), missing) => {
                *missing = None;
                // A node that was no member a moment ago is one again: that is worth another look.
                self.verdict.take_if(|verdict| !matches!(verdict, Verdict::Member(_)));
                // Another answer may be one without whom stood in the way.
                if self.verdict.as_ref().is_some_and(Verdict::has_rivals) {
                    self.hurry();
                }
            }
            (Some(false), missing @ None) => {
                *missing = Some(Missing { since: self.clock.now().boot, polls: 1 });
                if self.verdict.as_ref().is_some_and(|verdict| matches!(verdict, Verdict::Member(_))) {
                    warn!(
                        "K2HR3 does not show this node any more; {}",
                        registration::outlook(&settings.join)
                    );
                }
            }
            // More than enough is not counted, and so not written to the ledger for ever.
            (Some(false) | None, Some(missing)) => {
                missing.polls = (missing.polls + 1).min(settings.join.confirm_polls);
            }
            (None, None) => {}
        }
    }
}

fn said(verdict: &Verdict, wish: Wish, who: Option<&Joined>, settings: &Settings) -> Came {
    let (role, cuk) = who.map_or(("", ""), |who| (who.role.as_str(), who.cuk.as_str()));
    let line = identity::told(verdict, role, cuk, &settings.k2hr3);
    let (good, note) = (verdict.fulfils(wish), verdict.note(role));
    let calm = good && note.is_none();
    Came { good, calm, line: note.map_or(line.clone(), |note| format!("{line}; {note}")) }
}

/// Returns true where K2HR3 knows this node by its address alone. A token bound to the address ends with the
/// membership.
fn by_address(settings: &settings::K2hr3, identity: &Identity) -> bool {
    match settings.auth {
        Auth::Token => false,
        Auth::Auto => identity.k2hr3.as_ref().is_some_and(|registry| registry.token.is_none()),
        Auth::Address | Auth::AddressToken => true,
    }
}

/// Returns the identity of this node, where it is known.
fn known(settings: &Settings) -> Option<Joined> {
    who(settings).ok().map(|(who, ..)| who)
}

/// Reads the identity of this node, and its tag.
fn who(settings: &Settings) -> Result<(Joined, Identity, Result<Tag, Doubt>), Doubt> {
    let unready = |problems: Vec<_>| Doubt::new(DoubtKind::NotReady, one_line(&problems));
    let identity = identity::read(&settings.k2hr3).map_err(unready)?;
    let Some(registry) = &identity.k2hr3 else {
        return Err(Doubt::new(DoubtKind::NotReady, "k2hr3.source is \"file\", which knows no role"));
    };
    let tag = identity::tag(&settings.k2hr3, &settings.join, registry).map_err(unready);
    let who = Joined { role: registry.role.to_string(), cuk: identity.cuk.to_string() };
    Ok((who, identity, tag))
}

#[cfg(test)]
mod tests;
