//! Claims that count as verified: for the configuration's own `tests:` and for `explain`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::claims;
use super::plan::Plan;
use crate::base::clock::Now;
use crate::base::identity::Identity;
use crate::base::units::Span;

impl Plan {
    /// The identity of a token with these claims. Two members are for the test's writer and are no claims: `issuer`, the name
    /// of one of the route's issuers (absent: the first), and `auth_age`, the time since the last active
    /// authentication, e.g. `30s`. An absent `sub` is `test`.
    pub fn assume(&self, token: &Map<String, Value>, now: Now) -> Result<Arc<Identity>, String> {
        let mut token = token.clone();
        let name = token.shift_remove("issuer");
        let issuer = match &name {
            None => self.issuers.first(),
            Some(name) => self.issuers.iter().find(|issuer| name == &*issuer.name),
        };
        let issuer = issuer.ok_or_else(|| match name {
            Some(name) => format!("issuer {name} is not one of the route's"),
            None => "the route has no issuer".to_owned(),
        })?;
        if let Some(age) = token.shift_remove("auth_age") {
            let age: Span = age.as_str().ok_or("auth_age is not a text like 30s")?.parse()?;
            let time = now.unix_s().saturating_sub(age.0.as_secs());
            token.insert("auth_time".into(), time.into());
        }
        let subject = token.get("sub").and_then(Value::as_str).unwrap_or("test").to_owned();
        token.entry("iss").or_insert_with(|| Value::from(&*issuer.issuer));
        let identity = claims::principal(issuer, &subject, u64::MAX, token)?;
        Ok(Arc::new(identity))
    }
}
