//! SIGTERM: who is being served is served, and nobody is reset.

use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::client::{Client, Request};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::origin::{Answer, Origin};
use crate::harness::{GRACE, connect_refused, eventually};

/// `/never` is never answered, all else at once.
fn service() -> Origin {
    Origin::start(|seen| match seen.target().as_str() {
        "/never" => Answer::Silence,
        _ => Answer::ok("at once"),
    })
}

fn setup(web: &Origin) -> Setup {
    Setup::new(&format!(
        "services: {{ web: {{ endpoints: [\"{}\"] }} }}\n\
         routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
        web.address()
    ))
}

/// Waits for a good end; how long after `since` it came.
#[track_caller]
fn end(mut gateway: Gateway, since: Instant) -> Duration {
    let status = eventually("the gateway ends", || gateway.ended());
    assert_eq!(status.code(), Some(0), "{}", gateway.log());
    since.elapsed()
}

/// A good end that did not wait for the grace period.
#[track_caller]
fn end_early(gateway: Gateway, since: Instant) {
    let took = end(gateway, since);
    assert!(took < GRACE, "ended {took:?} after the signal");
}

#[test]
fn a_request_under_way_is_finished_and_then_the_process_ends() {
    let (answer_now, told_to) = mpsc::channel::<()>();
    let told_to = Mutex::new(told_to);
    let web = Origin::start(move |_| {
        let _ = told_to.lock().unwrap().recv();
        Answer::ok("late")
    });
    let gateway = setup(&web).start();
    let address = gateway.address();
    let mut client = Client::connect(address);
    client.send(&Request::get("/late").bytes());
    web.requests(1);
    let told = Instant::now();
    gateway.signal(Signal::TERM);
    eventually("nobody accepts", || connect_refused(address).then_some(()));
    answer_now.send(()).unwrap();
    assert_eq!(client.response().text(), "late");
    drop(client);
    end_early(gateway, told);
}

#[test]
fn idle_connections_are_told_to_close_with_their_next_answer() {
    let web = service();
    let gateway = setup(&web).start();
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut clients {
        client.send(&Request::get("/").bytes());
        assert_ne!(client.response().header("connection"), Some("close"));
    }
    let told = Instant::now();
    gateway.signal(Signal::TERM);
    eventually("the end has begun", || gateway.log().contains("draining").then_some(()));
    for client in &mut clients {
        client.send(&Request::get("/").bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
        client.expect_close();
    }
    end_early(gateway, told);
}

#[test]
fn idle_connections_that_say_nothing_do_not_hold_the_end() {
    let web = service();
    let gateway = setup(&web).start();
    let mut silent = Client::connect(gateway.address());
    let mut used = Client::connect(gateway.address());
    used.send(&Request::get("/").bytes());
    used.response();
    let told = Instant::now();
    gateway.signal(Signal::TERM);
    end_early(gateway, told);
    used.expect_close();
    silent.expect_close();
}

#[test]
fn what_hangs_is_cut_when_the_grace_period_is_over() {
    let web = service();
    let gateway = setup(&web).args(&["--grace", "1s"]).start();
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/never").bytes());
    web.requests(1);
    let told = Instant::now();
    gateway.signal(Signal::TERM);
    let took = end(gateway, told);
    // The service's own deadline, 30 s, would end it, too.
    assert!((Duration::from_secs(1)..Duration::from_secs(25)).contains(&took), "{took:?}");
    client.expect_close();
}

#[test]
fn readiness_fails_before_the_listeners_close() {
    let web = service();
    let gateway = setup(&web).args(&["--drain-delay", "8s"]).start();
    let ready = || gateway.admin("GET", "/health/ready").status;
    assert_eq!(ready(), 200);
    let told = Instant::now();
    gateway.signal(Signal::TERM);
    eventually("readiness fails", || (ready() == 503).then_some(()));
    assert_eq!(gateway.admin("GET", "/health/live").status, 200);
    let answer = Request::get("/").send(gateway.address());
    assert_eq!(answer.status, 200, "new connections are served meanwhile");
    assert!(told.elapsed() < Duration::from_secs(8), "the test was too slow to see anything");
    let took = end(gateway, told);
    assert!((Duration::from_secs(8)..GRACE).contains(&took), "{took:?}");
}

#[test]
fn sigint_is_as_good() {
    let web = service();
    let gateway = setup(&web).start();
    let told = Instant::now();
    gateway.signal(Signal::INT);
    end_early(gateway, told);
}
