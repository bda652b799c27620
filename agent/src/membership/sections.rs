//! The operator's expanded ini as K2HR3 makes it of the members' records: whose section a finding is about, and which
//! sections can be left out. The text is on no disk, so nothing here tells a line of it.

use std::borrow::Cow;

use super::exclusion::{Claim, Excluded, excluded};
use super::member::{Member, Reader};
use crate::acceptance::{self, Host, Reading};
use crate::ini::{Document, Entry, Kind, Section};
use crate::names::Cuk;
use crate::problem::Problem;
use crate::ring::{Mode, PLACEHOLDER_CUK, Ring};

/// What can be read of an answer, and who was left out of it.
pub(super) type Sorted = (Reading, Vec<String>);

/// Reads an answer by chmpx's rules, without the slaves that it would not survive.
///
/// # Errors
///
/// Every finding that is left, with the member that it comes from.
pub(super) fn read(mut document: Document<'_>, reader: &Reader<'_>) -> Result<Sorted, Vec<Problem>> {
    if let Some(fault) = broken_out(&document, reader) {
        return Err(vec![fault]);
    }
    let mut left_out = Vec::new();
    loop {
        let mut reading = acceptance::read(&document, &Host::default());
        let faults: Vec<&Problem> = reading.problems.iter().filter(|problem| problem.forbids()).collect();
        if faults.is_empty() {
            for problem in &mut reading.problems {
                *problem = named(&document, problem, reader);
            }
            return Ok((reading, left_out));
        }
        let dispensable = dispensable(&document, &faults, reader);
        if dispensable.is_empty() {
            let mut refusals = refusals(&document, &faults, reader);
            refusals.splice(0..0, not_a_member(&document, &reading.ring, reader.cuk));
            return Err(refusals);
        }
        for (at, why) in &dispensable {
            left_out.extend(member(&document.sections[*at]).map(|member| reader.left_out(member, why)));
        }
        remove(&mut document, &dispensable.into_iter().map(|(at, _)| at).collect::<Vec<_>>());
    }
}

fn mode(section: &Section<'_>) -> Option<Mode> {
    match section.kind {
        Kind::Server => Some(Mode::Server),
        Kind::Slave => Some(Mode::Slave),
        Kind::Global | Kind::K2hdkc | Kind::Other => None,
    }
}

fn value<'a>(section: &'a Section<'_>, key: &str) -> &'a str {
    section.get(key).map_or("", |entry| &*entry.value)
}

fn member<'a>(section: &'a Section<'_>) -> Option<Member<'a>> {
    let value = |key| value(section, key);
    Some(Member {
        mode: mode(section)?,
        host: value("NAME"),
        cuk: value("CUK"),
        tag: value("CUSTOM_ID_SEED"),
    })
}

/// The value of `[GLOBAL]` that counts.
fn global<'a>(document: &'a Document<'_>, key: &str) -> &'a str {
    let sections = document.sections.iter().filter(|section| section.kind == Kind::Global);
    sections.rev().find_map(|section| section.get(key)).map_or("", |entry| &*entry.value)
}

/// A section that stands where only a line break in a member's tag puts one (K10): the text behind it cannot be trusted.
fn broken_out(document: &Document<'_>, reader: &Reader<'_>) -> Option<Problem> {
    let first_node = document.sections.iter().position(|section| mode(section).is_some())?;
    let again = |kind: Kind| {
        let mut all = document.sections.iter().enumerate().filter(move |(_, section)| section.kind == kind);
        let first = all.next()?.0;
        let second = all.next()?.0;
        // The one before the nodes is the template's own.
        [first, second].into_iter().find(|at| *at > first_node)
    };
    let at = [Kind::Global, Kind::K2hdkc].into_iter().find_map(again)?;
    let before = document.sections[..at].iter().rev().find_map(member)?;
    let why = format!(
        "a [{}] comes behind its section, and there is another one: its tag has a line break in it, or the resource has \
         that section twice",
        document.sections[at].name
    );
    Some(reader.refusal(before, &why))
}

/// The slaves that an answer can do without, and why it should.
fn dispensable(document: &Document<'_>, faults: &[&Problem], reader: &Reader<'_>) -> Vec<(usize, String)> {
    let goes = |at: usize| member(&document.sections[at]).is_some_and(|member| reader.can_do_without(member));
    let excluded = excluding(document, reader).into_iter().filter(|excluded| goes(excluded.at));
    let excluded: Vec<_> = excluded.map(|Excluded { at, why }| (at, why)).collect();
    if !excluded.is_empty() {
        return excluded;
    }
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut of_records = false;
    for fault in faults {
        let Some(at) = fault.line.and_then(|line| section_at(document, line)).filter(|at| goes(*at)) else {
            continue;
        };
        of_records |= is_of_record(document, at, fault);
        if found.iter().all(|(other, _)| *other != at) {
            found.push((at, bare(&document.sections[at], &fault.without_lines())));
        }
    }
    let slaves = document.sections.iter().filter(|section| section.kind == Kind::Slave).count();
    let installed = found.iter().filter(|(at, _)| is_known(&document.sections[*at], reader)).count();
    // What is wrong with all of them is wrong with the resource.
    let all = found.len() == slaves && (!of_records || installed > 1);
    if all { Vec::new() } else { found }
}

/// Whether the installed file has a slave of this address.
fn is_known(section: &Section<'_>, reader: &Reader<'_>) -> bool {
    let name = value(section, "NAME");
    reader.installed.is_some_and(|ring| ring.slaves.iter().any(|node| node.name == name))
}

