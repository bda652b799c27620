//! Answers of K2HR3 to a [`Ring`]: the operator's expanded ini, or the two member lists with a local profile.
//! Both ways give the same model.
//!
//! Pure, and strict where chmpx is lax: a key twice in one section, a control character or an empty identity in
//! what K2HR3 sends is a fault of the answer and refuses it, since K2HR3 pastes members' tags into every member's
//! file unescaped (k2hr3_api 2.0.3: a newline in one `tag` becomes a line of its own).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use crate::acceptance::placeholders::{self, OF_CUK};
use crate::acceptance::{self, Host};
use crate::ini;
use crate::names::{Cuk, NameError, Port};
use crate::problem::{Problem, printable};
use crate::replicas;
use crate::ring::{Extra, Keys, Mode, Node, PLACEHOLDER_CUK, Profile, Ring};

/// One member of a role, as K2HR3 keeps it. Other fields of the record are not needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRecord {
    /// The source address with which it registered.
    pub host: String,
    /// Its CUK; K2HR3 has `null` where none was given.
    pub cuk: Option<String>,
    /// Free text, by convention the host's FQDN.
    pub tag: Option<String>,
    /// Address at which others reach it, behind NAT.
    pub inbound: Option<String>,
    /// Address from which it reaches others, behind NAT.
    pub outbound: Option<String>,
}

/// What a good answer wants: the ring, and the addresses of the names in it, as far as the answer says them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// The ring; shared with what is installed as soon as both are equal.
    pub ring: Rc<Ring>,
    /// Address of each NAME that is not an address itself.
    pub addresses: BTreeMap<String, IpAddr>,
    /// Findings that do not forbid it.
    pub notes: Vec<Problem>,
    /// The `REPLICA` that was asked for, where the servers of the answer have no room for so many copies.
    pub too_many_replicas: Option<u32>,
}

impl Wanted {
    /// What an answer wants, with no more copies of each key than its servers have room for.
    fn of(ring: Ring, addresses: BTreeMap<String, IpAddr>, mut notes: Vec<Problem>) -> Self {
        let too_many = replicas::is_too_many(&ring).then(|| ring.replicas());
        notes.extend(too_many.map(|asked| replicas::note(asked, &ring)));
        Self { ring: Rc::new(replicas::fitted(ring, None)), addresses, notes, too_many_replicas: too_many }
    }
}

/// Reads the operator's expanded ini.
///
/// `cuk` replaces the placeholders; `extra` names the sections that pass besides the four known ones. On failure
/// every fault of the answer, with lines of the ini.
pub fn from_ini(text: &str, cuk: &Cuk, extra: &[String]) -> Result<Wanted, Vec<Problem>> {
    if text.trim().is_empty() {
        return Err(vec![Problem::refused(None, "the resource is empty")]);
    }
    let (text, filled) = filled_in(text, cuk);
    let reading = acceptance::read(&ini::parse(&text), &Host::default());
    let (mut faults, mut notes) = crate::problem::split(reading.problems);
    notes.splice(0..0, filled);
    if !faults.is_empty() {
        faults.splice(0..0, not_a_member(&reading.ring, cuk));
        return Err(faults);
    }
    let mut ring = reading.ring;
    let (kept, dropped): (Vec<_>, Vec<_>) =
        ring.profile.extra.into_iter().partition(|section| extra.contains(&section.name));
    ring.profile.extra = kept;
    let twice = ring.profile.extra.iter().filter_map(key_twice);
    let twice: Vec<Problem> = twice.collect();
    if !twice.is_empty() {
        return Err(twice);
    }
    for section in dropped {
        let text = format!("[{}] is left out: name it in ini.extra-sections to let it pass", section.name);
        notes.push(Problem::note(None, text));
    }
    let addresses = peer_addresses(&ring);
    Ok(Wanted::of(ring, addresses, notes))
}

