//! `k2hdkclinetool`, as far as it is needed to look at keys by hand: lines with `set KEY VALUE`, `print KEY` and `exit` on
//! standard input, and answers in the words of the real one, which always ends with success.

use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

use super::client::{Client, Failure};
use crate::simulators::arguments::Arguments;
use crate::simulators::log::say;
use crate::simulators::place::Place;

/// Runs it to the end of its input.
pub fn run(arguments: &Arguments, place: &Place) -> ExitCode {
    let mut client = Client::per_command(Path::new(&arguments.conf), place.clone());
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            ["exit" | "quit" | "q"] => break,
            ["set" | "s", key, value] => told(client.set(key, value).map(|()| None)),
            ["print" | "p", key] => told(client.get(key).map(|value| Some(shown(key, value)))),
            _ => say(&format!("[ERR] Unknown command: {line}")),
        }
    }
    ExitCode::SUCCESS
}

fn shown(key: &str, value: Option<String>) -> String {
    match value {
        Some(value) => format!("\"{key}\" => \"{value}\""),
        None => format!("\"{key}\" => value is not found"),
    }
}

fn told(result: Result<Option<String>, Failure>) {
    match result {
        Ok(text) => text.iter().for_each(|text| say(text)),
        Err(error) => say(&format!("[ERR] {error}")),
    }
}
