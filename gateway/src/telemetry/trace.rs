//! W3C Trace Context (<https://www.w3.org/TR/trace-context/>): made here, or continued from a trusted caller.
//!
//! An outsider's `traceparent` is hostile: it could switch tracing on or off and join traces that are not
//! its own. It is replaced, never obeyed; whom to trust is the listener's `trace.trust`.

use std::cell::RefCell;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::base::event::{TraceContext, write_hex};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Members of a `tracestate` (§3.3.1.1).
const STATE_MEMBERS: usize = 32;
/// Bytes of a `tracestate` that must be propagated (§3.3.1.5); longer ones are dropped whole.
const STATE_BYTES: usize = 512;
/// `00-` trace id `-` span id `-` flags.
const PARENT_BYTES: usize = 55;
/// Where the trace id stands in it.
const TRACE_ID: std::ops::Range<usize> = 3..35;

/// The trace of one request, with what is passed on beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    pub context: TraceContext,
    /// Vendors' state: only a trusted caller's, and only when it is valid.
    pub state: Option<HeaderValue>,
    /// `traceparent` for the next hop: our span is its parent.
    pub parent: HeaderValue,
    /// The trace id alone, for `x-request-id`: a piece of `parent`.
    pub request_id: HeaderValue,
}

impl Trace {
    /// The request's trace, with identifiers from this thread's generator.
    pub fn of(headers: &HeaderMap, trusted: bool) -> Trace {
        thread_local!(static IDS: RefCell<Ids> = RefCell::new(Ids::from_system()));
        IDS.with_borrow_mut(|ids| Trace::with_ids(headers, trusted, ids))
    }

    /// Continues the trace of a trusted caller; starts a new one for everybody else. New traces are
    /// sampled: services decide by their own samplers, as they would without a gateway.
    pub fn with_ids(headers: &HeaderMap, trusted: bool, ids: &mut Ids) -> Trace {
        let parent = if trusted { only(headers, &TRACEPARENT).and_then(parse) } else { None };
        match parent {
            Some(parent) => {
                let context = TraceContext {
                    trace_id: parent.trace_id,
                    span_id: ids.span_id(),
                    parent_id: Some(parent.span_id),
                    sampled: parent.sampled,
                };
                Trace::new(context, state(headers))
            }
            None => {
                let context = TraceContext {
                    trace_id: ids.trace_id(),
                    span_id: ids.span_id(),
                    parent_id: None,
                    sampled: true,
                };
                Trace::new(context, None)
            }
        }
    }

    fn new(context: TraceContext, state: Option<HeaderValue>) -> Trace {
        let text = Bytes::copy_from_slice(&parent_text(&context));
        let request_id = value(text.slice(TRACE_ID));
        Trace { context, state, parent: value(text), request_id }
    }

    /// Replaces what the client sent by what the service may believe.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(TRACEPARENT, self.parent.clone());
        match &self.state {
            Some(state) => headers.insert(TRACESTATE, state.clone()),
            None => headers.remove(TRACESTATE),
        };
    }
}

/// Version, trace, span and flags (§3.2).
fn parent_text(context: &TraceContext) -> [u8; PARENT_BYTES] {
    let mut text = [0_u8; PARENT_BYTES];
    text[..3].copy_from_slice(b"00-");
    text[TRACE_ID].copy_from_slice(context.request_id().as_bytes());
    text[35] = b'-';
    write_hex(&mut text[36..52], &context.span_id.to_be_bytes());
    text[52..].copy_from_slice(if context.sampled { b"-01" } else { b"-00" });
    text
}

fn value(text: Bytes) -> HeaderValue {
    // Digits and dashes are always a value.
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A caller's span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace_id: u128,
    pub span_id: u64,
    pub sampled: bool,
}

/// Reads a `traceparent` (§3.2). Strict: lower-case hexadecimal, no zero identifiers, version 00 of exactly
/// 55 bytes; of a later version only the part that version 00 knows, when a dash or nothing follows it.
pub fn parse(text: &str) -> Option<Parent> {
    let bytes = text.as_bytes();
    let head = bytes.get(..PARENT_BYTES)?;
    let version = hex(&head[..2])?;
    let rest = &bytes[PARENT_BYTES..];
    let length_holds = if version == 0 { rest.is_empty() } else { matches!(rest, [] | [b'-', ..]) };
    let dashes_hold = head[2] == b'-' && head[35] == b'-' && head[52] == b'-';
    if version == 0xff || !length_holds || !dashes_hold {
        return None;
    }
    let trace_id = hex(&head[3..35])?;
    let span_id = u64::try_from(hex(&head[36..52])?).ok()?;
    let flags = hex(&head[53..55])?;
    (trace_id != 0 && span_id != 0).then_some(Parent { trace_id, span_id, sampled: flags & 1 == 1 })
}

/// The only value of a field.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// All `tracestate` fields as one; `None` when absent or invalid, which never ends the trace (§3.3).
fn state(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut joined = String::new();
    for value in headers.get_all(TRACESTATE) {
        let text = value.to_str().ok()?;
        if joined.len() + text.len() >= STATE_BYTES {
            return None;
        }
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(text);
    }
    let members: Vec<&str> =
        joined.split(',').map(str::trim).filter(|member| !member.is_empty()).collect();
    let valid = !members.is_empty()
        && members.len() <= STATE_MEMBERS
        && members.iter().all(|member| is_state_member(member))
        && members.iter().enumerate().all(|(at, member)| {
            members[..at].iter().all(|earlier| state_key(earlier) != state_key(member))
        });
    if valid { HeaderValue::from_str(&members.join(",")).ok() } else { None }
}

fn state_key(member: &str) -> &str {
    member.split_once('=').map_or(member, |(key, _)| key)
}

/// `key=value` of §3.3.1.3.
fn is_state_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let key_holds = (1..=256).contains(&key.len())
        && key.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && key.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte)
        });
    let value_holds = (1..=256).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'=' && byte != b',');
    key_holds && value_holds
}

fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

/// Identifiers: xoshiro256++ (Blackman and Vigna, 2019). They must not collide and need not be secret.
#[derive(Clone, Debug)]
pub struct Ids([u64; 4]);

impl Ids {
    /// From a seed; equal seeds give equal identifiers.
    pub fn new(seed: [u64; 4]) -> Ids {
        // The all-zero state is the generator's one fixed point.
        Ids(if seed == [0; 4] { [1; 4] } else { seed })
    }

    /// Seeded by the operating system; by clock and address where it refuses.
    pub fn from_system() -> Ids {
        let draw = || getrandom::u64().ok();
        let seed = (|| Some([draw()?, draw()?, draw()?, draw()?]))();
        Ids::new(seed.unwrap_or_else(|| {
            let now = crate::base::clock::Now::read().unix_us;
            [now, now.rotate_left(32), u64::from(std::process::id()), 1]
        }))
    }

    pub fn trace_id(&mut self) -> u128 {
        (u128::from(self.next()) << 64 | u128::from(self.next())).max(1)
    }

    pub fn span_id(&mut self) -> u64 {
        self.next().max(1)
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let drawn = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        drawn
    }
}
