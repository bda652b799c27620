//! The role of this node: asks whether the node is in it, enters it, leaves it. [`crate::registration`] decides the next
//! step; here are the requests.

use tracing::{debug, info};

use super::exchange::{Exchange, Reply, Trust};
use super::wire;
use super::words::Trouble;
use crate::answer::{Doubt, HostRecord};
use crate::identity::{Identity, Registry};
use crate::machine;
use crate::names::{Tag, Yrn};
use crate::registration::{self, Listed, Seen, Step, Verdict, Wish};
use crate::settings::{self, Auth};

/// Mark of a VM whose CUK is the instance's; a later DELETE with the CUK finds no record with another one (k2hr3_api
/// 2.0.3, lib/k2hr3dkc.ts:8260).
const EXTRA: &str = "openstack-auto-v1";

/// See the module.
#[derive(Debug)]
pub struct Role {
    settings: settings::K2hr3,
    exchange: Option<Exchange>,
}

impl Role {
    /// Makes a client, which connects at the first attempt.
    pub fn new(settings: settings::K2hr3) -> Self {
        Self { settings, exchange: None }
    }

    /// Tries to fulfil the wish once: a few requests, each with its deadline, and at most one that changes anything.
    ///
    /// # Errors
    ///
    /// A [`Doubt`] where K2HR3 gives no answer to a step, or refuses it.
    pub async fn attempt(
        &mut self,
        wish: Wish,
        identity: &Identity,
        tag: Option<&Tag>,
    ) -> Result<Verdict, Doubt> {
        let Some(registry) = &identity.k2hr3 else {
            return Err(Trouble::NoRole.into());
        };
        let trust = Trust::now(&self.settings, &registry.api_uri);
        let exchange = match self.exchange.take().filter(|exchange| exchange.trust == trust) {
            Some(exchange) => exchange,
            None => Exchange::new(&self.settings, trust)?,
        };
        let call = Call { exchange: &exchange, settings: &self.settings, identity, registry, tag };
        let result = call.attempt(wish).await;
        self.exchange = Some(exchange);
        result
    }
}

/// Common part of all requests of one attempt.
struct Call<'a> {
    exchange: &'a Exchange,
    settings: &'a settings::K2hr3,
    identity: &'a Identity,
    registry: &'a Registry,
    tag: Option<&'a Tag>,
}

impl Call<'_> {
    async fn attempt(&self, wish: Wish) -> Result<Verdict, Doubt> {
        let mut seen = Seen::default();
        loop {
            let step = registration::next(wish, &seen);
            let taken = match &step {
                Step::Ask => self.exchange.head(&self.url("")).await.map(|is| seen.member = Some(is)),
                Step::AskAddress => self.exchange.head(&self.role()).await.map(|is| seen.taken = Some(is)),
                Step::List => self.list(wish).await.map(|listed| seen.listed = Some(listed)),
                Step::Register => self.register().await.map(|()| seen = changed()),
                Step::Deregister => self.exchange.delete(&self.url("")).await.map(|()| seen = changed()),
                Step::End(verdict) => return Ok(verdict.clone()),
            };
            taken.map_err(|doubt| {
                let doubt = Doubt { text: format!("{}: {}", word(&step), doubt.text), ..doubt };
                let remedy = registration::remedy(&step, &doubt);
                doubt.with(remedy)
            })?;
        }
    }

    /// The YRN goes raw into the path. No token: with one, HEAD and DELETE mean something else.
    fn role(&self) -> String {
        format!("{}/v1/role/{}", self.registry.api_uri, self.registry.role)
    }

    /// Returns the URL of this very node in its role.
    fn url(&self, more: &str) -> String {
        format!("{}?cuk={}{more}", self.role(), wire::encoded(self.identity.cuk.as_str()))
    }

    async fn register(&self) -> Result<(), Doubt> {
        let Some(token) = &self.registry.token else {
            return Err(Trouble::NoTokenToRegister(self.settings.token_file.clone()).into());
        };
        let tag = self.tag.map_or(String::new(), |tag| format!("&tag={}", wire::encoded(&tag.quoted())));
        self.exchange.put(&self.url(&format!("&extra={EXTRA}{tag}")), token).await?;
        let tag = self.tag.map(Tag::as_str);
        info!(role = %self.registry.role, cuk = %self.identity.cuk, tag, "K2HR3 took the registration");
        Ok(())
    }

    /// Reads the member list. A list that this node may not read is no doubt: HEAD alone decides then. A leave needs
    /// no token, so that a dead one keeps no node in its role.
    async fn list(&self, wish: Wish) -> Result<Listed, Doubt> {
        let (registry, cuk) = (self.registry, &self.identity.cuk);
        match self.members(&registry.role).await {
            Ok(Some(members)) => {
                let mut addresses = machine::addresses().unwrap_or_default();
                addresses.extend(self.settings.source_address);
                let listed = registration::listed(&members, cuk, &addresses, self.tag);
                let others = if wish == Wish::Join { self.others().await } else { Vec::new() };
                Ok(listed.beside(&others, cuk, self.tag))
            }
            Ok(None) => Ok(Listed::Unreadable),
            Err(doubt) if matches!(doubt.status, Some(403 | 404)) => Ok(Listed::Unreadable),
            Err(doubt) if wish == Wish::Leave && doubt.status == Some(401) => Ok(Listed::Unreadable),
            Err(doubt) => Err(doubt),
        }
    }

    /// The members of the other role of the cluster; none where that cannot be read, since this one was.
    async fn others(&self) -> Vec<HostRecord> {
        let (registry, settings) = (self.registry, self.settings);
        let roles = [registry.server_role(settings), registry.slave_role(settings)];
        let Some(other) = roles.into_iter().flatten().find(|role| *role != registry.role) else {
            return Vec::new();
        };
        match self.members(&other).await {
            Ok(members) => members.unwrap_or_default(),
            Err(doubt) => {
                debug!(why = doubt.text, "the members of {other} are not known");
                Vec::new()
            }
        }
    }

    async fn members(&self, role: &Yrn) -> Result<Option<Vec<HostRecord>>, Doubt> {
        let (registry, cuk) = (self.registry, &self.identity.cuk);
        let resource = self.settings.resource.clone().unwrap_or_else(|| registry.role.to_resource());
        let token = registry.token.as_ref().filter(|_| self.settings.auth != Auth::Address);
        let mut url = format!(
            "{}/v1/resource/{resource}?type=keys&keyname={}",
            registry.api_uri,
            wire::encoded(&format!("{role}/hosts/ip"))
        );
        if token.is_none() {
            let role = wire::encoded(registry.role.as_str());
            url.push_str(&format!("&role={role}&cuk={}", wire::encoded(cuk.as_str())));
        }
        match self.exchange.get(&url, token, None).await? {
            Reply::Ok { body, .. } => Ok(Some(wire::members(&body)?)),
            Reply::NotModified => Ok(None),
        }
    }
}

/// Forgets all findings after a change.
fn changed() -> Seen {
    Seen { changed: true, ..Seen::default() }
}

fn word(step: &Step) -> &'static str {
    match step {
        Step::Ask | Step::AskAddress | Step::End(_) => "cannot ask for the membership",
        Step::List => "cannot read the members",
        Step::Register => "cannot register",
        Step::Deregister => "cannot leave the role",
    }
}
