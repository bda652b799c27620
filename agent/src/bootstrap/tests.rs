//! Values of the keys and state of the host, and the steps that follow.

use super::*;

fn orders(values: [&str; 5]) -> Result<Orders, Vec<String>> {
    read(values, true)
}

fn read(values: [&str; 5], agent_starts: bool) -> Result<Orders, Vec<String>> {
    Orders::read(&values.map(|value| Some(value.to_owned()).filter(|value| !value.is_empty())), agent_starts)
}

fn package(name: &str) -> Package {
    Package::try_from(name).unwrap()
}

fn unit(name: &str) -> Unit {
    Unit::try_from(name).unwrap()
}

/// What `k2hr3 database create` writes for servers.
fn of_server() -> Orders {
    orders([
        "",
        "k2hdkc-dbaas-override-conf,k2hr3-get-resource,chmpx,k2hdkc",
        "chmpx.service,k2hdkc.service,k2hr3-get-resource.timer",
        "",
        "1",
    ])
    .unwrap()
}

#[test]
fn a_server_of_the_command_line_gets_its_user_and_packages_and_not_what_the_agent_replaces() {
    let orders = of_server();
    let packages = ["k2hdkc-dbaas-override-conf", "chmpx", "k2hdkc"].map(package);
    assert_eq!(orders.packages, packages);
    assert_eq!(orders.user, Some(UserName::try_from("k2hdkc").unwrap()));
    assert_eq!((orders.units.len(), orders.runs_as.as_ref()), (0, None));
    assert_eq!(orders.kept, ["chmpx.service", "k2hdkc.service"].map(unit));
    assert_eq!(orders.replaced, [unit("k2hr3-get-resource.timer")]);
    let facts = Facts { has_systemd: true, ..Facts::default() };
    let install = packages.map(Step::Install);
    let mut expected = vec![Step::AddUser(UserName::try_from("k2hdkc").unwrap()), Step::Refresh];
    expected.extend(install);
    assert_eq!(plan(&orders, &facts), expected, "its programs are the agent's to start");
}

#[test]
fn what_is_there_is_not_done_again_and_what_was_cut_off_goes_on() {
    let orders = of_server();
    let mut facts = Facts {
        users: orders.user.iter().cloned().collect(),
        runs_as: false,
        installed: orders.packages.iter().take(2).cloned().collect(),
        has_systemd: true,
        enabled: [unit("chmpx.service")].into(),
        active: [unit("chmpx.service")].into(),
        ..Facts::default()
    };
    let rest = [Step::Disable(unit("chmpx.service")), Step::Refresh, Step::Install(package("k2hdkc"))];
    assert_eq!(plan(&orders, &facts), rest);
    facts.installed.insert(package("k2hdkc"));
    facts.enabled.clear();
    assert_eq!(plan(&orders, &facts), []);
}

#[test]
fn a_unit_without_a_suffix_is_a_service_and_what_the_agent_replaces_is_stopped_where_it_works() {
    let orders = orders(["", "", "chmpx, a, k2hr3-get-resource", "", ""]).unwrap();
    assert_eq!(orders.units, [unit("a.service")]);
    let old = unit("k2hr3-get-resource.service");
    assert_eq!(orders.replaced, std::slice::from_ref(&old));
    let facts = |active: &[Unit]| Facts {
        has_systemd: true,
        enabled: [unit("a.service")].into(),
        active: active.iter().cloned().collect(),
        ..Facts::default()
    };
    let a = unit("a.service");
    assert_eq!(plan(&orders, &facts(&[a.clone(), old.clone()])), [Step::Replace(old)]);
    assert_eq!(plan(&orders, &facts(&[a])), []);
}

#[test]
fn other_units_are_enabled_and_started_in_their_order_and_without_systemd_none_is() {
    let orders = orders(["curl, jq", "", "a.service  b.timer", "", "0"]).unwrap();
    assert_eq!((orders.user.clone(), orders.packages.len()), (None, 2));
    let mut facts = Facts {
        installed: orders.packages.iter().cloned().collect(),
        has_systemd: true,
        enabled: [unit("b.timer")].into(),
        ..Facts::default()
    };
    let steps =
        [Step::Enable(unit("a.service")), Step::Start(unit("a.service")), Step::Start(unit("b.timer"))];
    assert_eq!(plan(&orders, &facts), steps);
    facts.has_systemd = false;
    assert_eq!(plan(&orders, &facts), []);
}

