//! `script.lua` on a real server against the model.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::base::units::Window;
use crate::state::counters::calendar;
use crate::state::counters::tests::model::{Model, Random, month_by_counting};
use crate::state::counters::tests::{START_US, charge, quota, rate};

use super::super::super::table::Charge;
use super::super::script::{Call, Granted, Reply, TEXT};
use super::server::RedisServer;

/// The script with the clock in the last argument. Keys do not expire: real expiry under a clock that leaps would
/// report differences that no server has.
fn with_clock() -> String {
    let replace = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "the script has no `{from}`");
        text.replace(from, to)
    };
    let text = replace(
        TEXT.to_owned(),
        "local time = redis.call('TIME')\nlocal now = tonumber(time[1]) * 1000000 + tonumber(time[2])",
        "local now = tonumber(ARGV[#ARGV])",
    );
    replace(text, ", 'PX', ttl)", ")")
}

struct Script {
    _server: RedisServer,
    connection: redis::aio::MultiplexedConnection,
    text: String,
}

impl Script {
    async fn start() -> Option<Script> {
        let server = RedisServer::start().await?;
        let connection = server.connect().await;
        Some(Script { _server: server, connection, text: with_clock() })
    }

    async fn run(&mut self, call: &Call<'_>, now_us: u64) -> Reply {
        let mut command = call.command("EVAL", &self.text);
        command.arg(now_us);
        let value = command.query_async(&mut self.connection).await.unwrap();
        let reply = Reply::read(&value, call.charges.len()).unwrap();
        assert_eq!(reply.now_us, now_us);
        reply
    }

    async fn granted(&mut self, charges: &[Charge], wanted: u64, now_us: u64) -> Granted {
        let seeds = SmallVec::from_elem(0, charges.len());
        self.run(&Call { charges, seeds, wanted, not_after_us: 0 }, now_us).await.granted.unwrap()
    }
}

fn random_model(random: &mut Random) -> Model {
    const WINDOWS: [Window; 3] = [Window::Hour, Window::Day, Window::Month];
    if random.below(4) == 0 {
        let window = WINDOWS[usize::try_from(random.below(3)).unwrap()];
        return Model::quota(random.within(1, 60), window);
    }
    let count = random.within(1, 1_000);
    // Up to eleven days for so many: fractions of every kind.
    let longest_us = 1_000_000_000_000 >> random.below(40);
    let period_us = random.within(1, longest_us);
    Model::rate(count, period_us, random.within(1, 50))
}

#[tokio::test]
async fn the_script_equals_the_model() {
    let Some(mut script) = Script::start().await else { return };
    let mut random = Random(4);
    let mut models: HashMap<u128, Model> = HashMap::new();
    let mut now = START_US;
    for step in 0..8_000_u32 {
        now = match random.below(40) {
            // The server's clock steps: an hour back, a day ahead, a month and more ahead.
            0 => now - 3_600_000_000,
            1 => now + 86_400_000_000 + random.below(1_000_000),
            2 => now + random.below(40 * 86_400_000_000),
            _ => now + random.below(100_000) * random.below(2),
        };
        let mut charges: Vec<Charge> = Vec::new();
        for _ in 0..random.within(1, 3) {
            // New subjects all the time, so that every kind of limit is met young and old.
            let subject = u128::from(random.below(12) + u64::from(step / 200));
            let model = models.entry(subject).or_insert_with(|| random_model(&mut random));
            let binding = random.below(4) > 0;
            let charge = Charge { binding, ..charge(subject, model.measure()) };
            if charges.iter().all(|other| other.subject != subject) {
                charges.push(charge);
            }
        }
        let wanted = random.within(1, 5);
        let got = script.granted(&charges, wanted, now).await;

        let room: Vec<u64> = charges
            .iter()
            .map(|charge| models.get_mut(&charge.subject).unwrap().room(now))
            .collect();
        let binding = charges.iter().zip(&room).filter(|(charge, _)| charge.binding);
        let granted = binding.map(|(_, room)| *room).min().unwrap_or(wanted).min(wanted);
        assert_eq!(got.requests, granted, "step {step} at {now}: {charges:?}");
        for ((charge, room), (got_room, spent)) in charges.iter().zip(&room).zip(&got.limits) {
            assert_eq!(got_room, room, "step {step} at {now}: {charge:?}");
            let model = models.get_mut(&charge.subject).unwrap();
            model.take(now, granted.min(*room));
            assert_eq!(charge.measure.available(*spent), room - granted.min(*room), "step {step}");
        }
    }
}

#[tokio::test]
async fn months_of_the_script_are_those_of_the_calendar() {
    let Some(mut script) = Script::start().await else { return };
    let limit = [charge(1, quota(1_000, Window::Month))];
    // Every end of month until 2040, which has both kinds of leap year behind it.
    let mut day = 0;
    while day < 25_600 {
        let (_, end) = month_by_counting(day);
        let ends = end * 86_400_000_000;
        let before = script.granted(&limit, 1, ends - 1).await;
        let after = script.granted(&limit, 1, ends).await;
        assert_eq!(
            (before.limits[0].1, after.limits[0].1),
            (2 - u64::from(day == 0), 1),
            "day {day}"
        );
        day = end;
    }
}

