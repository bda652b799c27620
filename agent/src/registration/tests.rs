//! Steps of an attempt, and the time of the next one.

use super::*;
use crate::answer::{Doubt, DoubtKind};

fn cuk() -> Cuk {
    Cuk::try_from("c1").unwrap()
}

fn record(host: &str, cuk: &str) -> HostRecord {
    HostRecord { host: host.into(), cuk: Some(cuk.into()), ..HostRecord::default() }
}

fn here() -> Listed {
    Listed::Here("192.0.2.1".into(), Rivals::default())
}

/// Others by their CUKs that have this node's address.
fn at_address(cuks: &[&str]) -> Rivals {
    Rivals { address: cuks.iter().map(|cuk| (*cuk).to_owned()).collect(), tag: Vec::new() }
}

fn step(wish: Wish, member: Option<bool>, listed: Option<Listed>, changed: bool) -> Step {
    next(wish, &Seen { member, listed, taken: Some(false), changed })
}

#[test]
fn only_who_is_no_member_by_both_is_registered_and_only_once() {
    let member = Step::End(Verdict::Member(Rivals::default()));
    for (seen, expected) in [
        ((None, None, false), Step::Ask),
        ((Some(false), None, false), Step::List),
        ((Some(true), None, false), Step::List),
        ((Some(false), Some(Listed::Absent(Rivals::default())), false), Step::Register),
        ((Some(false), Some(Listed::Unreadable), false), Step::Register),
        ((Some(false), Some(Listed::Absent(Rivals::default())), true), Step::End(Verdict::Lost)),
        ((Some(true), Some(here()), true), member.clone()),
        ((Some(true), Some(here()), false), member.clone()),
        ((Some(true), Some(Listed::Unreadable), false), member),
        ((Some(true), Some(Listed::Absent(Rivals::default())), false), Step::End(Verdict::Hidden)),
        ((Some(false), Some(here()), false), Step::End(Verdict::Elsewhere("192.0.2.1".into()))),
    ] {
        let (member, listed, changed) = seen;
        assert_eq!(step(Wish::Join, member, listed.clone(), changed), expected, "{member:?} {listed:?}");
    }
}

#[test]
fn nobody_is_registered_beside_another_record_of_the_same_address() {
    let seen = |taken| Seen {
        member: Some(false),
        listed: Some(Listed::Absent(at_address(&["old"]))),
        taken,
        changed: false,
    };
    assert_eq!(next(Wish::Join, &seen(None)), Step::AskAddress);
    assert_eq!(next(Wish::Join, &seen(Some(true))), Step::End(Verdict::Taken(vec!["old".into()])));
    let line = Verdict::Taken(vec!["old".into()]).line("r");
    assert!(line.contains("has this node's address already with CUK old: "), "{line}");
}

#[test]
fn a_member_is_never_registered_and_who_looks_changes_nothing() {
    let lists = [None, Some(Listed::Absent(Rivals::default())), Some(Listed::Unreadable), Some(here())];
    for listed in lists {
        for changed in [false, true] {
            assert_ne!(step(Wish::Join, Some(true), listed.clone(), changed), Step::Register);
            for member in [None, Some(false), Some(true)] {
                let looks = step(Wish::Look, member, listed.clone(), changed);
                assert!(!matches!(looks, Step::Register | Step::Deregister), "{looks:?}");
            }
        }
    }
}

#[test]
fn who_leaves_is_removed_and_looks_whether_that_was_kept() {
    assert_eq!(step(Wish::Leave, None, None, false), Step::Ask);
    assert_eq!(step(Wish::Leave, Some(true), None, false), Step::Deregister);
    assert_eq!(step(Wish::Leave, Some(true), None, true), Step::End(Verdict::Stays));
    assert_eq!(step(Wish::Leave, Some(false), None, true), Step::List);
    assert_eq!(
        step(Wish::Leave, Some(false), Some(Listed::Absent(Rivals::default())), true),
        Step::End(Verdict::Absent)
    );
    // One that is registered under another address is nobody's to remove from here, and is tried all the same.
    assert_eq!(step(Wish::Leave, Some(false), Some(here()), false), Step::Deregister);
    let elsewhere = Step::End(Verdict::Elsewhere("192.0.2.1".into()));
    assert_eq!(step(Wish::Leave, Some(false), Some(here()), true), elsewhere);
    // Who seems to be none is removed as well: a sick K2HR3 shows less than it has.
    let absent = Some(Listed::Absent(Rivals::default()));
    assert_eq!(step(Wish::Leave, Some(false), absent, false), Step::Deregister);
}

