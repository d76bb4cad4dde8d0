//! When sets are loaded again: a scripted network on a paused clock.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use reqwest::Url;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::base::clock::Now;
use crate::state::keys::fetch::Fetch;
use crate::state::keys::source::{KeySource, Place};
use crate::state::keys::{KeySet, KeySets};

const ISSUER: &str = "https://id.example.com/realms/main";

/// Answers by path, and when they were asked for.
#[derive(Default)]
struct Script {
    answers: Mutex<Vec<(&'static str, Result<String, String>)>>,
    asked: Mutex<Vec<(Instant, String)>>,
}

#[async_trait]
impl Fetch for Script {
    async fn get(&self, url: &Url, _: bool) -> Result<Vec<u8>, String> {
        self.asked.lock().push((Instant::now(), url.to_string()));
        let answers = self.answers.lock();
        let found = answers.iter().find(|(path, _)| url.path().ends_with(path));
        let answer = found.map(|(_, answer)| answer.clone());
        answer.unwrap_or_else(|| Err("status 404 instead of 200".into())).map(String::into_bytes)
    }
}

impl Script {
    fn set(&self, path: &'static str, answer: Result<String, String>) {
        let mut answers = self.answers.lock();
        answers.retain(|(other, _)| *other != path);
        answers.push((path, answer));
    }

