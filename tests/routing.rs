//! Which route a request belongs to, and what becomes of those that belong to none.

use crate::harness::client::{Client, Request};
use crate::harness::gateway::{Gateway, action};
use crate::harness::origin::{Answer, Origin};

fn gateway(origin: &Origin) -> Gateway {
    Gateway::start(&format!(
        r#"
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: home, match: {{ path: "/" }}, respond: {{ status: 200, body: home }}, public: "a test" }}
  - {{ id: order, match: {{ host: api.test, path: "/orders/{{id}}", methods: [GET] }}, to: web, public: "a test" }}
  - {{ id: refund, match: {{ host: api.test, path: "/orders/{{id}}/refund", methods: [POST] }}, to: web, public: "a test" }}
  - {{ id: latest, match: {{ host: api.test, path: "/orders/latest", methods: [GET, DELETE] }}, to: web, public: "a test" }}
  - {{ id: v2, match: {{ host: api.test, path: "/orders/{{id}}", methods: [GET], headers: {{ x-api-version: "2" }} }}, to: web, public: "a test" }}
  - {{ id: tenant, match: {{ host: "*.tenants.test", path: "/*" }}, to: web, public: "a test" }}
  - {{ id: files, match: {{ host: api.test, path: "/files/*" }}, to: web, public: "a test", normalise: {{ encoded_separators: allow }} }}
"#,
        origin.address()
    ))
}

#[test]
fn specificity_decides() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let cases = [
        ("api.test", "GET", "/orders/7", None, "order"),
        ("api.test", "GET", "/orders/7", Some("2"), "v2"),
        ("api.test", "GET", "/orders/7", Some("3"), "order"),
        ("API.TEST:8443", "GET", "/orders/7", None, "order"),
        ("api.test.", "GET", "/orders/7", None, "order"),
        ("api.test", "GET", "/orders/latest", None, "latest"),
        ("api.test", "POST", "/orders/7/refund", None, "refund"),
        ("one.tenants.test", "PUT", "/anything", None, "tenant"),
        ("api.test", "GET", "/files/a/b", None, "files"),
        ("elsewhere.test", "GET", "/", None, "home"),
    ];
    for (host, method, path, version, _) in cases {
        let request = Request::new(method, path).host(host);
        let request =
            version.iter().fold(request, |one, version| one.header("X-Api-Version", version));
        assert_eq!(request.send(gateway.address()).status, 200, "{host} {path}");
    }
    let routes: Vec<String> = gateway
        .events(cases.len())
        .iter()
        .map(|event| event["yett"]["route"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(routes, cases.map(|case| case.4));
}

#[test]
fn what_no_route_has_is_not_found() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let cases = [
        ("elsewhere.test", "/orders/7"),
        ("api.test", "/orders"),
        ("api.test", "/orders/7/8"),
        ("api.test", "/Orders/7"),
        ("a.b.tenants.test", "/"),
        ("tenants.test", "/x"),
    ];
    let cases: Vec<_> = cases.into_iter().filter(|(_, path)| *path != "/").collect();
    for (host, path) in &cases {
        let answer = Request::get(path).host(host).send(gateway.address());
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "route.not_found"),
            "{host}{path}"
        );
    }
    let events = gateway.events(cases.len());
    assert!(events.iter().all(|event| action(event) == "route.not_found"));
    origin.expect_nothing();
}

#[test]
fn a_wrong_method_names_the_right_ones() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let cases = [
        ("/orders/7", "DELETE", "GET, HEAD"),
        ("/orders/latest", "POST", "DELETE, GET, HEAD"),
        ("/orders/7/refund", "GET", "POST"),
    ];
    for (path, method, allow) in cases {
        let answer = Request::new(method, path).host("api.test").send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (405, "route.method_not_allowed"));
        let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{path}");
    }
    let tunnel =
        Request::new("CONNECT", "api.test:443").host("api.test:443").send(gateway.address());
    assert_eq!((tunnel.status, tunnel.code().as_str()), (405, "route.method_not_allowed"));
    assert_eq!(tunnel.header("allow"), Some(""));
    origin.expect_nothing();
}

/// HEAD, 204 and 304 have no body, whatever their fields say; the connection goes on behind them.
#[test]
fn answers_without_body_keep_the_connection() {
    let origin = Origin::start(|seen| match seen.target().as_str() {
        "/files/204" => Answer::status(204),
        "/files/304" => Answer::Reply(304, vec![("etag".into(), "\"1\"".into())], Vec::new()),
        _ => Answer::ok("twelve bytes"),
    });
    let gateway = gateway(&origin);
    let mut client = Client::connect(gateway.address());
    for (method, path, status) in [
        ("HEAD", "/orders/7", 200),
        ("GET", "/files/204", 204),
        ("GET", "/files/304", 304),
        ("HEAD", "/files/x", 200),
        ("HEAD", "/nowhere", 404),
        ("HEAD", "/", 200),
        ("GET", "/orders/7", 200),
    ] {
        client.send(&Request::new(method, path).host("api.test").bytes());
        let answer = client.response_to(method);
        assert_eq!(answer.status, status, "{method} {path}");
        if method == "HEAD" && path == "/orders/7" {
            assert_eq!(answer.header("content-length"), Some("12"));
        }
    }
    assert_eq!(gateway.events(7).len(), 7);
    assert_eq!(origin.connections(), 2, "one for each way through the edge is kept too");
}

#[test]
fn encoded_separators_pass_where_they_are_allowed() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let answer = Request::get("/files/a%2fb%5Cc").host("api.test").send(gateway.address());
    assert_eq!(answer.text(), "GET /files/a%2Fb%5Cc HTTP/1.1");
    let refused = Request::get("/orders/a%2fb").host("api.test").send(gateway.address());
    assert_eq!((refused.status, refused.code().as_str()), (400, "normalise.path"));
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn http_1_0_is_answered() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let mut client = Client::connect(gateway.address());
    client.send(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "home");
    client.expect_close();
}
