//! Requests: from bytes on a connection to something a route can read.

mod read;

use std::net::IpAddr;

use serde_json::Value;

use super::query::Query;
pub(super) use read::{Read, Reader};

/// A request, completely read.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query as sent.
    pub(super) target: String,
    pub(super) query: Query,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Content,
    pub(super) peer: IpAddr,
    /// HTTP/1.0 instead of 1.1.
    pub(super) is_old: bool,
}

/// A body as body-parser hands it on.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    /// A body that is missing, or of a type that is not looked at.
    Nothing,
    Json(Value),
    /// Said to be JSON and is not: 400 before any route sees it (b23).
    Malformed,
    /// More than the 100 kB of body-parser: 413 (m04).
    TooLarge,
}

impl Request {
    /// The path as sent, without the query.
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The address by which a host is known. `X-Forwarded-For` is believed from loopback peers only, and
    /// of its list the last address that is not loopback (`trust proxy` = `loopback`, `app.ts`; b25).
    pub(super) fn client(&self) -> String {
        let peer = self.peer.to_canonical();
        let mut hops = vec![peer.to_string()];
        if let Some(forwarded) = self.header("x-forwarded-for") {
            hops.extend(forwarded.rsplit(',').map(|hop| hop.trim().to_owned()).filter(|hop| !hop.is_empty()));
        }
        let is_trusted =
            |hop: &String| hop.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        let client = hops.iter().find(|hop| !is_trusted(hop)).or(hops.last()).cloned().unwrap_or_default();
        client.strip_prefix("::ffff:").map_or(client.clone(), str::to_owned)
    }

    pub(super) fn keeps_alive(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        if self.is_old { connection.contains("keep-alive") } else { !connection.contains("close") }
    }

    /// Checks whether `If-None-Match` holds this tag; a missing `W/` does not matter (c21), `no-cache` does (c22).
    pub(super) fn has_tag(&self, tag: &str) -> bool {
        let uncached = self.header("cache-control").is_some_and(|value| value.contains("no-cache"));
        let Some(known) = self.header("if-none-match").filter(|_| !uncached) else { return false };
        let strong = tag.trim_start_matches("W/");
        known.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == strong)
    }

    /// A member of the JSON body.
    pub(super) fn body_member(&self, name: &str) -> Option<&Value> {
        match &self.body {
            Content::Json(body) => body.get(name),
            Content::Nothing | Content::Malformed | Content::TooLarge => None,
        }
    }
}
