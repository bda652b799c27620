//! An HTTP exchange with K2HR3: deadlines, the limit of the body, and every failure as a sentence. Nothing of reqwest
//! leaves this file.

use std::error::Error as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use reqwest::{Certificate, Client, ClientBuilder, Proxy, Response, StatusCode, redirect};

use super::wire;
use super::words::Trouble;
use crate::answer::Doubt;
use crate::names::{Token, without_tokens};
use crate::settings;

/// A client for one API.
#[derive(Debug)]
pub(super) struct Exchange {
    client: Client,
    /// Trust that the client was made for.
    pub(super) trust: Trust,
    timeout: Duration,
    most: u64,
}

/// The trust of a client, made again when the API moves or the CA file is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trust {
    api_uri: String,
    /// Inode, size and change time of the CA file.
    ca_file: Option<(u64, u64, i64, i64)>,
}

impl Trust {
    /// As things are now.
    pub(super) fn now(settings: &settings::K2hr3, api_uri: &str) -> Self {
        let stamp = |path: &std::path::PathBuf| {
            let metadata = path.metadata().ok()?;
            Some((metadata.ino(), metadata.size(), metadata.ctime(), metadata.ctime_nsec()))
        };
        Self { api_uri: api_uri.to_owned(), ca_file: settings.ca_file.as_ref().and_then(stamp) }
    }
}

/// An answer that may be read.
#[derive(Debug)]
pub(super) enum Reply {
    /// 304
    NotModified,
    /// 200, the only yes.
    Ok {
        /// The weak tag, or "".
        etag: String,
        /// The whole body, within the limit.
        body: Vec<u8>,
    },
}

/// K2HR3's own header for both kinds of token.
const AUTH: HeaderName = HeaderName::from_static("x-auth-token");

/// A refusal takes K2HR3 10 to 50 ms; one that takes this long comes from a dead backend (13.9 s when recorded).
const SLOW_REFUSAL: Duration = Duration::from_secs(3);

/// HEAD and DELETE look through all members: 2 to 4 s at 1000 hosts. A no that takes this long comes from a dead backend.
const SLOW_NO: Duration = Duration::from_secs(10);

/// Longest error body that is read for its message.
const ERROR_BODY: u64 = 64 * 1024;

impl Exchange {
    /// A client by the settings; fails only over the CA file, the proxy or the TLS library.
    pub(super) fn new(settings: &settings::K2hr3, trust: Trust) -> Result<Self, Doubt> {
        // Once a process; where there is one already, it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            // A redirect would carry the token elsewhere, and K2HR3 makes none.
            .redirect(redirect::Policy::none())
            // K2HR3 closes after 5 s; a kept connection would mostly be met closed.
            .pool_max_idle_per_host(0)
            .http1_only()
            .local_address(settings.source_address)
            .user_agent(concat!("k2hdkc-agent/", env!("CARGO_PKG_VERSION")));
        builder = match &settings.proxy {
            Some(uri) => builder.proxy(Proxy::all(uri).map_err(|error| Trouble::Proxy(causes(&error)))?),
            None => builder.no_proxy(),
        };
        builder = believing(builder, settings.ca_file.as_deref(), &trust.api_uri)?;
        let client = builder.build().map_err(|error| Trouble::Tls(causes(&error)))?;
        Ok(Self { client, trust, timeout: settings.timeout, most: settings.max_body })
    }

