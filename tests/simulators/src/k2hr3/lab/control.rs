//! `/_lab`: the control over HTTP, for the simulator as a program of its own.

use serde_json::{Value, json};

use super::{HostRecord, Lab};
use crate::k2hr3::answer::Answer;
use crate::k2hr3::http::Request;
use crate::k2hr3::sickness::{Illness, Sickness};

impl Lab {
    /// Answers a request below `/_lab`. It is not logged and never sick.
    pub(super) fn control(&self, request: &Request) -> Answer {
        let role = request.query.text("role").unwrap_or_default();
        match (request.method.as_str(), request.path()) {
            ("GET", "/_lab/members") => Answer::json(200, &self.members(role).iter().map(shown).collect()),
            ("PUT", "/_lab/members") => self.control_register(request, role),
            ("DELETE", "/_lab/members") => {
                let gone = self.deregister(role, request.query.trimmed("cuk").unwrap_or_default());
                Answer::json(if gone { 200 } else { 404 }, &json!({"removed": gone}))
            }
            ("GET", "/_lab/sickness") => Answer::json(
                200,
                &json!({"sickness": self.lock().illness.as_ref().map(|illness| format!("{illness:?}"))}),
            ),
            ("PUT", "/_lab/sickness") => self.control_sickness(request),
            ("DELETE", "/_lab/sickness") => {
                self.set_sickness(None);
                Answer::no_content()
            }
            ("GET", "/_lab/requests") => Answer::json(200, &self.requests_shown()),
            ("DELETE", "/_lab/requests") => {
                self.clear_requests();
                Answer::no_content()
            }
            _ => Answer::error(404, "no such control"),
        }
    }

    fn control_register(&self, request: &Request, role: &str) -> Answer {
        let text = |name: &str| request.query.trimmed(name).unwrap_or_default();
        if role.is_empty() || text("host").is_empty() || text("cuk").is_empty() {
            return Answer::error(400, "role, host and cuk are needed");
        }
        self.register(role, HostRecord::openstack(text("host"), text("cuk"), text("tag")));
        Answer::created()
    }

    fn control_sickness(&self, request: &Request) -> Answer {
        let Some(sickness) = sickness(request) else { return Answer::error(400, "unknown sickness") };
        if sickness == Sickness::Refuse && !request.query.has("answers") {
            return Answer::error(400, "refuse needs answers: without it nobody could connect to end it");
        }
        let mut illness = Illness::from(sickness);
        if request.query.text("scope") == Some("resources") {
            illness = illness.only_resources();
        }
        if let Some(count) = request.query.number("answers").and_then(|count| usize::try_from(count).ok()) {
            illness = illness.for_answers(count);
        }
        self.set_illness(Some(illness));
        Answer::no_content()
    }

    fn requests_shown(&self) -> Value {
        let now = std::time::Instant::now();
        let shown = self.requests().into_iter().map(|request| {
            let age = now.duration_since(request.at).as_secs_f64();
            json!({
                "seconds_ago": age, "method": request.method, "path": request.path,
                "peer": request.peer.to_string(), "status": request.status,
            })
        });
        shown.collect()
    }
}

fn shown(record: &HostRecord) -> Value {
    json!({"host": record.host, "port": record.port, "cuk": record.cuk, "extra": record.extra, "tag": record.tag})
}

/// `?name=<kind in kebab case>` with `ms=`, `bytes=`, `status=`, `cuk=` or `share=` where the kind needs one.
fn sickness(request: &Request) -> Option<Sickness> {
    let query = &request.query;
    let number = |name: &str, default: u64| {
        query.number(name).and_then(|value| value.try_into().ok()).unwrap_or(default)
    };
    let delay = std::time::Duration::from_millis(number("ms", 1_000));
    Some(match query.text("name")? {
        "empty-body" => Sickness::EmptyBody,
        "null-resource" => Sickness::NullResource,
        "empty-string" => Sickness::EmptyString,
        "html" => Sickness::Html,
        "server-error-saying-true" => Sickness::ServerErrorSayingTrue,
        "result-false-200" => Sickness::ResultFalse200,
        "truncated-json" => Sickness::TruncatedJson,
        "truncated-body" => Sickness::TruncatedBody,
        "no-servers" => Sickness::NoServers,
        "no-slaves" => Sickness::NoSlaves,
        "without-host" => Sickness::WithoutHost { cuk: query.text("cuk")?.to_owned() },
        "half-of-servers" => Sickness::HalfOfServers,
        "newline-in-tag" => Sickness::NewlineInTag,
        "control-characters" => Sickness::ControlCharacters,
        "huge" => Sickness::Huge { bytes: number("bytes", 100_000_000) },
        "slow-drip" => Sickness::SlowDrip { byte_every: delay },
        "reset-in-mid-body" => Sickness::ResetInMidBody,
        "redirect" => Sickness::Redirect,
        "status" => Sickness::Status(u16::try_from(query.number("status")?).ok()?),
        "backend-dead" => Sickness::BackendDead { after: delay },
        "stall" => Sickness::Stall(delay),
        "stall-then-close" => Sickness::StallThenClose(delay),
        "refuse" => Sickness::Refuse,
        "wrong-content-length" => Sickness::WrongContentLength,
        "not-utf8" => Sickness::NotUtf8,
        "deep-json" => Sickness::DeepJson,
        "lost-registrations" => Sickness::LostRegistrations { share: query.text("share")?.parse().ok()? },
        "blink-on-reregister" => Sickness::BlinkOnReregister,
        _ => return None,
    })
}
