//! `/v1/resource`: the polls. Writing is in `write.rs` (`k2hr3_api` `routes/resource.ts`).

use serde_json::{Value, json};

use super::caller::{Caller, caller};
use super::roles::{is_expanded, port};
use super::{Refusal, target, write};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{Element, Resource, State, Wanted};
use crate::k2hr3::yrn::Yrn;

pub(super) fn answer(state: &mut State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    match request.method.as_str() {
        "PUT" | "POST" | "DELETE" => write::answer(state, request, rest),
        _ => read(state, request, rest),
    }
}

fn read(state: &State, request: &Request, rest: &str) -> Result<Answer, Refusal> {
    let caller = caller(state, request)?;
    let resource = target::resource(rest, &caller)?;
    let value = match &caller {
        Caller::User { .. } => for_user(state, request, &resource)?,
        Caller::Role { entry, .. } => {
            let element = element(request)?;
            refuse_address_parameters(request)?;
            for_role(state, &entry.role, &resource, element, request)?
        }
        Caller::Nobody => {
            let element = element(request)?;
            for_role(state, &member_role(state, request)?, &resource, element, request)?
        }
    };
    if request.method == "HEAD" {
        return Ok(Answer::no_content());
    }
    Ok(Answer::json(200, &json!({"result": true, "message": null, "resource": value})))
}

/// Returns everything at once; the full names that expansion adds to the keys are left out again, the loop
/// variables of the template are not (c40, c41).
fn for_user(state: &State, request: &Request, resource: &str) -> Result<Value, Refusal> {
    let missing = |message: String| Refusal::new(404, message);
    if !is_expanded(request)? {
        let entry = state.resources.get(resource);
        return entry
            .map(Resource::plain)
            .ok_or_else(|| missing(format!("Could not get resource data for resource yrn: {resource}")));
    }
    let expanded = state.expand(resource).map_err(missing)?;
    let keys = expanded.keys.map(|keys| {
        let short = keys.into_iter().filter(|(name, _)| !name.starts_with("yrn:"));
        Value::Object(short.collect())
    });
    Ok(json!({"string": expanded.text, "object": expanded.object, "keys": keys, "expire": null}))
}

/// An element. The policy comes first, so an unknown resource looks like a forbidden one (c16, c17).
fn for_role(
    state: &State,
    role: &str,
    resource: &str,
    element: Element<'_>,
    request: &Request,
) -> Result<Value, Refusal> {
    let status = if request.method == "HEAD" { 403 } else { 404 };
    let refused = |message: String| Refusal::new(status, message);
    let Yrn { tenant, name, .. } = Yrn::parse(role, "role")
        .ok_or_else(|| refused(format!("role({role}) is not full yrn role path.")))?;
    let who = format!("role({name}) in tenant({tenant})");
    if state.effective_policies(role).is_empty() {
        return Err(refused(format!("could not get {who} policy data.")));
    }
    if !state.may(role, "read", resource) {
        return Err(refused(format!("{who} does not allow to read access to resource({resource}).")));
    }
    let expanded = state.expand(resource).map_err(refused)?;
    expanded.element(element).ok_or_else(|| {
        let kind = element.name();
        refused(format!("resource({resource}) by {who} does not have value for type({kind}) data."))
    })
}

/// Reads what is asked: `type=string` (also by default, and where it is given twice, m09), `object`, or `keys`.
fn element(request: &Request) -> Result<Element<'_>, Refusal> {
    let query = &request.query;
    match query.text("type").map(str::to_ascii_lowercase).as_deref() {
        None | Some("string") => Ok(Element::Text),
        Some("object") => Ok(Element::Object),
        Some("keys") => query.text("keyname").map(Element::Key).ok_or_else(|| {
            let given = query.as_printed("keyname");
            Refusal::new(400, format!("GET request type=keys, but keyname({given}) parameter is empty."))
        }),
        Some(_) => {
            let given = query.as_printed("type");
            Err(Refusal::new(400, format!("GET request type({given}) parameter is wrong.")))
        }
    }
}

/// `port`, `cuk` and `role` are for callers without token only (c19).
fn refuse_address_parameters(request: &Request) -> Result<(), Refusal> {
    let query = &request.query;
    if !["port", "cuk", "role"].iter().any(|name| query.has(name)) {
        return Ok(());
    }
    let [port, cuk, role] = ["port", "cuk", "role"].map(|name| query.as_json(name));
    let message = format!(
        "GET resource:port/cuk/role field is specified, but it is not allowed by no token : port={port}, cuk={cuk}, role={role}"
    );
    Err(Refusal::new(400, message))
}

/// The role in whose name a member address reads (c30-c36).
fn member_role(state: &State, request: &Request) -> Result<String, Refusal> {
    let role = request.query.text("role");
    let role = role.ok_or_else(|| Refusal::new(400, "GET request does not have role yrn in post data."))?;
    let client = request.client();
    let wanted = Wanted { host: &client, port: port(request), cuk: request.query.trimmed("cuk") };
    if state.find_host(role, wanted).is_some() {
        return Ok(role.to_owned());
    }
    let status = if request.method == "HEAD" { 403 } else { 404 };
    let (client, port, role) = (Value::from(client.as_str()), port(request), Value::from(role));
    Err(Refusal::new(status, format!("ip:port({client}:{port}) is not role({role}) member.")))
}
