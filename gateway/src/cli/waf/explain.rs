//! `yett waf explain`: which rules match a request, where, with which bytes, what each adds, and what other levels and
//! thresholds would have decided.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use http::header::CONTENT_ENCODING;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use waf_rules::ftw::Request;
use waf_rules::{Explanation, Match, Outcome, Over, Profile, Transaction};

use super::paint::{Ink, Paint, Table, bytes, cut, safe};
use super::subject::{Config, Subject, SubjectArgs};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::compile::Step;
use crate::base::decision::{Finding, Mode};
use crate::cli::request::RequestArgs;
use crate::config::document::TestRequest;
use crate::pipeline::trial::{CLIENT, run};
use crate::stages::waf::coding::{Coding, Decoded, decode};
use crate::stages::waf::decide::too_large;
use crate::stages::waf::section::OverBound;

/// Largest raw request that is read, bytes.
const RAW_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes of a matched value that are shown.
const VALUE_BYTES: usize = 120;
/// Characters of a target that are shown.
const TARGET: usize = 48;

/// A request, and the rules that look at it.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Route whose changes hold; absent: the one that the request matches.
    #[arg(long, requires = "config", conflicts_with = "profile")]
    route: Option<String>,
    #[command(flatten)]
    request: RequestArgs,
    /// A whole request as it was sent, head and body, instead of --path and the others.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "method", "headers", "body"])]
    raw: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn explain(args: &ExplainArgs) -> Result<String, String> {
    let request = match &args.raw {
        Some(path) => read(path)?,
        None => wire(&args.request.request()?),
    };
    let chosen = Chosen::of(args, &request)?;
    let client = args.request.client.unwrap_or(CLIENT);
    let (body, unseen) = chosen.body_of(&request);
    let explanation = waf_rules::explain(&chosen.profile, |tx| feed(tx, &request, &body, client));
    let explanation = explanation.map_err(|errors| format!("{errors:?}"))?;
    let page = Page { request: &request, chosen: &chosen, explanation: &explanation, unseen };
    Ok(if args.json { format!("{:#}\n", page.json()) } else { page.text(Paint::of_stdout()) })
}

/// The profile that looks at the request, and how it came to that.
struct Chosen {
    profile: Profile,
    name: String,
    mode: Mode,
    route: Option<String>,
    at: Option<String>,
    /// Bytes of a body that the rules get.
    inspect: usize,
    /// A larger body is refused.
    reject: bool,
}

impl Chosen {
    fn of(args: &ExplainArgs, request: &Request) -> Result<Chosen, String> {
        if args.subject.config.is_none() || args.subject.profile.is_some() {
            return Chosen::without_route(args.subject.read()?);
        }
        let path = args.subject.config.clone().unwrap_or_default();
        let config = Config::read(path)?;
        let routes = &config.snapshot.routes;
        let index = match &args.route {
            Some(id) => {
                let found = routes.iter().position(|route| *route.id == **id);
                found.ok_or_else(|| format!("no route `{id}`"))?
            }
            None => matching(&config, request)?,
        };
        let route = &routes[index];
        let plan = route.waf.as_ref();
        let plan = plan.ok_or_else(|| format!("route `{}` is not inspected", route.id))?;
        let place: [Step; 3] = ["routes".into(), (route.slot as usize).into(), "waf".into()];
        Ok(Chosen {
            profile: plan.profile.clone(),
            name: plan.name.to_string(),
            mode: plan.mode,
            route: Some(route.id.to_string()),
            at: config.at(&place),
            inspect: plan.inspect,
            reject: plan.reject,
        })
    }

    fn without_route(subject: Subject) -> Result<Chosen, String> {
        let profile = subject.profile()?;
        let place: [Step; 2] = ["waf".into(), subject.name.clone().into()];
        let section = |config: &Config| Some(config.document.waf.get(&subject.name)?.mode);
        let body = subject.config.as_ref().and_then(|config| {
            let body = &config.document.waf.get(&subject.name)?.body;
            Some((body.inspect.0, body.over == OverBound::Reject))
        });
        let bounds = profile.bounds();
        let (inspect, reject) = body.unwrap_or((bounds.body_bytes, bounds.over == Over::Reject));
        Ok(Chosen {
            inspect,
            reject,
            profile,
            mode: subject.config.as_ref().and_then(section).unwrap_or_default(),
            at: subject.config.as_ref().and_then(|config| config.at(&place)),
            name: subject.name,
            route: None,
        })
    }
}

