//! The auth ladder: the role token; without one, or where it is refused, the source address; or a token bound to
//! the source address, which the agent makes itself and renews at half its life.
//!
//! K2HR3 keeps every token it ever made until it expires, so none is made per question; and it announces no end of a
//! token, so the time of its making is kept with it (k2hr3_api 2.0.3: 24 hours, refreshed with itself).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::exchange::{Exchange, Reply};
use super::wire;
use super::words::Trouble;
use crate::answer::Doubt;
use crate::clock::{BootTime, Clock};
use crate::file;
use crate::identity::{Identity, Registry};
use crate::names::Token;
use crate::retry::{Backoff, Retry};
use crate::settings::Auth;

/// Half of the 24 hours for which K2HR3 makes address-bound tokens.
const HALF_LIFE: Duration = Duration::from_secs(12 * 3600);

/// The pause between two tokens, so that a sick K2HR3 does not collect them.
const BETWEEN_TOKENS: Backoff = {
    let pause = Duration::from_secs(600);
    Backoff::new(pause, pause)
};

/// Rest of a refused token while the source address works.
const REFUSED_FOR: Duration = Duration::from_secs(3600);

/// The credential of one question.
#[derive(Debug, Clone)]
pub(super) enum Credential {
    /// The operator's role token.
    Role(Token),
    /// A token bound to this address.
    Minted(Token),
    /// The source address alone.
    Address,
}

impl Credential {
    /// The token to send, if any.
    pub(super) fn token(&self) -> Option<&Token> {
        match self {
            Self::Role(token) | Self::Minted(token) => Some(token),
            Self::Address => None,
        }
    }
}

/// The rung of the ladder for the next question.
#[derive(Debug)]
pub(super) struct Credentials {
    auth: Auth,
    /// The role token that was refused, and when: until it changes, or for an hour, the address is tried.
    refused: Option<(Token, Instant)>,
    kept_in: PathBuf,
    minted: Option<Minted>,
    retry: Retry,
    clock: Clock,
}

#[derive(Debug, Clone)]
struct Minted {
    token: Token,
    at: BootTime,
}

impl Minted {
    /// Returns true in the first half of the token's life; one of another boot is renewed.
    fn is_fresh(&self, now: BootTime) -> bool {
        now.since(self.at).is_some_and(|age| age < HALF_LIFE)
    }
}

/// [`Minted`] as it is kept in the state directory, mode 0600.
#[derive(Serialize, Deserialize)]
struct Kept {
    token: String,
    obtained_at: BootTime,
}

impl Credentials {
    pub(super) fn new(auth: Auth, kept_in: PathBuf, clock: Clock) -> Self {
        let minted = (auth == Auth::AddressToken).then(|| load(&kept_in)).flatten();
        Self { auth, refused: None, kept_in, minted, retry: Retry::default(), clock }
    }

    /// The credential for the next question.
    pub(super) async fn choose(
        &mut self,
        exchange: &Exchange,
        identity: &Identity,
        registry: &Registry,
    ) -> Result<Credential, Doubt> {
        match (self.auth, &registry.token) {
            (Auth::Token, Some(token)) => Ok(Credential::Role(token.clone())),
            (Auth::Auto, Some(token)) if !self.is_refused(token) => Ok(Credential::Role(token.clone())),
            (Auth::Token, _) => Err(Trouble::NoToken.into()),
            (Auth::Auto | Auth::Address, _) => Ok(Credential::Address),
            (Auth::AddressToken, _) => Ok(self.minted(exchange, identity, registry).await),
        }
    }

