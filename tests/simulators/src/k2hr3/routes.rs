//! Which answer a request gets. One file per mount point of the real server (`k2hr3_api` `app.ts`).

mod caller;
mod hosts;
mod leave;
mod lists;
mod resources;
mod roles;
mod target;
mod tokens;
mod userdata;
mod users;
mod version;
mod write;

use super::answer::{Answer, Body};
use super::http::{Content, Request};
use super::query::decode_uri;
use super::state::State;

/// The reason why a call is refused. Its status and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    status: u16,
    message: String,
}

impl Refusal {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::error(refusal.status, &refusal.message)
    }
}

/// Answers as the healthy server does.
pub(super) fn answer(state: &mut State, request: &Request) -> Answer {
    match request.body {
        Content::Malformed => return Answer::internal(400),
        Content::TooLarge => return Answer::internal(413),
        Content::Nothing | Content::Json(_) => {}
    }
    let Some(mount) = Mount::of(request.path()) else { return Answer::internal(404) };
    if request.method == "OPTIONS" {
        return options(mount.kind.methods());
    }
    if !mount.kind.methods().contains(&request.method.as_str()) {
        return Answer::internal(404);
    }
    let Some(rest) = decode_uri(mount.rest) else { return Answer::internal(500) };
    let result = match mount.kind {
        MountKind::Root => Ok(version::root()),
        MountKind::Versions => Ok(version::endpoints()),
        MountKind::Users => users::answer(state, request),
        MountKind::Roles => roles::answer(state, request, &rest),
        MountKind::Resources => resources::answer(state, request, &rest),
        MountKind::Policies => lists::policy(state, request, &rest),
        MountKind::Lists => lists::list(state, request, &rest),
        MountKind::UserData => userdata::cloud_init(state, request, mount.rest),
        MountKind::ExtData => userdata::extra(state, request, mount.rest),
    };
    match result {
        Ok(answer) => answer,
        Err(refusal) if matches!(request.method.as_str(), "HEAD" | "DELETE") => Answer::bare(refusal.status),
        Err(refusal) => refusal.into(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MountKind {
    Root,
    Versions,
    Users,
    Roles,
    Resources,
    Policies,
    Lists,
    UserData,
    ExtData,
}

/// The router a path belongs to, and what follows its prefix, undecoded.
struct Mount<'a> {
    kind: MountKind,
    rest: &'a str,
}

impl<'a> Mount<'a> {
    fn of(path: &'a str) -> Option<Self> {
        const PREFIXES: [(&str, MountKind); 7] = [
            ("/v1/user/tokens", MountKind::Users),
            ("/v1/role", MountKind::Roles),
            ("/v1/resource", MountKind::Resources),
            ("/v1/policy", MountKind::Policies),
            ("/v1/list", MountKind::Lists),
            ("/v1/userdata", MountKind::UserData),
            ("/v1/extdata", MountKind::ExtData),
        ];
        // One slash at the end does not count (c28).
        let trimmed = path.strip_suffix('/').unwrap_or(path);
        match trimmed {
            "" if path == "/" => return Some(Self { kind: MountKind::Root, rest: "" }),
            "/v1" => return Some(Self { kind: MountKind::Versions, rest: "" }),
            _ => {}
        }
        PREFIXES.into_iter().find_map(|(prefix, kind)| {
            let rest = trimmed.strip_prefix(prefix)?;
            let inner = rest.strip_prefix('/').or_else(|| rest.is_empty().then_some(""))?;
            Some(Self { kind, rest: inner })
        })
    }
}

impl MountKind {
    /// In the order in which OPTIONS lists them.
    fn methods(self) -> &'static [&'static str] {
        match self {
            Self::Root | Self::Versions | Self::Lists => &["GET", "HEAD"],
            Self::Users => &["GET", "HEAD", "POST", "PUT"],
            Self::Roles | Self::Resources | Self::Policies => &["DELETE", "GET", "HEAD", "POST", "PUT"],
            Self::UserData | Self::ExtData => &["GET"],
        }
    }
}

/// Express answers OPTIONS by itself (a05).
fn options(methods: &[&str]) -> Answer {
    let list = methods.join(", ");
    let headers = vec![
        ("Allow", list.clone()),
        ("Content-Type", "text/plain".to_owned()),
        ("X-Content-Type-Options", "nosniff".to_owned()),
    ];
    Answer { status: 200, headers, body: Body::Untagged(list.into_bytes()) }
}
