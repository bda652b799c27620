//! User tokens and the two kinds of role token (`docs/facts.md` K7 and K8).

use super::{HostRecord, State, Wanted, random_token};
use crate::k2hr3::answer::base64;

/// The token that the dummy user backend gave to a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) struct UserToken {
    pub(in crate::k2hr3) user: String,
    /// The tenant; none where it is not scoped.
    pub(in crate::k2hr3) tenant: Option<String>,
}

/// A role token. The text is its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) struct RoleToken {
    pub(in crate::k2hr3) role: String,
    pub(in crate::k2hr3) tenant: String,
    pub(in crate::k2hr3) maker: Maker,
    /// Unix seconds.
    pub(in crate::k2hr3) date: i64,
    pub(in crate::k2hr3) expire: i64,
    /// The path that `/v1/userdata/<path>` takes.
    pub(in crate::k2hr3) register_path: String,
    role_id: u64,
}

/// The maker of a token, who decides what it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::k2hr3) enum Maker {
    /// Good from anywhere, able to register other addresses, not refreshable.
    User(String),
    /// Good from the host's own address only, and while that very record stands.
    Host { record: HostRecord, registered_in: String, id: u64 },
}

impl State {
    /// Makes a token for a role that exists, or nothing.
    pub(in crate::k2hr3) fn make_role_token(
        &mut self,
        role: &str,
        tenant: &str,
        maker: Maker,
        life: i64,
    ) -> Option<(String, String)> {
        let role_id = self.role_id(role)?;
        let token = random_token();
        let register_path = register_path();
        let date = self.clock.unix();
        let entry = RoleToken {
            role: role.to_owned(),
            tenant: tenant.to_owned(),
            maker,
            date,
            expire: date + life,
            register_path: register_path.clone(),
            role_id,
        };
        self.role_tokens.insert(token.clone(), entry);
        Some((token, register_path))
    }

    /// The token, if it is good for a call from this address now. A token fails when it expired, when its
    /// role was deleted (x06), and an IP-bound one from elsewhere (e12) or when its host record is gone or
    /// was registered again (e18, g08).
    pub(in crate::k2hr3) fn valid_role_token(&self, token: &str, client: &str) -> Option<&RoleToken> {
        let found = self.role_tokens.get(token)?;
        let is_current =
            found.expire >= self.clock.unix() && self.role_id(&found.role) == Some(found.role_id);
        let fits_host = match &found.maker {
            Maker::User(_) => true,
            Maker::Host { record, registered_in, id } => {
                let stored = self.roles.get(registered_in).and_then(|role| role.hosts.get(&record.key()));
                record.host == client && stored.is_some_and(|stored| stored.id == *id)
            }
        };
        (is_current && fits_host).then_some(found)
    }

    /// The member that would get an IP-bound token.
    pub(in crate::k2hr3) fn token_maker(&self, role: &str, wanted: Wanted<'_>) -> Option<Maker> {
        let (registered_in, stored) = self.find_host(role, wanted)?;
        let (record, id) = (stored.record.clone(), stored.id);
        Some(Maker::Host { record, registered_in: registered_in.to_owned(), id })
    }

    pub(in crate::k2hr3) fn make_user_token(&mut self, user: &str, tenant: Option<&str>) -> String {
        let token = random_token();
        self.user_tokens
            .insert(token.clone(), UserToken { user: user.to_owned(), tenant: tenant.map(str::to_owned) });
        token
    }
}

/// The real one is role and token under AES-256-CBC; ours is as long and as opaque, looked up, not decrypted.
fn register_path() -> String {
    let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(160).collect();
    base64(&bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
