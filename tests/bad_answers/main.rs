//! Every bad answer that K2HR3 may give, to a real agent: nothing changes, one line says why, and the next good
//! answer is applied. Once by the resource source, once by the membership source.
#![expect(clippy::unwrap_used, reason = "a suite fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use k2hdkc_agent::ring::Mode;
use k2hdkc_simulators::k2hr3::Sickness;
use k2hdkc_simulators::node::{Node, Plan, wait_for};
use k2hdkc_tests::testbed::{FAST, Testbed, cuks};

/// A bad answer, and what the agent must make of it.
struct Case {
    name: &'static str,
    ill: Ill,
    resource: Said,
    /// `None` where the two member lists cannot show it, or it is no fault in them.
    membership: Option<Said>,
    /// False for what is only bad beside an installed file.
    bad_at_first: bool,
    /// The number of times it must strike; less for the slow ones.
    passes: usize,
    more_config: &'static str,
}

enum Ill {
    Answers(Sickness),
    /// No process listens.
    Down,
}

/// The state in `status`, and what the line must tell.
#[derive(Clone, Copy)]
struct Said {
    state: &'static str,
    line: &'static str,
}

const fn doubtful(line: &'static str) -> Said {
    Said { state: "doubtful", line }
}

const fn refused(line: &'static str) -> Said {
    Said { state: "refused", line }
}

const fn held(line: &'static str) -> Said {
    Said { state: "held", line }
}

/// A fault of the answer itself, the same for both sources.
fn case(name: &'static str, sickness: Sickness, said: Said) -> Case {
    Case {
        name,
        ill: Ill::Answers(sickness),
        resource: said,
        membership: Some(said),
        bad_at_first: true,
        passes: 6,
        more_config: "",
    }
}

fn status(name: &'static str, status: u16, line: &'static str) -> Case {
    case(name, Sickness::Status(status), doubtful(line))
}

fn cases() -> Vec<Case> {
    let unreadable = doubtful("K2HR3 answered 200 without readable JSON");
    let broken = doubtful("K2HR3's answer broke off");
    let too_slow = doubtful("no whole answer of K2HR3 within 1.0 s");
    let bad_tag =
        Some(refused("server 127.0.0.11 of yrn:yahoo:::tenant0:role:mycluster/server (CUK cuk-11, tag"));
    let ms = Duration::from_millis;
    vec![
        case("an empty body", Sickness::EmptyBody, doubtful("K2HR3 answered 200 with an empty body")),
        Case {
            membership: Some(doubtful("K2HR3 answered 200 with a text instead of a host list")),
            ..case(
                "an empty text",
                Sickness::EmptyString,
                doubtful("K2HR3 answered 200 with an empty resource"),
            )
        },
        Case {
            membership: Some(doubtful("K2HR3 answered 200 with null instead of a host list")),
            ..case("null", Sickness::NullResource, doubtful("with null instead of the resource's text"))
        },
        case("HTML", Sickness::Html, unreadable),
        case("503 saying true", Sickness::ServerErrorSayingTrue, doubtful("K2HR3 answered 503")),
        case(
            "200 saying false",
            Sickness::ResultFalse200,
            doubtful("K2HR3 answered 200 without \"result\": true (something is wrong inside)"),
        ),
        case("truncated JSON", Sickness::TruncatedJson, unreadable),
        case("a truncated body", Sickness::TruncatedBody, broken),
        Case {
            membership: Some(refused("the server role has no member")),
            ..case("no servers", Sickness::NoServers, refused("there is no [SVRNODE]"))
        },
        Case { membership: None, ..case("no slaves", Sickness::NoSlaves, refused("there is no [SLVNODE]")) },
        Case {
            membership: Some(held("the answer lacks this host")),
            bad_at_first: false,
            ..case(
                "self missing",
                Sickness::WithoutHost { cuk: "cuk-11".to_owned() },
                refused("no [SVRNODE] is this host (SELFCTLPORT 8021, SELFCUK cuk-11)"),
            )
        },
        Case {
            bad_at_first: false,
            ..case(
                "half of the servers gone",
                Sickness::HalfOfServers,
                held("2 of 4 servers would go at once: 127.0.0.12:8021, 127.0.0.14:8021"),
            )
        },
        Case {
            membership: bad_tag,
            ..case("a newline in a tag", Sickness::NewlineInTag, refused("evil.example"))
        },
        Case {
            membership: bad_tag,
            ..case("control characters", Sickness::ControlCharacters, refused("a control character"))
        },
        case("100 MB", Sickness::Huge { bytes: 100_000_000 }, doubtful("has more than 8388608 bytes")),
        Case { passes: 2, ..case("a slow drip", Sickness::SlowDrip { byte_every: ms(20) }, too_slow) },
        case("a reset in mid-body", Sickness::ResetInMidBody, broken),
        case(
            "a redirect",
            Sickness::Redirect,
            doubtful("K2HR3 answered 302 (a redirect, which is not followed)"),
        ),
        status("401", 401, "K2HR3 answered 401: token("),
        status("403", 403, "K2HR3 answered 403"),
        status("404", 404, "K2HR3 answered 404: role does not allow to read access"),
        status("413", 413, "K2HR3 answered 413"),
        status("431", 431, "K2HR3 answered 431"),
        status("500", 500, "K2HR3 answered 500: Internal server error"),
        Case {
            passes: 2,
            more_config: "[k2hr3]\ntimeout = \"10s\"\n",
            ..case(
                "a dead backend, which says 401 after a while",
                Sickness::BackendDead { after: ms(3100) },
                doubtful("s (a sick backend answers like that)"),
            )
        },
        case("a wrong content length", Sickness::WrongContentLength, unreadable),
        case("not UTF-8", Sickness::NotUtf8, unreadable),
        Case {
            membership: Some(doubtful("K2HR3 answered 200 with a list instead of a host list")),
            ..case("deep JSON", Sickness::DeepJson, doubtful("with a list instead of the resource's text"))
        },
        case("connections closed at once", Sickness::Refuse, doubtful("K2HR3")),
        Case { passes: 2, ..case("a stall", Sickness::Stall(ms(5000)), too_slow) },
        case("a stall and then the end", Sickness::StallThenClose(ms(50)), broken),
        Case {
            ill: Ill::Down,
            ..case("a refused connection", Sickness::Refuse, doubtful("no connection to K2HR3"))
        },
    ]
}

