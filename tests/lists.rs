//! Lists of addresses in the DNS, asked by rules (`@rbl`) of a name server of the test's own.

use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;

use crate::harness::client::Request;
use crate::harness::dns::{NameServer, Reply};
use crate::harness::gateway::{Gateway, Setup, action, yett};

const KEY: &str = "abcdefghijkl";
const RULES: &str = r#"
SecHttpBlKey abcdefghijkl
SecRule REMOTE_ADDR "@rbl bl.test" "id:1,phase:1,deny,status:403,capture,msg:'%{TX.0}'"
SecRule REMOTE_ADDR "@rbl dnsbl.httpbl.org" "id:2,phase:2,deny,status:403,capture,chain,msg:'%{TX.0}'"
    SecRule TX:0 "@rx (?i) spammer "
"#;

fn config(dnsbl: &str) -> String {
    format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] }} }}
dnsbl: {{ {dnsbl} }}
waf:
  asks: {{ rules: ["@DIR@/lists.conf"] }}
  watches: {{ rules: ["@DIR@/lists.conf"], mode: monitor }}
  sampled: {{ rules: ["@DIR@/lists.conf"], mode: monitor, sample: 1% }}
limits: {{ one: {{ rate: 1/1h, key: client.ip }} }}
defaults: {{ waf: asks }}
routes:
  - {{ id: all, match: {{ path: "/*" }}, public: "a test", respond: {{ status: 200 }} }}
  - {{ id: watched, match: {{ path: /watched }}, public: "a test", waf: watches, respond: {{ status: 200 }} }}
  - {{ id: unasked, match: {{ path: /unasked }}, public: "a test", waf: "off", respond: {{ status: 200 }} }}
  - {{ id: spared, match: {{ path: /spared }}, public: "a test", respond: {{ status: 200 }},
      waf: {{ except: [{{ rules: [1, 2], why: "nobody is asked here" }}] }} }}
  - {{ id: sampled, match: {{ path: /sampled }}, public: "a test", waf: sampled, respond: {{ status: 200 }} }}
  - {{ id: limited, match: {{ path: /limited }}, public: "a test", limits: [one], respond: {{ status: 200 }} }}
"#
    )
}

fn asking(server: &NameServer, deadline: &str) -> String {
    config(&format!("servers: [\"{}\"], deadline: {deadline}", server.address()))
}

fn start(server: &NameServer, deadline: &str) -> Gateway {
    Setup::new(&asking(server, deadline)).file("lists.conf", RULES).start()
}

fn from(gateway: &Gateway, client: &str, path: &str) -> u16 {
    Request::get(path).header("x-forwarded-for", client).send(gateway.address()).status
}

fn listed(answer: [u8; 4]) -> Reply {
    Reply::Addresses(vec![answer.into()], 600)
}

/// The value of a metric of a list.
fn metric(gateway: &Gateway, series: &str) -> String {
    let text = gateway.admin("GET", "/metrics").text();
    let line = text.lines().find(|line| line.starts_with(series));
    line.and_then(|line| line.rsplit_once(' ')).map_or("none", |(_, value)| value).to_owned()
}

#[test]
fn a_listed_client_is_refused_and_nobody_is_asked_about_twice() {
    let server = NameServer::start();
    server.say("1.2.0.192.bl.test", listed([127, 0, 0, 2]));
    let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.test";
    server.say(v6, listed([127, 0, 0, 3]));
    server.say("abcdefghijkl.2.2.0.192.dnsbl.httpbl.org", listed([127, 3, 61, 5]));
    server.say("abcdefghijkl.3.2.0.192.dnsbl.httpbl.org", listed([127, 3, 61, 0]));
    let gateway = start(&server, "2s");
    for (client, status) in [
        ("192.0.2.1", 403),
        ("2001:db8::1", 403),
        ("192.0.2.2", 403),
        ("192.0.2.3", 200),
        ("192.0.2.4", 200),
        ("2001:db8::4", 200),
    ] {
        for _ in 0..3 {
            assert_eq!(from(&gateway, client, "/x"), status, "{client}");
        }
    }
    assert_eq!(from(&gateway, "192.0.2.1", "/watched"), 200);
    let mut asked = server.asked();
    assert_eq!(asked.len(), 10, "six clients of one list, four of IPv4 of the other: {asked:?}");
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), 10);

    let of_list = |result: &str| {
        let labels = format!("{{list=\"bl.test\",result=\"{result}\"}}");
        metric(&gateway, &format!("yett_dnsbl_questions_total{labels}"))
    };
    assert_eq!((of_list("listed"), of_list("clear")), ("2".to_owned(), "4".to_owned()));
    assert_eq!(metric(&gateway, "yett_dnsbl_unanswered_requests_total{list=\"bl.test\"}"), "0");

    let metrics = gateway.admin("GET", "/metrics").text();
    let log = gateway.log();
    let events = gateway.stop();
    let message = |at: usize| events[at]["yett"]["waf"]["matches"][0]["message"].clone();
    assert_eq!(message(0), "RBL lookup of 1.2.0.192.bl.test succeeded at REMOTE_ADDR.");
    assert_eq!(
        message(6),
        "RBL lookup of 2.2.0.192.dnsbl.httpbl.org succeeded at REMOTE_ADDR. Suspicious comment \
         spammer IP: 3 days since last activity, threat score 61"
    );
    assert_eq!((action(&events[0]), action(&events[9])), ("waf.blocked", "allowed"));
    let said = format!("{metrics}{log}{events:?}");
    assert!(!said.contains(KEY), "the key of a list is nobody's business");
}