impl Chosen {
    /// The body as the rules get it, and why the gateway would refuse the request for it whatever they say.
    fn body_of(&self, request: &Request) -> (Vec<u8>, Option<Box<Finding>>) {
        let is_coding = |name: &[u8]| name.eq_ignore_ascii_case(b"content-encoding");
        let codings = request.headers.iter().filter(|(name, _)| is_coding(name));
        let fields: HeaderMap = codings
            .filter_map(|(_, value)| Some((CONTENT_ENCODING, HeaderValue::from_bytes(value).ok()?)))
            .collect();
        let (coding, readable) = Coding::of(&fields, self.inspect);
        let mut decoded = match coding {
            Coding::Plain => Decoded { bytes: request.body.clone(), cut: false, broken: None },
            Coding::Coded(mut decoder) => decode(&mut decoder, &request.body, true),
            Coding::Opaque => Decoded { bytes: Vec::new(), cut: false, broken: None },
        };
        let cut = decoded.cut || decoded.bytes.len() > self.inspect;
        decoded.bytes.truncate(self.inspect);
        let over = cut && self.reject && self.inspect > 0;
        let unseen = readable.err().or(decoded.broken);
        (decoded.bytes, unseen.or_else(|| over.then(|| too_large(self.inspect))))
    }
}

/// The route that the gateway would choose. What follows the choice of a route does not matter here.
fn matching(config: &Config, request: &Request) -> Result<usize, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers =
        request.headers.iter().map(|(name, value)| (text(name).to_lowercase(), text(value)));
    let headers: BTreeMap<String, String> = headers
        .filter(|(name, value)| {
            http::HeaderName::try_from(name).is_ok() && HeaderValue::try_from(value).is_ok()
        })
        .collect();
    let request = TestRequest {
        method: text(&request.method),
        host: request.header("host"),
        path: text(&request.target),
        headers,
        body: None,
        client: None,
        token: None,
    };
    let trial = run(&config.snapshot, &request)?;
    let exchange = &trial.exchange;
    exchange.matched.as_ref().map(|matched| matched.index as usize).ok_or_else(|| {
        let refused = exchange.ledger.decisive().unwrap_or(Code::RouteNotFound).as_str();
        format!("no route takes the request ({refused}); --route or --profile chooses the rules")
    })
}

fn read(path: &std::path::Path) -> Result<Request, String> {
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let length = std::fs::metadata(path).map_err(fail)?.len();
    if length > RAW_BYTES {
        return Err(format!("{}: {length} bytes, bound {RAW_BYTES}", path.display()));
    }
    let raw = std::fs::read(path).map_err(fail)?;
    let request = Request::read(&raw);
    check(&request, &raw).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(request)
}

/// Why a text is no request.
fn check(request: &Request, raw: &[u8]) -> Result<(), String> {
    if request.method.is_empty() || !request.target.starts_with(b"/") && request.target != b"*" {
        return Err(
            "this is no request: expected METHOD TARGET HTTP/1.1, fields, an empty line and a body"
                .into(),
        );
    }
    let ends = |mark: &[u8]| memchr::memmem::find(raw, mark).is_some();
    if !ends(b"\r\n\r\n") && !ends(b"\n\n") {
        return Err("the head of the request does not end: an empty line is missing".into());
    }
    let declared = request.header("content-length").and_then(|length| length.trim().parse().ok());
    match declared {
        Some(length) if request.body.len() < length => Err(format!(
            "the body has {} bytes, its Content-Length says {length}",
            request.body.len()
        )),
        _ => Ok(()),
    }
}

/// The request as the rules would be told of it.
fn wire(request: &TestRequest) -> Request {
    let body = request.body.clone().unwrap_or_default().into_bytes();
    let mut headers = vec![("Host".to_owned(), request.host.clone().unwrap_or_default())];
    headers.extend(request.headers.clone());
    if request.body.is_some() {
        headers.push(("Content-Length".to_owned(), body.len().to_string()));
    }
    Request {
        method: request.method.clone().into_bytes(),
        target: request.path.clone().into_bytes(),
        protocol: b"HTTP/1.1".to_vec(),
        headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        body,
    }
}

