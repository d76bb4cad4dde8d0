//! `yett explain`: what would become of a request, stage by stage, offline, with the line of configuration that
//! decides.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use http::{HeaderMap, Method, Version};

use super::FAILED;
use super::check::compile;
use super::request::RequestArgs;
use crate::base::code::Stage;
use crate::base::compile::Step;
use crate::base::decision::{Finding, Mode};
use crate::base::raw::RawHead;
use crate::config::document::TestRequest;
use crate::config::load;
use crate::config::reload::{Accepted, Source};
use crate::config::snapshot::RoutePlan;
use crate::config::source::SourceMap;
use crate::pipeline::exchange::Head;
use crate::pipeline::trial::{Trial, run};
use crate::stages::route::Verdict;

/// The request to explain.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A file, or a directory whose *.yaml and *.yml files are one configuration.
    #[arg(long, value_name = "FILE_OR_DIRECTORY")]
    config: PathBuf,
    #[command(flatten)]
    request: RequestArgs,
}

/// Prints one line or more for each stage, and the verdict.
pub(super) fn explain(args: &ExplainArgs) -> ExitCode {
    let accepted = match compile(&Source::Path(args.config.clone())) {
        Ok(accepted) => accepted,
        Err(report) => {
            eprintln!("{report}");
            return ExitCode::from(FAILED);
        }
    };
    // Read again for the lines: a snapshot does not keep the text it came from.
    let source = load::load(&args.config).map(|loaded| loaded.source).ok();
    let text = args.request.request().and_then(|request| {
        let trial = run(&accepted.snapshot, &request)?;
        let explanation =
            Explanation { accepted: &accepted, source: source.as_ref(), trial: &trial };
        Ok(explanation.text(&request))
    });
    match text {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(FAILED)
        }
    }
}

struct Explanation<'a> {
    accepted: &'a Accepted,
    source: Option<&'a SourceMap>,
    trial: &'a Trial,
}

