//! The answers that have one line, and those that have a few.

use std::time::Duration;

use super::*;

/// What an answer of one line means.
#[derive(Debug, PartialEq)]
enum Meaning {
    Command(Answer),
    Version(Version),
}

fn meaning(text: &str) -> Meaning {
    version(text).map(Meaning::Version).or_else(|_| answer(text).map(Meaning::Command)).unwrap()
}

fn done() -> Meaning {
    Meaning::Command(Answer::Succeeded(None))
}

fn nobody() -> Meaning {
    Meaning::Command(Answer::Succeeded(Some("There no server on RING.".into())))
}

fn refused(refusal: Refusal, text: &str) -> Meaning {
    Meaning::Command(Answer::Refused(refusal, text.into()))
}

fn operating() -> Meaning {
    refused(Refusal::Operating, "Could not change status, because server is operating now.")
}

fn not_allowed() -> Meaning {
    refused(Refusal::NotAllowed, "Could not change status, because status is not allowed.")
}

fn slave_node() -> Meaning {
    refused(Refusal::SlaveNode, "The command can not be executed on the slave node.")
}

fn no_parameter() -> Meaning {
    let text = "SERVICEOUT command must have parameter as server/ctlport.(ex: \"SERVICEOUT servername.fqdn:ctlport\")";
    refused(Refusal::Other, text)
}

fn bad_traceview() -> Meaning {
    let text = "TRACEVIEW command parameter is \"TRACEVIEW [DIR=IN/OUT/ALL] [DEV=SOCK/MQ/ALL] [COUNT]\"";
    refused(Refusal::Other, text)
}

fn unknown(command: &str) -> Meaning {
    Meaning::Command(Answer::Unknown(command.into()))
}

fn this_version() -> Meaning {
    Meaning::Version(Version { number: "1.0.113".into(), commit: "84192b9".into(), tls: "OpenSSL".into() })
}

/// Every recorded one, in the order of the file.
fn expected() -> Vec<(&'static str, &'static str, Meaning)> {
    let out = "SERVICEOUT 10.77.0.2:30021:node2";
    vec![
        ("VERSION", "to a server", this_version()),
        ("VERSION\\n", "with a newline", this_version()),
        ("version\\r\\n", "in lower case with CR and LF", this_version()),
        ("VERSION", "to a slave", this_version()),
        ("UPDATESTATUS", "to a server", done()),
        ("UPDATESTATUS", "to a slave", slave_node()),
        ("SERVICEIN", "to a server without k2hdkc", not_allowed()),
        ("SERVICEIN", "to a slave", slave_node()),
        ("SERVICEIN", "to a server that is in service", not_allowed()),
        ("SERVICEIN", "to a server out of service", done()),
        ("SERVICEIN", "to the same again", done()),
        ("SERVICEOUT", "without a parameter", no_parameter()),
        ("SERVICEOUT 10.77.0.2:30021", "without the seed, ids by seed", no_parameter()),
        (
            "SERVICEOUT 10.9.9.9:30021:nosuch",
            "of an unknown server",
            refused(Refusal::NoSuchServer, "There is no such as server."),
        ),
        (out, "of a server out of service", not_allowed()),
        (out, "of a healthy server, to another", done()),
        (out, "of a healthy server, to a slave", done()),
        ("MERGE", "with nothing to merge", done()),
        ("MERGE", "to a slave", nobody()),
        ("COMPMERGE", "with nothing to complete", done()),
        ("ABORTMERGE", "with nothing to abort", done()),
        ("SUSPENDMERGE", "to a server", done()),
        ("SUSPENDMERGE", "to a slave", slave_node()),
        ("NOSUSPENDMERGE", "to a server", done()),
        ("NOSUSPENDMERGE", "to a slave", slave_node()),
        (
            "TRACE",
            "without a parameter",
            refused(
                Refusal::Other,
                "TRACE command must have parameter as enable/disable.(ex: \"TRACE enable\")",
            ),
        ),
        ("TRACE enable", "to a server", done()),
        ("TRACE bogus", "with an unknown word", done()),
        ("TRACE off", "when off already", refused(Refusal::Other, "TRACE is already enabled/disabled.")),
        ("TRACE ENABLE", "to a server", done()),
        ("TRACEVIEW", "with nothing traced", refused(Refusal::Other, "There is no matched trace log now.")),
        ("TRACEVIEW DIR=BAD", "with a bad parameter", bad_traceview()),
        ("TRACEVIEW 999999", "with too high a count", bad_traceview()),
        ("FOOBAR x y", "unknown", unknown("FOOBAR")),
        ("STATUS", "unknown", unknown("STATUS")),
        ("\\n", "a newline alone", unknown("")),
        ("  VERSION", "with leading blanks", unknown("")),
        ("VERSION\\nALLSTATUS\\n", "two lines at once", this_version()),
        ("VERSION\\x00", "with a NUL at its end", this_version()),
        ("VERSION", "closed for writing after it", this_version()),
        ("VERSION", "from a host that is not listed", this_version()),
        ("VERSION", "from a slave to a server", this_version()),
        ("VERSION", "from a server to a slave", this_version()),
        ("VERSION", "over the loopback address", this_version()),
        ("MERGE", "to the only server that is up", nobody()),
        ("COMPMERGE", "to the only server that is up", nobody()),
        ("SERVICEIN", "to a server that is merging", operating()),
        (out, "of a server that is merging, to a slave", operating()),
    ]
}

