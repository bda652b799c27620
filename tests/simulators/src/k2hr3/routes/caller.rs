//! The caller, by the header `x-auth-token` (`k2hr3_api` `lib/k2hr3tokens.ts`, `rawCheckToken`).

use super::Refusal;
use crate::k2hr3::http::Request;
use crate::k2hr3::state::{RoleToken, State};

/// A caller whose token is good.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    /// No header, or an empty one (c38): judged by its address where the call allows that.
    Nobody,
    Role {
        token: String,
        entry: Box<RoleToken>,
    },
    User {
        name: String,
        tenant: String,
    },
}

impl Caller {
    /// The tenant its token is for.
    pub(super) fn tenant(&self) -> Option<&str> {
        match self {
            Self::Nobody => None,
            Self::Role { entry, .. } => Some(&entry.tenant),
            Self::User { tenant, .. } => Some(tenant),
        }
    }
}

/// Checks the token there is. `R=` in front, exactly so, makes a role token; everything else is taken for a
/// user token, with or without `U=` (b09, b10).
pub(super) fn caller(state: &State, request: &Request) -> Result<Caller, Refusal> {
    let header = request.header("x-auth-token").unwrap_or_default();
    if header.is_empty() {
        return Ok(Caller::Nobody);
    }
    if let Some(token) = header.strip_prefix("R=") {
        let entry = state.valid_role_token(token, &request.client()).ok_or_else(|| unknown(token))?;
        return Ok(Caller::Role { token: token.to_owned(), entry: Box::new(entry.clone()) });
    }
    let token = header.strip_prefix("U=").unwrap_or(header);
    let entry = state.user_tokens.get(token).ok_or_else(|| unknown(token))?;
    let unscoped = || Refusal::new(401, format!("token({token}) is not scoped."));
    Ok(Caller::User { name: entry.user.clone(), tenant: entry.tenant.clone().ok_or_else(unscoped)? })
}

/// As [`caller`], where a token is a must.
pub(super) fn known_caller(state: &State, request: &Request) -> Result<Caller, Refusal> {
    match caller(state, request)? {
        Caller::Nobody => Err(missing()),
        known => Ok(known),
    }
}

/// As [`known_caller`], where only a user may call. Gives the user and the tenant.
pub(super) fn user(state: &State, request: &Request) -> Result<(String, String), Refusal> {
    if request.header("x-auth-token").is_some_and(|header| header.starts_with("R=")) {
        return Err(Refusal::new(400, "x-auth-token header token is not role token"));
    }
    match caller(state, request)? {
        Caller::User { name, tenant } => Ok((name, tenant)),
        Caller::Nobody | Caller::Role { .. } => Err(missing()),
    }
}

fn missing() -> Refusal {
    Refusal::new(400, "There is no x-auth-token header")
}

/// Expired, used from elsewhere, unknown, or the backend is dead: always this.
pub(super) fn unknown(token: &str) -> Refusal {
    Refusal::new(401, format!("token({token}) is not existed, because it is expired or not set yet."))
}