/// The text with the node's CUK where a template leaves room for it, and without what no reader of an ini knows: a byte
/// order mark before a line, and the line that a k8s tool should have replaced by its TLS settings. What was left out
/// is noted.
fn filled_in<'a>(text: &'a str, cuk: &Cuk) -> (Cow<'a, str>, Vec<Problem>) {
    let (mut text, mut notes) = (Cow::Borrowed(text), Vec::new());
    for hole in OF_CUK {
        if text.contains(hole) {
            text = Cow::Owned(text.replace(hole, cuk.as_str()));
        }
    }
    if !text.contains([ini::BYTE_ORDER_MARK]) && !text.contains(placeholders::OF_TLS) {
        return (text, notes);
    }
    let lines = text.split('\n').enumerate().map(|(index, line)| {
        let mut left = line.trim_start_matches(ini::BYTE_ORDER_MARK);
        if left.len() < line.len() {
            notes.push(Problem::note(index + 1, "a byte order mark (U+FEFF) before the line is left out"));
        }
        if left.trim() == placeholders::OF_TLS {
            let text = format!(
                "{} was not replaced by what made the resource, and is left out: SSL is what the resource says without it",
                placeholders::OF_TLS
            );
            notes.push(Problem::note(index + 1, text));
            left = "";
        }
        left
    });
    (Cow::Owned(lines.collect::<Vec<_>>().join("\n")), notes)
}

fn key_twice(section: &Extra) -> Option<Problem> {
    let differs = |(key, value): &(String, String), at: usize| {
        *key == section.entries[at].0 && *value != section.entries[at].1
    };
    let again = |at: &usize| section.entries[..*at].iter().any(|entry| differs(entry, *at));
    let at = (0..section.entries.len()).find(again)?;
    Some(Problem::refused(
        None,
        format!("[{}]: {} stands twice, with another value", section.name, section.entries[at].0),
    ))
}

/// The most likely reason for a file in which chmpx would not find this host, in K2HR3's terms. A list without any
/// member speaks for itself.
fn not_a_member(ring: &Ring, cuk: &Cuk) -> Option<Problem> {
    let own_list = ring.nodes(ring.mode()?);
    let absent = ring.servers.iter().chain(&ring.slaves).all(|node| node.cuk != cuk.as_str());
    let meant = ring.global("SELFCUK") == cuk.as_str() && absent && !own_list.is_empty();
    let text = format!("this node (CUK {cuk}) is not a member of its role, or K2HR3 does not show it");
    meant.then(|| Problem::refused(None, text))
}

/// Trove's template names nodes by tag and says their address in REVERSE_PEERS or ENDPOINTS.
pub(crate) fn peer_addresses(ring: &Ring) -> BTreeMap<String, IpAddr> {
    let nodes = ring.servers.iter().chain(&ring.slaves);
    let named = nodes.filter(|node| node.name.parse::<IpAddr>().is_err());
    named.filter_map(|node| Some((node.name.clone(), first_address(node)?))).collect()
}

fn first_address(node: &Node) -> Option<IpAddr> {
    let lists =
        ["REVERSE_PEERS", "ENDPOINTS", "CTLENDPOINTS"].into_iter().filter_map(|key| node.rest.get(key));
    lists.flat_map(|list| list.split(',')).find_map(|host| address_in(host.trim()))
}

/// The address in `10.0.0.1`, `10.0.0.1:8020` or `[fe80::1]:8020`.
fn address_in(host: &str) -> Option<IpAddr> {
    let bare = host.parse().ok();
    bare.or_else(|| host.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
}

/// How the membership source makes an ini of two member lists. See `[profile]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Keys of `[GLOBAL]` besides GROUP, MODE, the ports and SELFCUK.
    pub global: BTreeMap<String, String>,
    /// Keys of `[K2HDKC]`.
    pub k2hdkc: BTreeMap<String, String>,
    /// `GROUP`.
    pub group: String,
    /// NAME from the address or from the tag.
    pub naming: Naming,
    /// Whether nodes get endpoints and peers from their inbound and outbound address, as Trove's template does.
    pub peers: bool,
    /// PORT of server nodes.
    pub server_port: Port,
    /// CTLPORT of server nodes.
    pub server_ctlport: Port,
    /// CTLPORT of slave nodes.
    pub slave_ctlport: Port,
}

/// Where the NAME of a node comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Naming {
    /// The registered address, as the DBaaS CLI's template does.
    Address,
    /// The tag, as Trove's template does: names must then resolve on every node.
    Tag,
}

