//! The power goes in the middle of a bootstrap, of a join, of an upgrade and of a leave: the next boot brings it to its end.
//!
//! It goes for the processes alone: what they have written is there afterwards, on a disk that had no fault.

use std::time::Duration;

use k2hdkc_agent::lifecycle::Stage;
use k2hdkc_simulators::k2hr3::{Illness, Sickness};
use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::fleet::Fleet;
use k2hdkc_tests::environments::say;

use crate::{LONG, cloud, settled, told, turn};

#[test]
fn the_next_boot_repairs_what_a_power_cut_left_half_done() {
    let _turn = turn();
    let Some(mut fleet) = cloud() else { return };
    fleet.boot(&[1, 2]).unwrap();
    settled(&fleet, &[], 2);
    in_a_bootstrap(&mut fleet, 2);
    in_a_join(&mut fleet, 3);
    in_an_upgrade(&mut fleet, 1);
    in_a_leave(&mut fleet, 3);
}

/// While it asks K2HR3 what is wanted. cloud-init has run the user-data, and does not run it again.
fn in_a_bootstrap(fleet: &mut Fleet, number: u32) {
    let is_unfinished = |fleet: &Fleet| {
        fleet.node(number).exec(&["test", "-e", "/var/lib/k2hdkc-agent/unfinished-bootstrap"]).is_ok()
    };
    assert!(!is_unfinished(fleet), "{}", told(fleet, number));
    let stalled = Illness::from(Sickness::Stall(Duration::from_secs(300))).only_resources();
    fleet.ground().lab().set_illness(Some(stalled));
    sh(fleet, number, "setsid k2hdkc-agent bootstrap </dev/null >/dev/null 2>&1 &");
    assert!(wait_for(LONG, || is_unfinished(fleet)), "{}", told(fleet, number));
    fleet.cut_power(number).unwrap();

    fleet.ground().lab().set_sickness(None);
    fleet.start(number).unwrap();
    let unit = "k2hdkc-agent-bootstrap.service";
    let taken_up = wait_for(LONG, || !is_unfinished(fleet));
    assert!(taken_up, "{}{}", fleet.node(number).journal(unit), told(fleet, number));
    settled(fleet, &[], 2);
    let said = "this host has what K2HR3 wants of it";
    assert!(wait_for(LONG, || fleet.node(number).journal(unit).contains(said)), "{}", told(fleet, number));
    let journal = fleet.node(number).exec(&["journalctl", "--no-pager"]).unwrap();
    assert!(!journal.contains("ordering cycle"), "{journal}");
    say("a power cut in a bootstrap: the next boot took it up");
}

/// Counts the registrations that K2HR3 has been asked for.
fn asked(fleet: &Fleet) -> usize {
    fleet.ground().lab().requests().iter().filter(|request| request.method == "PUT").count()
}

/// Between PUT and its answer: once K2HR3 has not kept it, and once it has.
fn in_a_join(fleet: &mut Fleet, number: u32) {
    let lost = Illness::from(Sickness::LostRegistrations { share: 1.0 });
    let held = Illness::from(Sickness::Stall(Duration::from_secs(300))).only_by("PUT");
    fleet.ground().lab().set_illness(Some(lost));
    let before = asked(fleet);
    fleet.boot(&[number]).unwrap();
    assert!(wait_for(LONG, || asked(fleet) > before), "{}", told(fleet, number));
    fleet.cut_power(number).unwrap();
    assert!(!fleet.ground().is_member(number));

    fleet.ground().lab().set_illness(Some(held));
    fleet.start(number).unwrap();
    assert!(wait_for(LONG, || fleet.ground().is_member(number)), "{}", told(fleet, number));
    fleet.cut_power(number).unwrap();

    fleet.ground().lab().set_sickness(None);
    fleet.start(number).unwrap();
    settled(fleet, &[], 3);
    let members = fleet.ground().lab().members(&fleet.ground().cluster().server_role);
    assert_eq!(members.len(), 3, "{members:?}");
    say("two power cuts between PUT and its answer: one record, and in the ring");
}

/// Runs a script in a VM; what it printed.
fn sh(fleet: &Fleet, number: u32, script: &str) -> String {
    fleet.node(number).exec(&["sh", "-c", &format!("exec 2>&1; set -e; {script}")]).unwrap()
}

