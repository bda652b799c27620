//! The identity of this node and the address of its K2HR3: from the settings, else from the files of K2HR3's
//! user-data and of cloud-init. Every question reads them again, since they may come late and may change.

mod cuk;

use std::path::Path;

use crate::names::{Cuk, Tag, Token, Yrn};
use crate::problem::Problem;
use crate::registration::{self, Verdict};
use crate::ring::Mode;
use crate::settings::{self, SourceKind};

/// The node, as K2HR3 and chmpx know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// CUK of the node.
    pub cuk: Cuk,
    /// K2HR3 and this node's role there; absent where the source is a local file.
    pub k2hr3: Option<Registry>,
}

/// The registration of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    /// `http://host:port` or `https://host:port`.
    pub api_uri: String,
    /// The role of this node.
    pub role: Yrn,
    /// The role token, where there is one.
    pub token: Option<Token>,
    /// Remark on the token file, for the operator.
    pub token_note: Option<String>,
}

impl Registry {
    /// The role of the server nodes: the setting, else the sibling `server`.
    pub fn server_role(&self, settings: &settings::K2hr3) -> Option<Yrn> {
        settings.server_role.clone().or_else(|| self.role.sibling("server"))
    }

    /// The role of the slave nodes: the setting, else the sibling `slave`.
    pub fn slave_role(&self, settings: &settings::K2hr3) -> Option<Yrn> {
        settings.slave_role.clone().or_else(|| self.role.sibling("slave"))
    }

    /// Returns the kind of this node: that of the role which is its own.
    pub fn mode(&self, settings: &settings::K2hr3) -> Option<Mode> {
        if self.server_role(settings).as_ref() == Some(&self.role) {
            Some(Mode::Server)
        } else if self.slave_role(settings).as_ref() == Some(&self.role) {
            Some(Mode::Slave)
        } else {
            None
        }
    }
}

/// Reads the identity.
///
/// # Errors
///
/// Everything that is missing or wrong, each with the file that should have it.
pub fn read(settings: &settings::K2hr3) -> Result<Identity, Vec<Problem>> {
    let mut problems = Vec::new();
    let found = || cuk::find(settings).map(|found| found.cuk);
    let cuk = settings.cuk.clone().or_else(|| keep(found(), &mut problems));
    let k2hr3 = match settings.source {
        SourceKind::File => None,
        SourceKind::Resource | SourceKind::Membership => registry(settings, &mut problems),
    };
    match cuk {
        Some(cuk) if problems.is_empty() => Ok(Identity { cuk, k2hr3 }),
        _ => Err(problems),
    }
}

/// Returns a remark on the source of this node's CUK, for the operator.
pub fn note(settings: &settings::K2hr3) -> Option<String> {
    if settings.cuk.is_some() {
        return None;
    }
    cuk::find(settings).ok()?.note
}

/// Describes the outcome of an attempt at the role as `cuk` in one line, with the remedy for this host.
pub fn told(verdict: &Verdict, role: &str, cuk: &str, settings: &settings::K2hr3) -> String {
    match verdict {
        Verdict::Elsewhere(host) => registration::elsewhere(role, host, cuk, &cuk::disk(settings, cuk)),
        Verdict::Taken(rivals) => match cuk::remembered(settings) {
            Some(joined) if joined.cuk != cuk && rivals.contains(&joined.cuk) => {
                registration::renamed(role, &joined.cuk, cuk, &cuk::own_file(settings))
            }
            Some(_) | None => verdict.line(role),
        },
        _ => verdict.line(role),
    }
}

/// Returns the tag with which this node registers. K2HR3 takes a token of one role for any other of the tenant, also
/// for one that does not exist. So only the agent can see that the role is the wrong one.
///
/// # Errors
///
/// A role that is not this node's, and a tag that is missing or wrong.
pub fn tag(
    settings: &settings::K2hr3,
    rules: &settings::Join,
    registry: &Registry,
) -> Result<Tag, Vec<Problem>> {
    let mut problems: Vec<Problem> = wrong_role(settings, registry).into_iter().collect();
    let tag = rules.tag.clone().or_else(|| keep(found_tag(settings), &mut problems));
    match tag {
        Some(tag) if problems.is_empty() => Ok(tag),
        _ => Err(problems),
    }
}