fn feed(mut tx: Transaction, request: &Request, body: &[u8], client: IpAddr) -> Transaction {
    tx.time(UNIX_EPOCH + Duration::from_micros(Now::read().unix_us));
    tx.connection(client, 0, IpAddr::from([0, 0, 0, 0]), 0);
    tx.request_line(&request.method, &request.target, &request.protocol);
    request.headers.iter().for_each(|(name, value)| tx.header(name, value));
    tx.head();
    if tx.wants_body() {
        // A body beyond the bound shows in the outcome.
        let _ = tx.body_chunk(body);
    }
    tx.body();
    tx.finish();
    tx
}

struct Page<'a> {
    request: &'a Request,
    chosen: &'a Chosen,
    explanation: &'a Explanation,
    /// What the gateway objects to, whatever the rules say.
    unseen: Option<Box<Finding>>,
}

impl Page<'_> {
    fn text(&self, paint: Paint) -> String {
        let mut out = String::new();
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "{}  {text}", paint.ink(Ink::Dim, &format!("{name:<9}")));
        };
        line(
            "request",
            &format!("{} {}", bytes(&self.request.method, 16), bytes(&self.request.target, 200)),
        );
        if let Some(route) = &self.chosen.route {
            line("route", &safe(route));
        }
        line("profile", &self.profile());
        line("looked at", &self.looked_at(paint));
        let _ = writeln!(out);
        out.push_str(&self.matches(paint));
        self.weights(&mut out, paint);
        out.push_str(&self.levels(paint));
        let _ = writeln!(out, "\n{}", self.verdict(paint));
        out
    }

    fn profile(&self) -> String {
        let options = self.chosen.profile.options();
        let mode = match self.chosen.mode {
            Mode::Enforce => "enforced",
            Mode::Monitor => "monitored",
            Mode::Off => "off",
        };
        let detection = match options.detection_paranoia {
            level if level > options.blocking_paranoia => format!(", detection {level}"),
            _ => String::new(),
        };
        let score = self.explanation.transaction.score();
        let at = self.chosen.at.as_deref().map(|at| format!("   {at}")).unwrap_or_default();
        safe(&format!(
            "{}, {mode}, level {}{detection}, threshold {}, {} exceptions{at}",
            self.chosen.name,
            options.blocking_paranoia,
            score.inbound_threshold,
            options.exclusions.len(),
        ))
    }

    fn looked_at(&self, paint: Paint) -> String {
        match self.explanation.transaction.outcome() {
            Outcome::Inspected => "everything".into(),
            Outcome::Partial(bound) | Outcome::Refused(bound) => {
                let text = format!("a part: bound `{}` exceeded", bound.as_str());
                paint.ink(Ink::Yellow, &text)
            }
        }
    }

    fn matches(&self, paint: Paint) -> String {
        let transaction = &self.explanation.transaction;
        if transaction.matches().is_empty() {
            return "no rule matched\n".into();
        }
        let mut table =
            Table::new(&["phase", "rule", "score", "level", "target", "message"], &[1, 2]);
        for found in transaction.matches() {
            let score = if found.score == 0 { "-".into() } else { format!("{:+}", found.score) };
            let level = level(found).map_or_else(|| "-".into(), |level| level.to_string());
            table.row([
                (Ink::Plain, found.phase.to_string()),
                (Ink::Bold, found.rule_id.to_string()),
                (if found.score > 0 { Ink::Red } else { Ink::Dim }, score),
                (Ink::Plain, level),
                (Ink::Cyan, cut(&safe(&found.target), TARGET)),
                (Ink::Plain, safe(&found.message)),
            ]);
            let empty = || (Ink::Plain, String::new());
            let value = format!("value `{}`", bytes(&found.matched, VALUE_BYTES));
            table.row([empty(), empty(), empty(), empty(), empty(), (Ink::Dim, value)]);
            if !found.data.is_empty() {
                let data = cut(&safe(&found.data), VALUE_BYTES + TARGET);
                table.row([empty(), empty(), empty(), empty(), empty(), (Ink::Dim, data)]);
            }
        }
        let dropped = transaction.matches_dropped();
        let more =
            if dropped > 0 { format!("{dropped} more matches scored\n") } else { String::new() };
        format!("{}{more}", table.text(paint, ""))
    }

    fn weights(&self, out: &mut String, paint: Paint) {
        if self.explanation.weights.is_empty() {
            return;
        }
        let one = |weight: &waf_rules::Weight| match weight.matches {
            1 => format!("{} {:+}", weight.rule_id, weight.score),
            times => format!("{} {:+} ({times} values)", weight.rule_id, weight.score),
        };
        let rules: Vec<String> = self.explanation.weights.iter().map(one).collect();
        let _ = writeln!(out, "\n{}  {}", paint.ink(Ink::Dim, "by rule "), rules.join(", "));
    }

    fn levels(&self, paint: Paint) -> String {
        let own = self.chosen.profile.options().blocking_paranoia;
        let head = ["level", "score", "threshold", "decision", "refused at thresholds"];
        let mut table = Table::new(&head, &[1, 2]);
        for at in &self.explanation.levels {
            let mark = if at.level == own { "*" } else { "" };
            let decision = at.decision.as_ref().map_or_else(
                || (Ink::Green, "passes".to_owned()),
                |why| (Ink::Red, format!("{} by rule {}", why.status, why.rule_id)),
            );
            let range = match at.score.inbound {
                score if score > 0 => format!("1 to {score}"),
                _ => "none".into(),
            };
            table.row([
                (Ink::Bold, format!("{}{mark}", at.level)),
                (Ink::Plain, at.score.inbound.to_string()),
                (Ink::Plain, at.score.inbound_threshold.to_string()),
                decision,
                (Ink::Plain, range),
            ]);
        }
        format!("\n{}", table.text(paint, ""))
    }

    fn verdict(&self, paint: Paint) -> String {
        let transaction = &self.explanation.transaction;
        let score = transaction.score();
        let sum = match score.inbound_threshold {
            0 => "the rules have no threshold".to_owned(),
            threshold => format!("score {} of {threshold}", score.inbound),
        };
        match (transaction.detected(), self.chosen.mode) {
            (None, mode) if self.unseen.is_some() => self.unseen_verdict(mode, paint),
            (None, _) => paint.ink(Ink::Green, &format!("passes: {sum}")),
            (Some(why), Mode::Enforce) => paint.ink(
                Ink::Red,
                &format!("refused with {} by rule {}: {sum}", why.status, why.rule_id),
            ),
            (Some(why), _) => {
                let text = format!(
                    "would be refused by rule {}, but the profile only records: {sum}",
                    why.rule_id
                );
                paint.ink(Ink::Yellow, &text)
            }
        }
    }

    fn unseen_verdict(&self, mode: Mode, paint: Paint) -> String {
        let Some(finding) = &self.unseen else { return String::new() };
        let (status, code) = (finding.code.status().as_u16(), finding.code.as_str());
        let why = safe(&finding.evidence);
        match mode {
            Mode::Enforce => paint.ink(Ink::Red, &format!("refused with {status} {code}: {why}")),
            _ => paint.ink(
                Ink::Yellow,
                &format!("would be refused, {code}, but the profile only records: {why}"),
            ),
        }
    }

    fn json(&self) -> Value {
        let transaction = &self.explanation.transaction;
        let score = transaction.score();
        let decision = |why: Option<&waf_rules::Interruption>| {
            why.map(|why| json!({ "rule": why.rule_id, "status": why.status }))
        };
        let level = |at: &waf_rules::AtLevel| {
            json!({
                "level": at.level,
                "score": at.score.inbound,
                "threshold": at.score.inbound_threshold,
                "decision": decision(at.decision.as_ref()),
            })
        };
        let weight = |weight: &waf_rules::Weight| json!({ "rule": weight.rule_id, "values": weight.matches, "score": weight.score });
        json!({
            "route": self.chosen.route,
            "profile": self.chosen.name,
            "complete": transaction.outcome() == Outcome::Inspected,
            "score": score.inbound,
            "threshold": score.inbound_threshold,
            "decision": decision(transaction.detected()),
            "unseen": self.unseen.as_ref().map(|finding| json!({ "code": finding.code.as_str(), "why": finding.evidence })),
            "matches": transaction.matches().iter().map(found).collect::<Vec<_>>(),
            "matched_rules": transaction.matched_rules(),
            "by_rule": self.explanation.weights.iter().map(weight).collect::<Vec<_>>(),
            "levels": self.explanation.levels.iter().map(level).collect::<Vec<_>>(),
        })
    }
}

fn level(found: &Match) -> Option<u8> {
    found.tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok())
}

fn found(found: &Match) -> Value {
    json!({
        "rule": found.rule_id,
        "phase": found.phase,
        "level": level(found),
        "score": found.score,
        "target": found.target,
        "value": found.matched.escape_ascii().to_string(),
        "data": found.data,
        "message": found.message,
        "tags": found.tags,
    })
}
