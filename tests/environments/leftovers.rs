//! An environment leaves nothing behind, be it dropped or killed.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use k2hdkc_tests::environments::trove::{Environment, Layout};
use k2hdkc_tests::environments::{Docker, ready, sweep};

/// In the environment of a run of this suite that only starts an environment and waits to be killed.
const VICTIM: &str = "K2HDKC_ENVIRONMENTS_VICTIM";

/// Lists what is left of an environment on the machine, by its name.
fn left(name: &str) -> Vec<String> {
    let filter = format!("name={name}");
    let docker = Docker::of_machine();
    let mut left = Vec::new();
    left.push(docker.run(["ps", "--all", "--quiet", "--filter", &filter]).unwrap());
    left.push(docker.run(["network", "ls", "--quiet", "--filter", &filter]).unwrap());
    let processes =
        Command::new("pgrep").args(["--full", &format!("k2hdkc-environments/{name}")]).output().unwrap();
    left.push(String::from_utf8(processes.stdout).unwrap());
    let dir = std::path::Path::new("/var/lib/k2hdkc-environments").join(name);
    left.extend(dir.exists().then(|| dir.display().to_string()));
    left.retain(|text| !text.is_empty());
    left
}

#[test]
fn a_environment_that_is_dropped_leaves_nothing() {
    if !ready() {
        return;
    }
    let environment = Environment::start(Layout::Database, 0.05, 1, 0).unwrap();
    let name = environment.ground().name().to_owned();
    if std::env::var_os(VICTIM).is_some() {
        println!("environment {name}");
        std::io::stdin().lock().lines().for_each(drop);
    }
    assert!(left(&name).len() >= 4, "{:?}", left(&name));
    drop(environment);
    assert_eq!(left(&name), Vec::<String>::new());
}

#[test]
fn what_a_killed_run_has_left_is_swept_away() {
    if !ready() {
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leftovers::a_environment_that_is_dropped_leaves_nothing", "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let name = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("environment ").map(|(_, name)| name.to_owned()))
        .unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(!left(&name).is_empty());
    sweep::sweep().unwrap();
    assert_eq!(left(&name), Vec::<String>::new());
}
