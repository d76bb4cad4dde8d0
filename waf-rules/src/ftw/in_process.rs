//! Tests against the engine, without a server between.

use std::fmt;
use std::panic::resume_unwind;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::file::{Response, Stage, Test};
use super::request::Request;
use crate::{Profile, Transaction, Verdict};

/// Where the reflecting service of CRS's tests answers what the request's body asks for.
const REFLECT: &[u8] = b"/reflect";

/// What became of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    Passed,
    /// Why, stage by stage.
    Failed(String),
    /// It expects only what a server decides: a status, an answer, its lack.
    AsksServer,
}

/// What a run of tests came to.
#[derive(Debug)]
pub struct Report {
    /// In the order of the tests.
    pub judgements: Vec<Judgement>,
    /// Name and reason of each test that failed.
    pub failed: Vec<(String, String)>,
}

/// What the rules run under.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'p> {
    pub profile: &'p Profile,
    /// Compare `status` with what the rules would answer: theirs where they object, 200 otherwise.
    pub decide: bool,
}

/// Runs tests, on as many threads as there are processors.
pub fn run(rules: Rules<'_>, tests: &[Test]) -> Report {
    let judgements = in_parallel(tests, |test| judge(rules, test));
    let failed = tests.iter().zip(&judgements).filter_map(|(test, judgement)| match judgement {
        Judgement::Failed(why) => Some((test.name.clone(), why.clone())),
        Judgement::Passed | Judgement::AsksServer => None,
    });
    Report { failed: failed.collect(), judgements }
}

/// Runs one test.
pub fn judge(rules: Rules<'_>, test: &Test) -> Judgement {
    let asks = |stage: &Stage| {
        !stage.output.log.is_silent() || rules.decide && stage.output.status.is_some()
    };
    if !test.stages.iter().any(asks) {
        return Judgement::AsksServer;
    }
    let problems: Vec<String> = test
        .stages
        .iter()
        .filter(|stage| asks(stage))
        .filter_map(|stage| problem(rules, stage))
        .collect();
    if problems.is_empty() { Judgement::Passed } else { Judgement::Failed(problems.join("; ")) }
}

/// What is wrong with a stage, if anything is.
fn problem(rules: Rules<'_>, stage: &Stage) -> Option<String> {
    let request = match stage.input.request() {
        Ok(request) => request,
        Err(error) => return Some(error),
    };
    let tx =
        transact(Transaction::new(rules.profile.clone()), &request, stage.input.response.as_ref());
    let logged = || tx.matches().iter().filter(|found| found.log);
    let lines: Vec<String> = logged().map(|found| found.log_line()).collect();
    let ids: Vec<u32> = logged().map(|found| found.rule_id).collect();
    let log = stage.output.log_problem(&ids, &lines.join("\n"));
    log.or_else(|| {
        let (wanted, got) = (stage.output.status.filter(|_| rules.decide)?, status(&tx));
        (wanted != got).then(|| format!("expected status {wanted}, the rules say {got}"))
    })
}

fn status(tx: &Transaction) -> u16 {
    let interruption = tx.interruption().or_else(|| tx.detected());
    interruption.map_or(200, |interruption| interruption.status)
}

/// The whole life of a request, as a gateway in front of a service sees it. Without `response` the service is
/// the reflecting one of CRS's tests: `POST /reflect` says in its body what is answered, all else gets an empty 200.
pub fn transact(
    mut tx: Transaction,
    request: &Request,
    response: Option<&Response>,
) -> Transaction {
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 80);
    tx.unique_id(b"regression-test");
    tx.request_line(&request.method, &request.target, &request.protocol);
    request.headers.iter().for_each(|(name, value)| tx.header(name, value));
    let passes = |verdict: Verdict| verdict == Verdict::Pass;
    let mut live = passes(tx.head());
    if live && tx.wants_body() {
        // A body beyond the bound shows in the outcome.
        live = tx.body_chunk(&request.body).is_ok();
    }
    if live && passes(tx.body()) {
        let reflected =
            response.is_none().then(|| reflected(request)).flatten().unwrap_or_default();
        respond(&mut tx, response.unwrap_or(&reflected));
    }
    tx.finish();
    tx
}

/// What the reflecting service answers: nothing of its own unless a request asks it to.
pub fn reflected(request: &Request) -> Option<Response> {
    let reflects = request.target.ends_with(REFLECT) && request.method == b"POST";
    serde_json::from_slice(&request.body).ok().filter(|_| reflects)
}

fn respond(tx: &mut Transaction, response: &Response) {
    tx.response_line(response.status.unwrap_or(200), b"HTTP/1.1");
    for (name, value) in &response.headers {
        tx.response_header(name.as_bytes(), value.as_bytes());
    }
    if !response.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        tx.response_header(b"Content-Type", b"text/plain; charset=utf-8");
    }
    if tx.response_head() != Verdict::Pass {
        return;
    }
    let body = match response.encoded_body.as_str() {
        "" => response.body.clone().into_bytes(),
        encoded => STANDARD.decode(encoded).unwrap_or_default(),
    };
    if !tx.wants_response_body() || tx.response_body_chunk(&body).is_ok() {
        tx.response_body();
    }
}

/// Maps tests, in order, on as many threads as there are processors.
pub fn in_parallel<I: Sync, T: Send>(tests: &[I], map: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let chunk = tests.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let map = &map;
        let run = |chunk| scope.spawn(move || <[I]>::iter(chunk).map(map).collect::<Vec<T>>());
        let workers: Vec<_> = tests.chunks(chunk).map(run).collect();
        let join = |worker: std::thread::ScopedJoinHandle<'_, Vec<T>>| {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        workers.into_iter().flat_map(join).collect()
    })
}

impl Report {
    pub fn passed(&self) -> usize {
        self.judgements.iter().filter(|judgement| **judgement == Judgement::Passed).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, passed, failed) = (self.judgements.len(), self.passed(), self.failed.len());
        let server = all - passed - failed;
        write!(f, "{all} in all, {passed} pass, {failed} fail, {server} ask only the server")?;
        self.failed.iter().try_for_each(|(name, why)| write!(f, "\n  {name}: {why}"))
    }
}
