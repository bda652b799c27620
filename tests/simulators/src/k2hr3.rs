//! A K2HR3 REST API that is not one: the same answers, byte for byte where it matters, from memory.
//!
//! Start it with [`Server::start`], control it in-process with a [`Lab`], make it ill with a
//! [`Sickness`]. What it answers was taken from exchanges recorded on `k2hr3_api` 2.0.3 with a real k2hdkc
//! behind it; the suite `k2hr3_replay` holds those facts against it.
//!
//! ```text
//! server      accepts, one task per connection; the only owner of sockets
//! http        bytes -> Request        answer   Answer -> bytes: ETag, 304, CORS
//! routes      Request -> Answer, one file per mount point; decides status and message
//! state       roles, hosts, tokens, resources, policies: what the real one keeps in k2hdkc
//! template    the template language of resources
//! sickness    what may go wrong with an answer, and how it looks on the wire
//! lab         the control of all this for suites, and the log of requests
//! ```
//!
//! `docs/facts.md K1` and the like point into the notes of the study of the real system; `c20` and the like at
//! recorded exchanges, whose facts are in the table of that suite; `dkc:8225` at a line of `k2hr3_api`'s
//! `src/lib/k2hr3dkc.ts`.
//!
//! Requests are answered one after the other under one lock, never held while anything is awaited: the
//! real server is a single event loop too (`k2hr3_api` `bin/www.ts`), so a lock is its faithful picture and
//! lets a suite look at the state between two requests without an own protocol.

mod answer;
mod clock;
mod connection;
mod http;
mod lab;
mod query;
mod routes;
mod server;
mod sickness;
mod state;
mod template;
mod yrn;

pub use lab::{Change, Cluster, Lab, Request, STOCK_TEMPLATE, USER_DATA};
pub use server::{Options, Server};
pub use sickness::{Illness, Sickness};
pub use state::{HostRecord, UserData};
pub use template::{Broken, Template};