/// What is refused before the rules, or has none that ask, costs no question; neither does a check or an explanation.
#[test]
fn only_rules_that_run_ask() {
    let server = NameServer::start();
    let gateway = start(&server, "2s");
    assert_eq!(from(&gateway, "192.0.2.1", "/unasked"), 200);
    assert_eq!(from(&gateway, "192.0.2.1", "/spared"), 200);
    assert_eq!(server.asked(), [""; 0], "no rule asks there");
    assert_eq!(from(&gateway, "192.0.2.2", "/limited"), 200);
    let asked = server.asked().len();
    assert_eq!(asked, 2);
    assert_eq!(from(&gateway, "::ffff:192.0.2.2", "/limited"), 429);
    let bad = Request::get("/x").header("x-forwarded-for", "192.0.2.3").header("host", "b");
    assert_eq!(bad.send(gateway.address()).status, 400, "two hosts");
    let config = gateway.folder().join("yett.yaml");
    let run = |arguments: &[&str]| {
        let output = yett().args(arguments).arg("--config").arg(&config).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    run(&["check"]);
    run(&["explain", "--path", "/x"]);
    assert_eq!(server.asked().len(), asked, "{:?}", server.asked());

    for host in 1..=30 {
        assert_eq!(from(&gateway, &format!("198.51.100.{host}"), "/sampled"), 200);
    }
    let names = server.asked().len() - asked;
    let events = gateway.stop();
    let looked_at = events.iter().filter(|event| {
        event["yett"]["route"] == "sampled" && event["yett"]["waf"]["inspected"] != "sampled_out"
    });
    assert_eq!(names, 2 * looked_at.count(), "of those alone that the rules looked at");
}

/// A list that is down costs its deadline once a client until it is left alone; nothing is refused for it.
#[test]
fn a_list_that_is_silent_holds_nobody_up_for_long() {
    let server = NameServer::start();
    server.otherwise(Reply::Silence);
    let gateway = start(&server, "50ms");
    let start = Instant::now();
    assert_eq!(from(&gateway, "192.0.2.1", "/x"), 200);
    assert!(start.elapsed() >= Duration::from_millis(50), "{:?}", start.elapsed());
    let unanswered = "yett_dnsbl_unanswered_requests_total{list=\"bl.test\"}";
    assert_eq!(metric(&gateway, unanswered), "1");

    // Another name server, and the same rules: what the first one did not say is not remembered.
    let other = NameServer::start();
    other.say("1.2.0.192.bl.test", listed([127, 0, 0, 2]));
    assert_eq!(gateway.reload(&asking(&other, "2s")).status, 200);
    assert_eq!(from(&gateway, "192.0.2.1", "/x"), 403);
    assert_eq!(metric(&gateway, unanswered), "1", "counts outlive the reload");
}

#[test]
fn a_list_that_fails_is_left_alone_and_named_in_the_log() {
    let server = NameServer::start();
    server.otherwise(Reply::Failure(ResponseCode::ServFail));
    let gateway = start(&server, "2s");
    for host in 1..=20 {
        assert_eq!(from(&gateway, &format!("192.0.2.{host}"), "/x"), 200);
    }
    assert_eq!(metric(&gateway, "yett_dnsbl_unanswered_requests_total{list=\"bl.test\"}"), "20");
    assert_eq!(
        metric(&gateway, "yett_dnsbl_questions_total{list=\"bl.test\",result=\"failed\"}"),
        "5"
    );
    let log = gateway.log();
    let told = log.lines().filter(|line| line.contains("list `bl.test` says nothing")).count();
    assert_eq!(told, 1, "{log}");
    assert!(log.contains("its name servers say Server Failure"), "{log}");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    for (dnsbl, wanted) in [
        (
            "servers: [ns.example.com]",
            "error[Y024] `ns.example.com` is not the address of a name server",
        ),
        ("servers: [\"10.0.0.1:0\"]", "error[Y024] `10.0.0.1:0` has no port that can be asked"),
        ("servers: [10.0.0.1, \"10.0.0.1:53\"]", "error[Y024] `10.0.0.1:53` is named twice"),
        ("servers: []", "error[Y025] 0 name servers, allowed: 1 to 8"),
        ("deadline: 3s", "error[Y025] deadline 3s, allowed: 1ms to 2s"),
        ("deadline: 100us", "error[Y025] deadline 100us, allowed: 1ms to 2s"),
        ("deadlin: 1s", "error[Y020] unknown key `deadlin`"),
    ] {
        let output = Setup::new(&config(dnsbl)).file("lists.conf", RULES).run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(wanted), "{dnsbl}: {said}");
        assert!(said.contains("yett.yaml:"), "{dnsbl}: {said}");
    }
    let other = RULES.replace("REMOTE_ADDR \"@rbl bl.test\"", "ARGS:ip \"@rbl bl.test\"");
    let output = Setup::new(&config("servers: [10.0.0.1]")).file("lists.conf", other).run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("lists.conf:3:9: @rbl asks of the client's address alone"), "{said}");
}
