//! The other servers of the ring, at their own control ports: whether they list this node, and a word to one of them. Beside
//! the pass; nothing is decided here.
//!
//! A question is ALLSTATUS: it is short, a server answers it to anybody whose command comes with the connection, and it lists
//! what the file of that server lists. DUMP would be a kilobyte a node.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::About;
use super::control_port::{self, Command};
use super::local::question;
use crate::apply::full;
use crate::view::{self, Row};
use crate::wake::{Reason, Waker};

/// Longest wait for one of them: a chmpx that is well answers within milliseconds, and one that is not lets nobody in.
const WITHIN: Duration = Duration::from_secs(1);
/// Between two questions to the same server.
const AGAIN: Duration = Duration::from_millis(500);
/// So many servers are asked at most: those behind this one in the ring, to which its chmpx would connect.
const MOST_ASKED: usize = 16;

/// What the other servers say of this node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hearsay {
    /// Nobody is asked: there is no other server, or no need.
    #[default]
    Unasked,
    /// The answers are on their way.
    Asking,
    /// What came.
    Heard(Heard),
}

/// Answers of the other servers. One that says nothing is in neither list, and counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// These list this node.
    pub listed_by: Vec<SocketAddr>,
    /// These answer, and do not.
    pub unknown_to: Vec<SocketAddr>,
    /// So many do not answer.
    pub silent: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    asking: Option<Asking>,
    heard: Option<(Instant, Heard)>,
    word: Option<Word>,
    declined: Option<String>,
}

/// A word on its way. Dropped, nobody waits for what comes of it.
#[derive(Debug)]
struct Word {
    _telling: JoinSet<()>,
    answer: oneshot::Receiver<Result<(), String>>,
}

/// Questions on their way. Dropped, nobody waits for the answers.
#[derive(Debug)]
struct Asking {
    _asking: JoinSet<()>,
    answer: oneshot::Receiver<Heard>,
}

impl Neighbours {
    /// Takes in what has come, and asks again where that is due. Where it is not `needed`, what was said is forgotten: the next
    /// chmpx is for the next answer.
    pub(super) fn go_on(&mut self, about: &About, needed: bool, waker: &Waker) -> Hearsay {
        if !needed || about.others.is_empty() {
            (self.asking, self.heard) = (None, None);
            return Hearsay::Unasked;
        }
        let come = self.asking.as_mut().and_then(|asking| asking.answer.try_recv().ok());
        if let Some(heard) = come {
            (self.asking, self.heard) = (None, Some((Instant::now(), heard)));
        }
        let due = self.heard.as_ref().is_none_or(|(at, _)| at.elapsed() >= AGAIN);
        if due && self.asking.is_none() {
            self.asking = Some(Asking::put(about.clone(), waker.clone()));
        }
        self.heard.as_ref().map_or(Hearsay::Asking, |(_, heard)| Hearsay::Heard(heard.clone()))
    }

    /// Tells the chmpx there to say its status once more, and does not wait for what it says to that.
    pub(super) fn prompt(&mut self, address: SocketAddr, within: Duration, waker: Waker) {
        let (answered, answer) = oneshot::channel();
        let mut telling = JoinSet::new();
        telling.spawn(async move {
            let said = match control_port::ask(address, &Command::UpdateStatus, within).await {
                Ok(text) => question::accepted(&text),
                Err(error) => Err(full(&error)),
            };
            // Nobody waits any more where something else was told since.
            let _ =
                answered.send(said.map_err(|text| format!("{address} did not take UPDATESTATUS: {text}")));
            waker.wake(Reason::Answered);
        });
        (self.word, self.declined) = (Some(Word { _telling: telling, answer }), None);
    }

    /// Why the last word was not taken.
    pub(super) fn declined(&mut self) -> Option<String> {
        let come = self.word.as_mut().and_then(|word| word.answer.try_recv().ok());
        if let Some(said) = come {
            (self.word, self.declined) = (None, said.err());
        }
        self.declined.clone()
    }
}

