//! The reader with real pipes and paused time.

use std::io::Write as _;

use super::*;
use crate::target::process::heard::Log;

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
    assert_eq!(log.count("what k2hdkc says is not logged"), 1, "{}", log.text());
    std::fs::remove_dir(&at).unwrap();
    has(&log, "its output is read again", 1).await;
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
    chmpx.write_all("flood\n".repeat(1000).as_bytes()).unwrap();
    // Nothing follows it, and the count is told all the same.
    has(&log, "further lines were not logged", 1).await;
    assert!(log.count("flood") < 200 && log.text().contains("more=80"), "{}", log.text());
}
