//! Reasons of containers in words, with their remedies.

use derive_more::Display;

use super::container_exit::ContainerExit;
use super::pick::{ENTRY, FAMILY, NAME};
use crate::problem::printable;
use crate::supervisor::{Program, SupervisorError};

/// Reason of a container.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub(super) enum Why {
    /// The daemon's own reason, or that of the connection to it.
    #[display("{_0}")]
    Unseen(String),
    #[display("the agent has not looked for the container yet")]
    NotYet,
    #[display("supervisor.docker.k2hdkc-container is not set")]
    K2hdkcIsNotNamed,
    #[display("no container is called \"{name}\" (supervisor.docker.{key})")]
    NoneIsCalled { name: String, key: &'static str },
    #[display(
        "there is no container \"{NAME}\" of an image {FAMILY}, and none with the entry point {ENTRY}; \
         supervisor.docker.container names another one"
    )]
    NoneOfTrove,
    #[display("several containers may be meant ({_0}): name one in supervisor.docker")]
    Several(String),
    #[display("the container {_0} is paused: 'docker unpause {_0}' lets it go on")]
    Paused(String),
    #[display("the container {_0} is starting or ending")]
    Moving(String),
    #[display("the container {_0} is stopped: 'docker start {_0}' starts it")]
    Stopped(String),
    #[display("the container {_0} does not run")]
    DoesNotRun(String),
    #[display("the container {_0} was started, and does not run: 'docker logs {_0}' shows the cause")]
    NothingCame(String),
    #[display("the container {_0} {}: 'docker logs {_0}' shows the cause", _1.how)]
    Ended(String, ContainerExit),
    #[display("Docker could not start the container {_0}: {}", printable(&_1.error, 300))]
    NotStarted(String, ContainerExit),
    #[display("{} comes by its helper in {_1}", _0.name())]
    Coming(Program, String),
    #[display("the container {name} has no {ini}")]
    NoFile { name: String, ini: String },
    #[display("{ini} in the container {name} is another one")]
    OtherFile { name: String, ini: String },
    #[display("the container {_0}: {_1}")]
    NoWay(String, NoWay),
    #[display("the loop in the container {name} rewrites {ini} in place, which ends chmpx")]
    Rewrites { name: String, ini: String },
    #[display(
        "the container {name} has no {conf}, and one with nothing else in it would take their own settings from the helpers"
    )]
    NoConf { name: String, conf: String },
}

impl From<Why> for SupervisorError {
    fn from(why: Why) -> Self {
        Self::Unreachable(why.to_string())
    }
}

/// Reason why a rename in the container cannot replace the ini there.
#[derive(Debug, Clone, PartialEq, Eq, Display)]
pub(super) enum NoWay {
    #[display(
        "{ini} is mounted into the container by itself (from {source}): chmpx there never sees what replaces it. Mount its \
         directory instead"
    )]
    MountedByItself { ini: String, source: String },
    #[display(
        "{mount} is mounted read-only into the container: set ini.path = \"{instead}\", so that the agent's own file is \
         the one that chmpx reads"
    )]
    ReadOnly { mount: String, instead: String },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::ExitStatus;

    #[test]
    fn each_reason_has_its_sentence() {
        let (name, ini) = (|| "db".to_owned(), || "/etc/k.ini".to_owned());
        let exit = |error: &str| ContainerExit { how: ExitStatus::Exit(1), error: error.to_owned() };
        let alone = NoWay::MountedByItself { ini: ini(), source: "/srv/k.ini".to_owned() };
        let read_only = NoWay::ReadOnly { mount: "/etc".to_owned(), instead: "/srv/k.ini".to_owned() };
        for (why, sentence) in [
            (Why::Unseen("Docker is away".to_owned()), "Docker is away"),
            (Why::NotYet, "the agent has not looked for the container yet"),
            (Why::K2hdkcIsNotNamed, "supervisor.docker.k2hdkc-container is not set"),
            (
                Why::NoneIsCalled { name: name(), key: "container" },
                "no container is called \"db\" (supervisor.docker.container)",
            ),
            (
                Why::NoneOfTrove,
                "there is no container \"database\" of an image k2hdkc-trove, and none with the entry point \
                 /usr/libexec/k2hdkctrove.sh; supervisor.docker.container names another one",
            ),
            (
                Why::Several("a, b".to_owned()),
                "several containers may be meant (a, b): name one in supervisor.docker",
            ),
            (Why::Paused(name()), "the container db is paused: 'docker unpause db' lets it go on"),
            (Why::Moving(name()), "the container db is starting or ending"),
            (Why::Stopped(name()), "the container db is stopped: 'docker start db' starts it"),
            (Why::DoesNotRun(name()), "the container db does not run"),
            (
                Why::NothingCame(name()),
                "the container db was started, and does not run: 'docker logs db' shows the cause",
            ),
            (exit("").of("db"), "the container db ended with status 1: 'docker logs db' shows the cause"),
            (exit("no\nfile").of("db"), "Docker could not start the container db: no\\nfile"),
            (Why::Coming(Program::Chmpx, name()), "chmpx comes by its helper in db"),
            (Why::NoFile { name: name(), ini: ini() }, "the container db has no /etc/k.ini"),
            (Why::OtherFile { name: name(), ini: ini() }, "/etc/k.ini in the container db is another one"),
            (
                Why::NoWay(name(), alone),
                "the container db: /etc/k.ini is mounted into the container by itself (from /srv/k.ini): chmpx there never \
                 sees what replaces it. Mount its directory instead",
            ),
            (
                Why::NoWay(name(), read_only),
                "the container db: /etc is mounted read-only into the container: set ini.path = \"/srv/k.ini\", so that the \
                 agent's own file is the one that chmpx reads",
            ),
            (
                Why::Rewrites { name: name(), ini: ini() },
                "the loop in the container db rewrites /etc/k.ini in place, which ends chmpx",
            ),
            (
                Why::NoConf { name: name(), conf: "/etc/o.conf".to_owned() },
                "the container db has no /etc/o.conf, and one with nothing else in it would take their own settings from \
                 the helpers",
            ),
        ] {
            assert_eq!(why.to_string(), sentence);
        }
    }
}
