//! From the attacker's side: each case is one request with the finding that must refuse it.

mod binding;
mod caching;
mod claim_cases;
mod format_cases;
mod forwarding;
mod key_cases;
mod outage;
mod planning;
mod rig;