fn wrong_role(settings: &settings::K2hr3, registry: &Registry) -> Option<Problem> {
    let role = &registry.role;
    let path = settings.places.userdata().join("k2hr3-role-name");
    // The user-data's role counts for its own token only.
    let token_is_its = settings.token_file.parent() == Some(&*settings.places.userdata());
    let written = first_line(&path).ok().flatten().and_then(|text| Yrn::role(&text).ok());
    if let Some(written) = written.filter(|written| written != role && token_is_its) {
        let text = format!(
            "k2hr3.role is {role}, but {} has {written}, and the token is of that one: correct one of them",
            path.display()
        );
        return Some(Problem::refused(None, text));
    }
    let text =
        format!("{role} is neither the server nor the slave role: set k2hr3.server-role and slave-role");
    registry.mode(settings).is_none().then(|| Problem::refused(None, text))
}

/// Finds the tag in K2HR3's user-data, else the host's name with the domain that its resolver searches first.
fn found_tag(settings: &settings::K2hr3) -> Result<Tag, String> {
    let own = settings.places.userdata().join("k2hr3-tag-param");
    if let Some(text) = first_line(&own)? {
        let text = text.strip_prefix("tag=").unwrap_or(&text).trim_matches('"');
        return Tag::try_from(text).map_err(|error| format!("{}: {error}", own.display()));
    }
    let name = first_line(Path::new("/proc/sys/kernel/hostname"))?.unwrap_or_default();
    let domain = if name.contains('.') { None } else { searched(Path::new("/etc/resolv.conf")) };
    let name = domain.map_or(name.clone(), |domain| format!("{name}.{domain}"));
    Tag::try_from(name.as_str()).map_err(|error| format!("the host's name as {error}; set join.tag"))
}

fn searched(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mut lines =
        text.lines().filter_map(|line| line.strip_prefix("search ").or(line.strip_prefix("domain ")));
    let domain = lines.next_back()?.split_whitespace().next()?.trim_matches('.');
    (!domain.is_empty()).then(|| domain.to_owned())
}

fn keep<T>(result: Result<T, String>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|text| problems.push(Problem::refused(None, text))).ok()
}

fn registry(settings: &settings::K2hr3, problems: &mut Vec<Problem>) -> Option<Registry> {
    let api_uri = settings.api_uri.clone().or_else(|| keep(api_uri(settings), problems));
    let role = settings.role.clone().or_else(|| keep(role(settings), problems));
    let token = keep(token(&settings.token_file), problems)?;
    let token_note = exposed(&settings.token_file).filter(|_| token.is_some());
    let token_note = token_note.or_else(|| leads_nowhere(&settings.token_file));
    Some(Registry { api_uri: api_uri?, role: role?, token, token_note })
}

fn api_uri(settings: &settings::K2hr3) -> Result<String, String> {
    let path = settings.places.userdata().join("k2hr3-api-uri");
    let text = required(&path, "k2hr3.api-uri")?;
    settings::api_uri(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn role(settings: &settings::K2hr3) -> Result<Yrn, String> {
    let path = settings.places.userdata().join("k2hr3-role-name");
    let text = required(&path, "k2hr3.role")?;
    Yrn::role(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// An absent or empty token file is no fault: the source address is the next rung.
fn token(path: &Path) -> Result<Option<Token>, String> {
    if leads_nowhere(path).is_some() {
        return Ok(None);
    }
    match first_line(path)? {
        None => Ok(None),
        Some(text) => {
            let token =
                Token::try_from(text.as_str()).map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(Some(token))
        }
    }
}

/// Upstream's user-data writes the token readable for every user.
fn exposed(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = path.metadata().ok()?.mode() & 0o777;
    let text =
        format!("{} can be read by every user of this host (mode {mode:04o}): chmod 0600", path.display());
    (mode & 0o004 != 0).then_some(text)
}

fn required(path: &Path, key: &str) -> Result<String, String> {
    first_line(path)?.ok_or_else(|| missing(path, key))
}

fn missing(path: &Path, key: &str) -> String {
    format!("waiting for {} (K2HR3's user-data or cloud-init writes it; or set {key})", path.display())
}

/// Describes a symbolic link to a missing file.
fn leads_nowhere(path: &Path) -> Option<String> {
    let to = std::fs::read_link(path).ok().filter(|_| !path.exists())?;
    Some(format!("{} is a symbolic link to {}, which is not there", path.display(), to.display()))
}

/// The first line without its blanks; `None` where the file is absent or empty.
fn first_line(path: &Path) -> Result<Option<String>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // The link was to have a value: no other file is meant instead.
            return leads_nowhere(path).map_or(Ok(None), Err);
        }
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let line = text.lines().next().unwrap_or_default().trim();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}
