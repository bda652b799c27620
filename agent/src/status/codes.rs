//! docs/status.md against the enums: every code is documented, and every documented code exists.

use std::collections::BTreeSet;

use crate::answer::Doubt;
use crate::data_in_sight::Data;
use crate::plan::Class;
use crate::problem::{Coded, OTHER};
use crate::report::{Outcome, OutcomeKind};
use crate::{acceptance, guard, ini, lifecycle, membership, peers, render, replicas, validate};

const DOCUMENT: &str = include_str!("../../../docs/status.md");

/// The codes of the table under a heading.
fn documented(heading: &str) -> BTreeSet<&'static str> {
    let from = DOCUMENT.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = from.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap()).collect()
}

fn of(codes: &[&[&'static str]]) -> BTreeSet<&'static str> {
    codes.iter().flat_map(|codes| codes.iter().copied()).collect()
}

#[test]
fn every_code_is_documented_and_every_documented_code_exists() {
    assert_eq!(documented("Outcomes"), of(&[Outcome::CODES]));
    assert_eq!(documented("Doubts"), of(&[Doubt::CODES]));
    assert_eq!(documented("Held"), of(&[guard::CODES]));
    assert_eq!(documented("Changes"), of(&[Class::CODES]));
    assert_eq!(documented("Processes"), lifecycle::words::Reason::codes().collect());
    assert_eq!(documented("Data"), of(&[Data::CODES]));
    assert_eq!(documented("Peers"), of(&[peers::Finding::CODES]));
    let faults: Vec<&[&'static str]> = [
        acceptance::CODES.as_slice(),
        &[ini::CODES, replicas::CODES, render::CODES, validate::CODES],
        membership::CODES.as_slice(),
        &[&[OTHER]],
    ]
    .concat();
    assert_eq!(documented("Faults"), of(&faults));
}

#[test]
fn the_kind_of_an_outcome_is_written_as_its_code() {
    for code in Outcome::CODES {
        let kind: OutcomeKind = serde_json::from_value(serde_json::json!(code)).unwrap();
        assert_eq!(serde_json::to_value(kind).unwrap(), serde_json::json!(code));
    }
}

#[test]
fn every_field_of_the_status_is_documented() {
    let status = super::Status::idle(&crate::ledger::Ledger::default(), "none", String::new());
    let json = serde_json::to_value(status).unwrap();
    for field in json.as_object().unwrap().keys() {
        assert!(DOCUMENT.contains(&format!("`{field}")), "{field}");
    }
}