/// A clock that stepped ahead and back again locks a subject for one full bucket at most.
#[tokio::test]
async fn a_clock_step_locks_out_no_longer_than_one_bucket() {
    let Some(mut script) = Script::start().await else { return };
    let limit = [charge(1, rate(10, 1_000_000, 5))];
    let hour = 3_600_000_000;
    assert_eq!(script.granted(&limit, 5, START_US + hour).await.requests, 5);
    assert_eq!(script.granted(&limit, 1, START_US).await.requests, 0);
    assert_eq!(script.granted(&limit, 5, START_US + 499_999).await.requests, 4);
    assert_eq!(script.granted(&limit, 5, START_US + 500_000).await.requests, 1);
}

#[tokio::test]
async fn a_call_that_comes_too_late_counts_nothing() {
    let Some(mut script) = Script::start().await else { return };
    let charges = [charge(1, rate(1, 60_000_000, 1))];
    let call = |not_after_us| Call {
        charges: &charges,
        seeds: SmallVec::from_iter([0]),
        wanted: 1,
        not_after_us,
    };
    assert_eq!(script.run(&call(START_US - 1), START_US).await.granted, None);
    assert_eq!(script.run(&call(START_US), START_US).await.granted.unwrap().requests, 1);
}

#[tokio::test]
async fn seeds_only_ever_raise_what_is_spent() {
    let Some(mut script) = Script::start().await else { return };
    let measure = rate(1, 60_000_000, 10);
    let charges = [charge(1, measure)];
    // Seed in requests -> room that is left, in the order of the calls.
    for (seed, room) in [(3, 7), (0, 6), (2, 5), (9, 1), (99, 0)] {
        let seeds = SmallVec::from_iter([seed * measure.unit()]);
        let call = Call { charges: &charges, seeds, wanted: 1, not_after_us: 0 };
        assert_eq!(script.run(&call, START_US).await.granted.unwrap().limits[0].0, room);
    }
}

#[tokio::test]
async fn foreign_values_are_overwritten() {
    let Some(mut script) = Script::start().await else { return };
    let charges = [charge(1, rate(1, 60_000_000, 10))];
    let key = format!("yett:limit:1:{:032x}", 1);
    for words in [vec!["SET", &key, "nonsense"], vec!["LPUSH", &key, "list"]] {
        script._server.command(&["DEL", &key]).await;
        script._server.command(&words).await;
        assert_eq!(script.granted(&charges, 1, START_US).await.limits[0].0, 10);
        assert_eq!(script.granted(&charges, 1, START_US).await.limits[0].0, 9);
    }
}

/// The script as it ships: keys vanish when they say nothing any more, refused requests write nothing.
#[tokio::test]
async fn keys_live_as_long_as_they_mean_something() {
    let Some(server) = RedisServer::start().await else { return };
    let mut connection = server.connect().await;
    let hour_left = |now_us| calendar::window(Window::Hour, now_us).end_us - now_us;
    let cases = [
        (rate(1, 10_000_000, 4), 2, Some(20_000_000)),
        (rate(3, 10_000_000, 4), 1, Some(3_333_334)),
        (quota(5, Window::Hour), 1, None),
    ];
    for (subject, (measure, wanted, left_us)) in (1..).zip(cases) {
        let charges = [charge(subject, measure)];
        let call =
            Call { charges: &charges, seeds: SmallVec::from_iter([0]), wanted, not_after_us: 0 };
        let value = call.command("EVAL", TEXT).query_async(&mut connection).await.unwrap();
        let now_us = Reply::read(&value, 1).unwrap().now_us;
        let left_ms = left_us.unwrap_or_else(|| hour_left(now_us)) / 1_000;
        let key = format!("yett:limit:1:{subject:032x}");
        let redis::Value::Int(ttl) = server.command(&["PTTL", &key]).await else { panic!() };
        let ttl = u64::try_from(ttl).unwrap();
        assert!((left_ms.saturating_sub(5_000)..=left_ms + 2).contains(&ttl), "{ttl} of {left_ms}");
    }
    let charges = [charge(9, rate(1, 10_000_000, 1))];
    let call = |wanted| Call {
        charges: &charges,
        seeds: SmallVec::from_iter([0]),
        wanted,
        not_after_us: 0,
    };
    let key = format!("yett:limit:1:{:032x}", 9);
    let _: redis::Value = call(1).command("EVAL", TEXT).query_async(&mut connection).await.unwrap();
    let before = server.command(&["GET", &key]).await;
    for _ in 0..10 {
        let _: redis::Value =
            call(5).command("EVAL", TEXT).query_async(&mut connection).await.unwrap();
    }
    assert_eq!(server.command(&["GET", &key]).await, before);
}
