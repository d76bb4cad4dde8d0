//! A change never drops traffic, and a refused one changes nothing.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::load::{Load, Style};
use crate::harness::client::{Client, Request};
use crate::harness::gateway::{ADMIN_TOKEN, Gateway, Setup};
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::{Authority, TlsClient, shown};
use crate::harness::tokens::Tokens;
use crate::harness::{eventually, tls};

const RELOADS: usize = 200;

/// An issuer's key set over HTTP, and how often it was fetched.
fn key_server(tokens: &Tokens) -> (Origin, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let (count, keys) = (fetches.clone(), tokens.key_set());
    let origin = Origin::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::ok(&keys)
    });
    (origin, fetches)
}

/// Generation `number` of a configuration in which much changes and a little must stay.
fn config(number: usize, web: &Origin, keys: &Origin) -> String {
    let (web, keys) = (web.address(), keys.address());
    let extra = if number % 5 == 1 { r#", extra: { bind: "127.0.0.1:0" }"# } else { "" };
    let routes: String = (0..number % 7)
        .map(|at| format!("  - {{ id: r{at}, match: {{ path: \"/r{at}/*\" }}, to: web, public: \"a test\" }}\n"))
        .collect();
    format!(
        r#"
listeners: {{
  public: {{ bind: "127.0.0.1:0", trusted_proxies: [127.0.0.0/8], bounds: {{ requests_per_connection: {bound} }} }},
  secure: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{{ cert: cert.pem, key: cert.key }}] }} }}{extra} }}
issuers:
  corp: {{ issuer: "https://id.example.test", audiences: [orders-api], jwks: "http://{keys}/jwks", algorithms: [ES256],
    dangerous_private_jwks: true }}
limits:
  five: {{ quota: 5/month, key: client.ip }}
  many: {{ rate: {rate}/1s, key: client.ip }}
services:
  web: {{ endpoints: ["{web}"] }}
  gone: {{ endpoints: ["127.0.0.1:1"], health: {{ path: /, interval: 1s, unhealthy_after: 1 }} }}
routes:
  - {{ id: web, match: {{ path: "/web/*" }}, to: web, public: "a test", limits: [many] }}
  - {{ id: own, match: {{ path: "/own" }}, to: web, auth: {{ issuers: [corp] }} }}
  - {{ id: five, match: {{ path: "/five" }}, to: web, public: "a test", limits: [five] }}
  - {{ id: gone, match: {{ path: "/gone" }}, to: gone, public: "a test" }}
{routes}"#,
        bound = 100 + number % 3,
        rate = 100_000 + number,
    )
}

fn generation(gateway: &Gateway) -> u64 {
    gateway.admin("GET", "/status").json()["generation"].as_u64().unwrap()
}

/// Availability of the endpoint that does not exist.
fn gone(gateway: &Gateway) -> Option<Value> {
    let status = gateway.admin("GET", "/status").json();
    let endpoints = status["endpoints"].as_array().unwrap().clone();
    endpoints
        .into_iter()
        .find(|one| one["service"] == "gone")
        .map(|one| one["availability"].clone())
}

