//! The connection: made, watched and dropped by one background task. A request sees it ready or not at all; it never
//! waits for it to be made.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, ServerErrorKind, Value};
use smallvec::SmallVec;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::base::units::Rate;

use super::super::measure::{Gcra, Measure};
use super::super::steady_us;
use super::super::table::Charge;
use super::breaker::Breaker;
use super::script::{self, Call, Granted, Reply};
use super::status::{Figures, Status, add};
use super::{Lost, StoreTarget};

/// How long a step of connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Pauses between attempts: doubled from the first to the last, less a random part.
const BACKOFF: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(2)];
/// A connection that lived so long was a good one: the next pause is short again.
const GOOD_LIFE: Duration = Duration::from_secs(5);
/// How often an idle connection is asked whether the store is alive and has its memory.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// How long calls carry what this process knows, after the store was away or lost its memory.
const HEALING: Duration = Duration::from_secs(3_600);
/// Commands that wait to be written. More wait in their own tasks, until their deadline.
const PIPELINE: usize = 1_024;

/// The way to one store.
#[derive(Debug)]
pub(super) struct Link {
    target: StoreTarget,
    deadline_us: AtomicU64,
    gateways: AtomicU64,
    origin: Instant,
    /// `None`: the breaker is open.
    live: ArcSwapOption<Live>,
    /// A connection was given up.
    given_up: Notify,
    /// Steady time until which calls carry seeds.
    heal_until_us: AtomicU64,
    /// The store's memory, as it was last seen.
    epoch: Mutex<Option<String>>,
    figures: Figures,
}

/// A connection that passed its probe.
#[derive(Debug)]
struct Live {
    connection: MultiplexedConnection,
    script_sha: String,
    /// Server time less steady time, microseconds.
    offset_us: AtomicI64,
    breaker: Mutex<Breaker>,
}

/// An answered call.
pub(super) struct Called {
    pub(super) granted: Granted,
    /// Server time.
    pub(super) now_us: u64,
}

impl Link {
    pub(super) fn new(target: StoreTarget, origin: Instant) -> Link {
        let link = Link {
            deadline_us: AtomicU64::new(0),
            gateways: AtomicU64::new(1),
            origin,
            live: ArcSwapOption::empty(),
            given_up: Notify::new(),
            heal_until_us: AtomicU64::new(0),
            epoch: Mutex::new(None),
            figures: Figures::default(),
            target,
        };
        link.adjust(&link.target);
        link
    }

    pub(super) fn serves(&self, target: &StoreTarget) -> bool {
        self.target.same_connection(target)
    }

    pub(super) fn adjust(&self, target: &StoreTarget) {
        let deadline_us = u64::try_from(target.deadline.as_micros()).unwrap_or(u64::MAX);
        self.deadline_us.store(deadline_us, Ordering::Relaxed);
        self.gateways.store(target.expected_gateways.into(), Ordering::Relaxed);
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.load().is_some()
    }

    pub(super) fn deadline(&self) -> Duration {
        Duration::from_micros(self.deadline_us())
    }

    pub(super) fn deadline_us(&self) -> u64 {
        self.deadline_us.load(Ordering::Relaxed)
    }

    pub(super) fn gateways(&self) -> u64 {
        self.gateways.load(Ordering::Relaxed)
    }

    pub(super) fn steady_us(&self) -> u64 {
        steady_us(self.origin, Instant::now())
    }

    pub(super) fn status(&self, shares: u64) -> Status {
        self.figures.read(self.target.to_string(), self.is_live(), shares)
    }

    /// Ends the connection: nobody asks it any more.
    pub(super) fn close(&self) {
        self.live.store(None);
    }