impl Asking {
    fn put(about: About, waker: Waker) -> Self {
        let (answered, answer) = oneshot::channel();
        let mut asking = JoinSet::new();
        asking.spawn(async move {
            let mut questions = JoinSet::new();
            for address in about.others.iter().copied().take(MOST_ASKED) {
                let about = about.clone();
                questions.spawn(async move { (address, lists(address, &about).await) });
            }
            let mut heard = Heard::default();
            while let Some(asked) = questions.join_next().await {
                match asked {
                    Ok((address, Some(true))) => heard.listed_by.push(address),
                    Ok((address, Some(false))) => heard.unknown_to.push(address),
                    Ok((_, None)) | Err(_) => heard.silent += 1,
                }
            }
            heard.listed_by.sort_unstable();
            heard.unknown_to.sort_unstable();
            // Nobody waits any more where a chmpx runs by now.
            let _ = answered.send(heard);
            waker.wake(Reason::Answered);
        });
        Self { _asking: asking, answer }
    }
}

/// Whether the chmpx there lists this node; `None` where it does not answer, or is one of another ring.
async fn lists(address: SocketAddr, about: &About) -> Option<bool> {
    let text = control_port::ask(address, &Command::AllStatus, WITHIN).await.ok()?;
    let status = view::all_status(&text).ok()?;
    (status.group == about.group).then(|| status.servers.iter().any(|row| is_own(row, about)))
}

fn is_own(row: &Row, about: &About) -> bool {
    let (name, ctlport, id) = &about.own;
    let same = if id.is_empty() { row.name == *name } else { row.seed == *id || row.cuk == *id };
    same && row.ctlport == Some(*ctlport)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::fixtures;

    /// ALLSTATUS of a chmpx of that group, which lists those servers.
    fn all_status(group: &str, servers: &[usize]) -> String {
        let mut text = format!("RING Name              = {group}\n");
        for (place, n) in servers.iter().enumerate() {
            let node = fixtures::server(*n);
            text.push_str(&format!(
                "No.{}\n  Server Name          = {}\n    Port               = 8020\n    Control Port       = 8021\n    \
                 CUK                = {}\n    Custom ID Seed     = {}\n    Endpoints          = \n    \
                 Control Endppoints = \n    Forward Peers      = \n    Reverse Peers      = \n    \
                 Server Status      = 0x21([SERVICE IN][UP][n/a][Nothing][NoSuspend])\n    \
                 Enable Hash Value  = 0x{place}\n    Pending Hash Value = 0x{place}\n",
                place + 1,
                node.name,
                node.cuk,
                node.seed
            ));
        }
        text
    }

    /// A control port that gives that answer to every question.
    async fn chmpx(answer: String) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 100];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn about(others: Vec<SocketAddr>) -> About {
        let mut about =
            About::of(&fixtures::ring(&[1, 2], &[]), std::path::Path::new("/nowhere.ini")).unwrap();
        about.others = others;
        about
    }

    #[tokio::test]
    async fn the_others_say_whether_they_list_this_node_and_who_says_nothing_is_in_no_list() {
        let knows = chmpx(all_status("mycluster", &[2, 1])).await;
        let does_not = chmpx(all_status("mycluster", &[2, 3])).await;
        let another_ring = chmpx(all_status("other", &[2, 1])).await;
        let gone = SocketAddr::from(([127, 0, 0, 1], 1));
        let (about, waker) = (about(vec![knows, does_not, another_ring, gone]), Waker::default());
        let mut neighbours = Neighbours::default();
        assert_eq!(neighbours.go_on(&about, true, &waker), Hearsay::Asking);
        assert!(waker.woken().await.contains(Reason::Answered));
        let heard = Heard { listed_by: vec![knows], unknown_to: vec![does_not], silent: 2 };
        assert_eq!(neighbours.go_on(&about, true, &waker), Hearsay::Heard(heard));
        assert_eq!(neighbours.go_on(&about, false, &waker), Hearsay::Unasked);
        assert_eq!(
            neighbours.go_on(&about, true, &waker),
            Hearsay::Asking,
            "the last answer was for another chmpx"
        );
    }

    #[tokio::test]
    async fn who_is_alone_asks_nobody() {
        let hearsay = Neighbours::default().go_on(&about(Vec::new()), true, &Waker::default());
        assert_eq!(hearsay, Hearsay::Unasked);
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
        let about = About::of(&ring, std::path::Path::new("/nowhere.ini")).unwrap();
        let server = |n| SocketAddr::from(([192, 0, 2, n], 8021));
        assert_eq!(about.others, [server(4), server(1)], "the next one first");
    }
}