const PATIENCE: Duration = Duration::from_secs(15);
/// Most cases wait most of the time.
const AT_ONCE: usize = 8;

#[test]
fn no_bad_answer_of_a_resource_changes_anything_and_each_is_explained() {
    hold_against(cases(), "resource", |case| Some(case.resource));
}

#[test]
fn no_bad_answer_of_member_lists_changes_anything_and_each_is_explained() {
    hold_against(cases(), "membership", |case| case.membership);
}

/// An empty slave role is no fault where the agent itself writes the stand-in; the slaves go as removals do.
#[test]
fn an_empty_slave_role_is_a_removal_that_must_be_seen_again() {
    let testbed = Testbed::open(4, 2).unwrap();
    let mut node = installed(&testbed, "membership", "");
    let before = node.live().unwrap();
    testbed.lab().set_sickness(Some(Sickness::NoSlaves));
    let waiting = |node: &Node| node.status().unwrap()["waiting"].as_array().unwrap().len();
    assert!(wait_for(PATIENCE, || waiting(&node) == 2), "{}", node.log());
    testbed.lab().set_sickness(None);
    assert!(wait_for(PATIENCE, || waiting(&node) == 0), "{}", node.log());
    assert_eq!(node.live().unwrap(), before);
    node.stop().unwrap();
}

/// The simulator announces the length of its 100 MB; here only reading on would show it.
#[test]
fn a_body_of_unknown_length_is_read_no_further_than_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let testbed = Testbed::open(1, 1).unwrap();
    let api_uri = format!("http://{}", listener.local_addr().unwrap());
    let node = testbed.node(Plan { api_uri, ..testbed.server_plan(11, "") }).unwrap();
    let flood = std::thread::spawn(move || flood(&listener, 100_000_000));
    let output = node.run(&["once"]).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), node.ini().exists()), (Some(1), false), "{errors}");
    assert_telling("chunked", &errors, "K2HR3's answer has more than 8388608 bytes");
    let sent = flood.join().unwrap();
    assert!((8_388_608..40_000_000).contains(&sent), "{sent} bytes were taken");
}

/// Answers one request with chunks until they are no longer taken; how many bytes were.
fn flood(listener: &TcpListener, most: usize) -> usize {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [&b"10000\r\n"[..], &vec![b' '; 0x10000], b"\r\n"].concat();
    let mut sent = 0;
    while sent < most && stream.write_all(&chunk).is_ok() {
        sent += 0x10000;
    }
    sent
}

/// Runs every case that the source can show, some at once, and tells all that failed.
fn hold_against(cases: Vec<Case>, source: &str, said: impl Fn(&Case) -> Option<Said> + Sync) {
    let open = Mutex::new(cases.into_iter());
    let failed = Mutex::new(Vec::new());
    let ran = Mutex::new(0);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = { open.lock().unwrap().next() } {
                    let Some(said) = said(&case) else { continue };
                    *ran.lock().unwrap() += 1;
                    if catch_unwind(AssertUnwindSafe(|| hold(&case, source, said))).is_err() {
                        failed.lock().unwrap().push(case.name);
                    }
                }
            });
        }
    });
    assert!(*ran.lock().unwrap() > 20);
    assert_eq!(failed.into_inner().unwrap(), [""; 0], "these cases failed, see above");
}

