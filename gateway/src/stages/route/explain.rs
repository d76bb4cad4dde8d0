//! Why a request belongs to a route, and why the others lost. Offline: it may look at every route.

use std::ops::ControlFlow;

use super::decide::unmet;
use super::plan::RouteTable;
use super::table::{Node, Shape, Spans};
use super::words::Kind;
use crate::base::request::Request;

/// A route that came into question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Index of the route in the configuration.
    pub index: u32,
    pub verdict: Verdict,
}

/// What became of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The request belongs to it.
    Wins,
    /// Everything fits, a more specific route won.
    LessSpecific,
    /// Host and path fit, the method is none of these.
    Method { allowed: String },
    /// Host and path fit, this field is absent, repeated or has another value.
    Header { name: String },
    /// The path fits, the host does not.
    Host { wanted: String },
}

impl RouteTable {
    /// Every route whose host and path fit, most specific first; when there is none, the routes of other hosts
    /// whose path fits.
    pub fn explain(&self, request: &Request<'_>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let mut won = false;
        let _ = self.table.walk(
            request.host(),
            request.path(),
            &mut |index, shape: &Shape, _: &Spans| {
                let verdict = self.judge(shape, request, won);
                won |= verdict == Verdict::Wins;
                candidates.push(Candidate { index, verdict });
                ControlFlow::Continue(())
            },
        );
        if candidates.is_empty() {
            candidates = self.under_other_hosts(request);
        }
        candidates
    }

    fn judge(&self, shape: &Shape, request: &Request<'_>, won: bool) -> Verdict {
        if let Some((name, _)) = unmet(&shape.conditions, request.headers) {
            return Verdict::Header { name: name.to_string() };
        }
        if !shape.methods.meets(self.methods.find(request.method)) {
            return Verdict::Method { allowed: self.methods.allow(shape.methods) };
        }
        if won { Verdict::LessSpecific } else { Verdict::Wins }
    }

    fn under_other_hosts(&self, request: &Request<'_>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for root in self.table.roots() {
            let _ =
                self.table.walk_below(root, request.path(), &mut |index, _: &Shape, _: &Spans| {
                    candidates.push(self.other_host(root, index));
                    ControlFlow::Continue(())
                });
        }
        candidates
    }

    fn other_host(&self, root: Node, index: u32) -> Candidate {
        let (kind, text) = self.table.words.get(root.word);
        let text = String::from_utf8_lossy(text);
        let wanted = if kind == Kind::Wildcard { format!("*.{text}") } else { text.into_owned() };
        Candidate { index, verdict: Verdict::Host { wanted } }
    }
}
