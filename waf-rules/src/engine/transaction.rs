//! One request and its response, as the caller feeds them in.

use std::net::{IpAddr, Ipv4Addr};
use std::time::SystemTime;

use super::budget::Exceeded;
use super::eval::Run;
use super::outcome::{BodyBound, Interruption, Match, Outcome, Verdict};
use super::pool;
use super::score::Score;
use super::state::State;
use crate::action::{AuditEngine, AuditParts, BodyProcessor};
use crate::bytes::atoi;
use crate::operator::AddressList;
use crate::plan::settings::Over;
use crate::profile::Profile;
use crate::variable::Store;
use crate::{EngineMode, RuleInfo};

/// One request against a profile. Feed it in order: connection, line, headers, [`head`](Self::head), body chunks,
/// [`body`](Self::body), the response likewise, [`finish`](Self::finish). It is owned and `Send`.
///
/// Nothing it is fed makes it panic or grow past the profile's [`Bounds`](crate::Bounds). When it is dropped its
/// thread keeps its memory for the next one, so that an ordinary request allocates nothing.
#[derive(Debug)]
pub struct Transaction {
    profile: Profile,
    pub(super) state: State,
    request_body_bytes: usize,
    response_body_bytes: usize,
}

impl Transaction {
    pub fn new(profile: Profile) -> Self {
        let state = pool::begin(profile.inner());
        Self { profile, state, request_body_bytes: 0, response_body_bytes: 0 }
    }

    /// A transaction that asks every operator about every value, without the prefilter. The verdict is
    /// the same and takes many times as long: for tests that compare the two.
    pub fn exhaustive(profile: Profile) -> Self {
        let mut transaction = Self::new(profile);
        transaction.state.candidates.set_exhaustive();
        transaction
    }

    /// Client and server address; `REMOTE_ADDR` should be the client behind trusted proxies.
    pub fn connection(
        &mut self,
        client: IpAddr,
        client_port: u16,
        server: IpAddr,
        server_port: u16,
    ) {
        self.state.connection(client, client_port, server, server_port);
    }

    /// The client is on a list of [`Profile::address_lists`], with this answer. Lists that are not told of do not have it, or
    /// were not asked.
    pub fn listed(&mut self, list: &AddressList, answer: Ipv4Addr) {
        self.state.listed.push((list.zone().into(), answer));
    }

    /// An identifier for `UNIQUE_ID`; the caller's trace id serves well.
    pub fn unique_id(&mut self, id: &[u8]) {
        self.state.set_text(Store::UniqueId, id);
    }

    /// What time it is: for `TIME_*`, `DURATION` and what persistent collections forget. The first
    /// call says when the transaction began; give it again before a phase where the difference counts.
    /// Without it rules see no time, and collections keep everything until room is needed.
    pub fn time(&mut self, now: SystemTime) {
        self.state.clock.set(now);
    }

    /// Who the request is from, for `AUTH_TYPE` and `REMOTE_USER`: what was verified, never what a
    /// header claims.
    pub fn authenticated(&mut self, scheme: &[u8], user: &[u8]) {
        self.state.set_text(Store::AuthType, scheme);
        self.state.set_text(Store::RemoteUser, user);
    }

    /// The request line as received; for HTTP/2 and 3 rebuilt from the pseudo headers, with protocol `HTTP/2.0`, `HTTP/3.0`.
    pub fn request_line(&mut self, method: &[u8], target: &[u8], protocol: &[u8]) {
        let arguments = self.profile.bounds().arguments;
        let separator = self.profile.ruleset().program().settings.argument_separator;
        self.state.request_line(method, target, protocol, arguments, separator);
    }

    /// One header, name and value as received, in order. For HTTP/2 give `:authority` as `Host` and no other pseudo header.
    pub fn header(&mut self, name: &[u8], value: &[u8]) {
        self.state.header(name, value);
    }

    /// The head is complete: runs phase 1.
    pub fn head(&mut self) -> Verdict {
        self.state.choose_by_content_type();
        self.state.set_args_combined_size();
        self.run(1)
    }

    /// The rules want to see the request body: feed it, whole, before the upstream gets a byte.
    pub fn wants_body(&self) -> bool {
        let control = &self.state.control;
        control.request_body && control.engine != EngineMode::Off && control.interruption.is_none()
    }

    /// A piece of the request body, kept up to the bound. Of a multipart body the content of files does not
    /// count, for it is not kept.
    ///
    /// # Errors
    /// More than the bound, where it rejects: the request is to be refused. Where it is partial, the rest is
    /// dropped and the outcome says so.
    pub fn body_chunk(&mut self, chunk: &[u8]) -> Result<(), BodyBound> {
        let bound = self.body_bound(
            self.state.control.request_body_bytes,
            self.profile.bounds().body_bytes,
            self.profile.inner().ceiling.body_bytes,
        );
        self.request_body_bytes = self.request_body_bytes.saturating_add(chunk.len());
        let room = bound.saturating_sub(self.state.request_body.len());
        let kept = &chunk[..chunk.len().min(room)];
        self.state.request_body.extend_from_slice(kept);
        let fits = match self.state.control.processor {
            Some(BodyProcessor::Multipart) => self.upload_fits(chunk, bound),
            _ => chunk.len() <= room,
        };
        if fits {
            return Ok(());
        }
        self.state.exceed(Exceeded::RequestBody);
        self.state.set_text(Store::InboundDataError, b"1");
        match self.over(self.profile.ruleset().program().settings.request_body_over) {
            Over::Reject => Err(BodyBound { bytes: self.request_body_bytes, bound }),
            Over::Partial => Ok(()),
        }
    }