    /// Returns a remark for a doubt where the question was not put in the usual way.
    pub(super) fn remark(&self, used: &Credential) -> &'static str {
        match used {
            Credential::Address if self.refused.is_some() => {
                " (asked by source address, since the role token was refused)"
            }
            _ => "",
        }
    }

    /// Returns a remark for the operator where the role token is refused and the address is not.
    pub(super) fn note(&self, token_file: &Path) -> Option<String> {
        // Without the time, which would make it another note at every pass.
        self.refused.as_ref().map(|_| {
            format!(
                "K2HR3 refuses the role token, and answers by this host's address alone: a VM that is rebuilt, or whose \
                 membership is lost, could not register; put a new token of the role into {}",
                token_file.display()
            )
        })
    }

    /// Learns from the answer. A denial proves little (a dead backend denies everything), so the other rung is
    /// tried next time, and then this one again.
    pub(super) fn judge(&mut self, used: &Credential, doubt: Option<&Doubt>) {
        let denied = doubt.is_some_and(|doubt| matches!(doubt.status, Some(401 | 403 | 404)));
        match used {
            Credential::Role(token) => self.refused = denied.then(|| (token.clone(), Instant::now())),
            Credential::Address if doubt.is_some() => self.refused = None,
            Credential::Minted(_) if denied => self.minted = None,
            Credential::Address | Credential::Minted(_) => {}
        }
    }

    fn is_refused(&self, token: &Token) -> bool {
        let known = self.refused.as_ref().filter(|(refused, _)| refused == token);
        known.is_some_and(|(_, at)| at.elapsed() < REFUSED_FOR)
    }

    /// The address-bound token, made or renewed if it is time; the bare address where that fails.
    async fn minted(&mut self, exchange: &Exchange, identity: &Identity, registry: &Registry) -> Credential {
        let now = self.clock.now().boot;
        let old = self.minted.clone();
        let fresh = old.as_ref().is_some_and(|minted| minted.is_fresh(now));
        if !fresh && self.retry.is_due(Instant::now()) {
            let random = fastrand::f64();
            match make(exchange, identity, registry, old.as_ref().map(|minted| &minted.token)).await {
                Ok(token) => {
                    self.keep(Minted { token, at: now });
                    self.retry.succeeded();
                    self.retry.hold_until(Instant::now() + BETWEEN_TOKENS.pause(1, random));
                }
                Err(doubt) => {
                    debug!(why = doubt.text, "no address-bound token");
                    self.retry.failed(Instant::now(), doubt.text, &BETWEEN_TOKENS, random);
                }
            }
        }
        let token = self.minted.as_ref().map(|minted| minted.token.clone());
        token.map_or(Credential::Address, Credential::Minted)
    }

    fn keep(&mut self, minted: Minted) {
        let kept = Kept { token: minted.token.reveal().to_owned(), obtained_at: minted.at };
        let stored = serde_json::to_vec(&kept)
            .map_err(|error| error.to_string())
            .and_then(|bytes| file::store(&self.kept_in, &bytes).map_err(|error| error.to_string()));
        if let Err(error) = stored {
            warn!(error, "the address-bound token is not kept over a restart");
        }
        self.minted = Some(minted);
    }
}

/// Renews `old` with itself, or makes a first one by the source address.
async fn make(
    exchange: &Exchange,
    identity: &Identity,
    registry: &Registry,
    old: Option<&Token>,
) -> Result<Token, Doubt> {
    let url = format!("{}/v1/role/token/{}", registry.api_uri, registry.role);
    if old.is_some()
        && let Ok(Reply::Ok { body, .. }) = exchange.get(&url, old, None).await
    {
        return Ok(wire::token(&body)?);
    }
    let by_address = format!("{url}?cuk={}", wire::encoded(identity.cuk.as_str()));
    match exchange.get(&by_address, None, None).await? {
        Reply::Ok { body, .. } => Ok(wire::token(&body)?),
        Reply::NotModified => Err(Trouble::NoQuestion.into()),
    }
}

fn load(path: &Path) -> Option<Minted> {
    let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    Some(Minted { token: Token::try_from(kept.token.as_str()).ok()?, at: kept.obtained_at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::DoubtKind;
    use crate::fixtures::Clocks;

    #[tokio::test(start_paused = true)]
    async fn a_token_is_fresh_for_half_of_its_life_whatever_the_wall_clock_says_and_only_in_its_boot() {
        let (clocks, hours) = (Clocks::new(), Duration::from_hours);
        let now = || clocks.clock().now().boot;
        let minted = Minted { token: Token::try_from("a".repeat(64).as_str()).unwrap(), at: now() };
        clocks.step(hours(99));
        assert!(minted.is_fresh(now()));
        tokio::time::advance(hours(11)).await;
        clocks.set_back(hours(99));
        assert!(minted.is_fresh(now()));
        tokio::time::advance(hours(1)).await;
        assert!(!minted.is_fresh(now()));
        let minted = Minted { at: now(), ..minted };
        clocks.reboot();
        assert!(!minted.is_fresh(now()), "for how long the host was off is not known");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_rests_for_an_hour_whatever_the_wall_clock_says() {
        let clocks = Clocks::new();
        let mut credentials = Credentials::new(Auth::Auto, "/nowhere".into(), clocks.clock());
        let token = Token::try_from("a".repeat(64).as_str()).unwrap();
        let denied = Doubt { status: Some(401), ..Doubt::new(DoubtKind::Denied, "no") };
        credentials.judge(&Credential::Role(token.clone()), Some(&denied));
        clocks.step(Duration::from_hours(2));
        assert!(credentials.is_refused(&token));
        tokio::time::advance(REFUSED_FOR).await;
        assert!(!credentials.is_refused(&token));
    }
}