    fn times(&self) -> Vec<Instant> {
        self.asked.lock().iter().map(|(time, _)| *time).collect()
    }
}

struct Stage {
    script: Arc<Script>,
    sets: Arc<KeySets>,
    set: Arc<KeySet>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn stage(place: Place, prepare: impl FnOnce(&Script)) -> Stage {
    let script = Arc::new(Script::default());
    prepare(&script);
    let sets = Arc::new(KeySets::new(script.clone()));
    let set = sets.handle("corp", ISSUER);
    let source = KeySource { place, refresh: Duration::from_secs(600), private: false };
    sets.adopt([(set.clone(), source)], now());
    let running = sets.clone();
    let task = tokio::spawn(async move { running.run().await });
    Stage { script, sets, set, task }
}

fn now() -> Now {
    Now { instant: Instant::now().into_std(), ..Now::read() }
}

fn keys(kid: &str) -> String {
    json!({ "keys": [jwk(kid)] }).to_string()
}

fn jwk(kid: &str) -> Value {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
}

fn url() -> Place {
    Place::Url("https://id.example.com/keys".parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_at_once_and_then_on_schedule() {
    let stage = stage(url(), |script| script.set("/keys", Ok(keys("a"))));
    tokio::time::sleep(Duration::from_secs(3601)).await;
    let times = stage.script.times();
    assert!((7..=9).contains(&times.len()), "{}", times.len());
    for pair in times.windows(2) {
        let pause = pair[1] - pair[0];
        assert!((450..=601).contains(&pause.as_secs()), "{pause:?}");
    }
    assert!(stage.set.keys(now()).is_some());
}

#[tokio::test(start_paused = true)]
async fn failures_back_off_and_heal() {
    let stage = stage(url(), |script| script.set("/keys", Err("status 500".into())));
    tokio::time::sleep(Duration::from_secs(120)).await;
    let failed = stage.script.times();
    assert!((4..=9).contains(&failed.len()), "{}", failed.len());
    assert!(failed.windows(3).all(|three| three[2] - three[1] >= three[1] - three[0]));
    let status = stage.sets.status(now()).remove(0);
    assert!(
        status.error.is_some_and(|error| error.contains("https://id.example.com/keys: status 500"))
    );
    assert_eq!((status.keys, status.age), (0, None));
    stage.script.set("/keys", Ok(keys("a")));
    tokio::time::sleep(Duration::from_secs(130)).await;
    let status = stage.sets.status(now()).remove(0);
    assert_eq!((status.keys, status.error, status.failures), (1, None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_changes_the_epoch_and_an_added_one_does_not() {
    let (a, b) = (jwk("a"), jwk("b"));
    let set = |keys: &[&Value]| Ok(json!({ "keys": keys }).to_string());
    let stage = stage(url(), |script| script.set("/keys", set(&[&a])));
    let mut epochs = Vec::new();
    for keys in [&[&a][..], &[&b, &a], &[&a, &b], &[&b], &[&b]] {
        stage.script.set("/keys", set(keys));
        tokio::time::sleep(Duration::from_secs(601)).await;
        epochs.push(stage.set.epoch(now()).unwrap());
    }
    assert!(epochs[0] == epochs[1] && epochs[1] == epochs[2], "{epochs:?}");
    assert!(epochs[2] != epochs[3] && epochs[3] == epochs[4], "{epochs:?}");
}

#[tokio::test(start_paused = true)]
async fn discovery_leads_to_the_keys_of_the_same_issuer() {
    let place = Place::parse("discover", ISSUER, false).unwrap();
    let document =
        |issuer: &str, keys: &str| Ok(json!({ "issuer": issuer, "jwks_uri": keys }).to_string());
    let path = "/realms/main/.well-known/openid-configuration";
    let good = "https://id.example.com/keys";
    let cases = [
        (document(ISSUER, good), None),
        (document("https://id.example.com/realms/other", good), Some("`issuer` is not")),
        (document(ISSUER, "http://id.example.com/keys"), Some("no TLS")),
        (document(ISSUER, "https://10.0.0.1/keys"), Some("private address")),
        (document(ISSUER, "file:///etc/passwd"), Some("scheme `file`")),
        (document(ISSUER, &"a\n".repeat(10_000)), Some("`a a a")),
        (Ok("{}".to_owned()), Some("`issuer` is not")),
        (Ok(json!({ "issuer": ISSUER }).to_string()), Some("no `jwks_uri`")),
        (Ok("<html>".to_owned()), Some("JSON object")),
    ];
    for (document, reason) in cases {
        let stage = stage(place.clone(), |script| {
            script.set(path, document.clone());
            script.set("/keys", Ok(keys("a")));
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let status = stage.sets.status(now()).remove(0);
        match reason {
            None => assert_eq!((status.keys, status.error), (1, None)),
            Some(reason) => {
                let error = status.error.unwrap();
                assert!(error.contains(reason), "`{error}` does not say `{reason}`");
                assert!(error.chars().count() <= 256 && !error.contains('\n'), "{error}");
                assert_eq!(stage.script.asked.lock().len(), 1, "{reason}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_is_read_again_when_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.json");
    std::fs::write(&path, keys("a")).unwrap();
    let stage = stage(Place::File(path.clone()), |_| {});
    let kid = || stage.set.keys(now()).unwrap().keys[0].kid.clone();
    assert_eq!(kid().as_deref(), Some("a"), "read when adopted");
    std::fs::write(&path, keys("b")).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(kid().as_deref(), Some("b"));
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(kid().as_deref(), Some("b"), "the last good keys stay");
    assert!(stage.sets.status(now())[0].error.is_some());
    std::fs::write(&path, keys("c")).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(kid().as_deref(), Some("c"));
}

#[tokio::test(start_paused = true)]
async fn a_changed_address_is_loaded_at_once() {
    let stage = stage(url(), |script| {
        script.set("/keys", Ok(keys("a")));
        script.set("/moved", Ok(keys("b")));
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let moved = Place::Url("https://id.example.com/moved".parse().unwrap());
    let source = KeySource { place: moved, refresh: Duration::from_secs(600), private: false };
    stage.sets.adopt([(stage.set.clone(), source)], now());
    assert!(stage.set.keys(now()).is_some(), "the old keys serve until then");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.set.keys(now()).unwrap().keys[0].kid.as_deref(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn a_set_that_no_configuration_names_is_let_go() {
    let stage = stage(url(), |script| script.set("/keys", Ok(keys("a"))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    stage.sets.adopt([], now());
    let before = stage.script.times().len();
    tokio::time::sleep(Duration::from_secs(7200)).await;
    assert_eq!(stage.script.times().len(), before);
    assert!(stage.sets.status(now()).is_empty());
}
