//! Simulators of what a node meets.
//!
//! `k2hr3` is a K2HR3 REST API in memory, for whoever polls one; `raw_http` is a client that sees every byte.
//! `model` is a ring as pure values. `simulators` are chmpx, k2hdkc and chmpxstatus as programs, made of `chmpx` and `k2hdkc`,
//! which are shells around the model.
//! `node` is a node's directory with a real agent in it, and `binaries` finds that agent.
#![allow(
    clippy::missing_errors_doc,
    reason = "a suite ends with the text of whatever error its helpers return"
)]

pub mod binaries;
pub mod chmpx;
pub mod k2hdkc;
pub mod k2hr3;
pub mod model;
pub mod node;
pub mod raw_http;
pub mod simulators;
