//! A connection that carries frames: a task that reads, a task that writes, and the questions that wait.
//!
//! A peer that acknowledges nothing keeps nobody from anything else; the real chmpx waits for it (docs/facts.md C35).

use std::collections::HashMap;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::sync::{mpsc, oneshot};

use super::wire::{Frame, Note, Question, Reply};

/// The sending side, as its owner keeps it. Dropped, the connection is closed.
#[derive(Debug)]
pub struct Link {
    out: mpsc::UnboundedSender<Frame>,
    waiting: HashMap<u64, oneshot::Sender<Reply>>,
    last: u64,
}

impl Link {
    /// Serves a connection. What comes in goes to `sink`, and `None` when it is closed.
    pub fn open<R, W, S>(read: R, write: W, sink: S) -> Self
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
        S: Fn(Option<Frame>) + Send + Sync + 'static,
    {
        let (out, frames) = mpsc::unbounded_channel();
        tokio::spawn(serve(read, write, frames, sink));
        Self { out, waiting: HashMap::new(), last: 0 }
    }

    /// Tells something.
    pub fn tell(&self, note: Note) {
        self.send(Frame::Note(note));
    }

    /// Answers a question.
    pub fn answer(&self, ticket: u64, reply: Reply) {
        self.send(Frame::Answer { ticket, reply });
    }

    /// Something that answers a question later, from another task.
    pub fn answerer(&self, ticket: u64) -> impl FnOnce(Reply) + Send + use<> {
        let out = self.out.clone();
        move |reply| drop(out.send(Frame::Answer { ticket, reply }))
    }

    /// Asks something. The receiver fails when the connection is closed first.
    pub fn ask(&mut self, question: Question) -> oneshot::Receiver<Reply> {
        self.last += 1;
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(self.last, sender);
        self.send(Frame::Ask { ticket: self.last, question });
        receiver
    }

    /// Hands an answer to whoever waits for it.
    pub fn answered(&mut self, ticket: u64, reply: Reply) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // Whoever asked may have given up.
            let _ = waiting.send(reply);
        }
    }

    fn send(&self, frame: Frame) {
        // A closed connection tells itself through the reading side.
        let _ = self.out.send(frame);
    }
}

/// Runs both directions in one task: when either ends, so does the connection.
async fn serve<R, W, S>(read: R, mut write: W, mut frames: mpsc::UnboundedReceiver<Frame>, sink: S)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: Fn(Option<Frame>),
{
    let reading = async {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let Ok(frame) = serde_json::from_str(&line) else { break };
            sink(Some(frame));
        }
    };
    let writing = async {
        while let Some(frame) = frames.recv().await {
            let mut line = serde_json::to_vec(&frame).unwrap_or_default();
            line.push(b'\n');
            if write.write_all(&line).await.is_err() {
                break;
            }
        }
        let _ = write.shutdown().await;
    };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
    sink(None);
}
