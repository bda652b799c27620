//! The reader with real pipes and paused time.

use std::io::Write as _;

use super::*;
use crate::log::heard::Log;

/// Lets time pass until that was logged so often, a minute of it at most.
async fn has(log: &Log, text: &str, times: usize) {
    for _ in 0..600 {
        if log.count(text) >= times {
            return;
        }
        pass(1).await;
    }
    panic!("no {times} times {text:?} in\n{}", log.text());
}

/// Lets so many tenths of a second pass, and everybody run.
async fn pass(tenths: u32) {
    for _ in 0..tenths {
        tokio::time::advance(Duration::from_millis(100)).await;
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_said_while_no_agent_ran_is_logged_by_the_next_one() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let mut chmpx = writer(dir.path(), Program::Chmpx).unwrap();
    chmpx.write_all(b"[CHMPX-ERR] before\n").unwrap();
    let output = Output::read(dir.path(), Program::Chmpx);
    has(&log, "[CHMPX-ERR] before", 1).await;
    drop(output);
    chmpx.write_all(b"between\n").unwrap();
    let _output = Output::read(dir.path(), Program::Chmpx);
    has(&log, "between", 1).await;
    assert_eq!(log.count("before"), 1, "{}", log.text());
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_cannot_be_had_is_told_once_and_tried_again() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let at = path(dir.path(), Program::K2hdkc);
    std::fs::create_dir(&at).unwrap();
    let _output = Output::read(dir.path(), Program::K2hdkc);
    pass(600).await;
    assert_eq!(log.count("the output of k2hdkc is not logged"), 1, "{}", log.text());
    std::fs::remove_dir(&at).unwrap();
    has(&log, "the output is logged again", 1).await;
    writer(dir.path(), Program::K2hdkc).unwrap().write_all(b"[K2HDKC-WAN] here\n").unwrap();
    has(&log, "[K2HDKC-WAN] here", 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_program_that_got_another_pipe_is_heard_through_it() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let output = Output::read(dir.path(), Program::Chmpx);
    let mut old = writer(dir.path(), Program::Chmpx).unwrap();
    old.write_all(b"one\n").unwrap();
    has(&log, "one", 1).await;
    std::fs::remove_file(path(dir.path(), Program::Chmpx)).unwrap();
    old.write_all(b"two\nits last wor").unwrap();
    let mut new = writer(dir.path(), Program::Chmpx).unwrap();
    new.write_all(b"three\n").unwrap();
    output.started(Program::K2hdkc);
    output.started(Program::Chmpx);
    has(&log, "three", 1).await;
    let text = log.text();
    let places: Vec<_> = ["one", "two", "its last wor", "three"].iter().map(|line| text.find(line)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_text_and_lines_without_end_and_floods_do_no_harm() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let _output = Output::read(dir.path(), Program::Chmpx);
    let mut chmpx = writer(dir.path(), Program::Chmpx).unwrap();
    chmpx.write_all(b"a\xff\x1b[31mb\rc\n").unwrap();
    has(&log, "a\u{fffd}\\u{1b}[31mb\\rc", 1).await;
    chmpx.write_all("x".repeat(30_000).as_bytes()).unwrap();
    chmpx.write_all(b"\nbehind it\n").unwrap();
    has(&log, "behind it", 1).await;
    assert_eq!(log.count("xxx…"), 1);
    // Each is another one, also without its number.
    let flood: String = (0..1000_u32).map(|n| format!("flood {}\n", other(n))).collect();
    chmpx.write_all(flood.as_bytes()).unwrap();
    // Nothing follows it, and the count is told all the same.
    has(&log, "further lines were not logged", 1).await;
    assert!(log.count("flood") < 200 && log.text().contains("more=80"), "{}", log.text());
}

/// A word for a number, without a digit.
fn other(number: u32) -> String {
    number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_program_repeats_is_copied_once_and_counted_later_and_at_the_end() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let output = Output::read(dir.path(), Program::Chmpx);
    let mut chmpx = writer(dir.path(), Program::Chmpx).unwrap();
    // A peer that is turned away, as chmpx 1.0.113 tells of it, four lines at a time.
    let denied = |number: u32| {
        format!(
            "[CHMPX-ERR] Accept(4283) : Denied 192.0.2.{number} - (sock:{number}) by not allowed.\n[CHMPX-ERR] \
             RawReceive(2848) : Could not accept new connection.\n[CHMPX-WAN] RawReceive(3145) : Received from unknown \
             sock({number}).\n"
        )
    };
    for number in 0..50 {
        chmpx.write_all(denied(number).as_bytes()).unwrap();
        pass(10).await;
    }
    let lines = || log.text().lines().count();
    assert_eq!((lines(), log.count(" WARN "), log.count(" INFO ")), (3, 2, 1), "{}", log.text());
    has(&log, "again 49 times within 1 min 0 s: [CHMPX-ERR] Accept(4283) : Denied 192.0.2.49 - (sock:49)", 1)
        .await;
    assert_eq!((lines(), log.count(" WARN "), log.count(" INFO ")), (6, 4, 2), "{}", log.text());
    chmpx.write_all(denied(7).as_bytes()).unwrap();
    pass(1).await;
    assert_eq!(lines(), 6);
    drop(output);
    has(&log, "again 1 times within", 3).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_next_process_says_is_news_although_the_one_before_said_the_same() {
    let (dir, (log, _guard)) = (tempfile::tempdir().unwrap(), Log::taken());
    let output = Output::read(dir.path(), Program::Chmpx);
    let mut chmpx = writer(dir.path(), Program::Chmpx).unwrap();
    for _ in 0..2 {
        chmpx.write_all(b"[CHMPX-ERR] cannot start\n").unwrap();
        pass(1).await;
    }
    assert_eq!(log.count("cannot start"), 1);
    output.started(Program::Chmpx);
    has(&log, "again 1 times within", 1).await;
    chmpx.write_all(b"[CHMPX-ERR] cannot start\n").unwrap();
    has(&log, "[CHMPX-ERR] cannot start", 3).await;
}