fn version(fleet: &Fleet, number: u32) -> String {
    sh(fleet, number, "dpkg-query --show --showformat '${Version} ${db:Status-Status}' k2hdkc-agent")
}

/// After the files have come, and while the package's own script runs.
fn in_an_upgrade(fleet: &mut Fleet, number: u32) {
    let address = fleet.package().to_owned();
    sh(
        fleet,
        number,
        &format!(
            "cd /root; curl -sf -o old.deb {address}; dpkg-deb -R old.deb tree; \
             sed -i 's/^Version: .*/Version: 0.1.1/' tree/DEBIAN/control; \
             sed -i '1a [ -e /root/go-on ] || {{ touch /root/configures; sleep 300; }}' tree/DEBIAN/postinst; \
             dpkg-deb -b tree new.deb"
        ),
    );
    sh(fleet, number, "dpkg --unpack /root/new.deb");
    assert_eq!(version(fleet, number), "0.1.1 unpacked");
    cut_and_settle(fleet, number);

    sh(fleet, number, "setsid dpkg --configure k2hdkc-agent </dev/null >/dev/null 2>&1 &");
    let begun = || fleet.node(number).exec(&["test", "-e", "/root/configures"]).is_ok();
    assert!(wait_for(LONG, begun), "{}", told(fleet, number));
    cut_and_settle(fleet, number);
    assert_eq!(version(fleet, number), "0.1.1 half-configured");

    // As the operator, or the next apt, brings it to its end.
    sh(fleet, number, "touch /root/go-on; dpkg --configure -a </dev/null");
    assert_eq!(version(fleet, number), "0.1.1 installed");
    settled(fleet, &[], 3);
    say("two power cuts in an upgrade: in the ring after both");
}

fn cut_and_settle(fleet: &mut Fleet, number: u32) {
    fleet.cut_power(number).unwrap();
    fleet.start(number).unwrap();
    settled(fleet, &[], 3);
    assert!(fleet.ground().is_member(number));
}

fn stage(fleet: &Fleet, number: u32) -> Option<Stage> {
    fleet.vm(number).status().and_then(|status| status.leaving).map(|leaving| leaving.stage)
}

/// At each of its stages in turn.
fn in_a_leave(fleet: &mut Fleet, number: u32) {
    // Long enough for the first cut to fall into it.
    for other in fleet.numbers() {
        sh(fleet, other, "echo 'merge-ms = 5000' >/simulator.toml");
    }
    let deaf = Illness::from(Sickness::Status(503)).only_by("DELETE");
    fleet.ground().lab().set_illness(Some(deaf));
    // It is refused as long as its agent has not seen that the others are well again.
    let begins = || {
        let _ = fleet.node(number).output(&["k2hdkc-agent", "leave", "--timeout", "1ms"]);
        stage(fleet, number).is_some()
    };
    assert!(wait_for(LONG, begins), "{}", told(fleet, number));
    let mut cut_at = Vec::new();
    let stages = [Stage::Draining, Stage::Stopping, Stage::Removing, Stage::Left];
    for (passed, wanted) in stages.iter().enumerate().take(3) {
        // After the first it may be further already; K2HR3 removes it, and says that it could not.
        let come = wait_for(LONG, || stage(fleet, number).is_some_and(|now| stages[passed..].contains(&now)));
        assert!(come, "{wanted:?}: {}", told(fleet, number));
        cut_at.extend(stage(fleet, number));
        fleet.cut_power(number).unwrap();
        fleet.start(number).unwrap();
    }
    assert_eq!(cut_at.first(), Some(&Stage::Draining), "{cut_at:?}");
    assert!(cut_at.last().is_some_and(|last| stages[2..].contains(last)), "{cut_at:?}");
    fleet.ground().lab().set_sickness(None);
    let left = || stage(fleet, number) == Some(Stage::Left) && !fleet.ground().is_member(number);
    assert!(wait_for(LONG, left), "{}", told(fleet, number));
    assert_eq!((fleet.node(number).pid("chmpx"), fleet.node(number).pid("k2hdkc")), (None, None));
    fleet.delete(number).unwrap();
    settled(fleet, &[], 2);
    say(&format!("power cuts in a leave, while {cut_at:?}: it has left"));
}
