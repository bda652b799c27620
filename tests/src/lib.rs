//! Simulators and suites.
//!
//! `k2hr3` is a K2HR3 REST API in memory, for whoever polls one; `raw_http` is a client that sees every byte.
//! `simulators` are chmpx, k2hdkc and chmpxstatus as programs, made of `chmpx` and `k2hdkc`.
//! `worlds` are nodes in containers: with systemd, and as Trove makes them.
//! `node` is a node's directory with a real agent in it, `binaries` finds that agent, `site` is a K2HR3 with nodes, `colony` one
//! whose nodes run processes and enter and leave their roles by themselves. The suites stand in `suites/`, one file each.

pub mod binaries;
pub mod chmpx;
pub mod colony;
pub mod k2hdkc;
pub mod k2hr3;
pub mod node;
pub mod raw_http;
pub mod sandbox;
pub mod simulators;
pub mod ring;
pub mod site;
pub mod worlds;
