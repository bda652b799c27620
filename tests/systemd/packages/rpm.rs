//! The rpm: installed, upgraded, removed. The node is a Debian all the same, whose rpm knows nothing of what dpkg has
//! installed, and wants to be told that this is meant.

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::environments::ready;
use k2hdkc_tests::environments::systemd::INI;

use super::{
    AGENT, built, differ, has_given_back, has_taken_over, left_alone, merges_by_chmpx, paths, sh, upstream,
};
use crate::ring::{LONG, pids, settled, told};

const RPM: &str = "rpm --force-debian --nodeps --nosignature";

#[test]
fn the_rpm_comes_is_upgraded_and_goes_while_chmpx_and_k2hdkc_run_on() {
    if !ready() || !built() {
        return;
    }
    let environment = upstream();
    let node = environment.node(1);
    // Small images have none, and then it is nobody's.
    sh(node, "mkdir -p /usr/share/doc");
    let (before, ini, both) = (paths(node), node.read(INI).unwrap(), pids(node));
    merges_by_chmpx(node);
    let release = || sh(node, "rpm -q --queryformat '%{release}\\n' k2hdkc-agent");

    // The installation takes the file over, says so, and ends neither program.
    has_taken_over(&environment, &sh(node, &format!("{RPM} --install /packages/*.rpm")));
    assert_eq!((pids(node), release()), (both, "1\n".into()));

    // An upgrade keeps what an operator has written, and brings another agent alone.
    sh(node, "echo '# mine' >>/etc/k2hdkc-agent/agent.toml");
    let old = node.main_pid(AGENT);
    let said = sh(node, &format!("{RPM} --upgrade /packages/next/*.rpm"));
    assert!(!said.contains("get-resource"), "an upgrade gives nothing back: {said}");
    let anew = || ![0, old].contains(&node.main_pid(AGENT));
    assert!(wait_for(LONG, anew), "{}", told(node));
    settled(&environment, 1);
    assert_eq!((pids(node), release()), (both, "2\n".into()));
    assert!(node.read("/etc/k2hdkc-agent/agent.toml").unwrap().ends_with("# mine\n"));
    assert_eq!(node.state(super::INCUMBENT), "inactive");

    // Removed, it gives the file back, and leaves what the operator wrote, under rpm's own name for it, and nothing else.
    has_given_back(node, &sh(node, &format!("{RPM} --erase k2hdkc-agent")));
    assert_eq!(pids(node), both);
    let kept = sh(node, "cat /etc/k2hdkc-agent/agent.toml.rpmsave");
    assert!(kept.ends_with("# mine\n"), "{kept}");
    sh(node, "rm -r /etc/k2hdkc-agent/conf.d /etc/k2hdkc-agent/agent.toml.rpmsave; rmdir /etc/k2hdkc-agent");
    assert_eq!(differ(&before, &paths(node)), Vec::<&String>::new());
    left_alone(node, &ini);
}
