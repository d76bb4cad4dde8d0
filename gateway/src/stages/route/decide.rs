//! The route of a request.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, header};

use super::methods::MethodSet;
use super::plan::RouteTable;
use super::table::{Condition, Names, Shape, Spans};
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::base::request::Request;

/// The route a request belongs to, and what its parameters hold.
#[derive(Clone, Debug)]
pub struct Matched {
    /// Index of the route in the configuration.
    pub index: u32,
    /// `None` when the route has no parameters.
    names: Option<Names>,
    spans: Spans,
}

impl Matched {
    /// What a parameter holds, still percent-encoded. `path` is the path that was matched.
    pub fn param<'p>(&self, path: &'p str, name: &str) -> Option<&'p str> {
        let (_, range) = self.params().find(|(known, _)| &***known == name)?;
        path.get(range)
    }

    /// Names of the parameters with their places in the path, in order.
    pub fn params(&self) -> impl Iterator<Item = (&Arc<str>, Range<usize>)> {
        let names = self.names.iter().flat_map(|names| names.iter());
        names.zip(self.spans.iter().map(|span| span.start as usize..span.end as usize))
    }
}

impl RouteTable {
    /// The most specific route whose host, path, methods and header conditions all fit.
    pub fn decide(&self, request: &Request<'_>) -> Decision<Matched> {
        let method = self.methods.find(request.method);
        let mut matched = None;
        let mut allowed = MethodSet::NONE;
        let _ =
            self.table.walk(request.host(), request.path(), &mut |index, shape: &Shape, spans| {
                if unmet(&shape.conditions, request.headers).is_some() {
                    return ControlFlow::Continue(());
                }
                if !shape.methods.meets(method) {
                    allowed = allowed.and(shape.methods);
                    return ControlFlow::Continue(());
                }
                let names = (!spans.is_empty()).then(|| Arc::clone(&shape.names));
                matched = Some(Matched { index, names, spans: Spans::clone(spans) });
                ControlFlow::Break(())
            });
        matched.ok_or_else(|| self.refuse(request, allowed))
    }

    /// 405 when another method would have been served here (RFC 9110 §15.5.6), else 404.
    fn refuse(&self, request: &Request<'_>, allowed: MethodSet) -> Box<Finding> {
        if allowed == MethodSet::NONE {
            return Finding::new(
                Code::RouteNotFound,
                "no route has this host, path and header fields",
            );
        }
        let allow = self.methods.allow(allowed);
        let finding = Finding::new(
            Code::RouteMethod,
            format!("method {}, allowed {allow}", clip(request.method.as_str())),
        );
        match HeaderValue::from_str(&allow) {
            Ok(value) => finding.header(header::ALLOW, value),
            Err(_) => finding,
        }
    }
}

/// The first condition that the request does not meet: absent, repeated or another value.
pub(super) fn unmet<'c>(conditions: &'c [Condition], headers: &HeaderMap) -> Option<&'c Condition> {
    conditions.iter().find(|(name, wanted)| {
        let mut values = headers.get_all(name).iter();
        values.next() != Some(wanted) || values.next().is_some()
    })
}

/// Methods are the client's text and as long as it likes.
fn clip(method: &str) -> &str {
    method.get(..method.len().min(32)).unwrap_or("")
}