#[test]
fn two_hundred_reloads_under_load_lose_no_request_and_no_state() {
    let (web, tokens) = (Origin::echo(), Tokens::new());
    let (keys, fetches) = key_server(&tokens);
    let authority = Authority::new("reload");
    let certificates = [authority.leaf(&["one.test"]), authority.leaf(&["one.test"])];
    let gateway = Setup::new(&config(0, &web, &keys))
        .file("cert.pem", &certificates[0].cert)
        .file("cert.key", &certificates[0].key)
        .directory()
        .start();
    let address = gateway.address();
    let client = "198.51.100.7";
    let five = Request::get("/five").header("x-forwarded-for", client);
    let counted = (0..6).map(|_| five.send(address).status).collect::<Vec<_>>();
    assert_eq!(counted, [200, 200, 200, 200, 200, 429]);
    let banned = Request::get("/web/").header("x-forwarded-for", "203.0.113.9");
    ban(&gateway, "203.0.113.9");
    assert_eq!(banned.send(address).status, 403);
    eventually("unhealthy", || (gone(&gateway)? == "unhealthy").then_some(()));
    let own = Request::get("/own").bearer(&tokens.good());
    assert_eq!(own.send(address).status, 200);

    let plain = Load::start(address, &Request::get("/web/a"), &[Style::KeepAlive, Style::Fresh]);
    let signed = Load::start(address, &own, &[Style::KeepAlive]);
    for number in 1..=RELOADS {
        let before = generation(&gateway);
        let leaf = &certificates[number % 2];
        gateway.replace("cert.key", &leaf.key);
        gateway.replace("cert.pem", &leaf.cert);
        let text = config(number, &web, &keys);
        match number {
            // The files are watched; nobody says a word.
            60 | 120 | 180 => gateway.write(&text),
            _ if number % 3 == 0 => {
                gateway.write(&text);
                gateway.signal(Signal::HUP);
            }
            _ => {
                let answer = gateway.reload(&text);
                assert_eq!(answer.status, 200, "reload {number}: {}", answer.text());
            }
        }
        eventually("a new generation", || (generation(&gateway) > before).then_some(()));
        if number % 20 == 0 {
            assert_eq!(gone(&gateway).unwrap(), "unhealthy", "reload {number} forgot health");
        }
    }
    let plain = plain.stop();
    plain.expect_only_200();
    signed.stop().expect_only_200();
    assert!(plain.answered() > RELOADS, "{} requests are no load", plain.answered());

    assert_eq!(five.send(address).status, 429, "counters were lost");
    assert_eq!(banned.send(address).status, 403, "bans were lost");
    assert_eq!(fetches.load(Ordering::SeqCst), 1, "key sets were lost");
    assert!(gateway.metrics().contains("yett_config_last_reload_success 1"));
    let secure = TlsClient::trusting(&authority).connect(gateway.listener("secure"), "one.test");
    assert_eq!(shown(&secure.unwrap()), certificates[RELOADS % 2].der());
    gateway.stop();
}

fn ban(gateway: &Gateway, address: &str) {
    let ban = json!({ "address": address, "for": "1h", "reason": "a test" });
    let answer = Request::new("POST", "/bans")
        .host("localhost")
        .bearer(ADMIN_TOKEN)
        .json(&ban)
        .send(gateway.admin_address());
    assert!((200..300).contains(&answer.status), "{answer:?}");
}

const SMALL: &str = r#"
routes: [{ id: web, match: { path: "/" }, public: "a test", respond: { status: 200, body: one } }]
"#;

/// What is wrong, and a word that the answer must hold.
fn broken(taken: &str) -> Vec<(&'static str, String, String)> {
    let route = |rest: &str| {
        format!("routes: [{{ id: web, match: {{ path: \"/\" }}, public: \"a test\", {rest} }}]\n")
    };
    let good = route("respond: { status: 200, body: two }");
    vec![
        ("syntax", "routes: [{ id: web".into(), "Y0".into()),
        ("unknown key", format!("{good}routs: []\n"), "routs".into()),
        ("unknown service", route("to: nowhere"), "nowhere".into()),
        (
            "no unit",
            format!("{good}limits: {{ l: {{ rate: 5, key: client.ip }} }}\n"),
            "rate".into(),
        ),
        (
            "missing certificate",
            format!(
                "{good}listeners: {{ public: {{ bind: \"127.0.0.1:0\", \
                 tls: {{ certificates: [{{ cert: no.pem, key: no.key }}] }} }} }}\n"
            ),
            "no.pem".into(),
        ),
        (
            "address in use",
            format!(
                "{good}listeners: {{ public: {{ bind: \"127.0.0.1:0\" }}, other: {{ bind: \"{taken}\" }} }}\n"
            ),
            "cannot bind".into(),
        ),
        (
            "own test fails",
            format!("{good}tests: [{{ request: {{ path: / }}, expect: {{ status: 404 }} }}]\n"),
            "404".into(),
        ),
    ]
}