impl Explanation<'_> {
    fn text(&self, request: &TestRequest) -> String {
        let mut out = String::new();
        let canonical = &self.trial.exchange.reading.canonical;
        let read = match canonical.path.is_empty() {
            true => String::new(),
            false => format!("{} {} {}", request.method, canonical.host, canonical.target()),
        };
        self.stage(&mut out, Stage::Normalise, &read);
        self.stage(
            &mut out,
            Stage::Screen,
            &format!("client {}", self.trial.exchange.reading.client.ip),
        );
        self.stage(&mut out, Stage::Route, &self.route());
        self.candidates(&mut out, request);
        if let Some(route) = self.trial.exchange.route() {
            self.guards(&mut out, route);
        }
        self.verdict(&mut out);
        out
    }

    /// A stage's line, and what it objected.
    fn stage(&self, out: &mut String, stage: Stage, what: &str) {
        let _ = writeln!(out, "{:<10} {what}", stage.as_str());
        for finding in self.trial.exchange.ledger.findings() {
            if finding.code.stage() == stage {
                self.finding(out, finding);
            }
        }
    }

    fn finding(&self, out: &mut String, finding: &Finding) {
        let weight = if finding.enforced { "refuses" } else { "objects, does not count" };
        let _ =
            writeln!(out, "{:<10} {weight}: {} ({})", "", finding.code.as_str(), finding.evidence);
    }

    fn route(&self) -> String {
        match &self.trial.exchange.matched {
            Some(matched) => {
                let index = matched.index as usize;
                let id = &self.accepted.snapshot.routes[index].id;
                format!("{id}{}", self.at(&["routes".into(), index.into(), "match".into()]))
            }
            None => "no route".into(),
        }
    }

    fn candidates(&self, out: &mut String, request: &TestRequest) {
        let method = Method::from_bytes(request.method.as_bytes()).unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, value) in &request.headers {
            if let (Ok(name), Ok(value)) =
                (http::HeaderName::try_from(name), http::HeaderValue::try_from(value))
            {
                headers.append(name, value);
            }
        }
        let head = Head {
            method: &method,
            headers: &headers,
            version: Version::HTTP_11,
            target: b"",
            authority: None,
            raw: RawHead::default(),
        };
        for candidate in
            self.accepted.snapshot.table.explain(&self.trial.exchange.reading.request(head))
        {
            let why = match &candidate.verdict {
                Verdict::Wins => continue,
                Verdict::LessSpecific => "is less specific".to_owned(),
                Verdict::Method { allowed } => format!("takes only {allowed}"),
                Verdict::Header { name } => format!("wants another `{name}`"),
                Verdict::Host { wanted } => format!("is for host {wanted}"),
            };
            let index = candidate.index as usize;
            let id = &self.accepted.snapshot.routes[index].id;
            let at = self.at(&["routes".into(), index.into(), "match".into()]);
            let _ = writeln!(out, "{:<10} `{id}` {why}{at}", "");
        }
    }

    fn guards(&self, out: &mut String, route: &RoutePlan) {
        let limits = route.limits.early.limits().chain(route.limits.late.limits());
        let limits: Vec<String> = limits
            .map(|limit| {
                format!(
                    "{}{} (not counted here)",
                    limit.name,
                    self.at(&["limits".into(), limit.name.to_string().into()])
                )
            })
            .collect();
        self.stage(out, Stage::Ratelimit, &joined(&limits, "no limit"));
        let issuers: Vec<String> = route
            .identity
            .iter()
            .flat_map(|plan| &plan.issuers)
            .map(|issuer| {
                format!(
                    "token of {}{}",
                    issuer.name,
                    self.at(&["issuers".into(), issuer.name.to_string().into()])
                )
            })
            .collect();
        self.stage(out, Stage::Identity, &joined(&issuers, "public"));
        let who = match &self.trial.exchange.identity {
            Some(identity) => format!(
                "subject {}, scopes [{}], mfa {}",
                identity.subject,
                identity.scopes.join(" "),
                identity.mfa
            ),
            None => "anonymous".into(),
        };
        self.stage(out, Stage::Policy, &format!("{who}{}", self.of_route(route, "auth")));
        self.waf(out, route);
        if self.trial.exchange.ledger.decisive().is_none() {
            let to = match (&route.service, &route.respond) {
                (Some(service), _) => format!(
                    "{}{}",
                    service.name,
                    self.at(&["services".into(), service.name.to_string().into()])
                ),
                (None, Some(respond)) => format!("answered here with {}", respond.status),
                (None, None) => String::new(),
            };
            self.stage(out, Stage::Upstream, &to);
        }
    }

    fn waf(&self, out: &mut String, route: &RoutePlan) {
        let Some(plan) = &route.waf else {
            return self.stage(out, Stage::Waf, "not inspected");
        };
        let mode = match plan.mode {
            Mode::Enforce => "enforced",
            Mode::Monitor => "monitored",
            Mode::Off => "off",
        };
        let at = self.at(&["waf".into(), plan.name.to_string().into()]);
        self.stage(out, Stage::Waf, &format!("profile {}, {mode}{at}", plan.name));
        let Some(inspection) = &self.trial.exchange.inspection else { return };
        for found in inspection.matches() {
            let _ = writeln!(
                out,
                "{:<10} rule {} +{} at {}: {} `{}`",
                "", found.rule_id, found.score, found.target, found.message, found.matched
            );
        }
    }

    fn verdict(&self, out: &mut String) {
        let trial = self.trial;
        let _ = match trial.exchange.ledger.decisive_finding() {
            Some(finding) => {
                let status = finding.status().map(|status| status.as_u16().to_string());
                let status = status.as_deref().unwrap_or("no answer:");
                writeln!(out, "{:<10} {status} {}", "verdict", finding.code.as_str())
            }
            None => writeln!(out, "{:<10} {} allowed", "verdict", trial.status),
        };
    }

    fn of_route(&self, route: &RoutePlan, key: &'static str) -> String {
        let place = ["routes".into(), (route.slot as usize).into(), key.into()];
        match self.accepted.document.routes[route.slot as usize].auth {
            Some(_) => self.at(&place),
            None => self.at(&["defaults".into(), key.into()]),
        }
    }

    /// "  yett.yaml:9", or nothing for what is not written anywhere.
    fn at(&self, place: &[Step]) -> String {
        match self.source.and_then(|source| source.locate(place, true)) {
            Some(location) => format!("   {}:{}", location.file, location.line),
            None => String::new(),
        }
    }
}

fn joined(parts: &[String], none: &str) -> String {
    if parts.is_empty() { none.to_owned() } else { parts.join(&format!("\n{:<10} ", "")) }
}
