//! Limits that gateways share, and what is left of them when their store is not there.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::load::{Load, Style, Tally};
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::gateway::Gateway;
use crate::harness::origin::Origin;
use crate::harness::redis::{self, Redis};

/// Longest time that a lost store may add to a request on a starved machine: the configured deadline is far below it,
/// and whoever waits for a store that hangs, waits until the load is over.
const ADDED: Duration = Duration::from_secs(20);

fn config(store: &str, web: &Origin) -> String {
    format!(
        r#"
store: {{ redis: "{store}", deadline: 20ms, expected_gateways: 2 }}
limits:
  local: {{ rate: 100000/1s, key: client.ip, on_store_loss: local }}
  open: {{ rate: 100000/1s, key: client.ip, on_store_loss: open }}
  closed: {{ rate: 100000/1s, key: client.ip, on_store_loss: closed }}
  fifty: {{ quota: 50/month, key: client.ip }}
  share: {{ quota: 10/month, key: client.ip, on_store_loss: local }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: local, match: {{ path: "/local" }}, to: web, public: "a test", limits: [local] }}
  - {{ id: open, match: {{ path: "/open" }}, to: web, public: "a test", limits: [open] }}
  - {{ id: closed, match: {{ path: "/closed" }}, to: web, public: "a test", limits: [closed] }}
  - {{ id: fifty, match: {{ path: "/fifty" }}, to: web, public: "a test", limits: [fifty] }}
  - {{ id: share, match: {{ path: "/share" }}, to: web, public: "a test", limits: [share] }}
"#,
        web.address()
    )
}

fn store_is(gateway: &Gateway, up: bool) {
    // A line of its own: the help text of the metric begins like its value.
    let metric = format!("yett_store_up {}", u8::from(up));
    let is_there = || gateway.metrics().lines().any(|line| line == metric);
    eventually(&metric, || is_there().then_some(()));
}

fn status(gateway: &Gateway, path: &str) -> u16 {
    Request::get(path).send(gateway.address()).status
}

/// Load on each way to go on without a store.
struct Three {
    local: Load,
    open: Load,
    closed: Load,
}

impl Three {
    fn start(gateway: &Gateway) -> Three {
        let load = |path| Load::start(gateway.address(), &Request::get(path), &[Style::KeepAlive]);
        Three { local: load("/local"), open: load("/open"), closed: load("/closed") }
    }

    fn more(&self, count: usize) {
        self.local.more(count);
        self.open.more(count);
        self.closed.more(count);
    }

    /// Only `closed` may have refused, and nobody waited.
    fn stop(self) -> Tally {
        let (local, open, closed) = (self.local.stop(), self.open.stop(), self.closed.stop());
        local.expect_only_200();
        open.expect_only_200();
        assert!(closed.failures.is_empty(), "{:?}", closed.failures);
        assert!(closed.statuses.keys().all(|status| [200, 503].contains(status)), "{closed:?}");
        for tally in [&local, &open, &closed] {
            assert!(tally.slowest < ADDED, "{tally:?}");
        }
        closed
    }
}

#[test]
fn a_shared_limit_is_exact_over_two_gateways() {
    let Some(redis) = redis::start() else { return };
    let web = Origin::echo();
    // A request that waits longer is counted by its gateway's share, and nothing is exact: not what is tested here.
    let config = config(&redis.url(), &web).replace("deadline: 20ms", "deadline: 1s");
    let gateways = [(); 2].map(|()| Gateway::start(&config));
    gateways.iter().for_each(|gateway| store_is(gateway, true));
    let styles = [Style::KeepAlive, Style::KeepAlive, Style::Fresh];
    let loads =
        gateways.each_ref().map(|one| Load::start(one.address(), &Request::get("/fifty"), &styles));
    loads.iter().for_each(|load| load.more(60));
    let tallies = loads.map(Load::stop);
    let count = |status| tallies.iter().filter_map(|one| one.statuses.get(&status)).sum::<usize>();
    let all: usize = tallies.iter().map(Tally::answered).sum();
    assert_eq!(count(200), 50, "{tallies:?}");
    assert_eq!(count(200) + count(429), all, "{tallies:?}");
}

#[test]
fn a_store_that_dies_under_load_refuses_only_what_asked_for_it() {
    let Some(redis) = redis::start() else { return };
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&redis.url(), &web));
    store_is(&gateway, true);
    eventually("closed admits", || (status(&gateway, "/closed") == 200).then_some(()));
    let load = Three::start(&gateway);
    load.more(30);
    let address = redis.kill();
    eventually("closed refuses", || (status(&gateway, "/closed") == 503).then_some(()));
    store_is(&gateway, false);
    load.more(100);
    // Half of the limit each, for two gateways.
    let share: Vec<u16> = (0..7).map(|_| status(&gateway, "/share")).collect();
    assert_eq!(share, [200, 200, 200, 200, 200, 429, 429]);

    let _redis = eventually("redis starts again", || Redis::on(address));
    store_is(&gateway, true);
    eventually("closed admits", || (status(&gateway, "/closed") == 200).then_some(()));
    load.more(30);
    let closed = load.stop();
    assert!(closed.statuses[&503] > 0, "{closed:?}");
}

#[test]
fn a_store_that_hangs_costs_its_deadline_and_no_more() {
    let Some(redis) = redis::start() else { return };
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&redis.url(), &web));
    store_is(&gateway, true);
    let load = Three::start(&gateway);
    load.more(30);
    let pid = Pid::from_raw(i32::try_from(redis.pid()).unwrap()).unwrap();
    for _ in 0..2 {
        kill_process(pid, Signal::STOP).unwrap();
        eventually("closed refuses", || (status(&gateway, "/closed") == 503).then_some(()));
        load.more(50);
        kill_process(pid, Signal::CONT).unwrap();
        store_is(&gateway, true);
        eventually("closed admits", || (status(&gateway, "/closed") == 200).then_some(()));
        load.more(20);
    }
    load.stop();
}

#[test]
fn a_store_that_is_not_there_at_start_is_a_warning_that_heals() {
    let Some(redis) = redis::start() else { return };
    let address = redis.kill();
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&format!("redis://{address}"), &web));
    assert_eq!(status(&gateway, "/local"), 200);
    assert_eq!(status(&gateway, "/open"), 200);
    assert_eq!(Request::get("/closed").send(gateway.address()).code(), "ratelimit.store_lost");
    store_is(&gateway, false);
    eventually("a warning", || gateway.log().contains("\"warn\"").then_some(()));
    assert_eq!(gateway.admin("GET", "/health/ready").status, 200, "degraded, and serving");
    let _redis = eventually("redis starts", || Redis::on(address));
    store_is(&gateway, true);
    eventually("closed admits", || (status(&gateway, "/closed") == 200).then_some(()));
}
