//! The other servers of the ring, at their own control ports: whether they list this node, and a word to one of them. Beside
//! the pass; nothing is decided here.
//!
//! A question is ALLSTATUS: it is short, a server answers it to anybody whose command comes with the connection, and it lists
//! what the file of that server lists. DUMP would be a kilobyte a node.
//!
//! A question is not free: a server looks up the address of whoever connects, in its main loop, and has no name for one that it
//! does not list (C9). So one server is asked at a time, the one that decides, not before it can know this node, and ever more
//! seldom.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::NodeSpec;
use super::control_port::{self, Command, ControlPortError};
use super::local::question;
use crate::chmpx_state;
use crate::problem::chain;
use crate::retry::{Backoff, Retry};
use crate::wake::{Reason, Waker};

/// Longest wait for one of them: a chmpx that is well answers within milliseconds, and one that is not lets nobody in.
const WITHIN: Duration = Duration::from_secs(1);
/// The pause between two questions. Its jitter lets nodes that came together ask one after the other.
const AGAIN: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_mins(1));
/// Largest number of servers in a round: those behind this one in the ring, to which its chmpx would connect.
const MOST_ASKED: usize = 16;
/// Largest number of silent servers, one after the other; beyond it nobody counts as reachable.
const MOST_SILENT: usize = 4;

/// Knowledge of the other servers about this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PeerKnowledge {
    /// No question: the ring has no other server, or none is needed.
    #[default]
    Unasked,
    /// The answer is on its way, or the others cannot know this node yet.
    Asking,
    /// No server answers.
    Nobody,
    /// The server to which this one's chmpx connects lists it; where nobody knows which one that is, all that answer do.
    Listed,
    /// This server answers, and does not list the node.
    Unknown(SocketAddr),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    /// Since when this is needed.
    since: Option<Instant>,
    /// Control ports of the other servers.
    others: Vec<SocketAddr>,
    /// Silent servers since the last answer.
    silent: BTreeSet<SocketAddr>,
    asking: Option<Asking>,
    /// Questions since they are needed; none is the last one.
    questions: Retry,
    said: PeerKnowledge,
    word: Option<SentPrompt>,
    declined: Option<String>,
}

/// A word on its way. Dropped, nobody waits for what comes of it.
#[derive(Debug)]
struct SentPrompt {
    _telling: JoinSet<()>,
    answer: oneshot::Receiver<Result<(), String>>,
}

/// A question on its way. Dropped, nobody waits for the answer.
#[derive(Debug)]
struct Asking {
    _asking: JoinSet<()>,
    answer: oneshot::Receiver<Round>,
}

/// Result of a round of questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    ChmpxReport(PeerKnowledge),
    /// This server took the question without an answer, or is out of reach.
    Silent(SocketAddr),
}

/// Verdict of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Lists,
    DoesNot,
    /// No chmpx listens there, or one of another ring.
    Nobody,
    Silent,
}

impl Neighbours {
    /// Takes in what has come, and asks again where that is due; `random` is from 0 to 1. Where it is not `needed`, what was
    /// said is forgotten: the next chmpx is for the next answer.
    pub(super) fn go_on(
        &mut self,
        spec: &NodeSpec,
        needed: bool,
        random: f64,
        waker: &Waker,
    ) -> PeerKnowledge {
        if !needed || spec.others.is_empty() {
            self.forget();
            self.since = None;
            return PeerKnowledge::Unasked;
        }
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        if self.others != spec.others {
            self.forget();
            (self.others, self.said) = (spec.others.clone(), PeerKnowledge::Asking);
        }
        let come = self.asking.as_mut().and_then(|asking| asking.answer.try_recv().ok());
        if let Some(round) = come {
            self.asking = None;
            self.questions.failed(now, "asked, and not over yet", &AGAIN, random);
            self.take(round);
        }
        if self.asking.is_none() && now >= since + spec.known_after && self.questions.is_due(now) {
            self.asking = Some(Asking::put(spec.clone(), self.silent.clone(), waker.clone()));
        }
        self.said
    }

    fn take(&mut self, round: Round) {
        match round {
            Round::Silent(address) => {
                self.silent.insert(address);
                if self.silent.len() >= MOST_SILENT {
                    self.said = PeerKnowledge::Nobody;
                    self.silent.clear();
                }
            }
            Round::ChmpxReport(said) => {
                self.silent.clear();
                self.said = said;
            }
        }
    }

