//! What the hosts file says at each pass: names come before the ini, and go behind chmpx.

use super::*;

const HOSTS: &str =
    "[hosts]\nenabled = true\n[guard]\nremoval-polls = 1\nremoval-for = \"0s\"\n[poll]\nsettle = \"0s\"\n";

impl Stage {
    fn named(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.root.path().join("etc/hosts")).unwrap_or_default();
        let names = text.lines().filter_map(|line| line.split_once('\t'));
        names.map(|(_, name)| name.to_owned()).collect()
    }

    /// chmpx has loaded the file as it is now, and lists these.
    fn lists(&mut self, servers: &[usize]) {
        let reading = fixtures::read(&std::fs::read_to_string(self.ini()).unwrap());
        self.sees(fixtures::view(&fixtures::ring(servers, &[1]), reading.fileversion.unwrap()));
    }

    async fn look(&mut self) -> Report {
        self.reconciler.pass(Reason::Timer.into(), None).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_removed_server_goes_when_chmpx_lists_it_no_more() {
    let mut stage = Stage::with(HOSTS, true, vec![says(&[1, 2, 3]), says(&[1, 2])]);
    installed(&stage.poll().await);
    let all = ["server1.example", "server2.example", "server3.example", "slave1.example"];
    let rest = ["server1.example", "server2.example", "slave1.example"];
    assert_eq!(stage.named(), all);
    stage.lists(&[1, 2, 3]);
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(stage.named(), all, "chmpx still lists it");
    stage.look().await;
    assert_eq!(stage.named(), all, "it has not loaded the file");
    stage.lists(&[1, 2, 3]);
    stage.look().await;
    assert_eq!(stage.named(), all, "the server is still up");
    stage.lists(&[1, 2]);
    stage.look().await;
    assert_eq!(stage.named(), rest);
}

#[tokio::test(start_paused = true)]
async fn a_new_server_s_name_is_there_before_the_file_is() {
    let mut stage = Stage::with(HOSTS, true, vec![says(&[1, 2]), says(&[1, 2, 3])]);
    installed(&stage.poll().await);
    stage.lists(&[1, 2]);
    assert_eq!(installed(&stage.poll().await), 2);
    assert_eq!(stage.named()[2], "server3.example");
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_removed_server_stays_where_nobody_sees_chmpx() {
    let mut stage = Stage::with(HOSTS, false, vec![says(&[1, 2, 3]), says(&[1, 2])]);
    installed(&stage.poll().await);
    installed(&stage.poll().await);
    stage.look().await;
    assert_eq!(stage.named()[2], "server3.example", "it went a moment ago");
}

#[tokio::test(start_paused = true)]
async fn names_of_a_kept_file_come_back_with_it() {
    let mut stage = Stage::with(HOSTS, false, vec![says(&[1, 2]), Err(doubt())]);
    installed(&stage.poll().await);
    let hosts = stage.root.path().join("etc/hosts");
    std::fs::remove_file(stage.ini()).unwrap();
    std::fs::remove_file(&hosts).unwrap();
    assert!(matches!(stage.poll().await, Outcome::Restored(..)));
    assert_eq!(stage.named(), ["server1.example", "server2.example", "slave1.example"]);
}

#[tokio::test(start_paused = true)]
async fn the_host_of_k2hr3_s_uri_is_no_member_s_name_and_that_is_noted() {
    for (uri, name, why) in [
        ("http://k2hr3.example:18080", "k2hr3.example", "is a host to which this agent sends its requests"),
        ("http://192.0.2.80", "localhost", "means the host itself, on every host"),
    ] {
        let Ok(Answer::Ini(text)) = says(&[1, 2]) else { panic!() };
        let answer = Ok(Answer::Ini(text.replace("slave1.example", name)));
        let mut stage = Stage::with(HOSTS, false, vec![answer]);
        crate::file::store(&stage.root.path().join("etc/antpickax/k2hr3-api-uri"), uri.as_bytes()).unwrap();
        installed(&stage.poll().await);
        assert_eq!(stage.named(), ["server1.example", "server2.example", "198.51.100.1"]);
        let notes = stage.look().await.notes;
        let told = |note: &String| note.contains(&format!("\"{name}\", its tag in K2HR3: the name {why}"));
        assert!(notes.iter().any(told), "{notes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_host_of_k2hr3_s_proxy_is_no_member_s_name() {
    for uri in ["http://Proxy.example:3128", "http://user:word@proxy.example", "proxy.example:3128"] {
        let Ok(Answer::Ini(text)) = says(&[1, 2]) else { panic!() };
        let answer = Ok(Answer::Ini(text.replace("slave1.example", "proxy.example")));
        let mut stage = Stage::with(&format!("[k2hr3]\nproxy = \"{uri}\"\n{HOSTS}"), false, vec![answer]);
        installed(&stage.poll().await);
        assert_eq!(stage.named(), ["server1.example", "server2.example", "198.51.100.1"], "{uri}");
    }
}
