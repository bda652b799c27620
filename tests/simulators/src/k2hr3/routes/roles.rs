//! `/v1/role`: which of its many calls is meant; and the short ones (`k2hr3_api` `routes/role.ts`).

use serde_json::{Value, json};

use super::caller::{self, Caller, caller};
use super::{Refusal, hosts, leave, target, tokens};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{Kind, State, Wanted};

pub(super) fn answer(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    match (request.method.as_str(), rest) {
        ("PUT" | "POST", "") => create(state, request),
        ("PUT", _) => hosts::put(state, request, rest),
        ("POST", _) => hosts::post(state, request, rest),
        ("DELETE", _) => leave::delete(state, request, rest),
        ("HEAD", _) => head(state, request, rest),
        _ => get(state, request, rest),
    }
}

fn get(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    let caller = caller(state, request)?;
    if let Some(path) = rest.strip_prefix("token/list/").filter(|path| !path.is_empty()) {
        return tokens::list(state, request, &caller, path);
    }
    if let Some(path) = rest.strip_prefix("token/").filter(|path| !path.is_empty()) {
        return tokens::get(state, request, &caller, path);
    }
    if rest.is_empty() {
        return Err(Refusal::new(400, "GET request url does not have role name"));
    }
    let role = target::role(rest, &caller)?.yrn();
    if !matches!(caller, Caller::User { .. }) {
        let message = format!("GET request without UserToken for getting role({role}), need User Token.");
        return Err(Refusal::new(400, message));
    }
    let shown = if is_expanded(request)? { expanded(state, &role) } else { unexpanded(state, &role) };
    Ok(Answer::json(200, &json!({"result": true, "message": null, "role": shown})))
}

/// Only policies: the hosts are in the other form (d02).
fn expanded(state: &State, role: &str) -> Value {
    json!({"policies": state.effective_policies(role)})
}

/// Own things only, hosts as blank-separated lines; an unknown role looks like an empty one (d01, d05).
fn unexpanded(state: &State, role: &str) -> Value {
    let role = state.roles.get(role).cloned().unwrap_or_default();
    let (names, ips) = (role.hosts.lines(Kind::Name), role.hosts.lines(Kind::Ip));
    json!({"policies": role.policies, "aliases": role.aliases, "hosts": {"hostnames": names, "ips": ips}})
}

/// Without token: am I a member. With one: is it good, whatever role the path names (d12).
fn head(state: &State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    let caller = caller(state, request)?;
    if rest.is_empty() {
        return Err(Refusal::new(400, ""));
    }
    let role = target::role(rest, &caller)?.yrn();
    let client = request.client();
    let wanted = Wanted { host: &client, port: port(request), cuk: request.query.trimmed("cuk") };
    match caller {
        Caller::Nobody if state.find_host(&role, wanted).is_none() => Err(Refusal::new(403, "")),
        Caller::Nobody | Caller::Role { .. } | Caller::User { .. } => Ok(Answer::no_content()),
    }
}

/// Creates or changes a role: POST with a body, PUT with parameters. Users only.
fn create(state: &mut State, request: &Request) -> Result<Answer, Refusal> {
    let (_, tenant) = caller::user(state, request)?;
    let body = request.body_member("role");
    if request.method == "POST" && body.is_none() {
        return Err(Refusal::new(400, "POST body does not have role data"));
    }
    let name = body.and_then(|role| role.get("name")).and_then(Value::as_str).or(request.query.text("name"));
    let name = name.ok_or_else(|| Refusal::new(400, "role name is not specified or wrong value"))?;
    let role = target::role(name, &Caller::User { name: String::new(), tenant })?.yrn();
    let parameter = |member: &str| serde_json::from_str::<Value>(request.query.text(member)?).ok();
    let list = |member: &str| match body {
        Some(role) => role.get(member).and_then(strings),
        None => parameter(member).as_ref().and_then(strings),
    };
    state.put_role(&role, list("policies"), list("alias"));
    Ok(Answer::created())
}

pub(super) fn strings(value: &Value) -> Option<Vec<String>> {
    let items = value.as_array()?;
    Some(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// `expand=true`, the default, or `expand=false`.
pub(super) fn is_expanded(request: &Request) -> Result<bool, Refusal> {
    match request.query.text("expand").map(str::to_ascii_lowercase).as_deref() {
        None | Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => {
            let given = request.query.as_json("expand");
            let message =
                format!("GET expand url argument parameter({given}) is wrong, it must be true or false.");
            Err(Refusal::new(400, message))
        }
    }
}

/// 0, any, where it is absent or no number (b16).
pub(super) fn port(request: &Request) -> u16 {
    request.query.number("port").and_then(|port| u16::try_from(port).ok()).unwrap_or(0)
}
