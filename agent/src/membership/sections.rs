//! The operator's expanded ini as K2HR3 makes it of the members' records: whose section a finding is about, and which
//! sections can be left out. The text is on no disk, so nothing here tells a line of it.

use std::borrow::Cow;

use super::breaks::broken_out;
use super::exclusion::{Claim, Excluded, excluded};
use super::member::{Member, Reader};
use super::words::{InResource, OfAnswer, Unusable, Why};
use crate::acceptance::{self, Host, Reading};
use crate::ini::{Document, Entry, Kind, Section};
use crate::names::{Cuk, PLACEHOLDER_CUK};
use crate::problem::{Fault as _, Note, Problem};
use crate::ring::{Mode, Ring};

/// The readable part of an answer, and the records that were left out.
pub(super) type Sorted = (Reading, Vec<Note>);

/// Reads an answer by chmpx's rules, without the slaves that it would not survive.
///
/// # Errors
///
/// Every finding that is left, with the member that it comes from.
pub(super) fn read(mut document: Document<'_>, reader: &Reader<'_>) -> Result<Sorted, Vec<Problem>> {
    if let Some(fault) = broken_out(&document, reader) {
        return Err(vec![fault]);
    }
    let (mut left_out, mut missed) = (Vec::new(), Vec::new());
    let mut stands_in = false;
    // Each round takes a record out at least, and the stand-in is none.
    for _ in 0..=document.sections.len() {
        let mut reading = acceptance::read(&document, &Host::default());
        let faults: Vec<&Problem> = reading.problems.iter().filter(|problem| problem.forbids()).collect();
        if faults.is_empty() {
            for problem in &mut reading.problems {
                *problem = named(&document, problem, reader);
            }
            return Ok((reading, left_out));
        }
        let dispensable = if stands_in { Vec::new() } else { dispensable(&document, &faults, reader) };
        if dispensable.is_empty() {
            let last = document.sections.len().checked_sub(1).filter(|_| stands_in);
            let (of_stand_in, faults): (Vec<_>, Vec<_>) =
                faults.into_iter().partition(|fault| last.is_some_and(|last| is_in(&document, last, fault)));
            let mut refusals =
                if of_stand_in.is_empty() { Vec::new() } else { no_stand_in(missed, &of_stand_in) };
            if !faults.is_empty() {
                refusals.extend(self::refusals(&document, &faults, reader));
            }
            refusals.splice(0..0, not_a_member(&document, &reading.ring, reader.cuk));
            return Err(refusals);
        }
        for (at, why) in &dispensable {
            let Some(member) = member(&document.sections[*at]) else { continue };
            left_out.push(reader.left_out(member, why));
            missed.push(reader.standstill(member, why));
        }
        stands_in = remove(&mut document, &dispensable.into_iter().map(|(at, _)| at).collect::<Vec<_>>());
    }
    Err(missed)
}

pub(super) fn mode(section: &Section<'_>) -> Option<Mode> {
    match section.kind {
        Kind::Server => Some(Mode::Server),
        Kind::Slave => Some(Mode::Slave),
        Kind::Global | Kind::K2hdkc | Kind::Other => None,
    }
}

fn value<'a>(section: &'a Section<'_>, key: &str) -> &'a str {
    section.get(key).map_or("", |entry| &*entry.value)
}

pub(super) fn member<'a>(section: &'a Section<'_>) -> Option<Member<'a>> {
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

/// The slaves that an answer can do without, and why it should.
fn dispensable(document: &Document<'_>, faults: &[&Problem], reader: &Reader<'_>) -> Vec<(usize, Why)> {
    let goes = |at: usize| member(&document.sections[at]).is_some_and(|member| reader.can_do_without(member));
    let excluded = excluding(document, reader).into_iter().filter(|excluded| goes(excluded.at));
    let excluded: Vec<_> = excluded.map(|Excluded { at, why }| (at, why)).collect();
    if !excluded.is_empty() {
        return excluded;
    }
    let mut found: Vec<Culprit> = Vec::new();
    for fault in faults {
        let Some(at) = fault.line.and_then(|line| section_at(document, line)).filter(|at| goes(*at)) else {
            continue;
        };
        let origin = origin(document, at, fault);
        if let Some(culprit) = found.iter_mut().find(|culprit| culprit.at == at) {
            culprit.origin = culprit.origin.max(origin);
            continue;
        }
        let why = bare(&document.sections[at], &fault.without_lines());
        found.push(Culprit { at, why, origin });
    }
    if is_of_template(document, &found, reader) {
        return Vec::new();
    }
    found.into_iter().map(|Culprit { at, why, .. }| (at, why)).collect()
}

/// A slave that is no good.
struct Culprit {
    at: usize,
    why: Why,
    origin: Origin,
}

/// Origin of a fault, the surest sign of a broken template last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Origin {
    /// A field of the record, where the template puts it.
    Record,
    /// A line that is not there, or is there twice: the template's slip, or a record that lacks that field or has a line
    /// break in it.
    Either,
    /// A line of the template itself.
    Template,
}