/// Makes the ring of the two member lists. On failure every member that cannot become a node.
pub fn from_members(
    servers: &[HostRecord],
    slaves: &[HostRecord],
    template: &Template,
    mode: Mode,
    cuk: &Cuk,
) -> Result<Wanted, Vec<Problem>> {
    let mut faults = Vec::new();
    if servers.is_empty() {
        faults.push(Problem::refused(None, "the server role has no member"));
    }
    let mut addresses = BTreeMap::new();
    let mut nodes = |records: &[HostRecord], mode| -> Vec<Node> {
        let made = records.iter().filter_map(|record| match node(record, template, mode) {
            Ok(node) => {
                let address = record.host.parse().ok().filter(|_| node.name != record.host);
                addresses.extend(address.map(|address| (node.name.clone(), address)));
                Some(node)
            }
            Err(problem) => {
                faults.push(problem);
                None
            }
        });
        made.collect()
    };
    let servers = nodes(servers, Mode::Server);
    let mut slaves = nodes(slaves, Mode::Slave);
    if !faults.is_empty() {
        return Err(faults);
    }
    if slaves.is_empty() {
        slaves.push(placeholder(template));
    }
    let ring = Ring { profile: profile(template, mode, cuk), servers, slaves }.canonical();
    Ok(Wanted::of(ring, addresses, Vec::new()))
}

fn profile(template: &Template, mode: Mode, cuk: &Cuk) -> Profile {
    let mut global = template.global.clone();
    let ctlport = match mode {
        Mode::Server => template.server_ctlport,
        Mode::Slave => template.slave_ctlport,
    };
    global.insert("GROUP".to_owned(), template.group.clone());
    global.insert("MODE".to_owned(), mode.word().to_owned());
    global.insert("CTLPORT".to_owned(), ctlport.to_string());
    global.insert("SELFCTLPORT".to_owned(), ctlport.to_string());
    global.insert("SELFCUK".to_owned(), cuk.to_string());
    if mode == Mode::Server {
        global.insert("PORT".to_owned(), template.server_port.to_string());
    }
    let k2hdkc = template.k2hdkc.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    Profile { global, k2hdkc: (mode == Mode::Server).then_some(k2hdkc), extra: Vec::new() }
}

fn node(record: &HostRecord, template: &Template, mode: Mode) -> Result<Node, Problem> {
    let refuse =
        |text: String| Problem::refused(None, format!("member {}: {text}", printable(&record.host, 64)));
    let cuk = record.cuk.as_deref().unwrap_or_default();
    let cuk = Cuk::try_from(cuk).map_err(|wrong: NameError| refuse(wrong.to_string()))?;
    let seed = one_word(record.tag.as_deref()).ok_or_else(|| {
        let tag = printable(record.tag.as_deref().unwrap_or_default(), 64);
        refuse(format!("its tag \"{tag}\" cannot be a CUSTOM_ID_SEED (one word is needed)"))
    })?;
    let host =
        one_word(Some(&record.host)).ok_or_else(|| refuse("its address is not one word".to_owned()))?;
    let name = if template.naming == Naming::Address { host } else { seed };
    let (port, ctlport) = match mode {
        Mode::Server => (Some(template.server_port), template.server_ctlport),
        Mode::Slave => (None, template.slave_ctlport),
    };
    let mut rest: Keys = [("SSL", "no")].into_iter().collect();
    if template.peers {
        peers(record, port, ctlport, &mut rest).map_err(refuse)?;
    }
    Ok(Node { name: name.to_owned(), ctlport, port, cuk: cuk.to_string(), seed: seed.to_owned(), rest })
}

/// Endpoints and peers as Trove's template writes them: reached at the inbound address, coming from the outbound.
fn peers(record: &HostRecord, port: Option<Port>, ctlport: Port, keys: &mut Keys) -> Result<(), String> {
    if let Some(inbound) = filled(record.inbound.as_deref()) {
        let address = inbound.parse::<IpAddr>().map_err(|_| not_an_address("inboundip", inbound))?;
        let at = |port: Port| std::net::SocketAddr::new(address, port.get()).to_string();
        if let Some(port) = port {
            keys.insert("ENDPOINTS", &at(port));
        }
        keys.insert("CTLENDPOINTS", &at(ctlport));
        keys.insert("REVERSE_PEERS", &address.to_string());
    }
    if let Some(outbound) = filled(record.outbound.as_deref()) {
        let address = outbound.parse::<IpAddr>().map_err(|_| not_an_address("outboundip", outbound))?;
        keys.insert("FORWARD_PEERS", &address.to_string());
    }
    Ok(())
}

