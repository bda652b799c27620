//! Creating, changing and deleting resources.

use serde_json::{Map, Value};

use super::caller::{Caller, known_caller};
use super::roles::strings;
use super::{Refusal, target};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{Resource, State};
use crate::k2hr3::yrn::Yrn;

pub(super) fn answer(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    let posted = request.body_member("resource").filter(|resource| resource.is_object());
    if request.method == "POST" && posted.is_none() {
        return Err(Refusal::new(400, "POST body does not have resource data"));
    }
    let caller = known_caller(state, request)?;
    let member = |name: &str| match posted {
        Some(posted) => posted.get(name).cloned(),
        None => parameter(request, name),
    };
    let named = member("name").and_then(|name| name.as_str().map(str::to_owned));
    let resource = target::resource(named.as_deref().unwrap_or(rest), &caller)?;
    need_write(state, &caller, &resource)?;
    if request.method == "DELETE" {
        state.resources.remove(&resource);
        return Ok(Answer::no_content());
    }
    let written = changed(state.resources.get(&resource), member);
    state.resources.insert(resource, written);
    Ok(Answer::created())
}

/// Of a PUT. `data` and `keys` are JSON in there.
fn parameter(request: &Request, name: &str) -> Option<Value> {
    let given = request.query.text(name)?;
    match name {
        "data" | "keys" | "alias" => serde_json::from_str(given).ok(),
        _ => Some(Value::from(given)),
    }
}

/// A user may; a role token only by policy, and that of the `DBaaS` tools allows reading only (x05).
fn need_write(state: &State, caller: &Caller, resource: &str) -> Result<(), Refusal> {
    let Caller::Role { entry, .. } = caller else { return Ok(()) };
    if state.may(&entry.role, "write", resource) {
        return Ok(());
    }
    let [name, role] = [(resource, "resource"), (entry.role.as_str(), "role")]
        .map(|(yrn, kind)| Value::from(Yrn::parse(yrn, kind).map(|yrn| yrn.name).unwrap_or_default()));
    let tenant = Value::from(entry.tenant.as_str());
    Err(Refusal::new(400, format!("could not create resource({name}) for tenant({tenant}), role({role})")))
}

/// Null means "leave as it is"; a resource that never got any data has no type and cannot be read.
fn changed(old: Option<&Resource>, member: impl Fn(&str) -> Option<Value>) -> Resource {
    let mut resource = old.cloned().unwrap_or_default();
    match member("data") {
        None | Some(Value::Null) => {}
        Some(Value::String(text)) => {
            resource.kind = Some("string".to_owned());
            resource.text = text;
        }
        Some(object) => {
            resource.kind = Some("object".to_owned());
            resource.object = object;
        }
    }
    match member("keys") {
        None | Some(Value::Null) => {}
        Some(Value::Object(keys)) => resource.keys = Some(keys),
        Some(_) => resource.keys = Some(Map::new()),
    }
    if let Some(aliases) = member("alias").as_ref().and_then(strings) {
        resource.aliases = aliases;
    }
    resource
}
