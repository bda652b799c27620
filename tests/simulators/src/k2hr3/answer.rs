//! An answer and its bytes, with the header habits of Express 5 on Node.

use serde_json::{Value, json};

use super::http::Request;

pub(super) const JSON: &str = "application/json; charset=utf-8";

/// The text of every unhandled case, whatever its status (`k2hr3_api` `app.ts`, error handler).
const INTERNAL: &str = "Internal server error";

/// The decision of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Between `X-Powered-By` and `Content-Length`, in order.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Sent with `Content-Length` and `ETag`.
    Full(Vec<u8>),
    /// Sent without both; Node adds `Content-Length: 0` unless status or method forbid a body.
    None,
    /// As `Full`, but without an `ETag`: the automatic answer to OPTIONS.
    Untagged(Vec<u8>),
}

impl Answer {
    pub(super) fn json(status: u16, value: &Value) -> Self {
        Self::typed(status, JSON, value.to_string().into_bytes())
    }

    pub(super) fn typed(status: u16, kind: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("Content-Type", kind.to_owned())], body: Body::Full(body) }
    }

    /// `{"result":true,"message":null}`, what every successful PUT and POST says.
    pub(super) fn created() -> Self {
        Self::json(201, &json!({"result": true, "message": null}))
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), body: Body::None }
    }

    pub(super) fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"result": false, "message": message}))
    }

    /// Errors of HEAD and DELETE have no body.
    pub(super) fn bare(status: u16) -> Self {
        Self { status, headers: vec![("Content-Type", JSON.to_owned())], body: Body::None }
    }

    pub(super) fn internal(status: u16) -> Self {
        Self::error(status, INTERNAL)
    }

    /// The body, or nothing.
    pub(super) fn body(&self) -> &[u8] {
        match &self.body {
            Body::Full(bytes) | Body::Untagged(bytes) => bytes,
            Body::None => &[],
        }
    }

    /// `x-k2hr3-debug` repeats an error in a header, the only way to see anything of a body-less one
    /// (`k2hr3_api` `lib/k2hr3resutil.ts`; c43, c44).
    pub(super) fn debugged(mut self, request: &Request) -> Self {
        let asked = request.header("x-k2hr3-debug").is_some_and(|value| {
            ["on", "ok", "debug", "dbg", "1"].iter().any(|word| value.eq_ignore_ascii_case(word))
        });
        if asked && self.status >= 400 {
            let text = match &self.body {
                Body::Full(bytes) | Body::Untagged(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Body::None => json!({"status": self.status}).to_string(),
            };
            self.headers.push(("x-k2hr3-error", text));
        }
        self
    }

    /// 304 instead of a body the client has already; only for GET and HEAD that succeeded.
    pub(super) fn unless_known(self, request: &Request) -> Self {
        let Body::Full(body) = &self.body else { return self };
        let readable = matches!(request.method.as_str(), "GET" | "HEAD") && self.status == 200;
        if !readable || !request.has_tag(&etag(body)) {
            return self;
        }
        Self { status: 304, headers: vec![("ETag", etag(body))], body: Body::None }
    }

    /// Head and body as they go out.
    pub(super) fn bytes(&self, request: &Request, date: &str) -> Vec<u8> {
        let mut bytes = self.head(request, date, self.body().len());
        if request.method != "HEAD" {
            bytes.extend_from_slice(self.body());
        }
        bytes
    }

    /// The head alone, claiming `length` bytes of body.
    pub(super) fn head(&self, request: &Request, date: &str, length: usize) -> Vec<u8> {
        let mut lines =
            vec![format!("HTTP/1.1 {} {}", self.status, reason(self.status)), "X-Powered-By: Express".into()];
        lines.extend(cors(request));
        lines.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        match &self.body {
            Body::Full(body) => {
                lines.extend([format!("Content-Length: {length}"), format!("ETag: {}", etag(body))]);
            }
            Body::Untagged(_) => lines.insert(lines.len() - 2, format!("Content-Length: {length}")),
            Body::None => {}
        }
        lines.push(format!("Date: {date}"));
        lines.push(format!("Connection: {}", if request.keeps_alive() { "keep-alive" } else { "close" }));
        if request.keeps_alive() {
            lines.push("Keep-Alive: timeout=5".into());
        }
        if self.body == Body::None && request.method != "HEAD" && self.status != 204 && self.status != 304 {
            lines.push("Content-Length: 0".into());
        }
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }
}

/// The weak tag of Express: length in hex, then the SHA-1 of the body in base64 without its padding.
pub(super) fn etag(body: &[u8]) -> String {
    let digest = sha1_smol::Sha1::from(body).digest().bytes();
    format!("W/\"{:x}-{}\"", body.len(), &base64(&digest)[..27])
}

/// Standard base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = usize::try_from(group >> (18 - 6 * position) & 63).unwrap_or(0);
            text.push(if position > chunk.len() { '=' } else { char::from(ALPHABET[index]) });
        }
    }
    text
}

/// Any Origin is allowed and echoed (a06).
fn cors(request: &Request) -> Vec<String> {
    let Some(origin) = request.header("origin").filter(|origin| !origin.is_empty()) else {
        return Vec::new();
    };
    vec![
        format!("Access-Control-Allow-Origin: {origin}"),
        "Access-Control-Allow-Headers: Origin,X-Requested-With,X-HTTP-Method-Override,Content-Type,Accept,X-Auth-Token,x-k2hr3-debug".into(),
        "Access-Control-Allow-Methods: HEAD,POST,GET,PUT,DELETE,OPTIONS".into(),
        "Access-Control-Expose-Headers: X-Auth-Token,x-k2hr3-error".into(),
        "Access-Control-Allow-Credentials: true".into(),
        "Access-Control-Max-Age: 86400".into(),
    ]
}

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_those_of_express() {
        assert_eq!(etag(br#"{"version":["v1"]}"#), r#"W/"12-xJAXDxNN6dHZloyDSOYZx3NAvM0""#);
        assert_eq!(etag(br#"{"result":true,"message":null}"#), r#"W/"1e-76ytJ67rlNiryno+8dHo7N0G2f0""#);
    }
}
