//! Bans, then `deny`, then `allow`.

use std::net::IpAddr;

use super::plan::ScreenPlan;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding, Mode};
use crate::state::standing::Standing;

/// Bans and the gateway's own lists. A route's lists follow later, with [`ScreenPlan::decide`].
pub fn decide(plan: &ScreenPlan, standing: &Standing, ip: IpAddr, now: Now) -> Decision<()> {
    match standing.banned(ip, now) {
        Some(left) => {
            let evidence = format!("address {ip} is banned for {} s more", left.as_secs().max(1));
            Err(Finding::new(Code::ScreenBanned, evidence))
        }
        None => plan.decide(ip),
    }
}

impl ScreenPlan {
    /// The lists alone. What `deny` holds never passes; an empty `allow` lets everyone else pass.
    pub fn decide(&self, ip: IpAddr) -> Decision<()> {
        if self.mode == Mode::Off {
            return Ok(());
        }
        if self.deny.contains(ip) {
            return Err(Finding::new(
                Code::ScreenListed,
                format!("address {ip} is on the deny list"),
            ));
        }
        if !self.allow.is_empty() && !self.allow.contains(ip) {
            return Err(Finding::new(
                Code::ScreenListed,
                format!("address {ip} is not on the allow list"),
            ));
        }
        Ok(())
    }
}
