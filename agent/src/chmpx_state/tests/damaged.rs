//! Answers that are cut off or changed, or answer another question.

use super::*;

const VIEWS: &[(&str, Parser)] = &[
    (DUMP_WITHOUT_K2HDKC, |text| dump(text).map(drop)),
    (DUMP_IN_SERVICE, |text| dump(text).map(drop)),
    (DUMP_SLAVE, |text| dump(text).map(drop)),
    (CHMPXSTATUS_IN_SERVICE, |text| chmpxstatus(text).map(drop)),
];

const OTHERS: &[(&str, Parser)] = &[
    (ALLSTATUS_IN_SERVICE, |text| all_status(text).map(drop)),
    ("ERROR: There is no such as server.\n", |text| {
        is_accepted(text);
        Ok(())
    }),
    ("0x21(SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend])", |text| {
        NodeStatus::read(text);
        Ok(())
    }),
];

type Parser = fn(&str) -> Result<(), ViewError>;

#[test]
fn no_beginning_of_an_answer_is_an_answer() {
    for (text, parser) in VIEWS {
        assert_eq!(parser(text), Ok(()));
        for end in 0..text.len() {
            assert!(parser(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }
}

#[test]
fn an_allstatus_that_ends_between_two_servers_looks_like_a_smaller_ring() {
    let second = ALLSTATUS_IN_SERVICE.find("No.2").unwrap();
    for end in 0..ALLSTATUS_IN_SERVICE.len() {
        let told = all_status(&ALLSTATUS_IN_SERVICE[..end]);
        assert_eq!(told.is_ok(), end == second, "{told:?}");
    }
}

#[test]
fn a_server_that_is_counted_and_not_listed_is_an_error() {
    let counted = DUMP_IN_SERVICE.replace("chmpx_server_count = 2", "chmpx_server_count = 5");
    let error = ViewError::Miscounted { answer: "DUMP", key: "chmpx_server_count", counted: 5, listed: 2 };
    assert_eq!(error.to_string(), "the answer to DUMP counts 5 nodes in \"chmpx_server_count\" and lists 2");
    assert_eq!(dump(&counted), Err(error));
    let counted = CHMPXSTATUS_IN_SERVICE.replace("slave chmpxs [ 2 ]", "slave chmpxs [ 1 ]");
    assert_eq!(
        chmpxstatus(&counted),
        Err(ViewError::Miscounted { answer: "chmpxstatus", key: "slave chmpxs", counted: 1, listed: 2 })
    );
}

#[test]
fn an_allstatus_with_a_server_missing_in_between_is_an_error() {
    let gap = ALLSTATUS_IN_SERVICE.replace("No.2", "No.3");
    assert_eq!(all_status(&gap), Err(ViewError::CutOff { answer: "ALLSTATUS" }));
    assert_eq!(all_status("RING Name = LAB\n"), Err(ViewError::CutOff { answer: "ALLSTATUS" }));
}

#[test]
fn every_line_that_a_view_needs_is_missed_by_its_name() {
    for (lines, key) in [
        ("cfg_revision       = 1\n", "cfg_revision"),
        ("suspend automerge    = no\n", "suspend automerge"),
        ("  status           = SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend]\n", "status"),
        ("  ctlport          = 30021\n", "ctlport"),
        ("  pending_hash     = 0x1\n", "pending_hash"),
    ] {
        let error = dump(&DUMP_IN_SERVICE.replace(lines, "\n")).unwrap_err();
        assert_eq!(error, ViewError::Missing { answer: "DUMP", key });
    }
}

#[test]
fn lines_that_nobody_knows_are_passed_over() {
    let more = DUMP_SLAVE.replace("  name   ", "  news             = {\n  more  = 1\n  name   ");
    assert_eq!(dump(&more), dump(DUMP_SLAVE));
    let more = format!("warning: something\n{CHMPXSTATUS_IN_SERVICE}bye\n");
    assert_eq!(chmpxstatus(&more), chmpxstatus(CHMPXSTATUS_IN_SERVICE));
}

#[test]
fn a_refusal_is_quoted_and_so_is_any_other_text() {
    let error = all_status("ERROR: Failed to get all information.\n").unwrap_err();
    assert_eq!(error.to_string(), "the answer to ALLSTATUS is \"ERROR: Failed to get all information.\"");
    assert!(matches!(dump("Unknown command(DUMP)\n"), Err(ViewError::Said { .. })));
    assert!(matches!(chmpxstatus("nothing of it\n"), Err(ViewError::CutOff { .. })));
}

#[test]
fn a_chmpx_without_its_memory_says_nothing_of_use() {
    let rule = "=".repeat(74);
    let text = format!("{rule}\nShared memory file path   = \n{rule}\n*** NOT MAPPING\n{rule}\n");
    assert_eq!(dump(&text), Err(ViewError::Missing { answer: "DUMP", key: "chmpx_server_count" }));
}

proptest! {
    #[test]
    fn no_change_of_an_answer_makes_a_parser_panic(
        which in 0..VIEWS.len() + OTHERS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..40, "[ -~\n\t{}=é]{0,4}"), 1..6),
    ) {
        let (text, _) = VIEWS.iter().chain(OTHERS).nth(which).unwrap();
        let mut bytes = text.as_bytes().to_vec();
        for (at, length, put) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + length).min(bytes.len());
            bytes.splice(start..end, put.bytes());
        }
        let text = String::from_utf8_lossy(&bytes);
        for (_, parser) in VIEWS.iter().chain(OTHERS) {
            let _ = parser(&text);
        }
    }

    #[test]
    fn no_text_at_all_makes_a_parser_panic(text in "(?s).{0,200}") {
        for (_, parser) in VIEWS.iter().chain(OTHERS) {
            let _ = parser(&text);
        }
    }
}
