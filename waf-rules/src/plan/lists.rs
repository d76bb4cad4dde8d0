//! Rules that ask lists of addresses (`@rbl`): what they may ask of, and what the lists are asked with.

use super::assemble::{Assembly, DraftLink};
use super::writes::Writes;
use super::{Program, Settings};
use crate::operator::{AddressList, Operator};
use crate::seclang::ast::{Selector, Target};
use crate::seclang::source::Span;
use crate::transform::Transform;
use crate::variable::{self, Kind, Store};

const ONLY_CLIENT: &str = "@rbl asks of the client's address alone, before the rules run: target REMOTE_ADDR, which is the client behind trusted proxies, or a tx variable that is only ever set to %{REMOTE_ADDR}; other addresses can be held against a downloaded list with @ipMatchFromFile";
const CHANGED: &str =
    "with this transformation the value is no address any more, which @rbl would ask of";
const NO_KEY: &str =
    "@rbl never matches: http:BL is asked with a key, and no SecHttpBlKey gives it";

/// Addresses that transformations may not change.
const ADDRESSES: [&[u8]; 2] = [b"192.0.2.10", b"2001:db8::a1"];

/// What is wrong with the values that a link has a list asked of.
pub(super) fn check(
    link: &DraftLink,
    transforms: &[Transform],
    writes: &Writes,
) -> Result<(), (Span, &'static str)> {
    let mut asked = link.targets.iter().filter(|target| !target.exclude);
    if let Some(other) = asked.find(|target| !is_client(target, writes)) {
        return Err((other.span, ONLY_CLIENT));
    }
    let changes = |transform: &Transform| {
        ADDRESSES.iter().any(|address| {
            let mut changed = Vec::new();
            transform.apply(address, &mut changed);
            changed != *address
        })
    };
    if transforms.iter().any(changes) { Err((link.span, CHANGED)) } else { Ok(()) }
}

fn is_client(target: &Target, writes: &Writes) -> bool {
    match (&target.selector, target.variable.kind) {
        _ if target.count => false,
        (Some(Selector::Name(name)), Kind::Tx) => writes.are_all(name, is_client_macro),
        (None, kind) => kind == Kind::Values(&[Store::RemoteAddr]),
        _ => false,
    }
}

/// `%{REMOTE_ADDR}`, or another name of the same.
fn is_client_macro(text: &str) -> bool {
    let name = text.strip_prefix("%{").and_then(|rest| rest.strip_suffix('}'));
    let variable = name.and_then(variable::lookup);
    variable.is_some_and(|variable| variable.kind == Kind::Values(&[Store::RemoteAddr]))
}

/// Gives the lists what they are asked with.
pub(super) fn complete(operators: &mut [Operator], settings: &Settings) {
    for operator in operators {
        if let Operator::Rbl(list) = operator {
            list.set_key(settings.http_bl_key.as_deref());
        }
    }
}

/// A list that cannot be asked: the first place.
pub(crate) fn unasked(assembly: &Assembly) -> Option<(Span, String)> {
    let key = assembly.settings.http_bl_key.as_deref();
    let is_unasked = |link: &&DraftLink| {
        let operator = link.operator.as_ref().filter(|operator| operator.name == "rbl");
        let list = operator.and_then(|operator| AddressList::parse(&operator.argument).ok());
        list.is_some_and(|mut list| {
            list.set_key(key);
            !list.is_complete()
        })
    };
    let found = assembly.kept_rules().flat_map(|draft| &draft.links).find(is_unasked)?;
    Some((found.span, NO_KEY.to_owned()))
}

impl Program {
    /// The lists that these rules ask, each once.
    pub(crate) fn lists(&self, is_removed: impl Fn(u32) -> bool) -> Vec<AddressList> {
        let mut lists: Vec<AddressList> = Vec::new();
        for (_, rule) in (0..).zip(&self.rules).filter(|(at, _)| !is_removed(*at)) {
            for link in &rule.links {
                let Operator::Rbl(list) = &self.operators[link.operator as usize] else { continue };
                if list.is_complete() && !lists.contains(list) {
                    lists.push(list.clone());
                }
            }
        }
        lists
    }
}