    /// The body goes on behind what was fed, and the rest will not be: it is more than the caller holds.
    pub fn body_cut(&mut self) {
        self.state.exceed(Exceeded::RequestBody);
        self.state.set_text(Store::InboundDataError, b"1");
    }

    /// The body is complete, or there is none: parses it and runs phase 2.
    pub fn body(&mut self) -> Verdict {
        let profile = self.profile.inner();
        if self.wants_body() {
            let (bytes, bounds) = (self.request_body_bytes, &profile.bounds);
            let before = self.state.control.exceeded;
            self.state.parse_request_body(bytes, bounds, profile.ruleset.program());
            self.grant(self.state.body_bytes_seen());
            let bound = Exceeded::RequestBody;
            // It showed only when the body was parsed: nobody refused it before.
            if before.is_none() && self.state.control.exceeded == Some(bound) && self.refuses(bound)
            {
                return self.run_rejecting(2, Some(bound));
            }
        }
        self.run(2)
    }

    /// Files aside, within the bound; files included, within what the rules set (`SecRequestBodyLimit`).
    fn upload_fits(&mut self, chunk: &[u8], bound: usize) -> bool {
        let profile = self.profile.inner();
        let program = profile.ruleset.program();
        let ctl = self.state.control.request_body_bytes;
        let whole = ctl.or(program.settings.request_body_bytes).unwrap_or(usize::MAX);
        self.state.push_upload(chunk, bound, &profile.bounds, program)
            && self.request_body_bytes <= whole
    }

    /// Status and protocol of the response.
    pub fn response_line(&mut self, status: u16, protocol: &[u8]) {
        self.state.response_line(status, protocol);
    }

