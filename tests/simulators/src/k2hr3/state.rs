//! The state that the real server keeps in k2hdkc: roles with their hosts, tokens, resources, policies.
//!
//! Rules of data only; who may do what, and with which status a refusal comes, is for the routes.

mod access;
mod expansion;
mod hosts;
mod roles;
mod tokens;

use std::collections::BTreeMap;
use std::time::Instant;

pub(super) use expansion::{Element, Resource};
pub use hosts::HostRecord;
pub(super) use hosts::{Kind, Wanted, is_address};
pub(super) use roles::{Role, folded_host};
pub(super) use tokens::{Maker, RoleToken, UserToken};

use super::clock::Clock;

/// Life of a role token when nothing else is asked: `expiration.roletoken` (`lib/k2hr3config.ts`).
pub(super) const ROLE_TOKEN_LIFE: i64 = 86_400;
/// Life of one made with `expire=0`, which is what VMs get: `expiration.regroletoken`, ten years.
pub(super) const REGISTERED_TOKEN_LIFE: i64 = 315_360_000;

/// The kinds of user-data the server hands out besides cloud-init's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// `<name>` in `/v1/extdata/<name>/..`.
    pub name: String,
    /// The only User-Agent that gets it; compared for equality (`lib/k2hr3extdata.ts`, h09).
    pub user_agent: String,
}

/// A membership change, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Instant,
    pub(super) role: String,
    pub(super) host: String,
    pub(super) joined: bool,
}

/// The whole.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) clock: Clock,
    pub(super) tenants: Vec<String>,
    pub(super) roles: BTreeMap<String, Role>,
    pub(super) resources: BTreeMap<String, Resource>,
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) role_tokens: BTreeMap<String, RoleToken>,
    pub(super) user_tokens: BTreeMap<String, UserToken>,
    pub(super) user_data: Vec<UserData>,
    /// The template of the script of all of them (`userdata.script_templ`).
    pub(super) script: String,
    /// The part that cloud-init gets before it (`userdata.cc_templ`).
    pub(super) cloud_config: String,
    /// The role whose members may remove any host (`k2hr3admin.delhostrole`).
    pub(super) delete_host_role: Option<String>,
    /// Changes nobody has picked up yet.
    pub(super) events: Vec<Event>,
    last_id: u64,
}

/// The policies: who may do what to which resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) allows: bool,
    /// `yrn:yahoo::::action:read` and `..:write`.
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
}

impl State {
    /// An id never given before: of a role, or of a host record.
    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// 64 hexadecimal digits, as every token is.
pub(super) fn random_token() -> String {
    std::iter::repeat_with(|| char::from_digit(fastrand::u32(0..16), 16).unwrap_or('0')).take(64).collect()
}