#[test]
fn every_answer_of_one_line_is_understood() {
    let recorded: Vec<_> = ONE_LINE_ANSWERS
        .lines()
        .map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            let [request, circumstances, said] = columns[..] else { panic!("{line}") };
            (request, circumstances, meaning(&format!("{said}\n")))
        })
        .collect();
    assert_eq!(recorded, expected());
}

#[test]
fn an_answer_of_one_line_without_its_newline_is_cut_off() {
    for line in ONE_LINE_ANSWERS.lines() {
        let said = line.rsplit('\t').next().unwrap();
        for end in 0..=said.len() {
            assert_eq!(answer(&said[..end]), Err(ViewError::CutOff { answer: "a command" }));
            assert_eq!(version(&said[..end]), Err(ViewError::CutOff { answer: "VERSION" }));
        }
    }
}

#[test]
fn a_request_that_is_too_long_comes_back_whole() {
    let command = "X".repeat(8191);
    let said = answer(&format!("Unknown command({command})\n"));
    assert_eq!(said, Ok(Answer::Unknown(command)));
}

#[test]
fn refusals_that_were_only_read_are_told_apart_as_well() {
    let refusal = |text: &str| match answer(text) {
        Ok(Answer::Refused(refusal, _)) => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refusal(
            "ERROR: Could not change status, because some servers could not be changed its status now.\n"
        ),
        Refusal::SomeServers
    );
    assert_eq!(
        refusal(
            "ERROR: Failed to transfer command to other target server, something error occured on target server.\n"
        ),
        Refusal::NotTransferred
    );
    assert_eq!(refusal("INTERNAL ERROR: Something error is occured.\n"), Refusal::Other);
}

#[test]
fn something_else_is_no_answer() {
    for text in ["\n", "SUCCEED \n", "SUCCEEDED\n", "Unknown command(\n", "HTTP/1.1 400 Bad Request\n"] {
        assert!(matches!(answer(text), Err(ViewError::Said { .. })), "{text}");
    }
}

#[test]
fn traces_have_their_way_length_and_time() {
    let trace = |way: &str, bytes, nanoseconds| {
        let moment = Duration::new(1_795_314_354, nanoseconds);
        Trace { way: way.into(), bytes, start: moment, finish: moment }
    };
    let all = vec![
        trace("Input Socket", 308, 891_203_436),
        trace("Output MQ", 188, 891_203_436),
        trace("Input MQ", 40, 895_203_436),
        trace("Output Socket", 160, 895_203_436),
    ];
    assert_eq!(traces(TRACEVIEW_FILTERED).as_ref(), Ok(&all[..1].to_vec()));
    assert_eq!(traces(TRACEVIEW_SET_AND_GET), Ok(all));
    assert!(matches!(traces("ERROR: There is no matched trace log now.\n"), Err(ViewError::Said { .. })));
}

#[test]
fn a_wait_ends_in_time_or_not() {
    assert_eq!(waited(CHMPXSTATUS_WAIT_SUCCEEDED), Ok(true));
    assert_eq!(waited(CHMPXSTATUS_WAIT_FAILED), Ok(false));
    assert!(matches!(waited("Usage:\n"), Err(ViewError::Said { .. })));
}
