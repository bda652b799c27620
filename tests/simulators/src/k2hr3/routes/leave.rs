//! DELETE below `/v1/role`: four different things, told apart by path and token.

use serde_json::Value;

use super::caller::{self, Caller, caller};
use super::roles::{port, strings};
use super::{Refusal, target};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{State, Wanted};

pub(super) fn delete(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    if rest.is_empty() {
        return by_cuk(state, request);
    }
    if let Some(token) = rest.strip_prefix("token/").filter(|token| !token.is_empty()) {
        return role_token(state, request, token);
    }
    let caller = caller(state, request)?;
    let role = target::role(rest, &caller)?.yrn();
    match caller {
        Caller::Nobody => own_host(state, request, &role),
        // With a role token this means the token, and the host stays (g09, g10).
        Caller::Role { token, entry } if entry.role == role => {
            state.role_tokens.remove(&token);
            Ok(Answer::no_content())
        }
        Caller::Role { .. } => Err(refused(400)),
        Caller::User { .. } => Ok(as_user(state, request, &role)),
    }
}

/// The caller's own record, or without `cuk` all of its address (g03, g05). Not a member: 403.
fn own_host(state: &mut State, request: &Request, role: &str) -> Result<Answer, Refusal> {
    let client = request.client();
    let wanted = Wanted { host: &client, port: port(request), cuk: request.query.trimmed("cuk") };
    if state.find_host(role, wanted).is_none() {
        return Err(refused(403));
    }
    state.remove_host(role, wanted);
    Ok(Answer::no_content())
}

/// Hosts given by `host=`, or else the role itself. Nothing there is no error.
fn as_user(state: &mut State, request: &Request, role: &str) -> Answer {
    let hosts = hosts(request);
    if hosts.is_empty() {
        state.remove_role(role);
    }
    for host in hosts {
        let wanted = Wanted { host: &host, port: port(request), cuk: request.query.trimmed("cuk") };
        state.remove_host(role, wanted);
    }
    Answer::no_content()
}

/// Handles what `k2hr3_osnl` calls when a VM was deleted: any role, any host of that CUK, from a member of the
/// role `delhostrole` only. 204 whether or not something was removed (g12, g13, g14).
fn by_cuk(state: &mut State, request: &Request) -> Result<Answer, Refusal> {
    let cuk = request.query.trimmed("cuk").ok_or_else(|| refused(400))?;
    let client = request.client();
    let wanted = Wanted { host: &client, port: 0, cuk: None };
    let is_admin =
        state.delete_host_role.as_ref().is_some_and(|role| state.find_host(role, wanted).is_some());
    if !is_admin {
        return Err(refused(400));
    }
    state.remove_cuk(cuk, &hosts(request));
    Ok(Answer::no_content())
}

/// `DELETE /v1/role/token/<token>` by a user of the tenant (g15, g16).
fn role_token(state: &mut State, request: &Request, token: &str) -> Result<Answer, Refusal> {
    let (_, tenant) = caller::user(state, request)?;
    if state.role_tokens.get(token).is_none_or(|entry| entry.tenant != tenant) {
        return Err(refused(403));
    }
    state.role_tokens.remove(token);
    Ok(Answer::no_content())
}

/// An address, or a JSON array of them.
fn hosts(request: &Request) -> Vec<String> {
    let Some(given) = request.query.trimmed("host") else { return Vec::new() };
    serde_json::from_str::<Value>(given)
        .ok()
        .and_then(|list| strings(&list))
        .unwrap_or_else(|| vec![given.to_owned()])
}

fn refused(status: u16) -> Refusal {
    Refusal::new(status, "")
}
