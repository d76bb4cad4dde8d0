//! Identity -> may they. What a new login cannot mend is refused first, so that nobody is sent to log in again in vain.

use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use serde_json::Value;

use super::plan::{Plan, StepUp};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::base::identity::Identity;

/// Holds an identity against a route's policy. Without an identity nothing that is asked for can be met.
pub fn decide(plan: &Plan, identity: Option<&Identity>, now: Now) -> Decision<()> {
    if !plan.asks() {
        return Ok(());
    }
    let Some(identity) = identity else {
        let challenge = HeaderValue::from_static("Bearer realm=\"yett\"");
        let finding = Finding::new(Code::IdentityMissing, "the policy asks, and nobody is known");
        return Err(finding.header(WWW_AUTHENTICATE, challenge));
    };
    check_scopes(plan, identity)?;
    check_roles(plan, identity)?;
    check_claims(plan, identity)?;
    check_level(plan, identity)?;
    check_age(plan, identity, now)
}

fn check_scopes(plan: &Plan, identity: &Identity) -> Decision<()> {
    let Some(missing) = plan.scopes.iter().find(|scope| !identity.has_scope(scope)) else {
        return Ok(());
    };
    let finding = Finding::new(Code::PolicyScope, format!("scope `{missing}` is missing"));
    Err(challenged(finding, plan.scope_challenge.as_ref()))
}

fn check_roles(plan: &Plan, identity: &Identity) -> Decision<()> {
    if let Some(missing) = plan.roles_all.iter().find(|role| !identity.has_role(role)) {
        return Err(Finding::new(Code::PolicyRole, format!("role `{missing}` is missing")));
    }
    let any = &plan.roles_any;
    if any.is_empty() || any.iter().any(|role| identity.has_role(role)) {
        return Ok(());
    }
    Err(Finding::new(Code::PolicyRole, format!("none of the roles `{}`", any.join("`, `"))))
}

/// The evidence names the claim, not its value: claims are personal data.
fn check_claims(plan: &Plan, identity: &Identity) -> Decision<()> {
    for (path, allowed) in &plan.claims {
        let found = path.find(&identity.claims);
        if found.is_none() {
            return Err(Finding::new(Code::PolicyClaim, format!("claim `{path}` is absent")));
        }
        if !found.is_some_and(|value| holds(value, allowed)) {
            let evidence = format!("claim `{path}` has none of the allowed values");
            return Err(Finding::new(Code::PolicyClaim, evidence));
        }
    }
    Ok(())
}

/// A scalar equals one of the allowed texts, or an element of a list does.
fn holds(value: &Value, allowed: &[Box<str>]) -> bool {
    let any = |text: &str| allowed.iter().any(|one| **one == *text);
    match value {
        Value::String(text) => any(text),
        Value::Bool(truth) => any(if *truth { "true" } else { "false" }),
        Value::Number(number) => any(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| !item.is_array() && holds(item, allowed)),
        Value::Null | Value::Object(_) => false,
    }
}

fn check_level(plan: &Plan, identity: &Identity) -> Decision<()> {
    if !plan.mfa || identity.mfa {
        return Ok(());
    }
    let finding = Finding::new(Code::PolicyStepUp, "the authentication was not multi-factor");
    Err(challenged(finding, step_up(plan, identity).map(|issuer| &issuer.level)))
}

/// A missing or future `auth_time` proves nothing, so it fails.
fn check_age(plan: &Plan, identity: &Identity, now: Now) -> Decision<()> {
    let Some(max_age) = plan.max_age else { return Ok(()) };
    let issuer = step_up(plan, identity);
    let skew_s = issuer.map_or(0, |issuer| issuer.skew_s);
    let evidence = match identity.auth_time_s {
        None => "auth_time is absent".to_owned(),
        Some(time) if time > now.unix_s() + skew_s => "auth_time lies in the future".to_owned(),
        Some(time) => {
            let (age, bound) = (now.unix_s().saturating_sub(time), max_age.as_secs());
            if age <= bound + skew_s {
                return Ok(());
            }
            format!("authenticated {age} s ago, bound {bound} s")
        }
    };
    let finding = Finding::new(Code::PolicyStepUp, evidence);
    Err(challenged(finding, issuer.map(|issuer| &issuer.age)))
}

fn step_up<'p>(plan: &'p Plan, identity: &Identity) -> Option<&'p StepUp> {
    plan.step_up.iter().find(|issuer| issuer.issuer == identity.issuer_name)
}

fn challenged(finding: Box<Finding>, challenge: Option<&HeaderValue>) -> Box<Finding> {
    match challenge {
        Some(challenge) => finding.header(WWW_AUTHENTICATE, challenge.clone()),
        None => finding,
    }
}
