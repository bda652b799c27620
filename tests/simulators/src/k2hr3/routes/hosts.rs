//! Registering: `PUT /v1/role/<role>?cuk=..` and `POST` with a body.

use serde_json::Value;

use super::Refusal;
use super::caller::{Caller, known_caller};
use super::roles::port;
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{HostRecord, Maker, State, folded_host, is_address};
use crate::k2hr3::yrn::{self, Yrn};

pub(super) fn put(state: &mut State, request: &Request, path: &str) -> Result<Answer, Refusal> {
    let caller = known_caller(state, request)?;
    let query = &request.query;
    let record = HostRecord {
        host: String::new(),
        port: port(request),
        cuk: query.trimmed("cuk").map(str::to_owned),
        extra: free_text("PUT", "extra", query.text("extra"))?,
        tag: free_text("PUT", "tag", query.text("tag"))?,
        inboundip: address("PUT", "inbound", query.text("inboundip"))?,
        outboundip: address("PUT", "outbound", query.text("outboundip"))?,
    };
    register(state, request, &caller, path, query.text("host"), record)
}

pub(super) fn post(state: &mut State, request: &Request, path: &str) -> Result<Answer, Refusal> {
    let host = request.body_member("host").filter(|host| host.is_object());
    let host = host.ok_or_else(|| Refusal::new(400, "POST body does not have host data"))?;
    let caller = known_caller(state, request)?;
    let text = |name: &str| host.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let record = HostRecord {
        host: String::new(),
        port: host.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        cuk: text("cuk").map(str::trim).filter(|cuk| !cuk.is_empty()).map(str::to_owned),
        extra: free_text("POST", "extra", text("extra"))?,
        tag: free_text("POST", "tag", text("tag"))?,
        inboundip: address("POST", "inbound", text("inboundip"))?,
        outboundip: address("POST", "outbound", text("outboundip"))?,
    };
    register(state, request, &caller, path, text("host"), record)
}

fn register(
    state: &mut State,
    request: &Request,
    caller: &Caller,
    path: &str,
    other_host: Option<&str>,
    mut record: HostRecord,
) -> Result<Answer, Refusal> {
    let role = role_of(path, caller.tenant().unwrap_or_default())?;
    record.host = match other_host {
        Some(host) => {
            need_user(caller)?;
            folded_host(host)
        }
        None => request.client(),
    };
    state.add_host(&role, record);
    Ok(Answer::created())
}

/// The role in the path, of the token's tenant. Whether it exists, or is the token's, is not looked at:
/// b11, b12, e22.
fn role_of(path: &str, tenant: &str) -> Result<String, Refusal> {
    let name = path.to_lowercase();
    match Yrn::parse(&name, "role") {
        Some(yrn) if yrn.tenant == tenant && yrn.service.is_empty() => Ok(yrn::role(tenant, &yrn.name)),
        Some(yrn) => {
            let (service, other) = (yrn.service, yrn.tenant);
            let message = format!(
                "role({name}) yrn has service({service}) and tenant({other}), but it is not specified service(null) and tenant({tenant})"
            );
            Err(Refusal::new(400, message))
        }
        None => Ok(yrn::role(tenant, &name)),
    }
}

/// Another address than the caller's takes a user, or a role token that a user made (b14, e21).
fn need_user(caller: &Caller) -> Result<(), Refusal> {
    match caller {
        Caller::Role { entry, .. } if matches!(entry.maker, Maker::Host { .. }) => {
            let tenant = Value::from(entry.tenant.as_str());
            Err(Refusal::new(400, format!("parameters are wrong : user=null, tenant={tenant}")))
        }
        Caller::Nobody | Caller::Role { .. } | Caller::User { .. } => Ok(()),
    }
}

/// `tag` and `extra` are read as JSON first. A value that is JSON and not a text is refused; for the `tag`
/// of a PUT the server trips over its own message: 500 (b17, b18). What is no JSON is taken as it is, which
/// keeps the quotes around a text with a raw line end (x01).
fn free_text(method: &str, name: &str, value: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    match serde_json::from_str::<Value>(value) {
        Ok(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
        Ok(_) if (method, name) == ("PUT", "tag") => Err(Refusal::new(500, "Internal server error")),
        Ok(_) => {
            let value = Value::from(value);
            Err(Refusal::new(400, format!("{method} request has {name} which is not string: {value}")))
        }
        Err(_) => Ok(Some(value.to_owned())),
    }
}

fn address(method: &str, name: &str, value: Option<&str>) -> Result<Option<String>, Refusal> {
    match value {
        Some(value) if !is_address(value) => {
            let value = Value::from(value);
            let message = format!(
                "{method} request has {name} ip address which is not ignore ip address string: {value}"
            );
            Err(Refusal::new(400, message))
        }
        value => Ok(value.map(str::to_owned)),
    }
}
