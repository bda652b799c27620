//! Where the real `k2hdkc-agent` is, built first if it is cargo that runs us; and where the simulators are.
//!
//! A package's build does not build another package's program, and a stale agent would test yesterday's code.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The agent's program, of the same profile as this one. Built once a process.
///
/// `K2HDKC_AGENT` names another one, for example an installed package's.
pub fn agent() -> io::Result<&'static Path> {
    static AGENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = AGENT.get_or_init(|| locate().map_err(|error| error.to_string()));
    found.as_deref().map_err(|error| io::Error::other(error.clone()))
}

/// The binary of the simulators. `cargo test` builds it with the suites of this package, `cargo run` of another program
/// does not: then it is built as the agent is.
///
/// `K2HDKC_SIMULATORS` names another one.
pub fn simulators() -> io::Result<PathBuf> {
    static SIMULATORS: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = SIMULATORS.get_or_init(|| locate_simulators().map_err(|error| error.to_string()));
    found.clone().map_err(io::Error::other)
}

fn locate_simulators() -> io::Result<PathBuf> {
    if let Some(named) = std::env::var_os("K2HDKC_SIMULATORS") {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe()?;
    if let Some(profile) = own.parent().filter(|dir| dir.ends_with("debug") || dir.ends_with("release")) {
        let beside = profile.join("k2hdkc-simulators");
        // Beside suites it is of this very build.
        if profile.ends_with("release") || !beside.is_file() {
            build(profile, "k2hdkc-simulators", "k2hdkc-simulators")?;
        }
        return Ok(beside);
    }
    let found =
        own.ancestors().skip(1).take(2).map(|dir| dir.join("k2hdkc-simulators")).find(|path| path.is_file());
    found.ok_or_else(|| io::Error::other("no k2hdkc-simulators beside this program: set K2HDKC_SIMULATORS"))
}

fn locate() -> io::Result<PathBuf> {
    if let Some(named) = std::env::var_os("K2HDKC_AGENT") {
        return Ok(PathBuf::from(named));
    }
    let own = std::env::current_exe()?;
    // target/debug/x, target/debug/deps/x or target/debug/examples/x
    let profile = own.ancestors().skip(1).find(|dir| dir.ends_with("debug") || dir.ends_with("release"));
    let Some(profile) = profile else {
        return beside(&own)
            .ok_or_else(|| io::Error::other("no k2hdkc-agent beside this program: set K2HDKC_AGENT"));
    };
    build(profile, "k2hdkc-agent", "k2hdkc-agent")?;
    Ok(profile.join("k2hdkc-agent"))
}

fn beside(own: &Path) -> Option<PathBuf> {
    Some(own.with_file_name("k2hdkc-agent")).filter(|path| path.is_file())
}

fn build(profile: &Path, package: &str, program: &str) -> io::Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--quiet", "--package", package, "--bin", program, "--manifest-path"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml"));
    command.arg("--target-dir").arg(profile.parent().unwrap_or(profile));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    // What cargo says of this package to whom it runs would make build scripts run again: ring's, and with it everything
    // above, by each of both cargos in turn.
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
        Err(io::Error::other(format!("cargo could not build {program}: {status}")))
    }
}
