//! **waf**: is it an attack? Binds the rule engine to our words; owns no rule logic.
//!
//! - Decides: whether the rules' verdict, or a bound of theirs, objects.
//! - Needs: the canonical request, then the inspected part of the body; where asked, the service's answer likewise.
//! - Waits: for lists in the DNS that its rules ask about the client, up to `dnsbl.deadline`; without such rules never.
//! - Never: changes the request, writes an answer.
//! - Codes: `waf.blocked`, `waf.body_too_large`, `waf.body_timeout`, `waf.body_unreadable`, `waf.budget`, `waf.response_blocked`,
//!   `waf.response_too_large`, `waf.response_unreadable`.

pub mod answer;
mod answer_coding;
pub mod coding;
pub mod decide;
pub mod lists;
pub mod plan;
pub mod section;
mod show;

#[cfg(test)]
mod tests;
