//! Looks at the host: asks Docker and systemd, and looks the programs up. No answer within the time is one that is told.

use std::path::Path;
use std::time::Duration;

use super::choose::{Findings, Kind, ProgramFound};
use crate::ring::Mode;
use crate::settings::Supervisor;
use crate::supervisor::local::found;
use crate::supervisor::process::spawn;
use crate::supervisor::{Program, docker, systemd};

/// Longest wait for both in one pass: who needs more is found by a later look.
const WITHIN: Duration = Duration::from_secs(3);

/// Gathers the findings for a node of this mode with this ini. `before` is the kind of the previous agent, `waited` is true
/// after a search that was long enough for a container. Takes as long as Docker and systemd do, and at most 3 s.
pub(in crate::supervisor) async fn gather(
    settings: &Supervisor,
    (mode, ini): (Mode, &Path),
    before: Option<Kind>,
    waited: bool,
) -> Findings {
    let Supervisor { process, units, containers, .. } = settings;
    let (docker, systemd) = tokio::join!(
        docker::findings::look(containers, WITHIN),
        systemd::findings::look(&units.chmpx, WITHIN)
    );
    let mut needed = vec![(Program::Chmpx, &process.chmpx)];
    if mode == Mode::Server {
        needed.push((Program::K2hdkc, &process.k2hdkc));
    }
    let programs = needed.into_iter().map(|(program, name)| ProgramFound {
        program,
        name: name.clone(),
        at: spawn::find(name),
    });
    let named = [&containers.container, &containers.chmpx, &containers.k2hdkc];
    Findings {
        docker,
        containers_are_named: named.into_iter().any(Option::is_some),
        socket_is_named: containers.socket.is_some(),
        before,
        runs: !found::processes(Program::Chmpx, &process.chmpx, ini).is_empty(),
        waited,
        systemd,
        programs: programs.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{self, Origin};
    use crate::supervisor::auto::choose::{Daemon, choose};

    #[tokio::test]
    async fn a_slave_needs_no_k2hdkc_and_what_the_settings_name_is_told_apart_from_what_is_usual() {
        let dir = tempfile::tempdir().unwrap();
        let origin = Origin { config: None, root: Some("/nowhere".into()) };
        let mut supervisor = settings::load(&origin).unwrap().supervisor;
        supervisor.process.chmpx = "/bin/sh".into();
        let socket = dir.path().join("docker.sock").display().to_string();
        supervisor.containers.socket = Some(socket.clone());
        let slave = gather(&supervisor, (Mode::Slave, Path::new("/nowhere/k2hdkc.ini")), None, false).await;
        let chmpx =
            ProgramFound { program: Program::Chmpx, name: "/bin/sh".into(), at: Some("/bin/sh".into()) };
        assert_eq!(slave.programs, [chmpx]);
        assert_eq!(slave.docker, Daemon::Absent { at: format!("unix://{socket}") });
        assert!(slave.socket_is_named && !slave.containers_are_named);
        assert_ne!(choose(&slave).kind, Kind::Process);
        assert_eq!(
            gather(&supervisor, (Mode::Server, Path::new("/nowhere/k2hdkc.ini")), None, false)
                .await
                .programs
                .len(),
            2
        );
    }

    #[tokio::test]
    async fn a_socket_behind_which_nobody_answers_is_a_daemon_that_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let origin = Origin { config: None, root: Some("/nowhere".into()) };
        let mut supervisor = settings::load(&origin).unwrap().supervisor;
        let socket = dir.path().join("docker.sock");
        // Bound and dropped: the file stays, and refuses.
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        supervisor.containers.socket = Some(socket.display().to_string());
        let found =
            gather(&supervisor, (Mode::Slave, Path::new("/nowhere/k2hdkc.ini")), None, false).await.docker;
        assert!(matches!(&found, Daemon::Silent { at, .. } if at.ends_with("docker.sock")), "{found:?}");
    }
}