fn hold(case: &Case, source: &str, said: Said) {
    let mut testbed = Testbed::open(4, 2).unwrap();
    let mut node = installed(&testbed, source, case.more_config);
    let before = (node.live().unwrap(), node.fileversion());
    let logged = node.log().len();

    fall_ill(&mut testbed, case);
    testbed.add_server(15);
    let struck = || node.log()[logged..].matches("nothing changed").count() >= case.passes;
    assert!(wait_for(PATIENCE, struck), "{}: the agent did not notice:\n{}", case.name, node.log());
    let status = node.status().unwrap();
    assert_eq!(status["outcome"]["code"], said.state, "{}: {status:#}", case.name);
    assert_telling(case.name, status["outcome"]["text"].as_str().unwrap(), said.line);
    let log = node.log()[logged..].to_owned();
    // The question that was under way when K2HR3 went down breaks off.
    let struck_down = matches!(case.ill, Ill::Down);
    let log: String = log
        .lines()
        .filter(|line| !(struck_down && line.contains("answer broke off")))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_told_once(case.name, &log, said.line);
    assert_eq!((node.live().unwrap(), node.fileversion()), before, "{}", case.name);
    if case.bad_at_first {
        assert_no_first_file(case, &testbed, source, said);
    }

    get_well(&mut testbed);
    let followed = wait_for(PATIENCE, || node.cuks(Mode::Server) == cuks(11..=15));
    assert!(followed, "{}: the next good answer is not applied:\n{}", case.name, node.log());
    assert!(node.fileversion() > before.1, "{}", case.name);
    assert!(wait_for(PATIENCE, || node.run(&["status"]).unwrap().status.success()), "{}", node.log());
    node.stop().unwrap();
}

/// A running agent that has installed its first file.
fn installed(testbed: &Testbed, source: &str, more_config: &str) -> Node {
    let mut node = testbed.node(testbed.server_plan(11, FAST)).unwrap();
    node.write("etc/k2hdkc-agent/conf.d/10-source.toml", &format!("[k2hr3]\nsource = \"{source}\"\n"))
        .unwrap();
    node.write("etc/k2hdkc-agent/conf.d/20-case.toml", more_config).unwrap();
    node.start().unwrap();
    let first = wait_for(PATIENCE, || node.cuks(Mode::Server) == cuks(11..=14));
    assert!(first, "no first file:\n{}", node.log());
    let noted = wait_for(PATIENCE, || node.log().contains("unchanged"));
    assert!(noted, "no second answer:\n{}", node.log());
    node
}

fn fall_ill(testbed: &mut Testbed, case: &Case) {
    match &case.ill {
        Ill::Answers(sickness) => testbed.lab().set_sickness(Some(sickness.clone())),
        Ill::Down => testbed.stop(),
    }
}

fn get_well(testbed: &mut Testbed) {
    testbed.lab().set_sickness(None);
    testbed.resume().unwrap();
}

/// A node without a file gets none, and `once` says why in one line.
fn assert_no_first_file(case: &Case, testbed: &Testbed, source: &str, said: Said) {
    let fresh = testbed.node(testbed.server_plan(12, FAST)).unwrap();
    let fragments = format!("[k2hr3]\nsource = \"{source}\"\n[log]\nlevel = \"info\"\n");
    fresh.write("etc/k2hdkc-agent/conf.d/10-source.toml", &fragments).unwrap();
    fresh.write("etc/k2hdkc-agent/conf.d/20-case.toml", case.more_config).unwrap();
    let output = fresh.run(&["once"]).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{}: {errors}", case.name);
    assert_eq!((errors.lines().count(), fresh.ini().exists()), (1, false), "{}: {errors}", case.name);
    assert_telling(case.name, &errors, said.line);
}

fn assert_telling(name: &str, line: &str, fragment: &str) {
    assert!(line.contains(fragment) && line.trim_end().lines().count() == 1, "{name}: {line:?}");
}

/// The log has the reason at a level that is seen, and does not repeat itself at every poll.
fn assert_told_once(name: &str, log: &str, fragment: &str) {
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(" WARN ") || line.contains("ERROR "))
        .filter_map(|line| line[line.find("nothing changed")?..].split(" [answer after").next())
        .collect();
    assert!(!told.is_empty() && told.iter().all(|line| line.contains(fragment)), "{name}: {told:#?}");
    let distinct: BTreeSet<&str> = told.iter().copied().collect();
    assert_eq!(told.len(), distinct.len(), "{name}: the log repeats itself: {told:#?}");
}
