//! Who is asking: every way in which a token can be wrong, over the socket.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use yett::stages::identity::dev::DevIssuer;

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::Origin;
use crate::harness::tokens::{AUDIENCE, ISSUER, ISSUERS, Tokens, claims, now_s};

fn gateway(origin: &Origin, tokens: &Tokens) -> Gateway {
    Setup::new(&format!(
        r#"{ISSUERS}
services: {{ orders: {{ endpoints: ["{}"] }} }}
defaults:
  auth: {{ issuers: [corp] }}
  forward: {{ claims: {{ x-tenant: tenant, x-user: sub }} }}
routes:
  - {{ id: orders, match: {{ path: "/*" }}, to: orders }}
  - {{ id: optional, match: {{ path: "/optional" }}, to: orders, auth: {{ optional: true }} }}
  - {{ id: public, match: {{ path: "/public" }}, to: orders, auth: {{ optional: true }} }}
  - {{ id: watched, match: {{ path: "/watched" }}, to: orders, auth: {{ mode: monitor }} }}
  - {{ id: removed, match: {{ path: "/removed" }}, to: orders, forward: {{ authorization: remove }} }}
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .start()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Sends each, expects its status, code and challenge, one event, and nothing at the service.
#[track_caller]
fn refuses(cases: &[(&str, Request, u16, &str)]) {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    refuses_with(&origin, &gateway(&origin, &tokens), cases);
}

#[track_caller]
fn refuses_with(origin: &Origin, gateway: &Gateway, cases: &[(&str, Request, u16, &str)]) {
    for (what, request, status, code) in cases {
        let answer = request.send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{what}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"yett\""), "{what}: {challenge}");
        let error = *code != "identity.missing";
        assert_eq!(challenge.contains("error="), error, "{what}: {challenge}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    }
    let events = gateway.events(cases.len());
    for ((what, _, _, code), event) in cases.iter().zip(&events) {
        assert_eq!(action(event), *code, "{what}");
        assert!(event["user"].is_null(), "{what}");
    }
    origin.expect_nothing();
}

#[test]
fn missing_and_ambiguous_credentials() {
    let token = Tokens::new().good();
    let basic = || Request::get("/x").header("authorization", "Basic YTpi");
    let query = |name: &str| Request::get(&format!("/x?{name}={token}"));
    refuses(&[
        ("none", Request::get("/x"), 401, "identity.missing"),
        ("another scheme", basic(), 401, "identity.missing"),
        ("in the query", query("access_token"), 401, "identity.missing"),
        ("encoded in the query", query("%61ccess_token"), 401, "identity.missing"),
        (
            "in a cookie",
            Request::get("/x").header("cookie", &format!("access_token={token}")),
            401,
            "identity.missing",
        ),
        ("twice", Request::get("/x").bearer(&token).bearer(&token), 400, "identity.ambiguous"),
        ("two schemes", basic().bearer(&token), 400, "identity.ambiguous"),
        ("field and query", query("access_token").bearer(&token), 400, "identity.ambiguous"),
        (
            "optional, another scheme",
            Request::get("/optional").header("authorization", "Basic YTpi"),
            401,
            "identity.missing",
        ),
    ]);
}

#[test]
fn malformed_tokens() {
    let tokens = Tokens::new();
    let good = tokens.good();
    let parts: Vec<&str> = good.split('.').collect();
    let sign = |header: &str, claims: &str| {
        tokens.issuer.sign_parts(header.as_bytes(), claims.as_bytes()).unwrap()
    };
    let header = r#"{"alg":"ES256","typ":"at+jwt","kid":"key-1"}"#;
    let under = |extra: serde_json::Value| {
        let mut header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": "key-1" });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        tokens.under(&header)
    };
    let duplicate = format!(
        r#"{{"iss":"{ISSUER}","iss":"https://evil.test","aud":"{AUDIENCE}","sub":"a","exp":{}}}"#,
        now_s() + 60
    );
    let texts = [
        ("empty", String::new()),
        ("one part", "abc".into()),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("five parts", format!("{good}.a.b")),
        ("padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("space inside", format!("{} {}.{}", parts[0], parts[1], parts[2])),
        ("two tokens", format!("{good},{good}")),
        ("not base64url", format!("{}.{}.{}", parts[0], "a+b/", parts[2])),
        ("claims are no object", sign(header, "[]")),
        ("header is no JSON", sign("nonsense", "{}")),
        ("claim twice", sign(header, &duplicate)),
        ("trailing bytes", sign(header, "{} {}")),
        ("deep nesting", sign(header, &format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64)))),
        ("crit", under(json!({ "crit": ["exp"] }))),
        ("own key", under(json!({ "jwk": tokens.issuer.jwk() }))),
        ("key from elsewhere", under(json!({ "jku": "https://evil.test/keys" }))),
        ("compressed", under(json!({ "zip": "DEF" }))),
        ("too large", format!("{}.{}.{}", parts[0], "A".repeat(20_000), parts[2])),
    ];
    let requests: Vec<_> = texts
        .iter()
        .map(|(what, text)| (*what, Request::get("/x").bearer(text), 401, "identity.malformed"))
        .collect();
    refuses(&requests);
}

#[test]
fn tokens_that_do_not_hold() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let now = now_s();
    let ask = |token: String| Request::get("/x").bearer(&token);
    let claim = |changes: serde_json::Value| ask(tokens.with(&changes));
    let under = |alg: &str, typ: &str, kid: &str| {
        ask(tokens.under(&json!({ "alg": alg, "typ": typ, "kid": kid })))
    };
    let stranger = DevIssuer::generate("key-1").unwrap().sign(&claims(&json!({}))).unwrap();
    let good = tokens.good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other = tokens.with(&json!({ "sub": "eve" }));
    let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    let mut flipped = URL_SAFE_NO_PAD.decode(signature).unwrap();
    flipped[10] ^= 1;
    let none = format!(
        "{}.{}.{}",
        base64(r#"{"alg":"none","typ":"at+jwt"}"#),
        signed.split_once('.').unwrap().1,
        signature
    );
    let cases = [
        ("alg none", ask(none), "identity.algorithm"),
        ("alg HS256", under("HS256", "at+jwt", "key-1"), "identity.algorithm"),
        ("alg not of the issuer", under("RS256", "at+jwt", "key-1"), "identity.algorithm"),
        ("unknown key", under("ES256", "at+jwt", "key-2"), "identity.key"),
        ("another's key", ask(stranger), "identity.signature"),
        ("claims exchanged", ask(mixed), "identity.signature"),
        ("bit flipped", ask(format!("{signed}.{}", base64(&flipped))), "identity.signature"),
        (
            "signature shortened",
            ask(format!("{signed}.{}", base64(&flipped[..32]))),
            "identity.signature",
        ),
        ("signature of zeros", ask(format!("{signed}.{}", base64([0; 64]))), "identity.signature"),
        ("issuer", claim(json!({ "iss": "https://evil.test" })), "identity.issuer"),
        ("issuer with a slash", claim(json!({ "iss": format!("{ISSUER}/") })), "identity.issuer"),
        ("issuer list", claim(json!({ "iss": [ISSUER] })), "identity.claims"),
        ("no issuer", claim(json!({ "iss": null })), "identity.claims"),
        ("audience", claim(json!({ "aud": "billing-api" })), "identity.audience"),
        ("audience list", claim(json!({ "aud": ["a", "b"] })), "identity.audience"),
        ("audience prefix", claim(json!({ "aud": "orders-api2" })), "identity.audience"),
        ("no audience", claim(json!({ "aud": null })), "identity.claims"),
        ("expired", claim(json!({ "exp": now - 60 })), "identity.expired"),
        ("no end", claim(json!({ "exp": null })), "identity.claims"),
        ("end as text", claim(json!({ "exp": "9999999999" })), "identity.claims"),
        ("not yet", claim(json!({ "nbf": now + 120 })), "identity.not_yet_valid"),
        ("issued in the future", claim(json!({ "iat": now + 120 })), "identity.not_yet_valid"),
        ("no subject", claim(json!({ "sub": null })), "identity.claims"),
        ("subject as number", claim(json!({ "sub": 7 })), "identity.claims"),
        ("no client", claim(json!({ "client_id": null })), "identity.claims"),
        ("an ID token", under("ES256", "JWT", "key-1"), "identity.claims"),
        ("a bound token", claim(json!({ "cnf": { "jkt": "x" } })), "identity.claims"),
        ("scopes as list", claim(json!({ "scope": ["a"] })), "identity.claims"),
    ];
    let cases: Vec<_> =
        cases.into_iter().map(|(what, request, code)| (what, request, 401, code)).collect();
    refuses_with(&origin, &gateway(&origin, &tokens), &cases);
}

/// An issuer whose keys never came is our failure, not the client's.
#[test]
fn an_issuer_without_keys() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = Gateway::start(&format!(
        r#"
issuers:
  corp: {{ issuer: "{ISSUER}", audiences: [{AUDIENCE}], jwks: "http://127.0.0.1:9/keys", dangerous_private_jwks: true, algorithms: [ES256] }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes: [{{ id: orders, match: {{ path: "/*" }}, to: orders, auth: {{ issuers: [corp] }} }}]
"#,
        origin.address()
    ));
    let answer = Request::get("/").bearer(&tokens.good()).send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (503, "identity.unavailable"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.header("www-authenticate"), None);
    assert_eq!(action(&gateway.event()), "identity.unavailable");
    origin.expect_nothing();
}

#[test]
fn a_key_set_from_a_url() {
    let tokens = Tokens::new();
    let keys = tokens.key_set();
    let issuer = Origin::start(move |_| crate::harness::origin::Answer::ok(&keys));
    let origin = Origin::echo();
    let gateway = Gateway::start(&format!(
        r#"
issuers:
  corp: {{ issuer: "{ISSUER}", audiences: [{AUDIENCE}], jwks: "http://{}/keys", dangerous_private_jwks: true, algorithms: [ES256] }}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes: [{{ id: orders, match: {{ path: "/*" }}, to: orders, auth: {{ issuers: [corp] }} }}]
"#,
        issuer.address(),
        origin.address()
    ));
    let ask = || Request::get("/").bearer(&tokens.good()).send(gateway.address());
    assert_eq!(ask().status, 200);
    assert_eq!(ask().status, 200);
    assert!(issuer.seen().len() <= 2, "fetched in the background or once, not per request");
    assert_eq!(issuer.seen()[0].target(), "/keys");
}

#[test]
fn identity_goes_upstream_and_only_ours() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = gateway(&origin, &tokens);
    let token = tokens.with(&json!({ "tenant": "acme", "scope": "orders:read orders:write" }));
    let spoofed = |request: Request| {
        let names = [
            "x-yett-subject",
            "X-Yett-Subject",
            "X-YETT-SUBJECT",
            "x_yett_subject",
            "X_Yett-Subject",
            "x-yett-anything",
            "x-yett-scopes",
            "x-tenant",
            "X_Tenant",
            "x-user",
            "x_user",
        ];
        names.iter().fold(request, |one, name| one.header(name, "spoofed"))
    };
    assert_eq!(spoofed(Request::get("/x").bearer(&token)).send(gateway.address()).status, 200);
    assert_eq!(spoofed(Request::get("/public")).send(gateway.address()).status, 200);
    assert_eq!(spoofed(Request::get("/optional")).send(gateway.address()).status, 200);
    assert_eq!(Request::get("/removed").bearer(&token).send(gateway.address()).status, 200);
    let seen = origin.requests(4);
    for one in &seen[..3] {
        assert!(!one.text().contains("spoofed"), "{}", one.text());
    }
    for (name, value) in [
        ("x-yett-subject", "ada-of-the-tests"),
        ("x-yett-issuer", ISSUER),
        ("x-yett-scopes", "orders:read orders:write"),
        ("x-tenant", "acme"),
        ("x-user", "ada-of-the-tests"),
    ] {
        assert_eq!(seen[0].all(name), [value], "{name}");
        assert!(seen[1].all(name).is_empty(), "{name} of an anonymous request");
    }
    assert_eq!(seen[0].all("authorization"), [format!("Bearer {token}")]);
    assert!(seen[3].all("authorization").is_empty());
}

#[test]
fn optional_monitored_and_remembered_tokens() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = gateway(&origin, &tokens);
    let good = tokens.good();
    let expired = tokens.with(&json!({ "exp": now_s() - 600 }));
    let ask = |path: &str, token: Option<&str>| {
        let request = token.iter().fold(Request::get(path), |one, token| one.bearer(token));
        request.send(gateway.address()).status
    };
    assert_eq!(ask("/optional", None), 200);
    assert_eq!(ask("/optional", Some(&expired)), 401);
    assert_eq!(ask("/watched", None), 200);
    assert_eq!(ask("/watched", Some(&expired)), 200);
    assert_eq!(ask("/x", Some(&good)), 200);
    assert_eq!(ask("/x", Some(&good)), 200);
    let scheme = Request::get("/x").header("authorization", &format!("bEARER {good}"));
    assert_eq!(scheme.send(gateway.address()).status, 200);

    let events = gateway.events(7);
    let enforced = |index: usize| events[index]["yett"]["findings"][0]["enforced"].clone();
    assert_eq!(action(&events[1]), "identity.expired");
    assert_eq!(events[2]["yett"]["findings"][0]["code"], "identity.missing");
    assert_eq!(events[3]["yett"]["findings"][0]["code"], "identity.expired");
    assert_eq!((enforced(1), enforced(2), enforced(3)), (json!(true), json!(false), json!(false)));
    assert_eq!(events[4]["yett"]["token_cached"], false);
    assert_eq!(events[5]["yett"]["token_cached"], true);
    assert_eq!(events[4]["user"]["domain"], "corp");
    assert_eq!(events[4]["user"]["id"], events[5]["user"]["id"]);
}
