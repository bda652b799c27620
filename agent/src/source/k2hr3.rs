//! K2HR3 as the source, and as the keeper of this node's role ([`Role`]). As the source: one GET of the role's resource a
//! question, or one of each member list.
//!
//! 200 with `result: true` is the only yes (k2hr3_api 2.0.3). K2HR3 answers 401 when its backend is dead, 404 when a
//! policy or a template fails, and 200 to more than it means: everything else is a [`Doubt`], and the content of a
//! yes is examined later.

mod certificate;
mod credentials;
mod exchange;
mod role;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::rc::Rc;
use std::time::Instant;

use super::{Answered, Source};
use crate::answer::{Answer, Doubt, HostRecord};
use crate::clock::Clock;
use crate::identity::{Identity, Registry};
use crate::names::Yrn;
use crate::settings::{self, SourceKind};
use credentials::{Credential, Credentials};
use exchange::{Exchange, Reply, Trust};
pub use role::Role;
use words::Trouble;

/// Asks K2HR3.
#[derive(Debug)]
pub struct K2hr3 {
    settings: settings::K2hr3,
    /// Identity that the known answers belong to: another CUK makes another ini of the same text.
    asked_as: Option<Identity>,
    exchange: Option<Exchange>,
    credentials: Credentials,
    resource: Known<()>,
    servers: Known<Rc<[HostRecord]>>,
    slaves: Known<Rc<[HostRecord]>>,
}

/// The last good answer to one URL, as far as it is needed to understand a 304.
#[derive(Debug)]
struct Known<T> {
    url: String,
    etag: String,
    value: T,
}

impl<T: Default> Default for Known<T> {
    fn default() -> Self {
        Self { url: String::new(), etag: String::new(), value: T::default() }
    }
}

impl<T> Known<T> {
    /// The tag to send, if the question is the same as then.
    fn etag_for(&self, url: &str) -> Option<&str> {
        (self.url == url && !self.etag.is_empty()).then_some(self.etag.as_str())
    }
}

impl Source for K2hr3 {
    async fn ask(&mut self, identity: &Identity) -> Answered {
        let start = Instant::now();
        if self.asked_as.as_ref() != Some(identity) {
            self.forget();
            self.asked_as = Some(identity.clone());
        }
        let result = match &identity.k2hr3 {
            Some(registry) => self.question(identity, registry).await,
            None => Err(Trouble::NoRole.into()),
        };
        let note = if result.is_ok() { self.credentials.note(&self.settings.token_file) } else { None };
        Answered { note, ..Answered::new(identity, result, start.elapsed()) }
    }
}

impl K2hr3 {
    /// Makes a client, which connects at the first question.
    pub fn new(settings: settings::K2hr3) -> Self {
        Self {
            credentials: Credentials::new(settings.auth, settings.places.minted_token(), Clock::of_host()),
            settings,
            asked_as: None,
            exchange: None,
            resource: Known::default(),
            servers: Known::default(),
            slaves: Known::default(),
        }
    }

    /// Returns the values of these keys of the role's resource, or of those above it; `None` where K2HR3 has none.
    ///
    /// # Errors
    ///
    /// A [`Doubt`] where K2HR3 gives no answer to one of them.
    pub async fn keys<const N: usize>(
        &mut self,
        identity: &Identity,
        names: &[&str; N],
    ) -> Result<[Option<String>; N], Doubt> {
        let Some(registry) = &identity.k2hr3 else {
            return Err(Trouble::NoRole.into());
        };
        let exchange = Exchange::new(&self.settings, Trust::now(&self.settings, &registry.api_uri))?;
        let credential = self.credentials.choose(&exchange, identity, registry).await?;
        let query = Query { registry, identity, credential: &credential };
        let mut values = [const { None }; N];
        for (value, name) in values.iter_mut().zip(names) {
            let url = query.url(&self.resource_yrn(registry), Some(name));
            *value = match exchange.get(&url, credential.token(), None).await {
                Ok(Reply::Ok { body, .. }) => Some(wire::value(&body)?),
                Ok(Reply::NotModified) => None,
                Err(doubt) if wire::is_no_key(&doubt.text) => None,
                Err(doubt) => return Err(doubt),
            };
        }
        Ok(values)
    }

    /// Forgets what was answered, so that the next answer is a whole one.
    fn forget(&mut self) {
        self.resource = Known::default();
        self.servers = Known::default();
        self.slaves = Known::default();
    }