#[test]
fn a_list_tells_who_else_claims_the_address() {
    let members = [record("192.0.2.1", "old"), record("192.0.2.1", "c1"), record("192.0.2.2", "c2")];
    let listed =
        |members: &[HostRecord]| listed(members, &cuk(), &["192.0.2.1".parse().unwrap()].into(), None);
    assert_eq!(listed(&members), Listed::Here("192.0.2.1".into(), at_address(&["old"])));
    assert_eq!(listed(&members[2..]), Listed::Absent(Rivals::default()));
    assert_eq!(listed(&members[..1]), Listed::Absent(at_address(&["old"])));
    let note = Verdict::Member(at_address(&["old"])).note("r").unwrap();
    assert!(note.starts_with("r has this node's address also with CUK old: "), "{note}");
}

/// A member with a tag.
fn tagged(host: &str, cuk: &str, tag: &str) -> HostRecord {
    HostRecord { tag: Some(tag.into()), ..record(host, cuk) }
}

#[test]
fn nobody_is_registered_with_the_tag_of_another_member_of_either_role() {
    let (own, tag) = (cuk(), Tag::try_from("vm1.example").unwrap());
    let at = |list: &[HostRecord], others: &[HostRecord]| {
        listed(list, &own, &["192.0.2.1".parse().unwrap()].into(), Some(&tag)).beside(
            others,
            &own,
            Some(&tag),
        )
    };
    let next = |listed: Listed| {
        let seen = Seen { member: Some(false), listed: Some(listed), taken: Some(false), changed: false };
        super::next(Wish::Join, &seen)
    };
    let twin = tagged("192.0.2.9", "c\u{1b}9", "VM1.example");
    let namesakes = Step::End(Verdict::Namesakes(vec!["192.0.2.9 (CUK c\\u{1b}9)".into()]));
    let other = [tagged("192.0.2.8", "c8", "vm8.example")];
    assert_eq!(next(at(&[twin.clone(), other[0].clone()], &[])), namesakes);
    assert_eq!(next(at(&[], &[twin])), namesakes, "ids are made of the tags of both roles");
    assert_eq!(next(at(&other, &other)), Step::Register);
    // A rebuilt VM has the address of its record as well, and is told that.
    let rebuilt = at(&[tagged("192.0.2.1", "old", "vm1.example")], &[]);
    assert_eq!(rebuilt, Listed::Absent(at_address(&["old"])));
    let line = Verdict::Namesakes(vec!["192.0.2.9 (CUK c9)".into()]).line("r");
    assert!(line.contains("is that of 192.0.2.9 (CUK c9) in") && line.contains("Set join.tag"), "{line}");
}

#[test]
fn a_member_whose_tag_came_a_second_time_meanwhile_says_so() {
    let list = [tagged("192.0.2.1", "c1", "vm1"), tagged("192.0.2.2", "c2", "vm1")];
    let tag = vec!["192.0.2.2 (CUK c2)".to_owned()];
    let rivals = Rivals { address: Vec::new(), tag };
    assert_eq!(
        listed(&list, &cuk(), &BTreeSet::new(), None),
        Listed::Here("192.0.2.1".into(), rivals.clone())
    );
    let note = Verdict::Member(rivals).note("r").unwrap();
    assert!(note.starts_with("r has this node's tag also at 192.0.2.2 (CUK c2): "), "{note}");
}

