//! Where the Docker daemon is, and how it is spoken to: by the settings, else by the variables that the `docker` program
//! knows. Pure.

use std::path::{Path, PathBuf};

use super::Containers;

const USUAL: &str = "unix:///var/run/docker.sock";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// `unix://` and a path, or `tcp://` and a host with its port.
    pub(super) host: String,
    /// The directory with ca.pem, cert.pem and key.pem, where it is spoken to by TLS.
    pub(super) certificates: Option<PathBuf>,
    /// The version of the API, where it is not to be agreed upon.
    pub(super) version: Option<(usize, usize)>,
}

impl Address {
    /// What holds, with the environment as an argument.
    pub(super) fn of(wanted: &Containers, environment: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name: &str| environment(name).filter(|value| !value.is_empty());
        let named = wanted.socket.clone().or_else(|| variable("DOCKER_HOST"));
        let host = named.unwrap_or_else(|| USUAL.to_owned());
        let host = if host.starts_with('/') { format!("unix://{host}") } else { host };
        let verified = variable("DOCKER_TLS_VERIFY").is_some() && !host.starts_with("unix://");
        let usual = || {
            let home = variable("HOME").map(|home| Path::new(&home).join(".docker"));
            variable("DOCKER_CERT_PATH").map(PathBuf::from).or(home)
        };
        let certificates = wanted.certificates.clone().or_else(|| verified.then(usual).flatten());
        let version = wanted.version.or_else(|| version(&variable("DOCKER_API_VERSION")?));
        Self { host, certificates, version }
    }
}

/// `1.41`, as the daemon's API is numbered.
pub(crate) fn version(text: &str) -> Option<(usize, usize)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(wanted: &Containers, environment: &[(&str, &str)]) -> (String, Option<PathBuf>) {
        let variable = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let address = Address::of(wanted, variable);
        (address.host, address.certificates)
    }

    #[test]
    fn the_settings_come_before_the_environment_and_that_before_the_usual_socket() {
        let usual = Containers::default();
        assert_eq!(address(&usual, &[]), (USUAL.to_owned(), None));
        assert_eq!(address(&usual, &[("DOCKER_HOST", "")]).0, USUAL);
        assert_eq!(address(&usual, &[("DOCKER_HOST", "unix:///x/docker.sock")]).0, "unix:///x/docker.sock");
        let given = Containers { socket: Some("/y/docker.sock".into()), ..Containers::default() };
        assert_eq!(address(&given, &[("DOCKER_HOST", "tcp://h:2375")]).0, "unix:///y/docker.sock");
    }

    #[test]
    fn tls_is_spoken_where_the_settings_name_certificates_or_the_environment_wants_it() {
        let tcp = ("DOCKER_HOST", "tcp://h:2376");
        let usual = Containers::default();
        assert_eq!(address(&usual, &[tcp, ("DOCKER_CERT_PATH", "/c")]).1, None);
        let verify = ("DOCKER_TLS_VERIFY", "1");
        assert_eq!(address(&usual, &[tcp, verify, ("DOCKER_CERT_PATH", "/c")]).1, Some("/c".into()));
        assert_eq!(address(&usual, &[tcp, verify, ("HOME", "/root")]).1, Some("/root/.docker".into()));
        assert_eq!(address(&usual, &[verify, ("HOME", "/root")]).1, None, "a socket needs none");
        let given = Containers { certificates: Some("/d".into()), ..Containers::default() };
        assert_eq!(address(&given, &[tcp]).1, Some("/d".into()));
    }

    #[test]
    fn the_version_is_agreed_upon_unless_it_is_given() {
        let of = |wanted: &Containers, value: &str| {
            let name = "DOCKER_API_VERSION";
            Address::of(wanted, |key| (key == name).then(|| value.to_owned())).version
        };
        assert_eq!(of(&Containers::default(), ""), None);
        assert_eq!(of(&Containers::default(), "1.40"), Some((1, 40)));
        let given = Containers { version: Some((1, 41)), ..Containers::default() };
        assert_eq!(of(&given, "1.40"), Some((1, 41)));
    }
}
