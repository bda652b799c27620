use super::readiness::JOB_WITHIN;
use super::*;
use crate::settings::{self, Origin};
use crate::supervisor::Running;

fn awaited() -> Awaited {
    Awaited { program: Program::Chmpx, since: Instant::now(), before: Main::default() }
}

/// Program that a look reports as `appeared` at this k2hdkc.
fn appeared(systemd: &mut Systemd, pid: u32) -> Option<(Program, ProcessId)> {
    let (id, now) = (ProcessId { pid, start_ticks: u64::from(pid) }, Instant::now());
    let running = Running { id, since: now, worked: Duration::ZERO, counted: now };
    let mut observed = Observed { k2hdkc: Some(running), ..Observed::default() };
    systemd.add_units(Path::new("/etc/antpickax/k2hdkc.ini"), &mut observed);
    observed.events.appeared
}

#[tokio::test(start_paused = true)]
async fn a_start_job_without_an_end_is_told_with_who_can_say_what_it_waits_for() {
    let settings =
        settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().supervisor;
    let mut systemd = Systemd::new(settings.process, settings.units, Waker::default(), false);
    let words = |word: &str| word.to_owned();
    systemd.chmpx =
        UnitState { load: words("loaded"), active: words("inactive"), has_job: true, ..UnitState::default() };
    systemd.awaited = Some(awaited());
    let mut look = || {
        let mut observed = Observed::default();
        systemd.add_units(Path::new("/etc/antpickax/k2hdkc.ini"), &mut observed);
        let blocked =
            observed.absence.cannot_start.into_iter().find(|(program, _)| *program == Program::Chmpx);
        blocked.map(|(_, text)| text)
    };
    assert_eq!(look(), None, "it may take its time");
    tokio::time::advance(JOB_WITHIN).await;
    assert_eq!(
        look().unwrap(),
        "its start job waits for more than 90 s: 'systemctl list-jobs' shows for what (chmpx.service)"
    );
}

#[tokio::test]
async fn what_a_helper_starts_is_on_the_agent_s_account_and_what_was_there_is_not() {
    let settings =
        settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().supervisor;
    for is_helped in [true, false] {
        let mut systemd =
            Systemd::new(settings.process.clone(), settings.units.clone(), Waker::default(), false);
        systemd.k2hdkc.is_helped = is_helped;
        assert_eq!(appeared(&mut systemd, 8), None, "it was there before the agent");
        let id = ProcessId { pid: 9, start_ticks: 9 };
        assert_eq!(appeared(&mut systemd, 9), is_helped.then_some((Program::K2hdkc, id)));
        assert_eq!(appeared(&mut systemd, 9), None, "once");
    }
}

fn systemd() -> Systemd {
    let settings =
        settings::load(&Origin { config: None, root: Some("/nowhere".into()) }).unwrap().supervisor;
    Systemd::new(settings.process, settings.units, Waker::default(), false)
}

fn unit(active: &str, result: &str) -> UnitState {
    let [load, active, result] = ["loaded", active, result].map(str::to_owned);
    UnitState { load, active, result, ..UnitState::default() }
}

fn look(systemd: &mut Systemd, chmpx: Option<u32>) -> Observed {
    let now = Instant::now();
    let id = |pid| ProcessId { pid, start_ticks: u64::from(pid) };
    let running = |pid| Running { id: id(pid), since: now, worked: Duration::ZERO, counted: now };
    let mut observed = Observed { chmpx: chmpx.map(running), ..Observed::default() };
    systemd.add_units(Path::new("/etc/antpickax/k2hdkc.ini"), &mut observed);
    observed
}