    async fn question(&mut self, identity: &Identity, registry: &Registry) -> Result<Answer, Doubt> {
        let trust = Trust::now(&self.settings, &registry.api_uri);
        let exchange = match self.exchange.take().filter(|exchange| exchange.trust == trust) {
            Some(exchange) => exchange,
            None => Exchange::new(&self.settings, trust)?,
        };
        let result = self.ask_with(&exchange, identity, registry).await;
        self.exchange = Some(exchange);
        result
    }

    async fn ask_with(
        &mut self,
        exchange: &Exchange,
        identity: &Identity,
        registry: &Registry,
    ) -> Result<Answer, Doubt> {
        let credential = self.credentials.choose(exchange, identity, registry).await?;
        let query = Query { registry, identity, credential: &credential };
        let result = match self.settings.source {
            SourceKind::Membership => self.members(exchange, &query).await,
            SourceKind::Resource | SourceKind::File => self.expanded(exchange, &query).await,
        };
        let remark = self.credentials.remark(&credential);
        self.credentials.judge(&credential, result.as_ref().err());
        result.map_err(|doubt| doubt.with(remark))
    }

    async fn expanded(&mut self, exchange: &Exchange, query: &Query<'_>) -> Result<Answer, Doubt> {
        let url = query.url(&self.resource_yrn(query.registry), None);
        let reply = exchange.get(&url, query.credential.token(), self.resource.etag_for(&url)).await?;
        match reply {
            Reply::NotModified => Ok(Answer::Unchanged),
            Reply::Ok { etag, body } => {
                let text = wire::text(&body)?;
                self.resource = Known { url, etag, value: () };
                Ok(Answer::Ini(text))
            }
        }
    }

    async fn members(&mut self, exchange: &Exchange, query: &Query<'_>) -> Result<Answer, Doubt> {
        let (registry, settings) = (query.registry, &self.settings);
        let server_role = registry.server_role(settings).ok_or(Trouble::NoParent("server-role"))?;
        let slave_role = registry.slave_role(settings).ok_or(Trouble::NoParent("slave-role"))?;
        let resource = self.resource_yrn(query.registry);
        // One list is kept only with the other: a 304 must mean that both were handed over.
        let hosts = |role: &Yrn| query.url(&resource, Some(&format!("{role}/hosts/ip")));
        let servers = list(exchange, &hosts(&server_role), query, &self.servers).await?;
        let slaves = list(exchange, &hosts(&slave_role), query, &self.slaves).await?;
        if servers.is_none() && slaves.is_none() {
            return Ok(Answer::Unchanged);
        }
        self.servers = servers.unwrap_or_else(|| std::mem::take(&mut self.servers));
        self.slaves = slaves.unwrap_or_else(|| std::mem::take(&mut self.slaves));
        Ok(Answer::Members { servers: Rc::clone(&self.servers.value), slaves: Rc::clone(&self.slaves.value) })
    }

    fn resource_yrn(&self, registry: &Registry) -> Yrn {
        self.settings.resource.clone().unwrap_or_else(|| registry.role.to_resource())
    }
}

/// Fetches one member list; `None` where it is the known one.
async fn list(
    exchange: &Exchange,
    url: &str,
    query: &Query<'_>,
    known: &Known<Rc<[HostRecord]>>,
) -> Result<Option<Known<Rc<[HostRecord]>>>, Doubt> {
    match exchange.get(url, query.credential.token(), known.etag_for(url)).await? {
        Reply::NotModified => Ok(None),
        Reply::Ok { etag, body } => {
            let value = wire::members(&body)?.into();
            Ok(Some(Known { url: url.to_owned(), etag, value }))
        }
    }
}

/// Common part of all requests of one question.
struct Query<'a> {
    registry: &'a Registry,
    identity: &'a Identity,
    credential: &'a Credential,
}

impl Query<'_> {
    /// The URL of a resource, or of one key of it; a host list is one as well. The YRN goes raw into the path, where K2HR3 decodes
    /// nothing; `role` and `cuk` identify the node where no token does, and are refused together with one.
    fn url(&self, resource: &Yrn, key: Option<&str>) -> String {
        let mut parameters = Vec::new();
        if let Some(key) = key {
            parameters.push(format!("type=keys&keyname={}", wire::encoded(key)));
        }
        if self.credential.token().is_none() {
            let (role, cuk) = (self.registry.role.as_str(), self.identity.cuk.as_str());
            parameters.push(format!("role={}&cuk={}", wire::encoded(role), wire::encoded(cuk)));
        }
        let query = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
        format!("{}/v1/resource/{resource}{query}", self.registry.api_uri)
    }
}
