//! What rules remember from one request to the next, and whom they know.

use serde_json::json;

use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::tokens::{ISSUERS, Tokens};

/// More than so many are too many.
const TRIES: usize = 12;

/// Tries of an address, and of a user, at `/login`; whoever has too many is refused everywhere.
const RULES: &str = r#"
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}"
SecRule REQUEST_FILENAME "@streq /login" "id:2,phase:1,pass,nolog,setvar:ip.tries=+1,expirevar:ip.tries=3600"
SecRule IP:TRIES "@gt 12" "id:3,phase:1,deny,status:403,msg:'too many tries'"
SecRule REQUEST_FILENAME "@streq /soon" "id:4,phase:1,pass,nolog,setvar:ip.soon=+1,expirevar:ip.soon=2"
SecRule IP:SOON "@gt 0" "id:5,phase:1,deny,status:403,msg:'not so soon'"
SecRule REMOTE_USER "@rx ." "id:6,phase:1,pass,nolog,setuid:%{REMOTE_USER}"
SecRule REQUEST_FILENAME "@streq /spend" "id:7,phase:1,pass,nolog,setvar:user.spent=+1"
SecRule USER:SPENT "@gt 1" "id:8,phase:1,deny,status:403,msg:'spent'"
SecRule REMOTE_USER "@streq corp:mallory" "id:9,phase:1,deny,status:403,msg:'known by name'"
SecRule REMOTE_USER "!@rx ^(?:corp|other):(?:ada|bob)$" "id:10,phase:1,deny,status:403,chain,msg:'nobody'"
SecRule REQUEST_FILENAME "@streq /members" "t:none"
SecRule &REMOTE_USER|&AUTH_TYPE "@eq 0" "id:12,phase:1,deny,status:403,chain,msg:'no name'"
SecRule REQUEST_FILENAME "@streq /members" "t:none"
SecRule REMOTE_USER "@rx ." "id:11,phase:1,deny,status:403,chain,msg:'a name without a type'"
SecRule AUTH_TYPE "!@streq Bearer" "t:none"
"#;

const ROUTES: &str = r#"
listeners: { public: { bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] } }
waf: { mine: { rules: ["@DIR@/mine.conf"] }, other: { rules: ["@DIR@/mine.conf"], paranoia: 2 } }
defaults: { waf: mine }
routes:
  - { id: all, match: { path: "/*" }, public: "a test", respond: { status: 200 } }
  - { id: other, match: { path: "/other" }, public: "a test", respond: { status: 200 }, waf: other }
"#;

fn from(gateway: &Gateway, client: &str, path: &str) -> u16 {
    Request::get(path).header("x-forwarded-for", client).send(gateway.address()).status
}

/// Requests from one address on connections of their own, all at once: whichever worker serves them.
fn at_once(gateway: &Gateway, count: usize, client: &str) -> usize {
    let ask = |_| {
        std::thread::spawn({
            let (address, client) = (gateway.address(), client.to_owned());
            move || Request::get("/login").header("x-forwarded-for", &client).send(address).status
        })
    };
    let asked: Vec<_> = (0..count).map(ask).collect();
    asked.into_iter().map(|one| one.join().unwrap()).filter(|status| *status == 200).count()
}

#[test]
fn counters_by_address_live_across_requests_workers_and_reloads() {
    let gateway = Setup::new(ROUTES).file("mine.conf", RULES).start();
    let (one, two) = ("192.0.2.1", "192.0.2.2");
    assert_eq!(at_once(&gateway, TRIES - 2, one), TRIES - 2);
    // Another profile, another client.
    assert_eq!((from(&gateway, one, "/other"), from(&gateway, two, "/login")), (200, 200));

    // A reload that changes nothing the rules know of, and one that compiles them anew.
    let more = format!(
        "{ROUTES}  - {{ id: more, match: {{ path: /more }}, public: \"a test\", respond: {{ status: 204 }} }}\n"
    );
    assert_eq!(gateway.reload(&more).status, 200);
    assert_eq!(at_once(&gateway, 20, one), 2, "two tries are left, whoever comes first");
    assert_eq!(from(&gateway, one, "/more"), 403);
    gateway.replace("mine.conf", format!("{RULES}\nSecAction \"id:99,phase:1,pass,nolog\"\n"));
    assert_eq!(gateway.reload(&more).status, 200);
    assert_eq!((from(&gateway, one, "/"), from(&gateway, one, "/other")), (403, 403));
    assert_eq!(from(&gateway, two, "/"), 200);

    let events = gateway.stop();
    let refused = events.iter().find(|event| action(event) == "waf.blocked").unwrap();
    assert_eq!(refused["yett"]["waf"]["matches"][0]["rule"], "3", "{refused}");
}

#[test]
fn what_expires_is_forgotten() {
    let gateway = Setup::new(ROUTES).file("mine.conf", RULES).start();
    assert_eq!(from(&gateway, "192.0.2.1", "/soon"), 403);
    eventually("forgotten", || (from(&gateway, "192.0.2.1", "/") == 200).then_some(()));
}

/// The verified identity is what rules know a user by; what a field claims is not.
#[test]
fn rules_know_who_was_verified() {
    let tokens = Tokens::new();
    let gateway = Setup::new(&format!(
        r#"{ISSUERS}
  other: {{ issuer: "https://other.example.test", audiences: [orders-api], jwks: "file:keys.json", algorithms: [ES256] }}
waf: {{ mine: {{ rules: ["@DIR@/mine.conf"] }} }}
defaults: {{ waf: mine }}
routes:
  - {{ id: all, match: {{ path: "/*" }}, auth: {{ issuers: [corp, other], optional: true }}, respond: {{ status: 200 }} }}
  - {{ id: watched, match: {{ path: /watched }}, auth: {{ issuers: [corp], mode: monitor }}, respond: {{ status: 200 }} }}
"#
    ))
    .file("keys.json", tokens.key_set())
    .file("mine.conf", RULES)
    .start();
    let ask = |path: &str, claims: &serde_json::Value| {
        Request::get(path).bearer(&tokens.with(claims)).send(gateway.address()).status
    };
    let (ada, bob) = (json!({ "sub": "ada" }), json!({ "sub": "bob" }));
    let namesake = json!({ "sub": "ada", "iss": "https://other.example.test" });

    assert_eq!([ask("/members", &ada), ask("/members", &json!({ "sub": "eve" }))], [200, 403]);
    assert_eq!(ask("/", &json!({ "sub": "mallory" })), 403);
    // Nobody was verified: there is no name, however the request calls itself.
    let anonymous = Request::get("/members").send(gateway.address()).status;
    let basic = Request::get("/watched")
        .header("authorization", "Basic bWFsbG9yeTp4")
        .header("remote-user", "corp:mallory")
        .send(gateway.address())
        .status;
    let expired =
        Request::get("/watched").bearer(&tokens.with(&json!({ "sub": "mallory", "exp": 1 })));
    assert_eq!((anonymous, basic, expired.send(gateway.address()).status), (403, 200, 200));

    // Counted by user: the namesake of another issuer is somebody else.
    let spent = [&ada, &ada, &ada, &bob, &namesake].map(|claims| ask("/spend", claims));
    assert_eq!(spent, [200, 403, 403, 200, 200]);

    let shown = gateway.stop().iter().map(ToString::to_string).collect::<String>();
    assert!(shown.contains("known by name") && !shown.contains("corp:mallory"), "{shown}");
}
