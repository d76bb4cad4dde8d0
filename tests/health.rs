//! Active checks: what is asked, how often, for how long, and what answers in a row make of an endpoint.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use crate::harness::client::{Request, timed};
use crate::harness::gateway::Gateway;
use crate::harness::origin::{Answer, Origin};
use crate::harness::{DEADLINE, eventually};

const CHECK: &str = "/ready?deep=1";

fn gateway(origin: &Origin, health: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
services: {{ web: {{ endpoints: ["{}"], health: {{ path: "{CHECK}", {health} }} }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ))
}

/// A service whose checks wait until the test says how each of them is answered.
struct Asked {
    // Before the origin, whose checks wait for it: dropped first, it lets them go.
    answers: Sender<u16>,
    checks: Receiver<()>,
    origin: Origin,
}

impl Asked {
    fn start() -> Asked {
        let (answers, next) = channel::<u16>();
        let (arrived, checks) = channel();
        let next = Mutex::new(next);
        let origin = Origin::start(move |seen| {
            if seen.target() != CHECK {
                return Answer::ok("served");
            }
            let _ = arrived.send(());
            next.lock().unwrap().recv().map_or(Answer::Close, Answer::status)
        });
        Asked { answers, checks, origin }
    }

    #[track_caller]
    fn await_check(&self) {
        self.checks.recv_timeout(DEADLINE).expect("a check comes");
    }
}

#[test]
fn an_endpoint_leaves_after_failures_in_a_row_and_returns_after_successes_in_a_row() {
    let service = Asked::start();
    let gateway = gateway(
        &service.origin,
        "interval: 100ms, timeout: 1h, unhealthy_after: 3, healthy_after: 2",
    );
    // What a check is answered, and whether the endpoint serves afterwards.
    let course = [
        (500, true),
        (404, true),
        (200, true),
        (503, true),
        (301, true),
        (500, false),
        (200, false),
        (500, false),
        (200, false),
        (204, true),
        (500, true),
    ];
    service.await_check();
    for (step, (status, serves)) in course.into_iter().enumerate() {
        service.answers.send(status).unwrap();
        // Who asks again has understood the answer before.
        service.await_check();
        let answer = Request::get("/").send(gateway.address());
        let expected = if serves { (200, "") } else { (503, "upstream.unavailable") };
        let code = if answer.status == 200 { String::new() } else { answer.code() };
        assert_eq!((answer.status, code.as_str()), expected, "step {step}, {status}");
    }
    let log = gateway.log();
    let address = service.origin.address();
    assert!(log.contains(&format!("endpoint {address} of service `web` is unhealthy: status 500")));
    assert!(log.contains(&format!("endpoint {address} of service `web` is healthy again")));
    let sent = service.origin.seen().iter().filter(|seen| seen.target() == "/").count();
    assert_eq!(sent, course.iter().filter(|(_, serves)| *serves).count());
}

#[test]
fn a_check_that_is_not_answered_in_time_has_failed() {
    for (timeout, said) in [("timeout: 200ms,", "200ms"), ("", "1s")] {
        let service = Asked::start();
        let gateway = gateway(&service.origin, &format!("{timeout} interval: 100ms"));
        let said = format!("is unhealthy: no answer within {said}");
        eventually(&said, || gateway.log().contains(&said).then_some(()));
        assert_eq!(Request::get("/").send(gateway.address()).status, 503);
    }
}

#[test]
fn checks_come_as_often_as_is_written() {
    let (often, seldom) = (Origin::echo(), Origin::echo());
    let _one = gateway(&seldom, "interval: 1h");
    let _other = gateway(&often, "interval: 100ms");
    let (_, took) = timed(|| often.requests(10));
    // With the interval that holds where none is written, 5 s with a tenth of jitter, the tenth comes after 40 s.
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert!(often.seen().iter().all(|seen| seen.line() == format!("GET {CHECK} HTTP/1.1")));
    // The first one comes at any time within its hour.
    assert!(seldom.seen().len() <= 1);
}