#[test]
fn what_another_vm_chose_is_escaped_in_every_line() {
    let bad = "x\u{1b}[2J\n".to_owned();
    let rivals = Rivals { address: vec![bad.clone()], tag: Vec::new() };
    let lines = [
        Verdict::Member(rivals).note("r").unwrap(),
        Verdict::Taken(vec![bad.clone()]).line("r"),
        Verdict::Elsewhere(bad).line("r"),
    ];
    for line in lines {
        assert!(line.contains("x\\u{1b}[2J\\n") && !line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn an_ini_shows_the_node_by_the_cuk_of_a_section_and_not_by_its_own() {
    let shown = |text: &str| shown(&Answer::Ini(text.into()), &cuk());
    assert_eq!(shown("[GLOBAL]\nSELFCUK = c1\n[SVRNODE]\nCUK = c2\n"), Some(false));
    assert_eq!(shown("[SVRNODE]\ncuk=c1\n[SVRNODE]\nCUK = c2\n"), Some(true));
    assert_eq!(shown("[SVRNODE]\nNAME = a\n"), None, "such an ini tells nothing");
    assert_eq!(super::shown(&Answer::Unchanged, &cuk()), None);
}

#[test]
fn who_is_known_by_its_address_alone_is_shown_to_be_none_by_a_denial() {
    let doubt = |status| Doubt { status: Some(status), ..Doubt::new(DoubtKind::Denied, "") };
    let disowned = |by_address| [401, 403, 404, 500].map(|status| disowns(&doubt(status), by_address));
    assert_eq!(disowned(true), [false, true, true, false]);
    assert_eq!(disowned(false), [false; 4], "to a token that says something else");
    assert!(!disowns(&Doubt::new(DoubtKind::Unreachable, ""), true));
}

fn rules() -> Join {
    let confirm_for = Duration::from_secs(15);
    Join { enabled: true, repair: true, confirm_polls: 3, confirm_for, tag: None }
}

fn wished(rules: &Join, joined: bool, verdict: Option<&Verdict>, polls: u32, seconds: u64) -> Option<Wish> {
    let missing = (polls, Duration::from_secs(seconds));
    wish(rules, Past { joined, verdict, missing })
}

#[test]
fn a_new_node_joins_and_one_that_was_a_member_looks_first() {
    let member = Verdict::Member(Rivals::default());
    assert_eq!(wished(&rules(), false, None, 0, 0), Some(Wish::Join));
    assert_eq!(wished(&rules(), false, Some(&Verdict::Lost), 0, 0), Some(Wish::Join));
    assert_eq!(wished(&rules(), true, None, 0, 0), Some(Wish::Look));
    assert_eq!(wished(&rules(), true, Some(&member), 0, 0), None);
    let off = Join { enabled: false, ..rules() };
    // Somebody stands in the way, until a look shows that this is over.
    let member = Verdict::Member(at_address(&["old"]));
    for rules in [&rules(), &off] {
        assert_eq!(wished(rules, true, Some(&member), 0, 0), Some(Wish::Look));
    }
    assert_eq!(wished(&off, false, None, 9, 900), None);
}

#[test]
fn a_lost_membership_is_repaired_once_it_was_confirmed_and_only_where_that_is_wanted() {
    for verdict in [Verdict::Member(Rivals::default()), Verdict::Absent] {
        let verdict = Some(&verdict);
        assert_eq!(wished(&rules(), true, verdict, 2, 60), None);
        assert_eq!(wished(&rules(), true, verdict, 9, 14), None);
        assert_eq!(wished(&rules(), true, verdict, 3, 15), Some(Wish::Join));
        let never = Join { repair: false, ..rules() };
        assert_eq!(wished(&never, true, verdict, 9, 900), None);
    }
}

#[test]
fn every_refusal_has_a_remedy() {
    for status in [400, 401, 403, 404, 500, 503] {
        let doubt = Doubt { status: Some(status), ..Doubt::new(DoubtKind::Denied, "") };
        assert!(remedy(&Step::Register, &doubt).len() > 10, "{status}");
    }
    assert!(remedy(&Step::Ask, &Doubt::new(DoubtKind::TooSlow, "")).contains("k2hr3.timeout"));
}
