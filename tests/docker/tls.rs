//! A daemon that is reached by TCP, and wants to know by certificates who comes.

use std::error::Error;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use k2hdkc_simulators::node::wait_for;
use k2hdkc_tests::worlds::{ready, say};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

use crate::ring::{LONG, Ring};

/// The files of an authority, of a daemon at that address, and of its client.
fn certify(directory: &Path, address: &str) -> Result<(), Box<dyn Error>> {
    use std::io::Write as _;
    fs::create_dir_all(directory)?;
    let put = |name: &str, text: String| {
        let mut file = fs::File::options().write(true).create_new(true).open(directory.join(name))?;
        file.write_all(text.as_bytes())
    };
    let mut authority = CertificateParams::new(Vec::<String>::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate()?;
    put("ca.pem", authority.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(authority, key);
    for (name, of) in [("server-", address), ("", "client")] {
        let key = KeyPair::generate()?;
        let params = CertificateParams::new(vec![of.to_owned()])?;
        put(&format!("{name}cert.pem"), params.signed_by(&key, &issuer)?.pem())?;
        put(&format!("{name}key.pem"), key.serialize_pem())?;
    }
    Ok(())
}

/// What a client of the daemon is given.
const CLIENTS: [&str; 3] = ["ca.pem", "cert.pem", "key.pem"];

#[test]
fn a_daemon_behind_tls_is_reached_with_its_own_certificates_and_neither_without_nor_with_others() {
    if !ready() {
        return;
    }
    let mut ring = Ring::alone().unwrap();
    let address = ring.world.ground().identity(1).address;
    let vm = ring.world.server_mut(1).unwrap().vm_mut();
    let certificates = vm.dir().join("certificates");
    certify(&certificates, &address).unwrap();
    let path = |name: &str| certificates.join(name).into_os_string();
    vm.extend_daemon(["--host".into(), format!("tcp://{address}:2376").into(), "--tlsverify".into()]);
    vm.extend_daemon(["--tlscacert".into(), path("ca.pem"), "--tlscert".into(), path("server-cert.pem")]);
    vm.extend_daemon(["--tlskey".into(), path("server-key.pem")]);
    vm.stop_daemon().unwrap();
    vm.start_daemon().unwrap();
    drop(TcpStream::connect((&*address, 2376)).expect("it listens before the agent comes"));

    let socket = format!("take-over = true\n[supervisor.docker]\nsocket = \"tcp://{address}:2376\"\n");
    ring.employ(1, &socket).unwrap();
    let root = ring.agents[&1].root().to_owned();
    for name in CLIENTS {
        let text = fs::read_to_string(certificates.join(name)).unwrap();
        ring.agents[&1].write(&format!("own/{name}"), &text).unwrap();
    }
    certify(&root.join("others"), &address).unwrap();
    let with = |directory: &str| {
        let fragment = format!("[supervisor.docker]\ncert-path = \"/{directory}\"\n");
        ring.agents[&1].write("etc/k2hdkc-agent/conf.d/10-tls.toml", &fragment).unwrap();
    };
    assert!(wait_for(LONG, || ring.says(1, "sent an HTTP request to an HTTPS server")), "{}", ring.told(1));
    with("others");
    assert!(wait_for(LONG, || ring.says(1, "invalid peer certificate")), "{}", ring.told(1));
    assert!(!ring.is_neutralised(1), "nothing was reached");

    let begun = Instant::now();
    with("own");
    ring.settled();
    assert!(ring.is_neutralised(1));
    say(&format!("with certificates: converged after {:.1} s", begun.elapsed().as_secs_f64()));
}