#[test]
fn a_refused_configuration_changes_nothing_and_says_why() {
    let gateway = Gateway::start(SMALL);
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let load =
        Load::start(gateway.address(), &Request::get("/"), &[Style::KeepAlive, Style::Fresh]);
    for (what, config, word) in broken(&occupied.local_addr().unwrap().to_string()) {
        let answer = gateway.reload(&config);
        assert_eq!(answer.status, 422, "{what}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&word), "{what}: {detail}");
        assert_eq!(generation(&gateway), 1, "{what}");
        assert!(gateway.metrics().contains("yett_config_last_reload_success 0"), "{what}");
        assert_eq!(Request::get("/").send(gateway.address()).text(), "one", "{what}");
    }
    std::fs::remove_file(gateway.folder().join("yett.yaml")).unwrap();
    let answer = gateway.admin("POST", "/config/reload");
    assert_eq!(answer.status, 422, "no file: {}", answer.text());
    assert!(answer.text().contains("yett.yaml"), "{}", answer.text());
    assert!(gateway.log().contains("configuration refused"));
    let answer = gateway.reload(&SMALL.replace("one", "three"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(gateway.metrics().contains("yett_config_last_reload_success 1"));
    assert_eq!(Request::get("/").send(gateway.address()).text(), "three");
    load.stop().expect_only_200();
}

#[test]
fn a_refused_configuration_is_reported_for_signals_and_watched_files_too() {
    let gateway = Gateway::start(SMALL);
    let refused = |times: usize| {
        let metric = format!("yett_config_reloads_total{{result=\"refused\"}} {times}");
        eventually("refusal", || gateway.metrics().contains(&metric).then_some(()));
    };
    gateway.write("nonsense: 1\n");
    gateway.signal(Signal::HUP);
    eventually("refusal", || gateway.metrics().contains("reload_success 0").then_some(()));
    gateway.write("nonsense: 2\n");
    eventually("log of the watcher", || {
        gateway.log().contains("configuration changed and was refused").then_some(())
    });
    refused(2);
    assert_eq!(Request::get("/").send(gateway.address()).text(), "one");
}

fn with_listeners(listeners: &str) -> String {
    format!("listeners: {{ {listeners} }}\n{SMALL}")
}

#[test]
fn listeners_come_and_go_and_their_connections_end_in_order() {
    let public = r#"public: { bind: "127.0.0.1:0" }"#;
    let gateway = Gateway::start(&with_listeners(public));
    let load =
        Load::start(gateway.address(), &Request::get("/"), &[Style::KeepAlive, Style::Fresh]);
    let both = with_listeners(&format!(r#"{public}, second: {{ bind: "127.0.0.2:0" }}"#));
    assert_eq!(gateway.reload(&both).status, 200);
    let second = gateway.listener("second");
    let mut kept = Client::connect(second);
    kept.send(&Request::get("/").bytes());
    let answer = kept.response();
    assert_eq!(answer.status, 200);
    assert_ne!(answer.header("connection"), Some("close"));

    assert_eq!(gateway.reload(&with_listeners(public)).status, 200);
    eventually("the port is closed", || {
        std::net::TcpStream::connect(second).is_err().then_some(())
    });
    kept.send(&Request::get("/").bytes());
    let answer = kept.response();
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    kept.expect_close();
    load.stop().expect_only_200();
}

#[test]
fn a_listener_gets_another_name_without_a_lost_request() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let named = |name: &str| with_listeners(&format!("{name}: {{ bind: \"{free}\" }}"));
    let gateway = Gateway::start(&named("one"));
    let load =
        Load::start(free, &Request::get("/"), &[Style::KeepAlive, Style::Fresh, Style::Fresh]);
    for number in 0..20 {
        let answer = gateway.reload(&named(["two", "one"][number % 2]));
        assert_eq!(answer.status, 200, "{}", answer.text());
        load.more(5);
    }
    let tally = load.stop();
    tally.expect_only_200();
    assert!(tally.closes > 0, "connections of the old name went on");
}

#[test]
fn connections_of_a_removed_listener_are_waited_for_at_the_end() {
    let origin = Origin::start(|_| {
        Answer::stream(|wire| {
            std::thread::park_timeout(std::time::Duration::from_secs(2));
            let _ = wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate");
        })
    });
    let config = |listeners: &str| {
        format!(
            "listeners: {{ {listeners} }}\nservices: {{ web: {{ endpoints: [\"{}\"] }} }}\n\
             routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
            origin.address()
        )
    };
    let public = r#"public: { bind: "127.0.0.1:0" }"#;
    let gateway =
        Gateway::start(&config(&format!(r#"{public}, second: {{ bind: "127.0.0.2:0" }}"#)));
    let mut client = Client::connect(gateway.listener("second"));
    client.send(&Request::get("/").bytes());
    origin.requests(1);
    assert_eq!(gateway.reload(&config(public)).status, 200);
    gateway.stop();
    assert_eq!(client.response().text(), "late");
}

#[test]
fn the_admin_listener_follows_the_configuration() {
    let admin = |bind: &str, token: &str| {
        format!("admin: {{ bind: \"{bind}:0\", token: \"file:{token}\" }}\n{SMALL}")
    };
    let new_token = "another-token-of-the-tests-0987654321";
    let gateway =
        Setup::new(&admin("127.0.0.1", "admin-token")).file("new-token", new_token).start();
    let first = gateway.admin_address();
    let ask = |address, token: &str| {
        Request::get("/status").host("localhost").bearer(token).send(address).status
    };

    assert_eq!(gateway.reload(&admin("127.0.0.1", "new-token")).status, 200);
    eventually("the new token", || (ask(first, new_token) == 200).then_some(()));
    assert_eq!(ask(first, ADMIN_TOKEN), 401);

    gateway.write(&admin("127.0.0.2", "admin-token"));
    gateway.signal(Signal::HUP);
    let second = eventually("the new address", || {
        let address = gateway.admin_address();
        (address != first).then_some(address)
    });
    assert_eq!(ask(second, ADMIN_TOKEN), 200);
    eventually("the old one closes", || std::net::TcpStream::connect(first).is_err().then_some(()));
    gateway.stop();
}

#[test]
fn certificates_are_read_again_without_a_reload() {
    let authority = Authority::new("rotation");
    let (one, two) = (authority.leaf(&["one.test"]), authority.leaf(&["one.test"]));
    let config = with_listeners(
        r#"public: { bind: "127.0.0.1:0", tls: { certificates: [{ cert: cert.pem, key: cert.key }] } }"#,
    );
    let gateway =
        Setup::new(&config).file("cert.pem", &one.cert).file("cert.key", &one.key).start();
    let connect = || -> tls::TlsStream {
        TlsClient::trusting(&authority).connect(gateway.address(), "one.test").unwrap()
    };
    let mut old = Client::over(connect());
    gateway.replace("cert.key", &two.key);
    gateway.replace("cert.pem", &two.cert);
    eventually("the new certificate", || (shown(&connect()) == two.der()).then_some(()));
    old.send(&Request::get("/").bytes());
    assert_eq!(old.response().status, 200, "a connection with the old certificate goes on");
}

#[test]
fn the_last_answer_of_a_connection_says_so() {
    let origin = Origin::echo();
    let config = format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", bounds: {{ requests_per_connection: 3 }} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: own, match: {{ path: "/" }}, public: "a test", respond: {{ status: 200, body: one }} }}
  - {{ id: web, match: {{ path: "/web" }}, public: "a test", to: web }}
"#,
        origin.address()
    );
    let gateway = Gateway::start(&config);
    for path in ["/", "/web", "/nowhere"] {
        let mut client = Client::connect(gateway.address());
        let closes: Vec<bool> = (0..3)
            .map(|_| {
                client.send(&Request::get(path).bytes());
                client.response().header("connection") == Some("close")
            })
            .collect();
        assert_eq!(closes, [false, false, true], "{path}");
        client.expect_close();
    }
}
