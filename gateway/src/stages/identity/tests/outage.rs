//! Issuers that are down, slow or wrong, and floods of unknown `kid`s. The network and the clock are the test's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::rig::{ISSUER, Keys, NOW_S, changed, claims, header, request};
use crate::base::clock::Now;
use crate::base::code::Code::{self, *};
use crate::base::compile::Compile;
use crate::base::decision::Decision;
use crate::base::request::Canonical;
use crate::stages::identity::section::IssuerSection;
use crate::stages::identity::{Outcome, Plan, plan};
use crate::state::keys::fetch::Fetch;
use crate::state::keys::{KeySetStatus, KeySets};
use crate::state::tokens::TokenCache;

const URL: &str = "https://id.example.com/jwks";

/// A network whose answers the test sets.
struct Network {
    answer: Mutex<Answer>,
    fetches: AtomicU32,
}

#[derive(Clone)]
enum Answer {
    Body(String),
    Error(&'static str),
    Never,
}

#[async_trait]
impl Fetch for Network {
    async fn get(&self, _: &reqwest::Url, _: bool) -> Result<Vec<u8>, String> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let answer = self.answer.lock().clone();
        match answer {
            Answer::Body(body) => Ok(body.into_bytes()),
            Answer::Error(error) => Err(error.into()),
            Answer::Never => {
                tokio::time::sleep(Duration::from_secs(5)).await;
                Err("timeout".into())
            }
        }
    }
}

/// A route whose issuer publishes its keys at [`URL`].
struct Remote {
    network: Arc<Network>,
    sets: KeySets,
    plan: Plan,
    tokens: TokenCache,
    now: Now,
    keys: &'static Keys,
}

impl Remote {
    fn new(answer: Answer) -> Remote {
        let network = Arc::new(Network { answer: Mutex::new(answer), fetches: 0.into() });
        let sets = KeySets::new(network.clone());
        let now = Now { unix_us: NOW_S * 1_000_000, ..Now::read() };
        let plan = compile(&sets, ISSUER, URL);
        sets.adopt(plan.issuers.iter().map(|issuer| issuer.key_source()), now);
        Remote { network, sets, plan, tokens: TokenCache::default(), now, keys: Keys::trusted() }
    }

    fn working() -> Remote {
        let remote = Remote::new(Answer::Never);
        remote.answer(Answer::Body(remote.keys.jwks().to_string()));
        remote
    }

    fn answer(&self, answer: Answer) {
        *self.network.answer.lock() = answer;
    }

    fn fetches(&self) -> u32 {
        self.network.fetches.load(Ordering::Relaxed)
    }

    fn later(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
    }

    fn status(&self) -> KeySetStatus {
        self.sets.status(self.now).remove(0)
    }

    fn token(&self, kid: &str, jti: &str) -> String {
        let claims = changed(claims(), json!({ "jti": jti, "exp": NOW_S + 1_000_000 }));
        let header = changed(header(), json!({ "kid": kid }));
        self.keys.sign("ES256", &header.to_string(), &claims.to_string())
    }

    async fn present(&self, token: &str) -> Result<(), Code> {
        let result: Decision<()> = async {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
            let canonical = Canonical { path: "/".into(), ..Canonical::default() };
            let request = request(&headers, &canonical);
            match self.plan.decide(&request, &self.tokens, self.now)? {
                Outcome::Known { .. } => Ok(()),
                Outcome::NeedsKeys(pending) => {
                    pending.settle(&self.tokens, self.now, Duration::from_secs(9)).await.map(drop)
                }
            }
        }
        .await;
        result.map_err(|finding| {
            let retries = finding.headers.iter().any(|(name, _)| name == "retry-after");
            assert_eq!(retries, finding.code == IdentityUnavailable);
            finding.code
        })
    }
}

