//! Request -> identity. The synchronous part never waits; a token that needs keys which we do not have yet becomes a
//! [`Pending`], which waits once, for a bounded time.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, crypto};
use serde_json::Value;

use super::challenge::{malformed, refuse, shown};
use super::claims;
use super::credential;
use super::plan::{IssuerPlan, Plan};
use super::token::{self, Unverified};
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::Decision;
use crate::base::identity::Identity;
use crate::base::request::Request;
use crate::state::keys::Keys;
use crate::state::keys::admit::{Key, Kind};
use crate::state::tokens::{TokenCache, Verified};

/// What is known of the asker.
#[derive(Debug)]
pub enum Outcome {
    Known {
        /// `None`: anonymous, on a route where a token is optional.
        identity: Option<Arc<Identity>>,
        /// The verification was remembered.
        cached: bool,
    },
    /// The keys that the token needs may be at hand soon: [`Pending::settle`] it.
    NeedsKeys(Pending),
}

/// A token whose key we do not have.
#[derive(Debug)]
pub struct Pending {
    issuer: Arc<IssuerPlan>,
    token: Box<str>,
}

impl Plan {
    /// Verifies the request's credential.
    pub fn decide(
        &self,
        request: &Request<'_>,
        tokens: &TokenCache,
        now: Now,
    ) -> Decision<Outcome> {
        let Some(token) = credential::find(request)? else {
            return self.anonymous();
        };
        if let Some(identity) = self.remembered(token, tokens, now) {
            return Ok(Outcome::Known { identity: Some(identity), cached: true });
        }
        self.verify(token, tokens, now)
    }

    /// A request without a token.
    pub fn anonymous(&self) -> Decision<Outcome> {
        if self.optional {
            return Ok(Outcome::Known { identity: None, cached: false });
        }
        Err(refuse(Code::IdentityMissing, "no Authorization field"))
    }

    /// A remembered verification counts while its issuer is one of the route's, unchanged, its keys are the
    /// same, and its time has come and not passed.
    fn remembered(&self, token: &str, tokens: &TokenCache, now: Now) -> Option<Arc<Identity>> {
        let verified = tokens.get(token)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.stamp == verified.stamp)?;
        let counts = issuer.keys.epoch(now) == Some(verified.epoch)
            && (verified.starts_s..verified.ends_s).contains(&now.unix_s());
        counts.then(|| verified.identity.clone())
    }

    fn verify(&self, text: &str, tokens: &TokenCache, now: Now) -> Decision<Outcome> {
        let token = token::read(text)?;
        let issuer = self.issuer(&token)?;
        let keys = issuer.keys.keys(now);
        let known = keys.as_ref().is_some_and(|keys| issuer.key(keys, &token).is_some());
        if !known && issuer.keys.may_refetch(now) {
            issuer.takes(&token, now)?;
            let pending = Pending { issuer: issuer.clone(), token: text.into() };
            return Ok(Outcome::NeedsKeys(pending));
        }
        let identity = issuer.verify(text, token, tokens, now)?;
        Ok(Outcome::Known { identity: Some(identity), cached: false })
    }

    /// The issuer that the token names; no other one's keys are ever tried (RFC 8725 §3.8).
    fn issuer(&self, token: &Unverified<'_>) -> Decision<&Arc<IssuerPlan>> {
        let Some(Value::String(iss)) = token.claims.get("iss") else {
            return Err(refuse(Code::IdentityClaims, "iss is not a string"));
        };
        self.issuers.iter().find(|issuer| *issuer.issuer == **iss).ok_or_else(|| {
            let evidence = format!("iss `{}` is none of the route's", shown(iss));
            refuse(Code::IdentityIssuer, evidence)
        })
    }
}

impl Pending {
    /// Waits for the issuer's keys, at most `wait` and [`bounds::KEY_WAIT`], and decides. `now` is the time of the
    /// request's decision.
    pub async fn settle(
        self,
        tokens: &TokenCache,
        now: Now,
        wait: Duration,
    ) -> Decision<Arc<Identity>> {
        let started = tokio::time::Instant::now();
        self.issuer.keys.refetch(now, wait.min(bounds::KEY_WAIT)).await;
        let token = token::read(&self.token)?;
        self.issuer.verify(&self.token, token, tokens, now.after(started.elapsed()))
    }
}

