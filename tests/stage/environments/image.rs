//! The images: made by `tests/environments/image` where they are missing, and there for all runs on this machine.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::docker::told;

/// The base image in its two forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The name in the machine's daemon.
    pub name: String,
    /// The root directory, for daemons of nodes.
    pub tarball: PathBuf,
    /// The same as a cloud's image, with cloud-init and rpm.
    pub vm: String,
}

/// Finds it, or makes it: two minutes or three, once on a machine.
pub fn base() -> io::Result<&'static Base> {
    static BASE: OnceLock<Result<Base, String>> = OnceLock::new();
    let found = BASE.get_or_init(|| make().map_err(|error| error.to_string()));
    found.as_ref().map_err(|error| io::Error::other(error.clone()))
}

fn make() -> io::Result<Base> {
    let mut command = Command::new(super::asset("image"));
    let line = told(command.stdin(Stdio::null()).output()?)?;
    match line.split(' ').collect::<Vec<_>>()[..] {
        [name, tarball, vm] => Ok(Base { name: name.to_owned(), tarball: tarball.into(), vm: vm.to_owned() }),
        _ => Err(io::Error::other(format!("no image, tarball and image of VMs: {line}"))),
    }
}
