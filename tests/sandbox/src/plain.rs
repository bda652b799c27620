//! Shows the news as plain lines.

use std::io::{self, Write as _};

use tokio::sync::mpsc;

use super::news::News;
use super::sightings::Shown;

/// Shows everything until nobody tells any more.
pub(super) async fn show(mut news: mpsc::UnboundedReceiver<News>) {
    let mut playing = false;
    while let Some(news) = news.recv().await {
        match news {
            News::Line(line) | News::Whole(line) => print(&line),
            News::Playing => playing = true,
            News::File { of, shown } if playing => {
                print(&format!("{of} has a new file: {}", file_line(Some(&shown))));
            }
            News::File { .. }
            | News::Begins { .. }
            | News::Came { .. }
            | News::Went { .. }
            | News::Counts { .. } => {}
        }
    }
}

/// Standard output that was closed is the reader's decision.
pub(super) fn print(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// A file in one line.
pub(super) fn file_line(shown: Option<&Result<Shown, String>>) -> String {
    match shown {
        Some(Ok(Shown { fileversion, content })) => format!(
            "FILEVERSION {fileversion}, {} servers, {} slaves, RWTIMEOUT {}",
            content.servers.len(),
            content.slaves.len(),
            content.operators_value
        ),
        Some(Err(problem)) => format!("chmpx would not load it: {problem}"),
        None => "no file yet".to_owned(),
    }
}