    /// Asks for so many requests at once. `seed` tells what a charge has spent at least.
    pub(super) async fn call(
        &self,
        charges: &[Charge],
        requests: usize,
        seed: impl Fn(&Charge) -> u64,
    ) -> Result<Called, Lost> {
        let live = self.live.load_full().ok_or(Lost)?;
        let started = Instant::now();
        let sent_us = steady_us(self.origin, started);
        let heals = sent_us < self.heal_until_us.load(Ordering::Relaxed);
        let call = Call {
            charges,
            seeds: charges.iter().map(|charge| if heals { seed(charge) } else { 0 }).collect(),
            wanted: requests as u64,
            not_after_us: live.server_us(sent_us) + self.deadline_us(),
        };
        let reply = timeout(self.deadline(), live.ask(&call)).await;
        self.judge(&live, reply, started, requests)
    }

    /// Every error but a missing script means that this server cannot count (`READONLY`, `LOADING`, `OOM`, a broken
    /// connection): the connection is dropped at once, because a name may lead to another server by now. Mere silence
    /// is left to the breaker.
    fn judge(
        &self,
        live: &Arc<Live>,
        reply: Result<Result<Reply, RedisError>, tokio::time::error::Elapsed>,
        started: Instant,
        requests: usize,
    ) -> Result<Called, Lost> {
        let took = started.elapsed();
        if let Ok(Ok(reply)) = &reply {
            live.set_offset(steady_us(self.origin, started), took, reply.now_us);
        }
        match reply {
            Ok(Ok(Reply { granted: Some(granted), now_us })) => {
                self.figures.answered(requests, took);
                live.breaker.lock().record(false);
                return Ok(Called { granted, now_us });
            }
            Ok(Err(error)) => self.give_up(live, &format!("error from the store: {error}")),
            Ok(Ok(Reply { granted: None, .. })) | Err(_) => {
                if live.breaker.lock().record(true) {
                    self.give_up(live, "the store does not answer within its deadline");
                }
            }
        }
        self.figures.failed();
        Err(Lost)
    }

    fn give_up(&self, live: &Arc<Live>, why: &str) {
        let before = self.live.compare_and_swap(live, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, live)) {
            add(&self.figures.trips, 1);
            log::warn!("rate limit store {} lost: {why}", self.target);
            self.given_up.notify_one();
        }
    }

    /// Makes the connection, again and again, until the task is aborted.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut attempt = 0;
        loop {
            let born = Instant::now();
            match self.connect().await {
                Ok(live) => {
                    self.publish(&live);
                    self.watch(&live).await;
                }
                Err(why) if attempt == 0 => {
                    log::warn!("rate limit store {} cannot be used: {why}", self.target);
                }
                Err(why) => log::debug!("rate limit store {} still away: {why}", self.target),
            }
            attempt = if born.elapsed() > GOOD_LIFE { 0 } else { attempt + 1 };
            tokio::time::sleep(pause(attempt)).await;
        }
    }

    /// Connects and probes: the script is loaded, runs within the deadline and may write.
    async fn connect(&self) -> Result<Arc<Live>, String> {
        let connecting = async {
            let client = redis::Client::open(self.target.connection()?)?;
            let config = redis::AsyncConnectionConfig::new()
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_response_timeout(None)
                .set_pipeline_buffer_size(PIPELINE);
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&config).await?;
            let script_sha: String = redis::cmd("SCRIPT")
                .arg("LOAD")
                .arg(script::TEXT)
                .query_async(&mut connection)
                .await?;
            let offset_us = AtomicI64::new(0);
            let live = Live { connection, script_sha, offset_us, breaker: Mutex::default() };
            self.check_memory(&live).await?;
            Ok::<_, RedisError>(live)
        };
        let live = match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(live)) => live,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {CONNECT_TIMEOUT:?}")),
        };
        self.probe(&live).await?;
        Ok(Arc::new(live))
    }

    async fn probe(&self, live: &Live) -> Result<(), String> {
        let started = Instant::now();
        let charges = [probe_charge()?];
        let call =
            Call { charges: &charges, seeds: SmallVec::from_iter([0]), wanted: 1, not_after_us: 0 };
        match timeout(self.deadline(), live.ask(&call)).await {
            Ok(Ok(reply)) => {
                live.set_offset(steady_us(self.origin, started), started.elapsed(), reply.now_us);
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("probe took longer than the deadline {:?}", self.deadline())),
        }
    }

    fn publish(&self, live: &Arc<Live>) {
        let earlier = self.figures.connects.fetch_add(1, Ordering::Relaxed);
        if earlier > 0 {
            self.heal();
        }
        // Before the line is written, which takes time: until then requests are counted without the store.
        self.live.store(Some(Arc::clone(live)));
        log::info!("rate limit store {} connected", self.target);
    }

    /// Returns when the connection was given up.
    async fn watch(&self, live: &Arc<Live>) {
        while self.live.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, live)) {
            if timeout(HEARTBEAT, self.given_up.notified()).await.is_ok() {
                continue;
            }
            match timeout(HEARTBEAT, self.check_memory(live)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.give_up(live, &format!("error from the store: {error}")),
                Err(_) => self.give_up(live, "no answer to a heartbeat"),
            }
        }
    }

    /// The store keeps a random word. When it is gone, so are the counters: after a restart, a flush, or a failover to
    /// a server that had not caught up.
    async fn check_memory(&self, live: &Live) -> Result<(), RedisError> {
        let mut connection = live.connection.clone();
        let word = format!("{:016x}", random_word());
        let (found,): (String,) = redis::pipe()
            .cmd("SET")
            .arg(script::EPOCH_KEY)
            .arg(&word)
            .arg("NX")
            .ignore()
            .cmd("GET")
            .arg(script::EPOCH_KEY)
            .query_async(&mut connection)
            .await?;
        let before = self.epoch.lock().replace(found.clone());
        if before.is_some_and(|before| before != found) {
            add(&self.figures.amnesias, 1);
            log::warn!("rate limit store {} lost its memory", self.target);
            self.heal();
        }
        Ok(())
    }

    fn heal(&self) {
        let healing_us = u64::try_from(HEALING.as_micros()).unwrap_or(u64::MAX);
        self.heal_until_us.store(self.steady_us() + healing_us, Ordering::Relaxed);
    }
}