/// Whether a finding is about what the member's record says, and not about what the template adds to it.
fn is_of_record(document: &Document<'_>, at: usize, fault: &Problem) -> bool {
    let section = &document.sections[at];
    let keys = ["NAME", "CUK", "CUSTOM_ID_SEED"].iter().filter_map(|key| section.get(key));
    let lines: Vec<usize> = keys.map(|entry| entry.line).collect();
    fault.line.is_some_and(|line| lines.contains(&line)) || document.problems.contains(fault)
}

/// The sections that cannot stand beside others.
fn excluding(document: &Document<'_>, reader: &Reader<'_>) -> Vec<Excluded> {
    let (key, called) = match global(document, "CHMPXIDTYPE").to_ascii_uppercase().as_str() {
        "CUSTOM" => ("CUSTOM_ID_SEED", "tag"),
        "CUK" => ("CUK", "CUK"),
        _ => ("", ""),
    };
    let nodes: Vec<(usize, Member<'_>)> = document
        .sections
        .iter()
        .enumerate()
        .filter_map(|(at, section)| Some((at, member(section)?)))
        .collect();
    let claims = nodes.iter().map(|(at, member)| {
        let section = &document.sections[*at];
        let ctlport =
            section.get("CTLPORT").map_or_else(|| global(document, "CTLPORT"), |entry| &*entry.value);
        Claim { member: *member, ctlport: ctlport.to_owned(), id: value(section, key) }
    });
    let claims: Vec<Claim<'_>> = claims.collect();
    let at_section = |excluded: Excluded| Excluded { at: nodes[excluded.at].0, ..excluded };
    excluded(&claims, called, reader).into_iter().map(at_section).collect()
}

/// Takes sections out, with what was said of their lines; chmpx needs one slave at least.
fn remove(document: &mut Document<'_>, at: &[usize]) {
    let lines: Vec<_> = at.iter().map(|at| lines_of(document, *at)).collect();
    document
        .problems
        .retain(|problem| problem.line.is_none_or(|line| !lines.iter().any(|lines| lines.contains(&line))));
    let last = at.iter().max().map(|at| document.sections[*at].clone());
    let mut index = 0;
    document.sections.retain(|_| {
        index += 1;
        !at.contains(&(index - 1))
    });
    let none = document.sections.iter().all(|section| section.kind != Kind::Slave);
    document.sections.extend(last.filter(|_| none).map(placeholder));
}

/// The section that upstream's templates write where no slave is registered.
fn placeholder(last: Section<'_>) -> Section<'_> {
    let line = last.line;
    let entry = |(key, value)| Entry { key: Cow::Borrowed(key), value: Cow::Borrowed(value), line };
    let mut entries: Vec<_> =
        [("NAME", "127.0.0.1"), ("CUK", PLACEHOLDER_CUK), ("SSL", "no")].into_iter().map(entry).collect();
    entries.extend(last.entries.into_iter().filter(|entry| entry.key == "CTLPORT").take(1));
    Section { entries, ..last }
}

fn lines_of(document: &Document<'_>, at: usize) -> std::ops::Range<usize> {
    let end = document.sections.get(at + 1).map_or(usize::MAX, |next| next.line);
    document.sections[at].line..end
}

fn section_at(document: &Document<'_>, line: usize) -> Option<usize> {
    document.sections.iter().rposition(|section| section.line <= line)
}

/// Why the whole answer is refused.
fn refusals(document: &Document<'_>, faults: &[&Problem], reader: &Reader<'_>) -> Vec<Problem> {
    let excluded = excluding(document, reader);
    if excluded.is_empty() {
        return faults.iter().map(|fault| named(document, fault, reader)).collect();
    }
    let refusal = |Excluded { at, why }: &Excluded| {
        member(&document.sections[*at]).map(|member| reader.refusal(member, why))
    };
    excluded.iter().filter_map(refusal).collect()
}

/// The most likely reason for a file in which chmpx would not find this host, in K2HR3's terms. A list without any
/// member speaks for itself.
fn not_a_member(document: &Document<'_>, ring: &Ring, cuk: &Cuk) -> Option<Problem> {
    let own_list = ring.nodes(ring.mode()?);
    let absent = document.sections.iter().filter_map(member).all(|member| member.cuk != cuk.as_str());
    let meant = ring.global("SELFCUK") == cuk.as_str() && absent && !own_list.is_empty();
    let text = format!("this node (CUK {cuk}) is not a member of its role, or K2HR3 does not show it");
    meant.then(|| Problem::refused(None, text))
}

/// The same finding with the member that it comes from, and without its line.
fn named(document: &Document<'_>, problem: &Problem, reader: &Reader<'_>) -> Problem {
    let at = problem.line.and_then(|line| section_at(document, line));
    let problem = &problem.without_lines();
    let Some(at) = at else { return problem.clone() };
    let section = &document.sections[at];
    let text = match member(section) {
        None if problem.text.contains(&format!("[{}]", section.name)) => {
            format!("{} (in the resource in K2HR3)", problem.text)
        }
        None => format!("{} (in [{}] of the resource in K2HR3)", problem.text, section.name),
        Some(member) if problem.forbids() => {
            let why = match document.sections[..at].iter().rev().find_map(self::member) {
                Some(before) if member.host.is_empty() => format!(
                    "{}; it comes behind {}, whose tag may have a line break in it",
                    problem.text,
                    reader.describe(before)
                ),
                _ => bare(section, problem),
            };
            reader.refusal(member, &why).text
        }
        Some(member) => format!("{}: {}", reader.describe(member), bare(section, problem)),
    };
    Problem { severity: problem.severity, ..Problem::refused(None, text) }
}

/// What is wrong, without the NAME in front of it.
fn bare(section: &Section<'_>, problem: &Problem) -> String {
    let label = format!("{}: ", value(section, "NAME"));
    problem.text.strip_prefix(&label).unwrap_or(&problem.text).to_owned()
}