fn compile(sets: &KeySets, issuer: &str, url: &str) -> Plan {
    let section = json!({ "issuer": issuer, "audiences": ["orders-api"], "jwks": url });
    let section: IssuerSection = serde_json::from_value(section).unwrap();
    let mut cx = Compile::new();
    let sections = BTreeMap::from([("corp".to_owned(), section)]);
    let issuers = plan::compile(&sections, &mut cx, sets);
    let plan = Plan::compile(&["corp".into()], false, &issuers, &mut cx);
    assert_eq!(cx.into_problems(), []);
    plan
}

#[tokio::test(start_paused = true)]
async fn the_first_request_fetches_the_keys() {
    let remote = Remote::working();
    assert_eq!(remote.present(&remote.token("es256", "1")).await, Ok(()));
    assert_eq!(remote.fetches(), 1);
    assert_eq!(remote.status().keys, 4);
}

/// Answers that hold no usable keys.
fn wrong_answers() -> Vec<Answer> {
    let body = |text: &str| Answer::Body(text.to_owned());
    vec![
        Answer::Error("connection refused"),
        Answer::Error("status 500 instead of 200"),
        Answer::Never,
        body("<html>sign in</html>"),
        body(""),
        body("{}"),
        body("{\"keys\":[]}"),
        body("{\"keys\":{}}"),
        body("{\"keys\":[{\"kty\":\"oct\",\"k\":\"AA\"}]}"),
        body("{\"keys\":[],\"keys\":[]}"),
    ]
}

#[tokio::test(start_paused = true)]
async fn without_any_keys_the_answer_is_503_and_heals() {
    for answer in wrong_answers() {
        let mut remote = Remote::new(answer);
        let token = remote.token("es256", "1");
        assert_eq!(remote.present(&token).await, Err(IdentityUnavailable));
        // A slow answer ends after the request has gone on.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(remote.present(&token).await, Err(IdentityUnavailable));
        assert_eq!(remote.fetches(), 1);
        assert!(remote.status().error.is_some());
        remote.answer(Answer::Body(remote.keys.jwks().to_string()));
        remote.later(11);
        assert_eq!(remote.present(&token).await, Ok(()));
        assert_eq!(remote.status().error, None);
    }
}