    /// Asks `url` once.
    pub(super) async fn get(
        &self,
        url: &str,
        token: Option<&Token>,
        etag: Option<&str>,
    ) -> Result<Reply, Doubt> {
        let start = Instant::now();
        let request = self.client.get(url).headers(headers(token, etag)?);
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED if etag.is_some() => Ok(Reply::NotModified),
            StatusCode::OK => {
                let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
                let etag = etag.to_owned();
                let body = self.body(response, self.most).await?;
                Ok(Reply::Ok { etag, body })
            }
            status => Err(self.denied(status, response, start).await),
        }
    }

    /// Asks whether this host is a member: 204, or 403. A slow 403 comes from a dead backend.
    pub(super) async fn head(&self, url: &str) -> Result<bool, Doubt> {
        let start = Instant::now();
        let response = self.client.head(url).send().await.map_err(|error| self.failed(&error))?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::FORBIDDEN if is_honest_no(start.elapsed()) => Ok(false),
            status => Err(self.denied(status, response, start).await),
        }
    }

    /// Enters a role; 201 with `result: true` is the only yes.
    pub(super) async fn put(&self, url: &str, token: &Token) -> Result<(), Doubt> {
        let start = Instant::now();
        let request = self.client.put(url).headers(headers(Some(token), None)?);
        let response = request.send().await.map_err(|error| self.failed(&error))?;
        match response.status() {
            StatusCode::CREATED => Ok(wire::taken(&self.body(response, ERROR_BODY).await?)?),
            status => Err(self.denied(status, response, start).await),
        }
    }

    /// Removes this host from a role: 204, or 403 for one that is not in it.
    pub(super) async fn delete(&self, url: &str) -> Result<(), Doubt> {
        let start = Instant::now();
        let response = self.client.delete(url).send().await.map_err(|error| self.failed(&error))?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(()),
            StatusCode::FORBIDDEN if is_honest_no(start.elapsed()) => Ok(()),
            status => Err(self.denied(status, response, start).await),
        }
    }

    /// Reads the body as it comes, and no further than allowed.
    async fn body(&self, mut response: Response, most: u64) -> Result<Vec<u8>, Doubt> {
        if response.content_length().is_some_and(|length| length > most) {
            return Err(Trouble::TooLong(most).into());
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
            if (body.len() + chunk.len()) as u64 > most {
                return Err(Trouble::TooLong(most).into());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    async fn denied(&self, status: StatusCode, response: Response, start: Instant) -> Doubt {
        let message = wire::error_message(&self.body(response, ERROR_BODY).await.unwrap_or_default());
        let after = Some(start.elapsed()).filter(|took| *took >= SLOW_REFUSAL);
        Trouble::Refused { status: status.as_u16(), after, message }.into()
    }

    fn failed(&self, error: &reqwest::Error) -> Doubt {
        let causes = causes(error);
        let trouble = match (error.is_timeout(), error.is_connect()) {
            (true, true) => Trouble::LateConnection(causes),
            (true, false) => Trouble::LateAnswer(self.timeout),
            // Nothing went out: there is no such address.
            (false, _) if error.is_builder() => Trouble::ApiUri(self.trust.api_uri.clone(), causes),
            (false, true) => Trouble::NoConnection(causes),
            (false, false) => Trouble::BrokeOff(causes),
        };
        trouble.into()
    }
}

/// Returns true where a 403 to HEAD or DELETE came fast enough to mean that this host is no member.
pub(super) fn is_honest_no(took: Duration) -> bool {
    took < SLOW_NO
}

fn headers(token: Option<&Token>, etag: Option<&str>) -> Result<HeaderMap, Doubt> {
    let invalid = |_| Trouble::Header;
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("R={}", token.reveal())).map_err(invalid)?;
        value.set_sensitive(true);
        headers.insert(AUTH, value);
    }
    if let Some(etag) = etag {
        headers.insert(IF_NONE_MATCH, HeaderValue::from_str(etag).map_err(invalid)?);
    }
    Ok(headers)
}

/// The CA file alone where there is one; for plain http no roots are loaded at all, which saves their memory.
fn believing(
    builder: ClientBuilder,
    ca_file: Option<&Path>,
    api_uri: &str,
) -> Result<ClientBuilder, Trouble> {
    let Some(path) = ca_file else {
        let plain = api_uri.starts_with("http://");
        return Ok(if plain { builder.tls_certs_only([]) } else { builder });
    };
    let wrong = |error: String| Trouble::CaFile(path.to_owned(), error);
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| wrong(causes(&error)))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate in it".to_owned()));
    }
    Ok(builder.tls_certs_only(certificates))
}

/// An error with its causes, without the URL, since a query names the node.
fn causes(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut texts = Vec::new();
    while let Some(error) = cause {
        let text = error.to_string();
        if texts.last() != Some(&text) {
            texts.push(text);
        }
        cause = error.source();
    }
    if texts.is_empty() {
        texts.push(error.to_string());
    }
    without_tokens(&texts.join(": "))
}