impl IssuerPlan {
    /// Verifies a token of this issuer with the keys at hand, and remembers it.
    fn verify(
        &self,
        text: &str,
        token: Unverified<'_>,
        tokens: &TokenCache,
        now: Now,
    ) -> Decision<Arc<Identity>> {
        self.takes(&token, now)?;
        let Some(keys) = self.keys.keys(now) else {
            let evidence = format!("no keys of issuer `{}` were loaded", self.name);
            return Err(refuse(Code::IdentityUnavailable, evidence));
        };
        let Some(key) = self.key(&keys, &token) else {
            return Err(refuse(Code::IdentityKey, self.no_key(&token)));
        };
        self.check_signature(key, &token)?;
        let read = claims::read(self, token.typ.as_deref(), token.claims, now)?;
        let identity = Arc::new(read.identity);
        let verified = Verified {
            identity: identity.clone(),
            stamp: self.stamp,
            epoch: keys.epoch,
            ends_s: read.ends_s,
            starts_s: read.starts_s,
        };
        tokens.insert(text, Arc::new(verified));
        Ok(identity)
    }

    /// Cheap refusals before any work with keys: an algorithm that this issuer does not use, a token that is over.
    fn takes(&self, token: &Unverified<'_>, now: Now) -> Decision<()> {
        if !self.algorithms.contains(&token.algorithm) {
            let evidence =
                format!("alg {:?} is not allowed for issuer `{}`", token.algorithm, self.name);
            return Err(refuse(Code::IdentityAlgorithm, evidence));
        }
        claims::check_end(&token.claims, self.skew_s, now).map(drop)
    }

    fn key<'k>(&self, keys: &'k Keys, token: &Unverified<'_>) -> Option<&'k Key> {
        keys.find(token.kid.as_deref(), |key| self.algorithm_of(key) == Some(token.algorithm))
    }

    /// The one algorithm of a key. An RSA key that names none has the issuer's only RSA algorithm, or RS256 when there are
    /// several: it must never verify under two.
    fn algorithm_of(&self, key: &Key) -> Option<Algorithm> {
        use Algorithm::{PS256, RS256, RS384, RS512};
        if let (None, Kind::Rsa(_)) = (key.algorithm, key.kind) {
            let is_rsa = |one: &&Algorithm| matches!(one, RS256 | RS384 | RS512 | PS256);
            let mut rsa = self.algorithms.iter().filter(is_rsa);
            return match (rsa.next(), rsa.next()) {
                (Some(only), None) => Some(*only),
                _ => Some(RS256),
            };
        }
        key.algorithm
    }

    fn no_key(&self, token: &Unverified<'_>) -> String {
        match &token.kid {
            Some(kid) => format!("issuer `{}` has no key `{}`", self.name, shown(kid)),
            None => format!("no kid, and not exactly one key of issuer `{}` fits", self.name),
        }
    }

    fn check_signature(&self, key: &Key, token: &Unverified<'_>) -> Decision<()> {
        if self.algorithm_of(key) != Some(token.algorithm) {
            let evidence = format!("alg {:?} is not the one of the key", token.algorithm);
            return Err(refuse(Code::IdentityAlgorithm, evidence));
        }
        let bytes = token.signature_bytes;
        if bytes != key.signature_bytes() {
            let evidence = format!("signature {bytes} bytes, not {}", key.signature_bytes());
            return Err(refuse(Code::IdentitySignature, evidence));
        }
        let message = token.signed.as_bytes();
        match crypto::verify(token.signature, message, &key.decoding, token.algorithm) {
            Ok(true) => Ok(()),
            Ok(false) => Err(refuse(Code::IdentitySignature, "signature does not verify")),
            Err(_) => Err(malformed("signature or key could not be read")),
        }
    }
}
