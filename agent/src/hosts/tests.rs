use super::names::Line;
use super::*;

fn names(pairs: &[(&str, &str)]) -> Names {
    let lines = pairs.iter().map(|(address, name)| {
        let servers = Some(BTreeSet::from([(*name).to_owned()]));
        (address.parse().unwrap(), Line { names: vec![(*name).to_owned()], servers })
    });
    Names { lines: lines.collect(), listed: Listed::only([]), ..Names::default() }
}

fn next(present: &str, names: &Names) -> Option<String> {
    updated(present, names).next
}

const OWN: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";

#[test]
fn the_block_is_appended_replaced_and_removed_and_the_rest_stays() {
    let both = names(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")]);
    let one = next(OWN, &both).unwrap();
    assert_eq!(one, format!("{OWN}{BEGIN}\n10.0.0.1\tvm1\n10.0.0.2\tvm2\n{END}\n"));
    assert_eq!(next(&one, &both), None);
    let more = format!("{one}# operator's\n10.9.9.9 other\n");
    let two = next(&more, &names(&[("10.0.0.3", "vm3")])).unwrap();
    assert_eq!(two, format!("{OWN}{BEGIN}\n10.0.0.3\tvm3\n{END}\n# operator's\n10.9.9.9 other\n"));
    assert_eq!(next(&two, &names(&[])).unwrap(), format!("{OWN}# operator's\n10.9.9.9 other\n"));
}

#[test]
fn the_line_of_a_gone_node_stays_until_chmpx_lists_it_no_more() {
    let both = next(OWN, &names(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")])).unwrap();
    let listing = |listed| Names { listed, ..names(&[("10.0.0.1", "vm1")]) };
    let one = format!("{OWN}{BEGIN}\n10.0.0.1\tvm1\n{END}\n");
    for still in [Listed::Unknown, Listed::only(["vm1", "VM2"]), Listed::only(["10.0.0.2"])] {
        assert_eq!(next(&both, &listing(still.clone())), None, "{still:?}");
    }
    for gone in [Listed::only(["vm1", "10.0.0.1"]), Listed::only([""])] {
        assert_eq!(next(&both, &listing(gone)), Some(one.clone()));
    }
}

#[test]
fn a_new_member_has_the_name_of_the_gone_one_and_the_old_address_is_its_own_name() {
    let before = next(OWN, &names(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")])).unwrap();
    let moved = Names { listed: Listed::Unknown, ..names(&[("10.0.0.1", "vm1"), ("10.0.0.9", "VM2")]) };
    let lines = "10.0.0.1\tvm1\n10.0.0.2\t10.0.0.2\n10.0.0.9\tVM2\n";
    assert_eq!(next(&before, &moved).unwrap(), format!("{OWN}{BEGIN}\n{lines}{END}\n"));
}

#[test]
fn a_line_of_an_earlier_block_that_must_not_be_goes_although_chmpx_lists_its_node() {
    let before = format!("{OWN}{BEGIN}\n10.0.0.6\tlocalhost\n10.0.0.7\tgood bad!\n{END}\n");
    let kept = Names { listed: Listed::Unknown, ..Names::default() };
    let lines = "10.0.0.6\t10.0.0.6\n10.0.0.7\tgood\n";
    assert_eq!(next(&before, &kept).unwrap(), format!("{OWN}{BEGIN}\n{lines}{END}\n"));
}

#[test]
fn an_address_that_the_operator_named_is_left_to_him() {
    for present in ["10.0.0.1 mine\n", "::ffff:10.0.0.1 mine\n"] {
        assert_eq!(next(present, &names(&[("10.0.0.1", "vm1")])), None, "{present}");
    }
}

#[test]
fn a_name_that_the_file_has_elsewhere_is_not_taken_and_the_node_keeps_its_address() {
    let wanted = names(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")]);
    for present in ["10.9.9.9 vm2\n", "10.9.9.9 other VM2 # mine\n", "::1 vm2.\n", "127.0.1.1\tvm2\n"] {
        let update = updated(present, &wanted);
        let block = format!("{BEGIN}\n10.0.0.1\tvm1\n10.0.0.2\t10.0.0.2\n{END}\n");
        assert_eq!(update.next, Some(format!("{present}{block}")));
        let address = "10.0.0.2".parse().unwrap();
        assert_eq!(update.left_out, [LeftOut { address, name: "vm2".into(), why: Why::Outside }]);
    }
    assert_eq!(updated("# 10.9.9.9 vm2\n", &wanted).left_out, []);
    let addresses = BTreeSet::from(["10.0.0.2".parse().unwrap()]);
    let own = Names { reserved: Reserved::new([], [], addresses), ..wanted };
    let update = updated("127.0.1.1 vm2\n", &own);
    assert_eq!(update.left_out, [], "it is this host's own name");
    assert!(update.next.unwrap().contains("\n10.0.0.2\t10.0.0.2\n"));
}

#[test]
fn a_first_name_of_the_operator_that_keeps_joins_pending_is_told() {
    let wanted = names(&[("10.0.0.1", "vm1"), ("10.0.0.2", "vm2")]);
    for fit in
        ["", "10.0.0.1 vm1 mine", "10.0.0.1 10.0.0.1\n10.0.0.1 mine", "10.9.9.9 other", "# 10.0.0.1 mine"]
    {
        assert_eq!(updated(fit, &wanted).unfit, None, "{fit}");
    }
    let told = updated("10.0.0.2 mine vm2\n", &wanted).unfit.unwrap();
    let text = "it calls 10.0.0.2 \"mine\"; chmpx leaves joining servers at [ADD][Pending] unless the first name is \"vm2\" or";
    assert!(told.starts_with(text), "{told}");
}

#[test]
fn this_host_s_own_line_and_a_slave_s_keep_no_join_pending() {
    let mut wanted = names(&[("10.128.0.2", "vm1"), ("10.128.0.3", "app1")]);
    wanted.lines.get_mut(&"10.128.0.3".parse().unwrap()).unwrap().servers = None;
    wanted.reserved = Reserved::new(["vm1"], [], BTreeSet::from(["10.128.0.2".parse().unwrap()]));
    let agent_of_gce = "10.128.0.2 vm1.c.project.internal vm1  # Added by Google\n";
    assert_eq!(updated(agent_of_gce, &wanted).unfit, None);
    assert_eq!(updated("10.128.0.3 other\n", &wanted).unfit, None);
}

#[test]
fn bytes_that_are_no_utf_8_stay_what_they_are() {
    let present = b"127.0.0.1 localhost # f\xfcr uns\n10.9.9.9\xa0 \x85other\n\xff\n".as_slice();
    let update = updated(&decoded(present), &names(&[("10.0.0.1", "vm1")]));
    let mut expected = present.to_vec();
    expected.extend(format!("{BEGIN}\n10.0.0.1\tvm1\n{END}\n").bytes());
    assert_eq!(encoded(&update.next.unwrap()), expected);
}

#[test]
fn a_last_line_without_a_newline_stays_whole() {
    let next = next("127.0.0.1 localhost", &names(&[("10.0.0.1", "vm1")])).unwrap();
    assert!(next.starts_with("127.0.0.1 localhost\n# BEGIN"), "{next}");
}

#[test]
fn a_block_without_its_end_swallows_nothing() {
    let torn = format!("{OWN}{BEGIN}\n10.0.0.1\tvm1\n10.9.9.9 other\n");
    let next = next(&torn, &names(&[("10.0.0.2", "vm2")])).unwrap();
    assert_eq!(next, format!("{OWN}{BEGIN}\n10.0.0.2\tvm2\n{END}\n10.9.9.9 other\n"));
}
