//! `/v1/user/tokens`, with the dummy backend that knows every user and any password.

use serde_json::{Value, json};

use super::Refusal;
use super::caller::unknown;
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::State;

pub(super) fn answer(state: &mut State, request: &Request) -> Result<Answer, Refusal> {
    if request.method == "GET" || request.method == "HEAD" {
        return tenants(state, request);
    }
    let auth = request.body_member("auth").cloned().unwrap_or_default();
    let text = |value: Option<&Value>, parameter: &str| {
        value.and_then(Value::as_str).or(request.query.text(parameter)).map(str::to_lowercase)
    };
    let tenant = text(auth.get("tenantName").or(auth.get("tenantId")), "tenantname");
    let user = match text(auth.pointer("/passwordCredentials/username"), "username") {
        Some(user) => user,
        None => known_user(state, request)?,
    };
    if let Some(tenant) = tenant.as_ref().filter(|tenant| !state.tenants.contains(tenant)) {
        let message =
            format!("could not get scoped user token for user={user}, tenant={tenant} by not found");
        return Err(Refusal::new(404, message));
    }
    let token = state.make_user_token(&user, tenant.as_deref());
    let body = json!({"result": true, "message": "succeed", "scoped": tenant.is_some(), "token": token});
    Ok(Answer::json(201, &body))
}

fn tenants(state: &State, request: &Request) -> Result<Answer, Refusal> {
    let user = known_user(state, request)?;
    let tenants = state.tenants.iter().enumerate().map(|(number, name)| {
        json!({
            "name": name, "display": format!("dummy_tenant_{number}"), "id": (1000 + number).to_string(),
            "description": format!("dummy tenant no.{number}"),
        })
    });
    let tenants: Vec<Value> = tenants.collect();
    let body =
        json!({"result": true, "message": "succeed", "scoped": false, "user": user, "tenants": tenants});
    Ok(if request.method == "HEAD" { Answer::no_content() } else { Answer::json(200, &body) })
}

/// By a user token, scoped or not.
fn known_user(state: &State, request: &Request) -> Result<String, Refusal> {
    let header = request.header("x-auth-token").filter(|header| !header.is_empty());
    let header = header.ok_or_else(|| Refusal::new(400, "There is no x-auth-token header"))?;
    let token = header.strip_prefix("U=").unwrap_or(header);
    state.user_tokens.get(token).map(|entry| entry.user.clone()).ok_or_else(|| unknown(token))
}