#[test]
fn where_no_agent_starts_them_chmpx_and_k2hdkc_are_units_like_every_other() {
    let orders = read(["", "", "chmpx.service,k2hdkc.service", "", ""], false).unwrap();
    let facts = Facts { has_systemd: true, enabled: [unit("chmpx.service")].into(), ..Facts::default() };
    let k2hdkc = unit("k2hdkc.service");
    let steps = [Step::Start(unit("chmpx.service")), Step::Enable(k2hdkc.clone()), Step::Start(k2hdkc)];
    assert_eq!(plan(&orders, &facts), steps);
}

#[test]
fn another_user_than_the_units_have_is_theirs_before_anything_is_installed_and_is_made_only_where_that_is_said()
 {
    let alice = UserName::try_from("alice").unwrap();
    let ordered = |add| orders(["", "chmpx", "", "alice", add]).unwrap();
    let mut facts = Facts { has_systemd: true, ..Facts::default() };
    let rest = [Step::RunAs(alice.clone()), Step::Refresh, Step::Install(package("chmpx"))];
    assert_eq!(plan(&ordered(""), &facts), rest);
    let [first, _] = ordered("1").in_turn();
    assert_eq!(plan(&first, &facts)[..2], [Step::AddUser(alice.clone()), Step::RunAs(alice)]);
    facts.runs_as = true;
    assert_eq!(plan(&ordered(""), &facts), rest[1..]);
    assert_eq!(orders(["", "", "", "k2hdkc", "1"]).unwrap().runs_as, None, "as the units have it");
}

#[test]
fn a_trove_slave_for_which_nothing_is_ordered_gets_its_user_and_the_agent() {
    let orders = orders(["", "", "", "", "1"]).unwrap();
    assert_eq!(orders.user.as_ref().map(UserName::as_str), Some("k2hdkc"));
    assert_eq!((orders.packages, orders.units), (vec![], vec![]));
    let facts = Facts { has_systemd: true, ..Facts::default() };
    let own = unit("k2hdkc-agent.service");
    assert_eq!(plan(&agent(), &facts), [Step::Enable(own.clone()), Step::Start(own)]);
}

#[test]
fn where_no_init_runs_units_are_enabled_and_not_started_and_without_systemd_only_the_agent_is_kept() {
    let (own, other) = (unit("k2hdkc-agent.service"), unit("a.service"));
    let offline = Facts { has_systemd: true, is_offline: true, ..Facts::default() };
    assert_eq!(plan(&agent(), &offline), [Step::Enable(own.clone())]);
    let orders = Orders { units: vec![other, own.clone()], ..Orders::default() };
    assert_eq!(plan(&orders, &Facts::default()), [Step::Start(own)], "which says that there is no systemd");
}

#[test]
fn names_that_could_be_options_or_commands_are_refused_all_at_once_with_their_key() {
    let wrong =
        orders(["-o=x chmpx", "a;b,/tmp/x.deb,$(id)", "x.mount,../y.service", "Root", "yes"]).unwrap_err();
    assert_eq!(wrong.len(), 7, "{wrong:?}");
    assert_eq!(
        wrong[0],
        "k2hr3-init-packages: \"-o=x\" is no name of a package: letters, digits, . + - and _, first a letter or a digit"
    );
    assert!(wrong[6].starts_with("k2hdkc-dbaas-proc-user: \"Root\" is no name of a user"), "{wrong:?}");
    assert!(UserName::try_from("a".repeat(33).as_str()).is_err());
    assert!(Package::try_from("a".repeat(129).as_str()).is_err());
}

#[test]
fn units_that_the_agent_starts_are_disabled_whoever_enabled_them_and_before_anything_takes_long() {
    // As our own resources have it: they name the agent alone.
    let orders = orders(["k2hdkc-agent", "chmpx", "k2hdkc-agent.service", "", ""]).unwrap();
    assert_eq!(orders.kept, KEPT_BY_AGENT.map(unit));
    let facts = Facts {
        has_systemd: true,
        installed: [package("k2hdkc-agent")].into(),
        enabled: [unit("chmpx.service"), unit("k2hdkc-agent.service")].into(),
        active: [unit("k2hdkc-agent.service")].into(),
        ..Facts::default()
    };
    let [first, then] = orders.in_turn();
    let disable = Step::Disable(unit("chmpx.service"));
    assert_eq!(plan(&first, &facts), [disable.clone(), Step::Refresh, Step::Install(package("chmpx"))]);
    assert_eq!(plan(&then, &facts), [disable]);
    assert_eq!(read(["", "", "", "", ""], false).unwrap().kept, [], "the agent starts none of them");
}
