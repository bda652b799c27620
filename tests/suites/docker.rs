//! Real agents beside real Docker daemons, with the simulators in containers as Trove makes them.

#[path = "docker/auto.rs"]
mod auto;
#[path = "docker/database.rs"]
mod database;
#[path = "docker/ring.rs"]
mod ring;
#[path = "docker/split.rs"]
mod split;
#[path = "docker/tls.rs"]
mod tls;