/// As many installed slaves do not lose the same field all at once by themselves.
const MANY: usize = 3;

/// Tells whether every slave is wrong by what made the sections of all of them: to leave them all out would cut off every
/// application for a slip in the resource.
fn is_of_template(document: &Document<'_>, found: &[Culprit], reader: &Reader<'_>) -> bool {
    let slaves = document.sections.iter().filter(|section| section.kind == Kind::Slave).count();
    if found.len() < slaves {
        return false;
    }
    let all_are = |origin: Origin| found.iter().all(|culprit| culprit.origin >= origin);
    let alike = found.windows(2).all(|pair| pair[0].why == pair[1].why);
    let installed = || found.iter().all(|culprit| is_known(&document.sections[culprit.at], reader));
    all_are(Origin::Template)
        || (alike && slaves > 1 && all_are(Origin::Either))
        || (alike && slaves >= MANY && installed())
}

/// Tells whether the installed file has a slave of this address.
fn is_known(section: &Section<'_>, reader: &Reader<'_>) -> bool {
    let name = value(section, "NAME");
    reader.installed.is_some_and(|ring| ring.slaves.iter().any(|node| node.name == name))
}

fn origin(document: &Document<'_>, at: usize, fault: &Problem) -> Origin {
    let section = &document.sections[at];
    let keys = ["NAME", "CUK", "CUSTOM_ID_SEED"].iter().filter_map(|key| section.get(key));
    let lines: Vec<usize> = keys.map(|entry| entry.line).collect();
    match fault.line {
        Some(line) if lines.contains(&line) => Origin::Record,
        _ if document.problems.contains(fault) => Origin::Record,
        // The finding about a key that is not there has the section's own line.
        Some(line) if line == section.line || is_repeated(section, line) => Origin::Either,
        _ => Origin::Template,
    }
}

/// Tells whether the key of that line stands in the section before.
fn is_repeated(section: &Section<'_>, line: usize) -> bool {
    let mut of_line = section.entries.iter().filter(|entry| entry.line == line);
    of_line.any(|entry| section.entries.iter().any(|other| other.key == entry.key && other.line < line))
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

/// Takes sections out, with what was said of their lines. chmpx needs one slave at least: whether one had to be put in.
fn remove(document: &mut Document<'_>, at: &[usize]) -> bool {
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
    none
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

fn is_in(document: &Document<'_>, at: usize, fault: &Problem) -> bool {
    fault.line.and_then(|line| section_at(document, line)) == Some(at)
}

/// Refuses the whole answer where the unusable records are the only slaves, and chmpx takes no placeholder.
fn no_stand_in(mut missed: Vec<Problem>, faults: &[&Problem]) -> Vec<Problem> {
    missed.extend(faults.iter().map(|fault| OfAnswer::NoStandIn(&fault.without_lines().text).at(None)));
    missed
}

/// Refuses the whole answer.
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
    meant.then(|| OfAnswer::NotAMember(cuk).at(None))
}

/// The same finding with the member that it comes from, and without its line.
fn named(document: &Document<'_>, problem: &Problem, reader: &Reader<'_>) -> Problem {
    let at = problem.line.and_then(|line| section_at(document, line));
    let problem = &problem.without_lines();
    let Some(at) = at else { return problem.clone() };
    let section = &document.sections[at];
    let Some(member) = member(section) else {
        return problem.reworded(InResource { problem, section: section.name }.to_string());
    };
    let why = bare(section, problem);
    if !problem.forbids() {
        return reader.harmless(member, &why);
    }
    let before = document.sections[..at].iter().rev().find_map(self::member);
    let why = match before.filter(|_| member.host.is_empty()) {
        Some(before) => Unusable::Behind { wrong: &problem.text, before: reader.describe(before) }.into(),
        None => why,
    };
    let refused = reader.refusal(member, &why);
    Problem { severity: problem.severity, ..refused }
}

/// The reason without the NAME in front of it.
fn bare(section: &Section<'_>, problem: &Problem) -> Why {
    let text = problem.text.strip_prefix(value(section, "NAME")).and_then(|rest| rest.strip_prefix(": "));
    Why::found(problem, text.unwrap_or(&problem.text))
}