#[tokio::test]
async fn a_start_whose_job_is_done_and_whose_program_never_comes_is_refused_and_told() {
    // As with a user that is missing (217/USER), and with a condition that is not met.
    let cases = [
        ("failed", "exit-code", "its unit failed (exit-code, 0 restarts)"),
        (
            "inactive",
            "success",
            "chmpx.service was started, and no chmpx runs: 'systemctl status chmpx.service' shows the cause",
        ),
    ];
    for (active, result, told) in cases {
        let mut systemd = systemd();
        systemd.chmpx = unit(active, result);
        assert_eq!(look(&mut systemd, None).events.failed_starts, [], "nobody has started it");
        systemd.awaited = Some(awaited());
        assert_eq!(look(&mut systemd, None).events.failed_starts, [(Program::Chmpx, told.to_owned())]);
        assert_eq!(look(&mut systemd, None).events.failed_starts, [], "once a start");
    }
}

#[tokio::test]
async fn a_start_whose_program_ended_before_anybody_saw_it_has_an_end_like_every_other() {
    let main = Main { pid: 70, code: 1, status: 0, started: 5_000_000, ended: 5_100_000 };
    let after = |is_helped, before| {
        let mut systemd = systemd();
        systemd.units.helpers = "/etc/antpickax".into();
        systemd.k2hdkc = UnitState { main, is_helped, ..unit("inactive", "success") };
        systemd.awaited = Some(Awaited { program: Program::K2hdkc, before, ..awaited() });
        let observed = look(&mut systemd, None);
        (
            observed.events.exits.first().map(|ended| (ended.program, ended.was.id.pid, ended.how)),
            observed.events.failed_starts.len(),
        )
    };
    assert_eq!(after(false, Main::default()), (Some((Program::K2hdkc, 70, ExitStatus::Exit(0))), 0));
    assert_eq!(after(false, main), (None, 1), "that is the one before");
    assert_eq!(after(true, Main::default()), (None, 1), "a helper has ended");
}

#[tokio::test]
async fn a_unit_is_called_by_its_own_name() {
    let mut systemd = systemd();
    assert_eq!(systemd.unit(Program::Chmpx).0, "chmpx.service", "nothing is known of it yet");
    systemd.chmpx.id = "chmpxd.service".to_owned();
    systemd.k2hdkc = UnitState { needs: vec!["chmpxd.service".to_owned()], ..unit("inactive", "success") };
    let told = look(&mut systemd, Some(std::process::id())).absence.cannot_start.remove(0).1;
    assert!(told.starts_with("k2hdkc.service needs chmpxd.service, but"), "{told}");
}

#[tokio::test]
async fn a_unit_that_would_bring_a_second_chmpx_is_not_started() {
    // This very process is of no chmpx.service.
    let pid = std::process::id();
    let blocked = |systemd: &mut Systemd, chmpx| {
        let blocked = look(systemd, chmpx).absence.cannot_start.into_iter();
        blocked.filter(|(program, _)| *program == Program::K2hdkc).map(|(_, text)| text).next()
    };
    let mut systemd = systemd();
    (systemd.chmpx, systemd.k2hdkc) = (unit("inactive", "success"), unit("inactive", "success"));
    assert_eq!(blocked(&mut systemd, Some(pid)), None, "upstream's unit needs no other");
    systemd.k2hdkc.needs = vec!["chmpx.service".to_owned()];
    let told = blocked(&mut systemd, Some(pid)).unwrap();
    assert!(told.contains(&format!("end it ('kill -HUP {pid}')")), "{told}");
    assert_eq!(blocked(&mut systemd, None), None, "a chmpx that does not run is brought rightly");
}

#[tokio::test]
async fn who_stops_a_unit_by_hand_is_told_the_way_that_lasts_and_a_stop_of_the_agent_s_own_is_none() {
    for ours in [false, true] {
        let mut systemd = systemd();
        let main = Main { pid: 7, code: 1, status: 0, started: 1_000, ended: 3_000 };
        systemd.chmpx = UnitState { main, left: 2_000, ..unit("inactive", "success") };
        if ours {
            systemd.stopped.insert(Program::Chmpx, 7);
        }
        let words = look(&mut systemd, None).absence.exit_details;
        let told = words.first().is_some_and(|(_, text)| {
            text.starts_with(
                "another program had systemd stop chmpx.service: 'k2hdkc-agent stop' stops it for maintenance",
            )
        });
        assert_eq!((told, words.len()), (!ours, usize::from(!ours)));
    }
}
