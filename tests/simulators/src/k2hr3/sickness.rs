//! The faults of answers of K2HR3 that an agent must survive.
//!
//! Each kind says what it rests on: an observation on the real server (`docs/facts.md` with its number, or
//! exchange), a fault of the incumbent reader that such an answer would hit (`docs/facts.md` I1 and I2, by
//! number), or, said so, a supposition about what stands between server and VM. A suite sets one with
//! [`Lab::set_sickness`](super::Lab::set_sickness).

mod members;
mod spoil;
pub(super) mod wire;

use std::time::Duration;

use super::http::Request;

/// A kind of illness.
#[derive(Clone, Debug, PartialEq)]
pub enum Sickness {
    /// 200 with nothing in it. Supposed: a proxy whose upstream died. The incumbent installs an empty file
    /// then (docs/facts.md I1).
    EmptyBody,
    /// 200 and `"resource":null`: the incumbent writes the whole JSON as the ini (docs/facts.md I1).
    NullResource,
    /// 200 and `"resource":""`: what a resource without any text gives (docs/facts.md K12); chmpx exits on it
    /// (docs/facts.md I1).
    EmptyString,
    /// 200 with a web page. Supposed: a captive portal, or the maintenance page of a load balancer.
    Html,
    /// 503 whose text says `"result":true`: the incumbent looks for that text alone (docs/facts.md I1).
    ServerErrorSayingTrue,
    /// 200 that says `"result":false`. The API always pairs it with an error status (docs/facts.md K1); a client
    /// must read both.
    ResultFalse200,
    /// JSON cut in half under a right Content-Length. Supposed: a broken cache in between.
    TruncatedJson,
    /// Fewer bytes than Content-Length says, then the end. The API process does abort when k2hdkc stalls
    /// (docs/facts.md K1); that it can in the middle of an answer is supposed.
    TruncatedBody,
    /// Every server role is empty: 200 with 0 of 100 hosts while the backend restarts
    /// (down-partial-membership).
    NoServers,
    /// Every slave role is empty and the text has no `[SLVNODE]` at all, as a template without the stand-in
    /// gives it; chmpx does not load such a file (docs/facts.md C6).
    NoSlaves,
    /// A host is missing: records that cannot be read are skipped silently (docs/facts.md K2).
    WithoutHost {
        /// The CUK.
        cuk: String,
    },
    /// Every second server is missing: unreadable records are skipped silently (docs/facts.md K2).
    HalfOfServers,
    /// The first server's tag holds line ends and lands as ini lines in every member's file (x01, x02).
    NewlineInTag,
    /// The first server's tag holds control characters: a tag is free text (docs/facts.md K10) and printed unescaped
    /// (fact 10).
    ControlCharacters,
    /// A well-formed answer of this size, streamed. 1000 hosts make 260 kB (docs/facts.md K13) and nothing bounds
    /// it: cap the body (docs/facts.md K13).
    Huge {
        /// Of the body.
        bytes: u64,
    },
    /// The right answer, one byte at a time. Supposed: a congested network; the incumbent waits for ever
    /// (docs/facts.md I2).
    SlowDrip {
        /// Pause between two bytes.
        byte_every: Duration,
    },
    /// A reset in the middle of the body. Supposed, as for `TruncatedBody`.
    ResetInMidBody,
    /// 302 to another host. K2HR3 never redirects (docs/facts.md K13); following it would hand out the token
    /// (docs/facts.md K13).
    Redirect,
    /// This status with the body recorded for it: 401, 403, 404, 413, 431, 500 and others.
    Status(u16),
    /// k2hdkc is dead: 401 with a token, 403 or 404 by address, after this delay (13.9 s on the real one);
    /// `GET /` answers 200 at once (down-k2hdkc-*).
    BackendDead {
        /// Until the refusal.
        after: Duration,
    },
    /// The right answer after this delay: k2hdkc stalled for less than 9 s (docs/facts.md K1).
    Stall(Duration),
    /// The connection ends after this delay without an answer: k2hdkc stalled for longer (docs/facts.md K1).
    StallThenClose(Duration),
    /// Connections are accepted and closed at once. Supposed: a load balancer without a live API behind it.
    Refuse,
    /// Content-Length says half of what follows. Supposed: a middlebox that rewrites bodies.
    WrongContentLength,
    /// A byte in the JSON that is no UTF-8. Supposed: damage in between; the API itself always sends UTF-8.
    NotUtf8,
    /// An array in an array, 100 000 deep: resources of type object are unrestricted JSON (docs/facts.md K12).
    DeepJson,
    /// 201, and nothing stored: host lists are read and written back without a lock by several workers
    /// (docs/facts.md K3: 15 and 19 of 20 were left).
    LostRegistrations {
        /// Of registrations that get lost, 0 to 1.
        share: f64,
    },
    /// The next reader after a host registered again misses it: PUT deletes and re-creates the record
    /// (docs/facts.md K4: 8 of 107 reads).
    BlinkOnReregister,
}

/// A sickness with its limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Illness {
    pub(super) sickness: Sickness,
    only_resources: bool,
    only_method: Option<&'static str>,
    left: Option<usize>,
}

impl From<Sickness> for Illness {
    /// Of every answer, until it is taken away.
    fn from(sickness: Sickness) -> Self {
        Self { sickness, only_resources: false, only_method: None, left: None }
    }
}

impl Illness {
    /// Strikes polls only: GET of a resource. Everything else is answered well.
    #[must_use]
    pub fn only_resources(mut self) -> Self {
        self.only_resources = true;
        self
    }

    /// Strikes only calls by this method below `/v1/role/`: `PUT` enters a role, `DELETE` leaves it, `HEAD` asks.
    #[must_use]
    pub fn only_by(mut self, method: &'static str) -> Self {
        self.only_method = Some(method);
        self
    }

    /// Is over after this many answers.
    #[must_use]
    pub fn for_answers(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    /// Checks whether this request is struck. Sicknesses of a kind of call leave the others alone, so that they
    /// do not use up a count.
    pub(super) fn strikes(&self, request: &Request) -> bool {
        if self.left == Some(0) || (self.only_resources && !request.reads_resource()) {
            return false;
        }
        let is_call = |method: &str| request.method == method && request.path().starts_with("/v1/role/");
        if self.only_method.is_some_and(|method| !is_call(method)) {
            return false;
        }
        match &self.sickness {
            Sickness::LostRegistrations { .. } | Sickness::BlinkOnReregister => request.registers(),
            Sickness::BackendDead { .. } => request.path() != "/",
            sickness if sickness.is_of_content() => request.reads_resource(),
            _ => true,
        }
    }

    /// Counts one struck answer.
    pub(super) fn is_over_after_one_more(&mut self) -> bool {
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.left == Some(0)
    }
}

impl Sickness {
    /// Checks whether it is about the resource in the answer, so that other calls cannot show it.
    fn is_of_content(&self) -> bool {
        matches!(
            self,
            Self::NullResource
                | Self::EmptyString
                | Self::TruncatedJson
                | Self::Huge { .. }
                | Self::NotUtf8
                | Self::DeepJson
        ) || self.changes_members()
    }

    /// Returns the status for the log: 0 where no status gets out.
    pub(super) fn logged_status(&self, status: u16) -> u16 {
        if matches!(self, Self::StallThenClose(_) | Self::Refuse) { 0 } else { status }
    }
}
