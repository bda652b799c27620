//! Address of the Docker daemon: from the settings, else from `DOCKER_HOST`. Pure.

use crate::settings::Containers;

const USUAL: &str = "unix:///var/run/docker.sock";

/// Address that the settings name, else `DOCKER_HOST`, else Docker's own. The environment is an argument.
pub(super) fn host(wanted: &Containers, environment: impl Fn(&str) -> Option<String>) -> String {
    let variable = || environment("DOCKER_HOST").filter(|value| !value.is_empty());
    let named = wanted.socket.clone().or_else(variable).unwrap_or_else(|| USUAL.to_owned());
    if named.starts_with('/') { format!("unix://{named}") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_come_before_the_environment_and_that_before_the_usual_socket() {
        let address = |wanted: &Containers, value: Option<&str>| {
            host(wanted, |name| value.filter(|_| name == "DOCKER_HOST").map(str::to_owned))
        };
        let usual = Containers::default();
        assert_eq!(address(&usual, None), USUAL);
        assert_eq!(address(&usual, Some("")), USUAL);
        assert_eq!(address(&usual, Some("unix:///x/docker.sock")), "unix:///x/docker.sock");
        assert_eq!(
            address(&usual, Some("tcp://h:2375")),
            "tcp://h:2375",
            "the connection refuses it by name"
        );
        let given = Containers { socket: Some("/y/docker.sock".into()), ..Containers::default() };
        assert_eq!(address(&given, Some("tcp://h:2375")), "unix:///y/docker.sock");
    }
}
