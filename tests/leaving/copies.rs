//! Servers that stay copy nothing when one leaves, as the real ones (docs/facts.md D6, D10): what was on the one that left has
//! a copy less from then on, until each of the others has left the service and come back (D12).

use std::collections::BTreeMap;
use std::time::Duration;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::deployment::Deployment;
use k2hdkc_tests::ring::{PATIENCE, processes_of};

use super::{KEYS, TRIES_FOR, assert_has_left, leaves_in_the_end, run, stage};

/// A changed key for which servers restart in turn, each some time after the one before.
fn rolls(deployment: &Deployment, servers: &[u32]) {
    let processes = || -> BTreeMap<u32, Vec<u32>> {
        servers.iter().map(|number| (*number, processes_of(deployment.node(*number).root()))).collect()
    };
    let before = processes();
    deployment.lab().edit_text(&deployment.cluster().resource, |text| {
        text.replace("MAXTHREAD           = 20", "MAXTHREAD           = 10")
    });
    let anew = |(number, now): (u32, Vec<u32>)| now.len() == 2 && now != before[&number];
    let told = || servers.iter().map(|number| deployment.told(*number)).collect::<String>();
    assert!(
        wait_for(2 * PATIENCE, || processes().into_iter().all(anew)),
        "{before:?} {:?} {}",
        processes(),
        told()
    );
    let ring: Vec<u32> = servers.iter().copied().chain([100]).collect();
    deployment.assert_ring(&ring).unwrap();
}

#[test]
fn a_second_server_leaves_only_when_the_others_have_copied_what_the_first_one_had() {
    let deployment = Deployment::settled("", 3, 1).unwrap();
    deployment.write(100, KEYS).unwrap();
    for number in 1..=3 {
        deployment.node(number).write("simulator.toml", "settled-copy = false\n").unwrap();
    }
    let (code, _, errors) = run(deployment.node(3), &["leave", "--timeout", "50s"]);
    assert_eq!(code, 0, "{errors}{}", deployment.told(3));
    assert_has_left(&deployment, 3);
    deployment.assert_ring(&[1, 2, 100]).unwrap();
    assert_ne!(deployment.unreadable(100, KEYS, Duration::ZERO), 0, "slots have moved, and keys have not");

    let mut errors = String::new();
    let refused = || {
        errors = run(deployment.node(2), &["leave", "--timeout", "1s"]).2;
        errors.contains(
            "has gone, those that stayed copied nothing then, and this server may have the only other copy",
        )
    };
    assert!(wait_for(PATIENCE, refused), "{errors}");
    assert_eq!(stage(&deployment, 2), None);

    rolls(&deployment, &[1, 2]);
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0, "each has copied its whole share");
    let (code, _, errors) = leaves_in_the_end(deployment.node(2));
    assert_eq!(code, 0, "{errors}{}", deployment.told(2));
    assert_has_left(&deployment, 2);
    deployment.assert_ring(&[1, 100]).unwrap();
    assert_eq!(deployment.unreadable(100, KEYS, TRIES_FOR), 0, "none is lost by two that left");
}