fn not_an_address(field: &str, text: &str) -> String {
    format!("its {field} \"{}\" is not an address", printable(text, 64))
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn one_word(text: Option<&str>) -> Option<&str> {
    filled(text).filter(|text| !text.chars().any(|c| c.is_whitespace() || c.is_control()))
}

/// chmpx refuses a file without `[SLVNODE]`, so an empty slave role becomes the node that upstream writes.
fn placeholder(template: &Template) -> Node {
    Node {
        name: "127.0.0.1".to_owned(),
        ctlport: template.slave_ctlport,
        port: None,
        cuk: PLACEHOLDER_CUK.to_owned(),
        seed: String::new(),
        rest: [("SSL", "no")].into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn cuk() -> Cuk {
        Cuk::try_from("cuk-1").unwrap()
    }

    fn record(n: usize) -> HostRecord {
        HostRecord {
            host: format!("192.0.2.{n}"),
            cuk: Some(format!("cuk-{n}")),
            tag: Some(format!("server{n}.example")),
            ..HostRecord::default()
        }
    }

    fn template() -> Template {
        let port = |n: u16| Port::try_from(n).unwrap();
        let global = fixtures::ring(&[1], &[1]).profile.global;
        let named = ["GROUP", "MODE", "PORT", "CTLPORT", "SELFCTLPORT", "SELFCUK"];
        Template {
            global: global.into_iter().filter(|(key, _)| !named.contains(&key.as_str())).collect(),
            k2hdkc: fixtures::ring(&[1], &[1]).profile.k2hdkc.unwrap().into_iter().collect(),
            group: "mycluster".into(),
            naming: Naming::Address,
            peers: false,
            server_port: port(8020),
            server_ctlport: port(8021),
            slave_ctlport: port(8031),
        }
    }

    fn slave_record(n: usize) -> HostRecord {
        HostRecord {
            host: format!("198.51.100.{n}"),
            cuk: Some(format!("slave-{n}")),
            tag: Some(format!("slave{n}.example")),
            ..HostRecord::default()
        }
    }

    #[test]
    fn both_sources_make_the_same_ring() {
        let text =
            fixtures::text(Mode::Server, &[1, 2], &[1]).replace("cuk-1\nRW", "__SELF_INSTANCE_ID__\nRW");
        let ini = from_ini(&text, &cuk(), &[]).unwrap();
        let members =
            from_members(&[record(2), record(1)], &[slave_record(1)], &template(), Mode::Server, &cuk())
                .unwrap();
        assert_eq!(ini.ring, members.ring);
        assert_eq!(*ini.ring, fixtures::ring(&[1, 2], &[1]));
    }

    #[test]
    fn both_placeholders_become_the_cuk() {
        for hole in OF_CUK {
            let text = fixtures::text(Mode::Server, &[1], &[1])
                .replace("SELFCUK = cuk-1", &format!("SELFCUK = {hole}"));
            assert_eq!(from_ini(&text, &cuk(), &[]).unwrap().ring.global("SELFCUK"), "cuk-1");
        }
    }

    #[test]
    fn what_chmpx_would_take_wrongly_refuses_the_whole_answer() {
        let good = fixtures::text(Mode::Server, &[1, 2], &[1]);
        for (from, to, word) in [
            ("REPLICA = 1", "REPLICA = 1\nREPLICA = 2", "stands in line"),
            ("SSL = no", "SSL = no\nSSL = yes", "stands in line"),
            ("NAME = 192.0.2.2", "NAME = ", "NAME is empty"),
            ("CUK = cuk-2", "CUK = ", "CUK is empty"),
            ("CUSTOM_ID_SEED = server2.example", "CUSTOM_ID_SEED = ", "CUSTOM_ID_SEED is empty"),
            ("server2.example", "server2\u{1}example", "control character"),
            ("CUSTOM_ID_SEED = server2.example", "", "needs CUSTOM_ID_SEED"),
            ("[SLVNODE]", "[OTHER]", "no [SLVNODE]"),
        ] {
            let faults = from_ini(&good.replace(from, to), &cuk(), &[]).unwrap_err();
            assert!(faults.iter().any(|fault| fault.to_string().contains(word)), "{word}: {faults:?}");
        }
        assert!(from_ini(" \n", &cuk(), &[]).unwrap_err()[0].text.contains("empty"));
    }

    /// A file as the templates of the k8s tools make it, with these lines where the tool writes its TLS settings.
    fn of_a_k8s_tool(settings: &str) -> String {
        fixtures::text(Mode::Server, &[1, 2], &[1])
            .replace("SSL = no\n", "")
            .replace("DATE = x", "DATE = %%FILE_DOWNLOAD_DATE%%")
            .replace("SELFCUK = cuk-1", "SELFCUK = %%SELF_CONTAINER_CUK%%")
            .replace("AUTOMERGE = on\n", &format!("AUTOMERGE = on\nSSL = no\n{settings}\n"))
    }

    #[test]
    fn the_last_of_the_k8s_tools_two_ssl_lines_counts_and_is_noted() {
        let tls = "SSL = on\nSSL_VERIFY_PEER = on\nCAPATH = /ca.crt\nSERVER_CERT = /server.crt\n\
                   SERVER_PRIKEY = /server.key\nSLAVE_CERT = /client.crt\nSLAVE_PRIKEY = /client.key";
        for (settings, counts, word) in
            [("SSL = no\n\n\n\n\n\n", "no", "says the same"), (tls, "on", "the last one, \"on\", counts")]
        {
            let wanted = from_ini(&of_a_k8s_tool(settings), &cuk(), &[]).unwrap();
            assert_eq!((wanted.ring.global("SSL"), wanted.ring.global("SELFCUK")), (counts, "cuk-1"));
            assert_eq!(wanted.notes.len(), 1, "{:?}", wanted.notes);
            assert!(wanted.notes[0].text.contains(word), "{:?}", wanted.notes);
        }
    }

    #[test]
    fn a_tls_placeholder_that_nobody_replaced_is_left_out_and_noted() {
        let wanted = from_ini(&of_a_k8s_tool(" %%CHMPX_SSL_SETTING%%"), &cuk(), &[]).unwrap();
        assert_eq!(wanted.ring.global("SSL"), "no");
        assert!(wanted.ring.profile.global.keys().all(|key| !key.contains('%')), "{:?}", wanted.ring);
        assert!(
            wanted.notes[0].text.starts_with("%%CHMPX_SSL_SETTING%% was not replaced"),
            "{:?}",
            wanted.notes
        );
        let other = of_a_k8s_tool("SSL = no").replace("mycluster", "%%K2HDKC_DBAAS_CLUSTER_NAME%%");
        let faults = from_ini(&other, &cuk(), &[]).unwrap_err();
        assert!(faults[0].text.starts_with("GROUP is still the placeholder %%K2HDKC_DBAAS_"), "{faults:?}");
    }

    #[test]
    fn a_byte_order_mark_before_the_resource_is_left_out_and_noted() {
        let good = fixtures::text(Mode::Server, &[1, 2], &[1]);
        let (_, from_global) = good.split_once('\n').unwrap();
        let marked = format!("\u{feff}{from_global}").replace("[K2HDKC]", "\u{feff}[K2HDKC]");
        let wanted = from_ini(&marked, &cuk(), &[]).unwrap();
        assert_eq!(*wanted.ring, fixtures::ring(&[1, 2], &[1]));
        assert_eq!(wanted.notes.len(), 2, "{:?}", wanted.notes);
        assert!(wanted.notes[0].to_string().starts_with("line 1: a byte order mark"), "{:?}", wanted.notes);
    }

    #[test]
    fn a_node_that_is_no_member_is_told_so_first() {
        let faults = from_ini(&fixtures::text(Mode::Server, &[2, 3], &[1]), &cuk(), &[]).unwrap_err();
        assert!(faults[0].text.starts_with("this node (CUK cuk-1) is not a member"), "{faults:?}");
        assert!(faults[1].text.starts_with("MODE is SERVER"), "{faults:?}");
    }

    #[test]
    fn foreign_sections_pass_only_by_name() {
        let text = format!("{}[K2HTPDTOR]\nA = b\n", fixtures::text(Mode::Server, &[1, 2], &[1]));
        let dropped = from_ini(&text, &cuk(), &[]).unwrap();
        assert_eq!(dropped.ring.profile.extra, []);
        assert!(dropped.notes.iter().any(|note| note.text.contains("[K2HTPDTOR] is left out")));
        let kept = from_ini(&text, &cuk(), &["K2HTPDTOR".to_owned()]).unwrap();
        assert_eq!(kept.ring.profile.extra[0].entries, [("A".to_owned(), "b".to_owned())]);
        assert_eq!(kept.notes, []);
        let twice = from_ini(&format!("{text}A = c\n"), &cuk(), &["K2HTPDTOR".to_owned()]).unwrap_err();
        assert_eq!(twice[0].text, "[K2HTPDTOR]: A stands twice, with another value");
    }

    #[test]
    fn a_member_that_cannot_be_a_node_refuses_the_list() {
        let broken = |change: &dyn Fn(&mut HostRecord)| {
            let mut bad = record(2);
            change(&mut bad);
            let peers = Template { peers: true, ..template() };
            from_members(&[record(1), bad], &[], &peers, Mode::Server, &cuk()).unwrap_err()[0].text.clone()
        };
        assert!(broken(&|r| r.cuk = None).contains("a CUK is empty"));
        assert!(broken(&|r| r.cuk = Some("a b".into())).contains("has a blank"));
        assert!(broken(&|r| r.tag = None).contains("cannot be a CUSTOM_ID_SEED"));
        assert!(broken(&|r| r.tag = Some("a\n[SVRNODE]".into())).contains("tag \"a\\n[SVRNODE]\" cannot"));
        assert!(broken(&|r| r.host = " ".into()).contains("address is not one word"));
        assert!(broken(&|r| r.inbound = Some("x".into())).contains("inboundip \"x\" is not an address"));
        assert!(broken(&|r| r.outbound = Some("x".into())).contains("outboundip"));
        let empty = from_members(&[], &[], &template(), Mode::Server, &cuk()).unwrap_err();
        assert_eq!(empty[0].text, "the server role has no member");
    }

    #[test]
    fn an_empty_slave_role_becomes_the_placeholder_that_chmpx_needs() {
        let wanted = from_members(&[record(1)], &[], &template(), Mode::Server, &cuk()).unwrap();
        assert_eq!(wanted.ring.slaves.len(), 1);
        assert!(wanted.ring.slaves[0].is_placeholder());
        let slave = from_members(&[record(1)], &[slave_record(1)], &template(), Mode::Slave, &cuk()).unwrap();
        assert_eq!((slave.ring.global("CTLPORT"), &slave.ring.profile.k2hdkc), ("8031", &None));
        assert!(!slave.ring.profile.global.contains_key("PORT"));
    }

    #[test]
    fn tags_may_name_nodes_and_their_addresses_are_kept_for_the_hosts_file() {
        let tags = Template { naming: Naming::Tag, peers: true, ..template() };
        let mut natted = record(1);
        natted.inbound = Some("203.0.113.1".into());
        natted.outbound = Some("203.0.113.2".into());
        let wanted = from_members(&[natted], &[slave_record(1)], &tags, Mode::Server, &cuk()).unwrap();
        let server = &wanted.ring.servers[0];
        assert_eq!(server.name, "server1.example");
        assert_eq!(wanted.addresses["server1.example"], "192.0.2.1".parse::<IpAddr>().unwrap());
        let list = |key: &str| server.rest.get(key).unwrap();
        assert_eq!(
            [list("ENDPOINTS"), list("CTLENDPOINTS"), list("REVERSE_PEERS"), list("FORWARD_PEERS")],
            ["203.0.113.1:8020", "203.0.113.1:8021", "203.0.113.1", "203.0.113.2"]
        );
    }

    #[test]
    fn an_ini_with_names_tells_their_addresses_in_its_peers() {
        let text = fixtures::text(Mode::Server, &[1, 300], &[1])
            .replace("NAME = server300.example", "NAME = server300.example\nENDPOINTS = 203.0.113.9:8020");
        let wanted = from_ini(&text, &cuk(), &[]).unwrap();
        assert_eq!(
            wanted.addresses,
            BTreeMap::from([("server300.example".into(), "203.0.113.9".parse().unwrap())])
        );
    }
}