impl Live {
    async fn ask(&self, call: &Call<'_>) -> Result<Reply, RedisError> {
        let mut connection = self.connection.clone();
        let by_sha = call.command("EVALSHA", &self.script_sha);
        let value: Value = match by_sha.query_async(&mut connection).await {
            // Somebody ran SCRIPT FLUSH: the text loads it again.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                call.command("EVAL", script::TEXT).query_async(&mut connection).await?
            }
            other => other?,
        };
        Reply::read(&value, call.charges.len()).ok_or_else(|| {
            RedisError::from((ErrorKind::UnexpectedReturnType, "not a reply of the limit script"))
        })
    }

    /// Half of the round trip is taken for the way there.
    fn set_offset(&self, sent_us: u64, took: Duration, server_us: u64) {
        let half_us = u64::try_from(took.as_micros() / 2).unwrap_or(0);
        let offset = server_us.wrapping_sub(sent_us + half_us).cast_signed();
        self.offset_us.store(offset, Ordering::Relaxed);
    }

    fn server_us(&self, steady_us: u64) -> u64 {
        steady_us.wrapping_add_signed(self.offset_us.load(Ordering::Relaxed))
    }
}

/// A limit of nobody, wide enough that every probe writes.
fn probe_charge() -> Result<Charge, String> {
    let rate = Rate { count: 1_000, period: Duration::from_secs(1) };
    let gcra = Gcra::new(rate, 1_000).map_err(|_| "probe limit".to_owned())?;
    Ok(Charge { subject: 0, limit: 0, measure: Measure::Rate(gcra), binding: true })
}

/// Between half and the whole of the doubled pause: gateways must not come back all at once.
fn pause(attempt: u32) -> Duration {
    let [first, last] = BACKOFF;
    let whole = first.saturating_mul(1 << attempt.min(5)).min(last);
    let half_us = u64::try_from(whole.as_micros() / 2).unwrap_or(0).max(1);
    whole / 2 + Duration::from_micros(random_word() % half_us)
}

fn random_word() -> u64 {
    std::hash::RandomState::new().hash_one(0_u8)
}