    fn forget(&mut self) {
        (self.asking, self.said) = (None, PeerKnowledge::Unasked);
        self.questions.succeeded();
        self.silent.clear();
        self.others.clear();
    }

    /// Tells the chmpx there to say its status once more, and does not wait for what it says to that.
    pub(super) fn prompt(&mut self, address: SocketAddr, within: Duration, waker: Waker) {
        let (answered, answer) = oneshot::channel();
        let mut telling = JoinSet::new();
        telling.spawn(async move {
            let said = match control_port::ask(address, &Command::UpdateStatus, within).await {
                Ok(text) => question::accepted(&text),
                Err(error) => Err(chain(&error)),
            };
            // Nobody waits any more where something else was told since.
            let _ =
                answered.send(said.map_err(|text| format!("{address} did not take UPDATESTATUS: {text}")));
            waker.wake(Reason::Answered);
        });
        (self.word, self.declined) = (Some(SentPrompt { _telling: telling, answer }), None);
    }

    /// Reason why the last prompt was refused.
    pub(super) fn declined(&mut self) -> Option<String> {
        let come = self.word.as_mut().and_then(|word| word.answer.try_recv().ok());
        if let Some(said) = come {
            (self.word, self.declined) = (None, said.err());
        }
        self.declined.clone()
    }
}

impl Asking {
    fn put(spec: NodeSpec, silent: BTreeSet<SocketAddr>, waker: Waker) -> Self {
        let (answered, answer) = oneshot::channel();
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            // Nobody waits any more where a chmpx runs by now.
            let _ = answered.send(round(&spec, &silent).await);
            waker.wake(Reason::Answered);
        });
        Self { _asking: asking, answer }
    }
}

/// Asks one after the other until one has said what decides.
async fn round(spec: &NodeSpec, silent: &BTreeSet<SocketAddr>) -> Round {
    let mut said = PeerKnowledge::Nobody;
    let others = spec.others.iter().copied().filter(|address| !silent.contains(address));
    for address in others.take(MOST_ASKED) {
        match lists(address, spec).await {
            Verdict::Lists => said = PeerKnowledge::Listed,
            Verdict::DoesNot => return Round::ChmpxReport(PeerKnowledge::Unknown(address)),
            Verdict::Nobody => continue,
            Verdict::Silent => return Round::Silent(address),
        }
        if spec.in_order {
            break;
        }
    }
    Round::ChmpxReport(said)
}

