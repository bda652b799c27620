//! The control of a simulator: what a suite does to it, and what it can see.

mod cluster;
mod control;
mod serve;
mod user_data;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::sickness::{Illness, Sickness};
use super::state::{HostRecord, Maker, State, Wanted};
use super::yrn;
pub use cluster::{Cluster, STOCK_TEMPLATE};
pub(super) use serve::Served;
pub use user_data::USER_DATA;

/// The user whom the dummy backend knows.
pub(super) const USER: &str = "dummyuser";
/// Older requests are forgotten.
const LOG_LIMIT: usize = 100_000;

/// A handle on the inside of a running simulator. Clones control the same one; it also works without a
/// server, before one is started or after it was stopped.
#[derive(Clone, Debug)]
pub struct Lab {
    inside: Arc<Mutex<Inside>>,
    /// Moved at every answered request and every control call, so that waiting needs no polling.
    beat: watch::Sender<u64>,
}

/// The state behind the lock.
#[derive(Debug, Default)]
struct Inside {
    state: State,
    illness: Option<Illness>,
    /// The host whose re-registration the next reader misses: role and key.
    blinking: Option<(String, String)>,
    requests: VecDeque<Request>,
    changes: Vec<Change>,
}

/// A request that was read completely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// When its head had arrived.
    pub at: Instant,
    /// `GET`, `PUT` ..
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The address from which the connection came.
    pub peer: IpAddr,
    /// The status answered, 0 where the connection was closed instead.
    pub status: u16,
}

/// A change of a role's members. Registering an unchanged host again is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts up from 1.
    pub number: u64,
    /// When the state had changed.
    pub at: Instant,
    /// YRN of the role.
    pub role: String,
    /// Address or name of the host.
    pub host: String,
    /// True: it came; false: it went.
    pub joined: bool,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// An empty K2HR3 with the tenants `tenant0` to `tenant4`.
    pub fn new() -> Self {
        let mut inside = Inside::default();
        inside.state.tenants = (0..5).map(|number| format!("tenant{number}")).collect();
        user_data::lay_out(&mut inside.state);
        Self { inside: Arc::new(Mutex::new(inside)), beat: watch::Sender::new(0) }
    }

    /// Registers a host as the API would, replacing what loosely matches.
    pub fn register(&self, role: &str, host: HostRecord) {
        self.with(|state| state.add_host(role, host));
    }

    /// Removes every record with this CUK from the role. Says whether there was one.
    pub fn deregister(&self, role: &str, cuk: &str) -> bool {
        let hosts = self.members(role);
        let gone: Vec<_> = hosts.into_iter().filter(|host| host.cuk.as_deref() == Some(cuk)).collect();
        self.with(|state| {
            gone.iter()
                .map(|record| {
                    state.remove_host(role, Wanted { host: &record.host, port: record.port, cuk: Some(cuk) })
                })
                .sum::<usize>()
                > 0
        })
    }

    /// The records of a role in key order, those too that the API hides.
    pub fn members(&self, role: &str) -> Vec<HostRecord> {
        self.lock()
            .state
            .roles
            .get(role)
            .map(|role| role.hosts.records().cloned().collect())
            .unwrap_or_default()
    }

    /// Makes a role token as a user does. A `life` below zero gives a dead one.
    pub fn make_token(&self, role: &str, life: i64) -> Option<String> {
        let tenant = yrn::Yrn::parse(role, "role")?.tenant;
        self.with(|state| state.make_role_token(role, &tenant, Maker::User(USER.to_owned()), life))
            .map(|made| made.0)
    }

    /// Makes a scoped user token, without `U=`.
    pub fn make_user_token(&self, tenant: &str) -> String {
        self.with(|state| state.make_user_token(USER, Some(tenant)))
    }

    /// Deletes a role and those below it; their tokens die with them.
    pub fn delete_role(&self, role: &str) {
        self.with(|state| state.remove_role(role));
    }

    /// The members of this role may remove any host by its CUK, as `k2hr3_osnl` does.
    pub fn set_delete_host_role(&self, role: &str) {
        self.with(|state| state.delete_host_role = Some(role.to_owned()));
    }

    /// Sets one key of a resource, as an operator does in the web UI.
    pub fn set_key(&self, resource: &str, key: &str, value: impl Into<Value>) {
        self.with(|state| {
            let entry = state.resources.entry(resource.to_owned()).or_default();
            entry.keys.get_or_insert_default().insert(key.to_owned(), value.into());
        });
    }

    /// Changes the text of a resource, as an operator does in the web UI.
    pub fn edit_text(&self, resource: &str, edit: impl FnOnce(&str) -> String) {
        self.with(|state| {
            let entry = state.resources.entry(resource.to_owned()).or_default();
            entry.text = edit(&entry.text);
        });
    }

    /// Puts the server's clock forward, so that tokens expire without waiting.
    pub fn advance_clock(&self, by: Duration) {
        self.with(|state| state.clock.advance(by));
    }

    /// Falls ill for every answer from now on, or gets well.
    pub fn set_sickness(&self, sickness: Option<Sickness>) {
        self.set_illness(sickness.map(Illness::from));
    }

    /// As [`Self::set_sickness`], for some answers only.
    pub fn set_illness(&self, illness: Option<Illness>) {
        self.lock().illness = illness;
        self.moved();
    }

    /// Checks whether a sickness is set and not used up yet.
    pub fn is_ill(&self) -> bool {
        self.lock().illness.is_some()
    }

    /// The latest requests, oldest first, at most 100 000.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.iter().cloned().collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.lock().requests.clear();
    }

    /// Every change of members so far, each with its moment.
    pub fn changes(&self) -> Vec<Change> {
        self.lock().changes.clone()
    }

    /// Waits until the condition holds. It is asked again after every request and control call. False when
    /// the deadline passed first.
    pub async fn wait_for(&self, condition: impl Fn(&Self) -> bool, deadline: Duration) -> bool {
        let deadline = TokioInstant::now() + deadline;
        let mut beat = self.beat.subscribe();
        loop {
            beat.mark_unchanged();
            if condition(self) {
                return true;
            }
            if !matches!(timeout_at(deadline, beat.changed()).await, Ok(Ok(()))) {
                return condition(self);
            }
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut inside = self.lock();
        let result = act(&mut inside.state);
        inside.note_changes();
        drop(inside);
        self.moved();
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved(&self) {
        self.beat.send_modify(|beat| *beat += 1);
    }
}

impl Inside {
    fn note_changes(&mut self) {
        for event in std::mem::take(&mut self.state.events) {
            let number = self.changes.last().map_or(1, |last| last.number + 1);
            self.changes.push(Change {
                number,
                at: event.at,
                role: event.role,
                host: event.host,
                joined: event.joined,
            });
        }
    }

    fn log(&mut self, request: Request) {
        if self.requests.len() == LOG_LIMIT {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}
