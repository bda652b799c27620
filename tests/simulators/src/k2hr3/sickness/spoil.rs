//! Sicknesses that change status or body of an answer.

use serde_json::{Value, json};

use super::Sickness;
use crate::k2hr3::answer::{Answer, Body, JSON};
use crate::k2hr3::http::Request;

/// The depth of [`Sickness::DeepJson`]: beyond every recursion limit, below every body limit.
const DEPTH: usize = 100_000;

impl Sickness {
    /// The answer as the sick server gives it.
    pub(in crate::k2hr3) fn spoil(&self, request: &Request, right: Answer) -> Answer {
        match self {
            Self::EmptyBody if request.method == "GET" => Answer::typed(200, JSON, Vec::new()),
            Self::NullResource => with_resource(&Value::Null),
            Self::EmptyString => with_resource(&"".into()),
            Self::Html => Answer::typed(
                200,
                "text/html; charset=utf-8",
                b"<html><body><h1>Sign in to the network</h1></body></html>\n".to_vec(),
            ),
            Self::ServerErrorSayingTrue => {
                Answer::json(503, &json!({"result": true, "message": null, "resource": "[GLOBAL]\n"}))
            }
            Self::ResultFalse200 => Answer::error(200, "something is wrong inside"),
            Self::TruncatedJson => cut_in_half(right),
            Self::NoSlaves => without_slave_sections(right),
            Self::Redirect => redirect(request),
            Self::Status(status) => refusal(*status, request),
            Self::BackendDead { .. } => dead_backend(request),
            Self::NotUtf8 => with_raw_resource(b"\"NAME = \xff\xfe.example\""),
            Self::DeepJson => with_raw_resource(&[vec![b'['; DEPTH], vec![b']'; DEPTH]].concat()),
            _ => right,
        }
    }
}

fn with_resource(resource: &Value) -> Answer {
    Answer::json(200, &json!({"result": true, "message": null, "resource": resource}))
}

fn with_raw_resource(resource: &[u8]) -> Answer {
    let body = [br#"{"result":true,"message":null,"resource":"#, resource, b"}"].concat();
    Answer::typed(200, JSON, body)
}

fn cut_in_half(mut answer: Answer) -> Answer {
    if let Body::Full(bytes) = &mut answer.body {
        bytes.truncate(bytes.len() / 2);
    }
    answer
}

fn without_slave_sections(answer: Answer) -> Answer {
    let Ok(mut body) = serde_json::from_slice::<Value>(answer.body()) else { return answer };
    let Some(text) = body.get("resource").and_then(Value::as_str) else { return answer };
    let mut inside = false;
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| {
            if line.starts_with('[') {
                inside = line.starts_with("[SLVNODE]");
            }
            !inside
        })
        .collect();
    body["resource"] = kept.into();
    Answer::json(answer.status, &body)
}

fn redirect(request: &Request) -> Answer {
    let mut answer = Answer::typed(302, "text/plain; charset=utf-8", b"Found. Redirecting".to_vec());
    answer.headers.insert(0, ("Location", format!("http://192.0.2.1{}", request.target)));
    answer
}

/// The recorded text of each status; HEAD and DELETE have none.
fn refusal(status: u16, request: &Request) -> Answer {
    if matches!(request.method.as_str(), "HEAD" | "DELETE") {
        return Answer::bare(status);
    }
    match status {
        401 => Answer::error(401, &unknown_token(request)),
        404 => {
            let path = request.path().trim_start_matches("/v1/resource/");
            Answer::error(404, &format!("role does not allow to read access to resource({path})."))
        }
        _ => Answer::internal(status),
    }
}

/// With the backend dead every token is unknown, and nobody is a member (down-k2hdkc-*).
fn dead_backend(request: &Request) -> Answer {
    let has_token = request.header("x-auth-token").is_some_and(|token| !token.is_empty());
    let has_body = !matches!(request.method.as_str(), "HEAD" | "DELETE");
    match (has_token, has_body) {
        (true, true) => Answer::error(401, &unknown_token(request)),
        (true, false) => Answer::bare(401),
        (false, true) => {
            let (client, role) = (request.client(), request.query.text("role").unwrap_or_default());
            Answer::error(404, &format!("ip:port(\"{client}\":0) is not role(\"{role}\") member."))
        }
        (false, false) => Answer::bare(403),
    }
}

fn unknown_token(request: &Request) -> String {
    let header = request.header("x-auth-token").unwrap_or_default();
    let token = header.strip_prefix("R=").or(header.strip_prefix("U=")).unwrap_or(header);
    format!("token({token}) is not existed, because it is expired or not set yet.")
}
