//! `/v1/role/token/<role>`: making, refreshing and listing role tokens.

use serde_json::{Map, Value, json};

use super::caller::Caller;
use super::roles::{is_expanded, port};
use super::{Refusal, target};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::clock::iso_date;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{Maker, REGISTERED_TOKEN_LIFE, ROLE_TOKEN_LIFE, RoleToken, State, Wanted};

/// A user gets a token of any life; a member address, or its own IP-bound token, one for a day.
pub(super) fn get(
    state: &mut State,
    request: &Request,
    caller: &Caller,
    path: &str,
) -> Result<Answer, Refusal> {
    let target = target::role(path, caller)?;
    let role = target.yrn();
    let client = request.client();
    let (maker, life) = match caller {
        Caller::User { name, .. } => (Maker::User(name.clone()), user_life(request)),
        Caller::Nobody => {
            let cuk = request.query.trimmed("cuk").map(str::to_owned);
            (member(state, &target, &client, port(request), cuk.as_deref())?, ROLE_TOKEN_LIFE)
        }
        Caller::Role { entry, .. } => (refreshed(state, &target, &client, entry)?, ROLE_TOKEN_LIFE),
    };
    let made = state.make_role_token(&role, &target.tenant, maker, life);
    let (new, path) = made.ok_or_else(|| {
        Refusal::new(404, format!("could not get role id({role}/id) value, or it is wrong value(\"\")."))
    })?;
    if let Caller::Role { token: old, .. } = caller {
        state.role_tokens.remove(old);
    }
    Ok(Answer::json(200, &json!({"result": true, "message": null, "token": new, "registerpath": path})))
}

/// `expire=` in seconds, 0 for ten years, and for a day where it is absent or no number (e01-e05).
fn user_life(request: &Request) -> i64 {
    match request.query.number("expire") {
        None => ROLE_TOKEN_LIFE,
        Some(0) => REGISTERED_TOKEN_LIFE,
        Some(seconds) => seconds,
    }
}

fn member(
    state: &State,
    target: &target::RoleTarget,
    client: &str,
    port: u16,
    cuk: Option<&str>,
) -> Result<Maker, Refusal> {
    let wanted = Wanted { host: client, port, cuk };
    state.token_maker(&target.yrn(), wanted).ok_or_else(|| {
        let (tenant, name, cuk) = (&target.tenant, &target.name, Value::from(cuk));
        let message = format!(
            "Not found ip({client}) with port({port}) and cuk({cuk}) in tenant({tenant}) + role({name})"
        );
        Refusal::new(404, message)
    })
}

/// A token a user made has no address, so it never equals the caller's: it cannot be refreshed (e13).
fn refreshed(
    state: &State,
    target: &target::RoleTarget,
    client: &str,
    entry: &RoleToken,
) -> Result<Maker, Refusal> {
    match &entry.maker {
        Maker::Host { record, .. } if record.host == client => {
            member(state, target, client, record.port, record.cuk.as_deref())
        }
        Maker::Host { .. } | Maker::User(_) => {
            Err(Refusal::new(400, "GET request ip address and role token are not same."))
        }
    }
}

/// All tokens of a role, dead ones too, for users only (e23-e25).
pub(super) fn list(state: &State, request: &Request, caller: &Caller, path: &str) -> Result<Answer, Refusal> {
    let role = target::role(path, caller)?.yrn();
    if !matches!(caller, Caller::User { .. }) {
        let message = format!(
            "GET request without UserToken for getting list of role({role}) tokens, need User Token."
        );
        return Err(Refusal::new(400, message));
    }
    let of_role = state.role_tokens.iter().filter(|(_, entry)| entry.role == role);
    let tokens = if is_expanded(request)? {
        Value::Object(of_role.map(|(token, entry)| (token.clone(), shown(entry))).collect::<Map<_, _>>())
    } else {
        of_role.map(|(token, _)| Value::from(token.as_str())).collect()
    };
    Ok(Answer::json(200, &json!({"result": true, "message": null, "tokens": tokens})))
}

fn shown(entry: &RoleToken) -> Value {
    let (user, ip, port, cuk) = match &entry.maker {
        Maker::User(name) => (Some(name), None, 0, None),
        Maker::Host { record, .. } => (None, Some(&record.host), record.port, record.cuk.as_ref()),
    };
    json!({
        "user": user, "hostname": null, "ip": ip, "port": port, "cuk": cuk,
        "date": iso_date(entry.date), "expire": iso_date(entry.expire), "registerpath": entry.register_path,
    })
}