    /// One response header.
    pub fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.state.response_header(name, value);
    }

    /// The response head is complete: runs phase 3.
    pub fn response_head(&mut self) -> Verdict {
        self.state.response_length_seen(0);
        self.run(3)
    }

    /// The rules want to see this response's body; known once its head is.
    pub fn wants_response_body(&self) -> bool {
        let live = self.state.control.engine != EngineMode::Off
            && self.state.control.interruption.is_none();
        live && self.state.wants_response_body(self.profile.inner())
    }

    /// A piece of the response body, kept up to the bound; see [`body_chunk`](Self::body_chunk).
    ///
    /// # Errors
    /// More than the bound, where it rejects.
    pub fn response_body_chunk(&mut self, chunk: &[u8]) -> Result<(), BodyBound> {
        let bound = self.body_bound(
            self.state.control.response_body_bytes,
            self.profile.bounds().response_body_bytes,
            self.profile.inner().ceiling.response_body_bytes,
        );
        self.response_body_bytes = self.response_body_bytes.saturating_add(chunk.len());
        let room = bound.saturating_sub(self.state.response_body.len());
        let kept = &chunk[..chunk.len().min(room)];
        self.grant(kept.len());
        self.state.response_body.extend_from_slice(kept);
        if chunk.len() <= room {
            return Ok(());
        }
        self.state.exceed(Exceeded::ResponseBody);
        self.state.set_text(Store::OutboundDataError, b"1");
        match self.over(self.profile.ruleset().program().settings.response_body_over) {
            Over::Reject => Err(BodyBound { bytes: self.response_body_bytes, bound }),
            Over::Partial => Ok(()),
        }
    }

    /// The same for the response body.
    pub fn response_body_cut(&mut self) {
        self.state.exceed(Exceeded::ResponseBody);
        self.state.set_text(Store::OutboundDataError, b"1");
    }

    /// The response body is complete: runs phase 4.
    pub fn response_body(&mut self) -> Verdict {
        if self.wants_response_body() {
            let body = std::mem::take(&mut self.state.response_body);
            self.state.set_text(Store::ResponseBody, &body);
            self.state.response_length_seen(self.response_body_bytes);
        }
        self.run(4)
    }

    /// Everything is over: runs phase 5, which reports and interrupts nothing.
    pub fn finish(&mut self) {
        self.run(5);
    }

    /// Every match of a rule that logs or goes into the audit record, in the order of matching, up to [`Bounds::matches`](crate::Bounds::matches).
    pub fn matches(&self) -> &[Match] {
        &self.state.record.matches
    }

    /// Matches that scored but were not kept.
    pub fn matches_dropped(&self) -> usize {
        self.state.record.dropped
    }

    /// Ids of all rules that matched, logging or not, in order; a rule of a later phase may repeat none.
    pub fn matched_rules(&self) -> &[u32] {
        &self.state.record.rules
    }

    /// The anomaly scores so far.
    pub fn score(&self) -> Score {
        Score::read(&self.state, self.profile.inner())
    }

    /// How much of the transaction was looked at so far.
    pub fn outcome(&self) -> Outcome {
        match self.state.control.exceeded {
            None => Outcome::Inspected,
            Some(bound) if self.refuses(bound) => Outcome::Refused(bound),
            Some(bound) => Outcome::Partial(bound),
        }
    }

    /// What ended the transaction.
    pub fn interruption(&self) -> Option<&Interruption> {
        self.state.control.interruption.as_ref()
    }

    /// What would have been done first, had the engine not been in `DetectionOnly`.
    pub fn detected(&self) -> Option<&Interruption> {
        self.state.record.detected.as_ref()
    }

    /// The same, and forgets it: what a later phase detects is told apart.
    pub fn take_detected(&mut self) -> Option<Interruption> {
        self.state.record.detected.take()
    }

    /// Whether rules act, only detect, or do not run from here on: the profile's mode, or what `ctl:ruleEngine` made of it.
    pub fn engine(&self) -> EngineMode {
        self.state.control.engine
    }

    /// The rules want no audit record, whatever happens: `SecAuditEngine Off`, `ctl:auditEngine=Off`.
    pub fn forbids_audit(&self) -> bool {
        self.state.control.audit == AuditEngine::Off
    }

    /// Whether the rules ask for an audit record of this transaction: `SecAuditEngine`,
    /// `SecAuditLogRelevantStatus`, `auditlog`, `ctl:auditEngine`.
    pub fn wants_audit(&self) -> bool {
        let settings = &self.profile.ruleset().program().settings;
        let status = atoi(self.state.text(Store::ResponseStatus));
        match self.state.control.audit {
            AuditEngine::On => true,
            AuditEngine::Off => false,
            AuditEngine::RelevantOnly => {
                self.state.record.matches.iter().any(|found| found.audit)
                    || settings.is_relevant_status(status)
            }
        }
    }

    /// The parts that the rules want in an audit record: `SecAuditLogParts`, `ctl:auditLogParts`.
    pub fn audit_parts(&self) -> AuditParts {
        self.state.control.audit_parts
    }

    /// Work spent so far, in the unit of [`Bounds::work`](crate::Bounds::work).
    pub fn work(&self) -> u64 {
        self.state.budget.spent()
    }

    /// Work that may be spent on what was received so far.
    pub fn work_bound(&self) -> u64 {
        self.state.budget.bound()
    }

    /// The profile this transaction runs.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The rule of a match.
    pub fn rule(&self, id: u32) -> Option<RuleInfo<'_>> {
        self.profile.ruleset().rules().find(|rule| rule.id() == id)
    }

    fn run(&mut self, phase: u8) -> Verdict {
        let bound = self.state.control.exceeded;
        self.run_rejecting(phase, bound.filter(|bound| phase <= 2 && bound.hides_input()))
    }

    fn run_rejecting(&mut self, phase: u8, bound: Option<Exceeded>) -> Verdict {
        let profile = self.profile.inner();
        let lane = &profile.course.phases[usize::from(phase - 1)];
        let program = profile.ruleset.program();
        let mut learned = pool::take_learned();
        let pool::Learned { known, states } = &mut learned;
        let mut run = Run { program, profile, lane, state: &mut self.state, known, states };
        if let Some(bound) = bound {
            run.reject(bound);
        }
        run.phase(phase);
        run.hand_on_news();
        pool::keep_learned(learned);
        // Now, not at the end: matches may be logged between phases.
        self.state.mask_matches();
        match &self.state.control.interruption {
            Some(interruption) => Verdict::Deny(interruption.clone()),
            None => Verdict::Pass,
        }
    }

    /// What is looked at may cost.
    fn grant(&mut self, bytes: usize) {
        let work = self.profile.bounds().work_per_byte.saturating_mul(bytes as u64);
        self.state.budget.grant(work);
    }

    /// `ctl` may change what the rules set, up to what the profile allows.
    fn body_bound(&self, ctl: Option<usize>, effective: usize, ceiling: usize) -> usize {
        ctl.map_or(effective, |bytes| bytes.min(ceiling))
    }

    /// The rules may ask for partial inspection; the profile may ask for it too.
    fn over(&self, rules: Option<Over>) -> Over {
        match self.state.control.engine {
            EngineMode::On if self.profile.bounds().over == Over::Reject => {
                rules.unwrap_or_default()
            }
            _ => Over::Partial,
        }
    }

    fn refuses(&self, bound: Exceeded) -> bool {
        let settings = &self.profile.ruleset().program().settings;
        let rules = match bound {
            Exceeded::RequestBody => settings.request_body_over,
            Exceeded::ResponseBody => settings.response_body_over,
            Exceeded::Work | Exceeded::Arguments | Exceeded::Depth | Exceeded::Parts => None,
        };
        self.over(rules) == Over::Reject
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        pool::end(std::mem::take(&mut self.state));
    }
}
