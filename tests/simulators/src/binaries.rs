//! Finds the programs that suites and the sandbox start: the real `k2hdkc-agent`, and the simulators.
//!
//! Cargo builds no program of another package, and a stale program would test yesterday's code. So both are built first
//! where this process runs from a build directory.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Finds the agent's program, of the same profile as this one, and builds it once a process.
///
/// `K2HDKC_AGENT` names another one, for example an installed package's.
///
/// # Errors
///
/// No such program is beside this one, or cargo cannot build it.
pub fn agent() -> io::Result<&'static Path> {
    static AGENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    found(&AGENT, "K2HDKC_AGENT", "k2hdkc-agent")
}

/// Finds the program of the simulators, likewise. `K2HDKC_SIMULATORS` names another one.
///
/// # Errors
///
/// The same as for [`agent`].
pub fn simulators() -> io::Result<&'static Path> {
    static SIMULATORS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    found(&SIMULATORS, "K2HDKC_SIMULATORS", "k2hdkc-simulators")
}

fn found(
    place: &'static OnceLock<Result<PathBuf, String>>,
    variable: &str,
    name: &str,
) -> io::Result<&'static Path> {
    let found = place.get_or_init(|| locate(variable, name).map_err(|error| error.to_string()));
    found.as_deref().map_err(|error| io::Error::other(error.clone()))
}

/// Packages and their programs share their names.
fn locate(variable: &str, name: &str) -> io::Result<PathBuf> {
    if let Some(named) = std::env::var_os(variable) {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe()?;
    // target/debug/x or target/debug/deps/x
    let profile = own.ancestors().skip(1).find(|dir| dir.ends_with("debug") || dir.ends_with("release"));
    let Some(profile) = profile else {
        let beside = Some(own.with_file_name(name)).filter(|path| path.is_file());
        let missing = || io::Error::other(format!("no {name} beside {}: set {variable}", own.display()));
        return beside.ok_or_else(missing);
    };
    build(profile, name)?;
    Ok(profile.join(name))
}

fn build(profile: &Path, name: &str) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", name, "--bin", name, "--manifest-path"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    command.arg("--target-dir").arg(profile.parent().unwrap_or(profile));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    // Cargo's variables about the running package would make build scripts run again: that of ring, and with it everything
    // above, by both cargos in turn.
    for (name, _) in std::env::vars_os() {
        let of_this_package = ["CARGO_PKG_", "CARGO_MANIFEST_"]
            .iter()
            .any(|start| name.as_encoded_bytes().starts_with(start.as_bytes()));
        if of_this_package {
            command.env_remove(name);
        }
    }
    let status = command.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other(format!("cargo could not build {name}: {status}")))
    }
}
