//! A new binary takes over, under load and from the same user only.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Uid, geteuid};
use rustix::thread::set_thread_res_uid;

use super::load::{Load, Style};
use crate::harness::client::{Client, Request};
use crate::harness::gateway::{ADMIN_TOKEN, Gateway, Setup, yett};
use crate::harness::origin::{Answer, Origin};
use crate::harness::tokens::Tokens;
use crate::harness::{DEADLINE, connect_refused, eventually};

const UPGRADES: usize = 20;

fn config(web: &Origin, keys: &Origin) -> String {
    format!(
        r#"
issuers:
  corp: {{ issuer: "https://id.example.test", audiences: [orders-api], jwks: "http://{}/jwks", algorithms: [ES256],
    dangerous_private_jwks: true }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: own, match: {{ path: "/own" }}, to: web, auth: {{ issuers: [corp] }} }}
"#,
        keys.address(),
        web.address()
    )
}

/// A folder for the socket, which no gateway owns.
struct Door(tempfile::TempDir);

impl Door {
    fn new() -> Door {
        Door(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("handover")
    }

    fn setup(&self, config: &str) -> Setup {
        Setup::new(config).args(&["--handover", self.path().to_str().unwrap()])
    }
}

#[track_caller]
fn expect_good_end(mut gateway: Gateway) {
    let status = eventually("the predecessor ends", || gateway.ended());
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
}

#[test]
fn twenty_upgrades_under_load_lose_no_request() {
    let (web, tokens, door) = (Origin::echo(), Tokens::new(), Door::new());
    let key_set = tokens.key_set();
    let keys = Origin::start(move |_| Answer::ok(&key_set));
    let config = config(&web, &keys);
    let mut serving = door.setup(&config).start();
    let (address, admin) = (serving.address(), serving.admin_address());
    let styles = [Style::KeepAlive, Style::KeepAlive, Style::Fresh];
    let plain = Load::start(address, &Request::get("/a"), &styles);
    let own = Request::get("/own").bearer(&tokens.good());
    let signed = Load::start(address, &own, &[Style::KeepAlive, Style::Fresh]);
    for upgrade in 0..UPGRADES {
        let successor = door.setup(&config).start();
        assert_eq!(successor.address(), address, "upgrade {upgrade}");
        assert_eq!(successor.admin_address(), admin, "upgrade {upgrade}");
        expect_good_end(std::mem::replace(&mut serving, successor));
        plain.more(20);
        signed.more(5);
    }
    let plain = plain.stop();
    plain.expect_only_200();
    signed.stop().expect_only_200();
    assert!(plain.closes >= UPGRADES, "kept connections never moved: {}", plain.closes);
    assert_eq!(serving.admin("GET", "/health/ready").status, 200);
    serving.stop();
}

#[test]
fn a_successor_with_a_broken_configuration_ends_and_nothing_changes() {
    let (web, door) = (Origin::echo(), Door::new());
    let config = plain(&web);
    let mut gateway = door.setup(&config).start();
    let load =
        Load::start(gateway.address(), &Request::get("/"), &[Style::KeepAlive, Style::Fresh]);
    for (broken, code) in [("nonsense: 1", 78), (taken_address(&web).as_str(), 71)] {
        let output = door.setup(&format!("{config}{broken}\n")).run();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        load.more(10);
        assert!(gateway.ended().is_none());
    }
    // It can still be succeeded.
    let successor = door.setup(&config).start();
    expect_good_end(gateway);
    load.more(10);
    load.stop().expect_only_200();
    successor.stop();
}

fn plain(web: &Origin) -> String {
    format!(
        "services: {{ web: {{ endpoints: [\"{}\"] }} }}\n\
         routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
        web.address()
    )
}

/// Listeners of which one cannot be bound: the fault is found after the sockets were taken over.
fn taken_address(web: &Origin) -> String {
    format!(
        "listeners: {{ public: {{ bind: \"127.0.0.1:0\" }}, taken: {{ bind: \"{}\" }} }}",
        web.address()
    )
}

#[test]
fn a_successor_that_dies_before_it_is_ready_changes_nothing() {
    let (web, door) = (Origin::echo(), Door::new());
    let config = plain(&web);
    let mut gateway = door.setup(&config).start();
    let load =
        Load::start(gateway.address(), &Request::get("/"), &[Style::KeepAlive, Style::Fresh]);
    // Takes the sockets and is gone; another says the wrong word.
    for word in [&b""[..], b"no", b"steady"] {
        let mut successor = UnixStream::connect(door.path()).unwrap();
        let mut names = [0u8; 256];
        assert!(successor.read(&mut names).unwrap() > 0);
        successor.write_all(word).unwrap();
        drop(successor);
        load.more(10);
        assert!(gateway.ended().is_none());
    }
    eventually("the log says it", || gateway.log().contains("handover failed").then_some(()));
    let successor = door.setup(&config).start();
    expect_good_end(gateway);
    load.more(10);
    load.stop().expect_only_200();
    successor.stop();
}

#[test]
fn a_successor_that_is_killed_while_it_starts_changes_nothing() {
    let (web, tokens, door) = (Origin::echo(), Tokens::new(), Door::new());
    let silent = Arc::new(AtomicBool::new(false));
    let (hush, key_set) = (silent.clone(), tokens.key_set());
    // A silent issuer holds the successor at the moment at which it has the sockets and is not ready.
    let keys = Origin::start(move |_| match hush.load(Ordering::SeqCst) {
        true => Answer::Silence,
        false => Answer::ok(&key_set),
    });
    let config = config(&web, &keys);
    let mut gateway = door.setup(&config).start();
    let own = Request::get("/own").bearer(&tokens.good());
    assert_eq!(own.send(gateway.address()).status, 200);
    let load = Load::start(gateway.address(), &own, &[Style::KeepAlive, Style::Fresh]);
    silent.store(true, Ordering::SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(gateway.folder().join("yett.yaml")).unwrap();
    std::fs::write(folder.path().join("yett.yaml"), text).unwrap();
    std::fs::write(folder.path().join("admin-token"), ADMIN_TOKEN).unwrap();
    let fetches = keys.seen().len();
    let mut successor = yett()
        .arg("run")
        .arg("--config")
        .arg(folder.path().join("yett.yaml"))
        .arg("--handover")
        .arg(door.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    eventually("the successor asks the issuer", || (keys.seen().len() > fetches).then_some(()));
    load.more(10);
    successor.kill().unwrap();
    successor.wait().unwrap();
    load.more(10);
    assert!(gateway.ended().is_none());
    load.stop().expect_only_200();
    gateway.stop();
}

#[test]
fn requests_under_way_are_finished_by_the_predecessor() {
    let (web, door) = (late(), Door::new());
    let config = plain(&web);
    let gateway = door.setup(&config).start();
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/late").bytes());
    web.requests(1);
    let successor = door.setup(&config).start();
    assert_eq!(client.response().text(), "late");
    expect_good_end(gateway);
    successor.stop();
}

/// Answers after a second.
fn late() -> Origin {
    Origin::start(|_| {
        std::thread::park_timeout(std::time::Duration::from_secs(1));
        Answer::ok("late")
    })
}

#[test]
fn the_socket_is_for_its_own_user() {
    let (web, door) = (Origin::echo(), Door::new());
    let mut gateway = door.setup(&plain(&web)).start();
    let mode = std::fs::metadata(door.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if !geteuid().is_root() {
        return eprintln!("SKIPPED: only root can become another user");
    }
    // Whoever opens the doors of the file system for others is still asked who he is.
    std::fs::set_permissions(door.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(door.path().parent().unwrap(), std::fs::Permissions::from_mode(0o777))
        .unwrap();
    assert_eq!(bytes_for(65534, &door.path()), 0, "another user was given sockets");
    assert!(bytes_for(geteuid().as_raw(), &door.path()) > 0, "this user is given them");
    assert!(gateway.ended().is_none());
    assert_eq!(Request::get("/").send(gateway.address()).status, 200);
}

/// How many bytes a handover sends to this user.
fn bytes_for(user: u32, path: &Path) -> usize {
    let path = path.to_owned();
    // The kernel changes the user of a thread, which takes it to its end.
    let asked = std::thread::spawn(move || {
        let user = Uid::from_raw(user);
        set_thread_res_uid(user, user, user).unwrap();
        let mut socket = UnixStream::connect(path).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut bytes = [0u8; 4096];
        match socket.read(&mut bytes) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("{error}"),
        }
    });
    asked.join().unwrap()
}

#[test]
fn what_is_no_socket_is_never_replaced() {
    let (web, door) = (Origin::echo(), Door::new());
    std::fs::write(door.path(), "precious").unwrap();
    let output = door.setup(&plain(&web)).run();
    assert_eq!(output.status.code(), Some(71), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a socket"), "{output:?}");
    assert_eq!(std::fs::read_to_string(door.path()).unwrap(), "precious");
}

#[test]
fn a_socket_that_a_dead_process_left_is_replaced() {
    let (web, door) = (Origin::echo(), Door::new());
    let gateway = door.setup(&plain(&web)).start();
    let address = gateway.address();
    drop(gateway);
    assert!(connect_refused(address));
    assert!(door.path().exists());
    let gateway = door.setup(&plain(&web)).start();
    assert_eq!(Request::get("/").send(gateway.address()).status, 200);
    gateway.stop();
}

#[test]
fn a_listener_that_the_successor_does_not_have_is_closed() {
    let (web, door) = (Origin::echo(), Door::new());
    let listeners = |text: &str| format!("listeners: {{ {text} }}\n{}", plain(&web));
    let public = r#"public: { bind: "127.0.0.1:0" }"#;
    let both = format!(r#"{public}, second: {{ bind: "127.0.0.1:0" }}"#);
    let gateway = door.setup(&listeners(&both)).start();
    let second = gateway.listener("second");
    let successor = door.setup(&listeners(public)).start();
    expect_good_end(gateway);
    assert!(connect_refused(second));
    successor.stop();
}
