//! What rules of one's own may ask beyond the shipped ones: patterns that backtrack, and places of addresses.

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup, action, findings, yett};

const PLACES: &[u8] = include_bytes!("../waf-rules/tests/material/places.mmdb");

const RULES: &str = r#"
SecRule REMOTE_ADDR "@geoLookup" "id:1,phase:1,deny,status:403,msg:'from %{geo.country_code}',chain"
    SecRule GEO:COUNTRY_CODE "@within US KP" "t:none"
SecRule ARGS:text "@rx (?<!un)safe(?=\d)" "id:2,phase:2,deny,status:403,msg:'a number behind it'"
SecRule ARGS:text "@rx \b(\w+)=\1\b" "id:3,phase:2,deny,status:403,capture,msg:'always true: %{TX.1}'"
SecRule ARGS:text "@rx ^(?:a+)+(?!b)\z(?<=c)" "id:4,phase:2,deny,status:403"
"#;

const ROUTES: &str = r#"
listeners: { public: { bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] } }
waf: { mine: { rules: ["@DIR@/mine.conf"] } }
defaults: { waf: mine }
routes:
  - { id: all, match: { path: "/*" }, public: "a test", respond: { status: 200 } }
"#;

fn from(gateway: &Gateway, client: &str) -> u16 {
    Request::get("/").header("x-forwarded-for", client).send(gateway.address()).status
}

/// Databases come and go with reloads; one that is broken changes nothing.
#[test]
fn rules_know_where_an_address_is() {
    let gateway = Setup::new(ROUTES).file("mine.conf", RULES).file("places.mmdb", PLACES).start();
    let (listed, other) = ("192.0.2.1", "198.51.100.1");
    assert_eq!((from(&gateway, listed), from(&gateway, other)), (200, 200), "no database");

    let check = yett().args(["check", "--config"]).arg(gateway.folder()).output().unwrap();
    let said = String::from_utf8_lossy(&[check.stdout, check.stderr].concat()).into_owned();
    assert!(check.status.success() && said.contains("warning[Y044]"), "{said}");
    assert!(said.contains("mine.conf:2:") && said.contains("@geoLookup never matches"), "{said}");

    gateway.replace("mine.conf", format!("SecGeoLookupDb places.mmdb\n{RULES}"));
    assert_eq!(gateway.reload(ROUTES).status, 200);
    assert_eq!((from(&gateway, listed), from(&gateway, other)), (403, 200));

    gateway.replace("places.mmdb", &PLACES[..PLACES.len() / 2]);
    let refused = gateway.reload(ROUTES);
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("mine.conf:1:"), "{}", refused.text());
    assert_eq!((from(&gateway, listed), from(&gateway, other)), (403, 200));

    let events = gateway.stop();
    let blocked = events.iter().find(|event| action(event) == "waf.blocked").unwrap();
    assert_eq!(blocked["yett"]["waf"]["matches"][0]["message"], "from US", "{blocked}");
}

#[test]
fn patterns_look_around_and_refer_back() {
    let gateway = Setup::new(ROUTES).file("mine.conf", RULES).start();
    for (text, status) in [
        ("safe1", 403),
        ("unsafe1", 200),
        ("safe", 200),
        ("x+or+ab%3dab", 403),
        ("x+or+ab%3dabc", 200),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 200),
    ] {
        let answer = Request::get(&format!("/?text={text}")).send(gateway.address());
        assert_eq!(answer.status, status, "{text}");
    }
}

/// What a pattern takes for ever to say no to is refused for its work, and the next request is served.
#[test]
fn a_pattern_without_end_ends() {
    let gateway = Setup::new(ROUTES).file("mine.conf", RULES).start();
    let hostile = Request::new("POST", "/").form(&format!("text={}", "a".repeat(60_000)));
    let answer = hostile.send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (403, "waf.budget"));
    assert_eq!(from(&gateway, "192.0.2.1"), 200);
    let events = gateway.events(2);
    assert_eq!(findings(&events[0]), ["waf.budget"], "{}", events[0]);
}