/// Asks the chmpx at that address if it lists this node.
async fn lists(address: SocketAddr, spec: &NodeSpec) -> Verdict {
    let text = match control_port::ask(address, &Command::AllStatus, WITHIN).await {
        Ok(text) => text,
        Err(ControlPortError::Silent { .. }) => return Verdict::Silent,
        Err(_) => return Verdict::Nobody,
    };
    let Some(own) = spec.section.as_ref() else { return Verdict::Nobody };
    match chmpx_state::all_status(&text) {
        Ok(status) if status.group == spec.group => {
            let listed = status.servers.iter().any(|row| row.is_of(own));
            if listed { Verdict::Lists } else { Verdict::DoesNot }
        }
        _ => Verdict::Nobody,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fixtures;
    use crate::ring::{Node, Ring};

    /// ALLSTATUS of a chmpx of that group, which lists those servers.
    fn all_status(group: &str, servers: &[Node]) -> String {
        let mut text = format!("RING Name              = {group}\n");
        for (place, node) in servers.iter().enumerate() {
            text.push_str(&format!(
                "No.{}\n  Server Name          = {}\n    Port               = 8020\n    Control Port       = {}\n    \
                 CUK                = {}\n    Custom ID Seed     = {}\n    Endpoints          = \n    \
                 Control Endppoints = {}\n    Forward Peers      = \n    Reverse Peers      = \n    \
                 Server Status      = 0x21([SERVICE IN][UP][n/a][Nothing][NoSuspend])\n    \
                 Enable Hash Value  = 0x{place}\n    Pending Hash Value = 0x{place}\n",
                place + 1,
                node.name,
                node.ctlport,
                node.cuk,
                node.seed,
                node.rest.get("CTLENDPOINTS").unwrap_or_default(),
            ));
        }
        text
    }

    fn listing(servers: &[usize]) -> String {
        all_status("mycluster", &servers.iter().map(|n| fixtures::server(*n)).collect::<Vec<_>>())
    }

    /// A control port that gives that answer to every question, and counts them.
    async fn counted(answer: String) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&count);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                counter.fetch_add(1, Ordering::Relaxed);
                let mut request = [0; 100];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        (address, count)
    }

    async fn chmpx(answer: String) -> SocketAddr {
        counted(answer).await.0
    }

    fn spec_of(ring: &Ring) -> NodeSpec {
        NodeSpec::of(ring, std::path::Path::new("/nowhere.ini")).unwrap()
    }

    fn node(others: Vec<SocketAddr>) -> NodeSpec {
        NodeSpec { others, ..spec_of(&fixtures::ring(&[1, 2], &[])) }
    }

    fn gone() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    async fn said(spec: &NodeSpec) -> Round {
        round(spec, &BTreeSet::new()).await
    }

    #[tokio::test]
    async fn the_next_server_that_answers_decides_and_no_other_is_asked() {
        let (knows, does_not) = (chmpx(listing(&[2, 1])).await, chmpx(listing(&[2, 3])).await);
        let another_ring = chmpx(all_status("other", &[fixtures::server(1)])).await;
        let (third, asked) = counted(listing(&[1])).await;
        for (others, says) in [
            (vec![knows, does_not, third], PeerKnowledge::Listed),
            (vec![does_not, knows, third], PeerKnowledge::Unknown(does_not)),
            (vec![gone(), another_ring, does_not, third], PeerKnowledge::Unknown(does_not)),
        ] {
            assert_eq!(said(&node(others)).await, Round::ChmpxReport(says));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 0, "each question costs a server a row of look-ups");
        assert_eq!(said(&node(vec![gone(), another_ring])).await, Round::ChmpxReport(PeerKnowledge::Nobody));
        let silent = BTreeSet::from([does_not]);
        assert_eq!(
            round(&node(vec![does_not, knows]), &silent).await,
            Round::ChmpxReport(PeerKnowledge::Listed)
        );
    }

    #[tokio::test]
    async fn all_that_answer_decide_where_nobody_knows_the_order_of_the_ring() {
        let (knows, does_not) = (chmpx(listing(&[2, 1])).await, chmpx(listing(&[2, 3])).await);
        let (third, asked) = counted(listing(&[1])).await;
        for (others, says) in [
            (vec![knows, third], PeerKnowledge::Listed),
            (vec![knows, does_not, third], PeerKnowledge::Unknown(does_not)),
        ] {
            let spec = NodeSpec { in_order: false, ..node(others) };
            assert_eq!(said(&spec).await, Round::ChmpxReport(says));
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_server_is_found_among_the_rows_whatever_its_id_is_made_of() {
        for (id_type, seed, cuk) in [
            ("CUSTOM", true, true),
            ("CUK", false, true),
            ("NAME", false, true),
            ("NAME", false, false),
            ("CTLENDPOINTS", true, true),
            ("CTLEPS", false, true),
            ("", false, true),
            ("", false, false),
        ] {
            let mut ring = fixtures::ring(&[1, 2], &[]);
            ring.profile.global.insert("CHMPXIDTYPE".into(), id_type.into());
            for node in &mut ring.servers {
                node.rest.insert("CTLENDPOINTS", &format!("{}:8021", node.name));
                node.seed = if seed { node.seed.clone() } else { String::new() };
                node.cuk = if cuk { node.cuk.clone() } else { String::new() };
            }
            let own = ring.servers[0].clone();
            ring.profile.global.insert("SELFCUK".into(), own.cuk.clone());
            let mut elsewhere = own.clone();
            elsewhere.ctlport = crate::names::Port::try_from(8999).unwrap();
            for (rows, says) in [
                (vec![ring.servers[1].clone(), own], Verdict::Lists),
                (vec![ring.servers[1].clone(), elsewhere], Verdict::DoesNot),
            ] {
                let server = chmpx(all_status("mycluster", &rows)).await;
                assert_eq!(lists(server, &spec_of(&ring)).await, says, "{id_type} {seed} {cuk}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_is_for_the_chmpx_that_was_waited_for_and_for_the_servers_of_its_file() {
        let (knows, does_not) = (chmpx(listing(&[2, 1])).await, chmpx(listing(&[2, 3])).await);
        let waker = Waker::default();
        let mut neighbours = Neighbours::default();
        assert_eq!(neighbours.go_on(&node(vec![does_not]), true, 0.5, &waker), PeerKnowledge::Asking);
        assert!(waker.woken().await.contains(Reason::Answered));
        let unknown = PeerKnowledge::Unknown(does_not);
        assert_eq!(neighbours.go_on(&node(vec![does_not]), true, 0.5, &waker), unknown);
        assert_eq!(neighbours.go_on(&node(vec![knows]), true, 0.5, &waker), PeerKnowledge::Asking);
        assert!(waker.woken().await.contains(Reason::Answered));
        assert_eq!(neighbours.go_on(&node(vec![knows]), true, 0.5, &waker), PeerKnowledge::Listed);
        assert_eq!(neighbours.go_on(&node(vec![knows]), false, 0.5, &waker), PeerKnowledge::Unasked);
        assert_eq!(neighbours.go_on(&node(vec![knows]), true, 0.5, &waker), PeerKnowledge::Asking);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_asked_before_he_can_know_this_node() {
        let spec = NodeSpec { known_after: Duration::from_secs(5), ..node(vec![gone()]) };
        let mut neighbours = Neighbours::default();
        for _ in 0..50 {
            assert_eq!(neighbours.go_on(&spec, true, 0.5, &Waker::default()), PeerKnowledge::Asking);
            assert!(neighbours.asking.is_none());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        neighbours.go_on(&spec, true, 0.5, &Waker::default());
        assert!(neighbours.asking.is_some());
    }

    #[test]
    fn a_few_servers_that_say_nothing_are_nobody() {
        let server = |n| SocketAddr::from(([192, 0, 2, n], 8021));
        let mut neighbours = Neighbours { said: PeerKnowledge::Asking, ..Neighbours::default() };
        for n in 1..4 {
            neighbours.take(Round::Silent(server(n)));
            assert_eq!((neighbours.said, neighbours.silent.len()), (PeerKnowledge::Asking, usize::from(n)));
        }
        neighbours.take(Round::Silent(server(4)));
        assert_eq!((neighbours.said, neighbours.silent.len()), (PeerKnowledge::Nobody, 0));
        neighbours.take(Round::Silent(server(1)));
        neighbours.take(Round::ChmpxReport(PeerKnowledge::Unknown(server(2))));
        neighbours.take(Round::Silent(server(1)));
        assert_eq!(neighbours.said, PeerKnowledge::Unknown(server(2)), "silence takes nothing back");
    }

    #[tokio::test]
    async fn who_is_alone_asks_nobody() {
        let knowledge = Neighbours::default().go_on(&node(Vec::new()), true, 0.5, &Waker::default());
        assert_eq!(knowledge, PeerKnowledge::Unasked);
    }

    #[tokio::test]
    async fn a_server_that_does_not_take_a_word_is_told() {
        let waker = Waker::default();
        let mut neighbours = Neighbours::default();
        for (answer, declined) in [("SUCCEED: \n", false), ("ERROR: operating now\n", true)] {
            let server = chmpx(answer.to_owned()).await;
            neighbours.prompt(server, Duration::from_secs(5), waker.clone());
            waker.woken().await;
            let said = neighbours.declined();
            assert_eq!(said.is_some(), declined, "{said:?}");
            assert!(said.is_none_or(|text| text.starts_with(&format!("{server} did not take UPDATESTATUS"))));
        }
    }

    #[test]
    fn a_node_knows_where_the_other_servers_listen_and_looks_up_no_name_for_it() {
        let mut ring = fixtures::ring(&[1, 2, 3, 4], &[1]);
        ring.servers[2].name = "server3.example".into();
        ring.profile.global.insert("SELFCUK".into(), "cuk-2".into());
        let server = |n, port| SocketAddr::from(([192, 0, 2, n], port));
        let others = [server(4, 8021), server(1, 8021)];
        assert_eq!(spec_of(&ring).others, others, "one name keeps no other from being asked");
        for (key, value, port) in [
            ("CTLENDPOINTS", "3.example:1,192.0.2.3:9021", 9021),
            ("ENDPOINTS", "3.example, 192.0.2.3:8020", 8021),
            ("REVERSE_PEERS", "192.0.2.3", 8021),
        ] {
            let mut ring = ring.clone();
            ring.servers[2].rest.insert(key, value);
            assert_eq!(spec_of(&ring).others, [server(3, port), others[0], others[1]], "{key}");
        }
    }
}