/// A request does not wait longer than a second for an issuer.
#[tokio::test(start_paused = true)]
async fn waiting_is_bounded() {
    let remote = Remote::new(Answer::Never);
    let started = tokio::time::Instant::now();
    assert_eq!(remote.present(&remote.token("es256", "1")).await, Err(IdentityUnavailable));
    assert_eq!(started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn the_last_good_keys_serve_through_an_outage() {
    let mut remote = Remote::working();
    assert_eq!(remote.present(&remote.token("es256", "1")).await, Ok(()));
    for (index, answer) in wrong_answers().into_iter().enumerate() {
        remote.answer(answer);
        remote.later(3600);
        // An unknown key forces the fetch that fails; a known one never waits for it.
        assert_eq!(remote.present(&remote.token("gone", "1")).await, Err(IdentityKey));
        let started = tokio::time::Instant::now();
        assert_eq!(remote.present(&remote.token("es256", &index.to_string())).await, Ok(()));
        assert_eq!(started.elapsed(), Duration::ZERO);
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    assert_eq!(remote.status().keys, 4);
    assert!(remote.status().failures >= 9);
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_confirmed_for_a_day_are_given_up() {
    let mut remote = Remote::working();
    let token = remote.token("es256", "1");
    assert_eq!(remote.present(&token).await, Ok(()));
    remote.answer(Answer::Error("connection refused"));
    remote.later(24 * 3600);
    assert_eq!(remote.present(&token).await, Ok(()));
    remote.later(1);
    assert_eq!(remote.present(&token).await, Err(IdentityUnavailable));
}

/// Rotation: the new key is met before any schedule, and no token of either key is refused.
#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_fetched_when_it_is_met() {
    let mut remote = Remote::working();
    let old = remote.token("es256", "1");
    assert_eq!(remote.present(&old).await, Ok(()));
    remote.later(60);
    let next = Keys::draw();
    let mut jwks = remote.keys.jwks();
    let mut jwk = next.es256.jwk();
    jwk["kid"] = json!("next");
    jwks["keys"].as_array_mut().unwrap().push(jwk);
    remote.answer(Answer::Body(jwks.to_string()));
    let header = changed(header(), json!({ "kid": "next" })).to_string();
    let new = next.sign("ES256", &header, &claims().to_string());
    assert_eq!(remote.present(&new).await, Ok(()));
    assert_eq!(remote.present(&old).await, Ok(()));
    assert_eq!(remote.fetches(), 2);
}

/// Whatever the issuer answers, unknown keys cause one fetch per cool-down, counted from the attempt.
#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_keys_is_one_fetch_per_cool_down() {
    let mut answers = wrong_answers();
    answers.push(Answer::Body(Keys::draw().jwks().to_string()));
    for answer in answers {
        let mut remote = Remote::working();
        assert_eq!(remote.present(&remote.token("es256", "1")).await, Ok(()));
        remote.answer(answer);
        for round in 1..=3 {
            remote.later(10);
            for index in 0..100 {
                let token = remote.token(&format!("random-{index}"), "1");
                assert_eq!(remote.present(&token).await, Err(IdentityKey));
            }
            // Lets a slow answer end, so that it cannot be joined in the next round.
            tokio::time::sleep(Duration::from_secs(6)).await;
            assert_eq!(remote.fetches(), 1 + round);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn requests_at_the_same_time_share_one_fetch() {
    let remote = Remote::working();
    let token = remote.token("es256", "1");
    let mut flock = Vec::new();
    for _ in 0..50 {
        flock.push(remote.present(&token));
    }
    for result in join(flock).await {
        assert_eq!(result, Ok(()));
    }
    assert_eq!(remote.fetches(), 1);
}

/// Polls all futures side by side.
async fn join<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|cx| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(cx)
            {
                *result = Some(value);
            }
        }
        if results.iter().all(Option::is_some) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    results.into_iter().flatten().collect()
}

/// Tokens that are over, or of an algorithm that is not taken, cause no fetch.
#[tokio::test(start_paused = true)]
async fn hopeless_tokens_fetch_nothing() {
    let remote = Remote::working();
    let expired = changed(claims(), json!({ "exp": 1 })).to_string();
    let header = changed(header(), json!({ "kid": "gone" }));
    let token = remote.keys.sign("ES256", &header.to_string(), &expired);
    assert_eq!(remote.present(&token).await, Err(IdentityExpired));
    let header = changed(header, json!({ "alg": "RS512" })).to_string();
    let token = remote.keys.sign("RS512", &header, &claims().to_string());
    assert_eq!(remote.present(&token).await, Err(IdentityAlgorithm));
    assert_eq!(remote.fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_new_address_is_fetched_and_the_old_keys_serve_until_then() {
    let mut remote = Remote::working();
    assert_eq!(remote.present(&remote.token("es256", "1")).await, Ok(()));
    remote.answer(Answer::Error("connection refused"));
    remote.plan = compile(&remote.sets, ISSUER, "https://id.example.com/moved");
    remote.sets.adopt(remote.plan.issuers.iter().map(|issuer| issuer.key_source()), remote.now);
    assert_eq!(remote.present(&remote.token("es256", "2")).await, Ok(()));
    assert_eq!(remote.status().source, "https://id.example.com/moved");
}

/// A name that is given to another issuer does not inherit the keys of the first.
#[tokio::test(start_paused = true)]
async fn another_issuer_starts_without_keys() {
    let mut remote = Remote::working();
    assert_eq!(remote.present(&remote.token("es256", "1")).await, Ok(()));
    remote.answer(Answer::Error("connection refused"));
    let other = "https://other.example.com";
    remote.plan = compile(&remote.sets, other, URL);
    remote.sets.adopt(remote.plan.issuers.iter().map(|issuer| issuer.key_source()), remote.now);
    let claims: Value = changed(claims(), json!({ "iss": other }));
    let token = remote.keys.sign("ES256", &header().to_string(), &claims.to_string());
    assert_eq!(remote.present(&token).await, Err(IdentityUnavailable));
}
