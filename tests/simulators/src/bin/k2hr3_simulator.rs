//! The K2HR3 simulator as a program, for trying an agent by hand.
#![expect(clippy::print_stdout, reason = "what it prints is its interface")]

use std::error::Error;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::Parser;
use k2hdkc_simulators::k2hr3::{Cluster, HostRecord, Options, Server};
use tokio::signal::unix::{SignalKind, signal};

const CONTROL_HELP: &str = "\
Control while it runs, by HTTP below /_lab (never logged, never sick; ROLE is a full YRN):
  GET    /_lab/members?role=ROLE                        the members, hidden ones too
  PUT    /_lab/members?role=ROLE&host=IP&cuk=C&tag=T    register a host
  DELETE /_lab/members?role=ROLE&cuk=C                  remove it
  GET    /_lab/sickness                                 what it suffers from
  PUT    /_lab/sickness?name=KIND[&scope=resources][&answers=N]
         KIND: empty-body null-resource empty-string html server-error-saying-true
               result-false-200 truncated-json truncated-body no-servers no-slaves
               half-of-servers newline-in-tag control-characters reset-in-mid-body redirect
               wrong-content-length not-utf8 deep-json blink-on-reregister refuse&answers=N
               without-host&cuk=C  huge&bytes=N  status&status=N  lost-registrations&share=0.5
               slow-drip&ms=N  backend-dead&ms=N  stall&ms=N  stall-then-close&ms=N
  DELETE /_lab/sickness                                 get well
  GET    /_lab/requests                                 the log of requests
  DELETE /_lab/requests                                 forget it";

/// Serves a K2HR3 REST API with one cluster in it, from memory.
#[derive(Debug, Parser)]
#[command(name = "k2hr3-simulator", after_help = CONTROL_HELP)]
struct Arguments {
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:18080")]
    listen: SocketAddr,
    /// The tenant of the cluster.
    #[arg(long, default_value = "tenant0")]
    tenant: String,
    /// The name of the cluster.
    #[arg(long, default_value = "mycluster")]
    cluster: String,
    /// A server node that is registered from the start; may be given several times.
    #[arg(long, value_name = "IP,CUK,TAG")]
    server: Vec<Host>,
    /// A slave node, likewise.
    #[arg(long, value_name = "IP,CUK,TAG")]
    slave: Vec<Host>,
}

#[derive(Clone, Debug)]
struct Host(HostRecord);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.split(',').collect();
        match parts[..] {
            [ip, cuk, tag] if !ip.is_empty() && !cuk.is_empty() => {
                Ok(Self(HostRecord::openstack(ip, cuk, tag)))
            }
            _ => Err("must be ip,cuk,tag".to_owned()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let server = Server::start(arguments.listen, Options::default()).await?;
    let lab = server.lab();
    let cluster = lab.create_cluster(&arguments.tenant, &arguments.cluster);
    for (role, hosts) in [(&cluster.server_role, arguments.server), (&cluster.slave_role, arguments.slave)] {
        for Host(record) in hosts {
            lab.register(role, record);
        }
    }
    describe(&server, &cluster);
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
    }
    Ok(())
}

fn describe(server: &Server, cluster: &Cluster) {
    println!("uri               {}", server.uri());
    println!("server role       {}", cluster.server_role);
    println!("server resource   {}", cluster.server_resource);
    println!("server token      {}", cluster.server_token);
    println!("slave role        {}", cluster.slave_role);
    println!("slave resource    {}", cluster.slave_resource);
    println!("slave token       {}", cluster.slave_token);
}
