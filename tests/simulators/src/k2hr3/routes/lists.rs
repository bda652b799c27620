//! `/v1/policy` and `/v1/list`, for users only.

use serde_json::{Value, json};

use super::roles::strings;
use super::{Refusal, caller};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{Policy, State};
use crate::k2hr3::yrn;

pub(super) fn policy(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    let (_, tenant) = caller::user(state, request)?;
    let named = yrn::policy(&tenant, &rest.to_lowercase());
    match request.method.as_str() {
        "PUT" | "POST" => write_policy(state, request, &tenant),
        "DELETE" => {
            state.policies.remove(&named);
            Ok(Answer::no_content())
        }
        method => {
            let missing =
                || Refusal::new(if method == "HEAD" { 403 } else { 404 }, format!("{named} is not found"));
            let policy = state.policies.get(&named).ok_or_else(missing)?;
            let body = json!({"result": true, "message": null, "policy": shown(&named, policy)});
            Ok(if method == "HEAD" { Answer::no_content() } else { Answer::json(200, &body) })
        }
    }
}

fn write_policy(state: &mut State, request: &Request, tenant: &str) -> Result<Answer, Refusal> {
    let body = request.body_member("policy").filter(|policy| policy.is_object());
    let body = body.ok_or_else(|| Refusal::new(400, "POST body does not have policy data"))?;
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Refusal::new(400, "policy name is not specified or wrong value"))?;
    let list = |member: &str| body.get(member).and_then(strings).unwrap_or_default();
    let allows = body.get("effect").and_then(Value::as_str) == Some("allow");
    let policy = Policy { allows, actions: list("action"), resources: list("resource") };
    state.policies.insert(yrn::policy(tenant, &name.to_lowercase()), policy);
    Ok(Answer::created())
}

fn shown(name: &str, policy: &Policy) -> Value {
    let effect = if policy.allows { "allow" } else { "deny" };
    json!({
        "name": name, "effect": effect, "action": policy.actions, "resource": policy.resources,
        "condition": [], "alias": [],
    })
}

/// The tree of names below a path (d15).
pub(super) fn list(state: &State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    if request.header("x-auth-token").is_some_and(|header| header.starts_with("R=")) {
        // This one puts the status into the body too (d14).
        let message = "x-auth-token header token is not role token";
        return Ok(Answer::json(400, &json!({"result": false, "message": message, "status": 400})));
    }
    let (_, tenant) = caller::user(state, request)?;
    let (kind, path) = rest.split_once('/').unwrap_or((rest, ""));
    let names: Vec<&str> = match kind {
        "role" => state.roles.keys().map(String::as_str).collect(),
        "resource" => state.resources.keys().map(String::as_str).collect(),
        "policy" => state.policies.keys().map(String::as_str).collect(),
        _ => return Err(Refusal::new(400, "GET request url does not have list type")),
    };
    let top = format!("yrn:yahoo:::{tenant}:{kind}:");
    let paths: Vec<&str> = names.into_iter().filter_map(|name| name.strip_prefix(&top)).collect();
    let children = children(&paths, path);
    Ok(Answer::json(200, &json!({"result": true, "message": null, "children": children})))
}

fn children(paths: &[&str], parent: &str) -> Vec<Value> {
    let below = paths.iter().filter_map(|path| match parent {
        "" => Some(*path),
        _ => path.strip_prefix(parent)?.strip_prefix('/'),
    });
    let mut names: Vec<&str> = below.map(|rest| rest.split('/').next().unwrap_or(rest)).collect();
    names.sort_unstable();
    names.dedup();
    let full = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
    names.into_iter().map(|name| json!({"name": name, "children": children(paths, &full(name))})).collect()
}
