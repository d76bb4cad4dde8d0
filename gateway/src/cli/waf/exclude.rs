//! `yett waf exclude`: the narrowest exception for an event, as a change of the configuration, with the proof of what
//! still fires.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use waf_rules::ftw::Test;
use waf_rules::{Profile, ProfileOptions};

use super::Done;
use super::diff::unified;
use super::event::{self, LoggedEvent};
use super::paint::{Ink, Paint, safe, safe_lines};
use super::proof::{Origin, observing, passing, tests};
use super::propose::{Proposal, propose};
use super::subject::{Config, Subject, changed};
use crate::config::amend::{Amendment, add_exceptions};
use crate::config::snapshot::RoutePlan;
use crate::stages::waf::plan::{Day, EXPIRES_PLACEHOLDER, Plan, exclusion};
use crate::stages::waf::section::ExceptSection;

/// Share of a class's tests that may be lost, percent: those that carry their attack in the excepted field.
const LOST_PERCENT: usize = 10;
/// Tests that are named before the rest is only counted.
const NAMED: usize = 8;

/// An event in which rules matched an honest request.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExcludeArgs {
    /// The event as JSON: a file, `-` for standard input, or the line of the access log itself.
    event: String,
    /// A file, or a directory whose *.yaml and *.yml files are one configuration.
    #[arg(long, value_name = "FILE_OR_DIRECTORY")]
    config: PathBuf,
    /// Which of several events: its request id.
    #[arg(long)]
    id: Option<String>,
    /// The reason, for whoever reads the configuration next.
    #[arg(long)]
    why: Option<String>,
    /// Day from which on the exception no longer holds.
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<String>,
    /// Folder of ftw tests that are to pass as before; for the built-in rules theirs are used.
    #[arg(long, value_name = "DIR", env = "YETT_WAF_TESTS")]
    tests: Option<PathBuf>,
    /// Change the file. Wants a reason, an end, and a proof.
    #[arg(long, requires_all = ["why", "expires"])]
    write: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn exclude(args: &ExcludeArgs) -> Result<Done, String> {
    if let Some(day) = &args.expires {
        Day::parse(day)
            .ok_or_else(|| format!("--expires {day}: not a day, expected YYYY-MM-DD"))?;
    }
    let event = event::read(&args.event, args.id.as_deref())?;
    let config = Config::read(args.config.clone())?;
    let (index, plan) = place(&config, &event)?;
    let proposal = proposal(args, &event, &plan)?;
    let source = config.source.as_ref().ok_or("the configuration changed while it was read")?;
    let document =
        crate::config::load::load(&config.path).map_err(|report| report.to_string())?.document;
    let amendment = add_exceptions(source, &document, index, &proposal.exceptions)?;
    let rules = config.document.waf.get(&*plan.name).map(|section| section.rules.clone());
    let subject =
        Subject { config: None, name: plan.name.to_string(), rules: rules.unwrap_or_default() };
    let (tests, origin) = tests(&subject, args.tests.as_deref())?;
    let proof = Proof::of(&plan.profile, &proposal.exceptions, &tests, origin)?;
    let page = Page { event: &event, proposal: &proposal, amendment: &amendment, proof: &proof };
    let holds = proof.refusal().is_none();
    if args.write {
        if let Some(why) = proof.refusal() {
            return Err(format!("not written: {why}"));
        }
        write(&config.path, &amendment)?;
    }
    let text = match args.json {
        true => format!("{:#}\n", page.json()),
        false => page.text(Paint::of_stdout(), args.write),
    };
    Ok(Done { text, passed: holds || tests.is_empty() })
}

/// The route that the event names, and what runs there.
fn place(config: &Config, event: &LoggedEvent) -> Result<(usize, std::sync::Arc<Plan>), String> {
    let routes = &config.snapshot.routes;
    let index = routes.iter().position(|route| *route.id == *event.route);
    let index = index.ok_or_else(|| format!("the configuration has no route `{}`", event.route))?;
    let route: &RoutePlan = &routes[index];
    let plan = route.waf.clone();
    let plan = plan.ok_or_else(|| format!("route `{}` is not inspected any more", event.route))?;
    if *plan.name != *event.profile {
        let (now, then) = (&plan.name, &event.profile);
        return Err(format!(
            "route `{}` uses profile `{now}` now, the event is of `{then}`",
            event.route
        ));
    }
    Ok((route.slot as usize, plan))
}

fn proposal(args: &ExcludeArgs, event: &LoggedEvent, plan: &Plan) -> Result<Proposal, String> {
    let ruleset = plan.profile.ruleset();
    let level = plan.profile.options().blocking_paranoia;
    let known = |id: u32| ruleset.rules().find(|rule| rule.id() == id);
    if let Some(found) = event.matches.iter().find(|found| known(found.rule).is_none()) {
        return Err(format!("profile `{}` has no rule {}", plan.name, found.rule));
    }
    let counts = |id: u32| known(id).and_then(|rule| rule.paranoia()).unwrap_or(1) <= level;
    let why = args.why.as_deref().unwrap_or_default();
    propose(event, counts, why, args.expires.as_deref().unwrap_or(EXPIRES_PLACEHOLDER))
}

/// Tests of the classes of the excepted rules, before and after.
struct Proof {
    origin: Origin,
    classes: Vec<String>,
    tests: usize,
    before: usize,
    after: usize,
    lost: Vec<String>,
    /// Excepted rules of which no test fires any more.
    silenced: Vec<u32>,
}

impl Proof {
    fn of(
        profile: &Profile,
        exceptions: &[ExceptSection],
        tests: &[Test],
        origin: Origin,
    ) -> Result<Proof, String> {
        let excepted: Vec<u32> =
            exceptions.iter().flat_map(|except| except.rules.clone()).collect();
        let (classes, concerned) = concerned(profile, &excepted);
        let about = |test: &Test, ids: &[u32]| {
            let mut expected = test.stages.iter().flat_map(|stage| &stage.output.log.expect_ids);
            expected.any(|id| ids.contains(id))
        };
        let tests: Vec<Test> =
            tests.iter().filter(|test| about(test, &concerned)).cloned().collect();
        let now = observing(profile, 4)?;
        let mut options: ProfileOptions = now.options().clone();
        options.exclusions.extend(exceptions.iter().map(exclusion));
        let then = changed(now.ruleset(), options)?;
        let (before, after) = (passing(&now, &tests), passing(&then, &tests));
        let lost = before.iter().filter(|name| !after.contains(name));
        let fires = |id: u32, names: &[&str]| {
            tests.iter().any(|test| about(test, &[id]) && names.contains(&test.name.as_str()))
        };
        let silent = |id: &u32| fires(*id, &before) && !fires(*id, &after);
        Ok(Proof {
            origin,
            classes,
            tests: tests.len(),
            before: before.len(),
            after: after.len(),
            lost: lost.map(|name| (*name).to_owned()).collect(),
            silenced: excepted.into_iter().filter(silent).collect(),
        })
    }

    /// Why the exception is not to be taken; nothing: it holds.
    fn refusal(&self) -> Option<String> {
        if self.before == 0 {
            return Some(
                "nothing was proved: no test of these rules passes before the change".into(),
            );
        }
        if let Some(rule) = self.silenced.first() {
            return Some(format!("rule {rule} would fire in none of its tests any more"));
        }
        let bound = self.before * LOST_PERCENT / 100;
        let lost = self.lost.len();
        (lost > bound)
            .then(|| format!("{lost} of {} tests would be lost, bound {bound}", self.before))
    }
}

/// Classes of rules, and every rule of these classes; a rule without a class stands for itself.
fn concerned(profile: &Profile, excepted: &[u32]) -> (Vec<String>, Vec<u32>) {
    let class = |tag: &&String| tag.starts_with("attack-");
    let rules = || profile.ruleset().rules();
    let own = rules().filter(|rule| excepted.contains(&rule.id()));
    let mut classes: Vec<String> =
        own.flat_map(|rule| rule.tags().iter().filter(class).cloned()).collect();
    classes.sort();
    classes.dedup();
    let same = |rule: &waf_rules::RuleInfo<'_>| {
        excepted.contains(&rule.id()) || rule.tags().iter().any(|tag| classes.contains(tag))
    };
    let ids = rules().filter(same).map(|rule| rule.id()).collect();
    (classes, ids)
}

struct Page<'a> {
    event: &'a LoggedEvent,
    proposal: &'a Proposal,
    amendment: &'a Amendment,
    proof: &'a Proof,
}

impl Page<'_> {
    fn text(&self, paint: Paint, written: bool) -> String {
        let (event, proposal) = (self.event, self.proposal);
        let mut out = String::new();
        let mut line = |name: &str, text: &str| {
            let _ = writeln!(out, "{}  {text}", paint.ink(Ink::Dim, &format!("{name:<8}")));
        };
        line("event", &safe(&format!("{} {}   {}", event.method, event.path, event.id)));
        line(
            "route",
            &safe(&format!(
                "{}, profile {}, score {} of {}",
                event.route, event.profile, event.score, event.threshold
            )),
        );
        for except in &proposal.exceptions {
            let rules: Vec<String> = except.rules.iter().map(u32::to_string).collect();
            let field = except.field.as_deref().unwrap_or_default();
            line("except", &safe(&format!("{} at {field}", rules.join(", "))));
        }
        for note in &proposal.notes {
            line("note", &paint.ink(Ink::Yellow, &safe(note)));
        }
        line("then", &self.outcome(paint));
        line("proof", &self.proof_text(paint));
        let _ = writeln!(out, "\n{}", self.diff(paint));
        match written {
            true => out.push_str("written\n"),
            false => out.push_str(&self.missing()),
        }
        out
    }

    fn outcome(&self, paint: Paint) -> String {
        let (left, threshold) = (self.proposal.left, self.event.threshold);
        let sum = format!("the same request would score {left} of {threshold}");
        if threshold > 0 && left >= threshold {
            paint.ink(Ink::Red, &format!("{sum}: still refused"))
        } else {
            paint.ink(Ink::Green, &format!("{sum}: it passes"))
        }
    }

    fn proof_text(&self, paint: Paint) -> String {
        let proof = self.proof;
        if proof.tests == 0 {
            let loud =
                "NOTHING WAS PROVED: no tests of these rules; --tests DIR names a folder of them";
            return paint.ink(Ink::Red, loud);
        }
        let classes =
            if proof.classes.is_empty() { "these rules".into() } else { proof.classes.join(", ") };
        let counts = format!(
            "{classes}, {}: {} of {} tests fire before, {} after",
            proof.origin, proof.before, proof.tests, proof.after
        );
        let lost: Vec<&str> = proof.lost.iter().take(NAMED).map(String::as_str).collect();
        let more = proof.lost.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let lost = if lost.is_empty() {
            String::new()
        } else {
            format!("; lost: {}{more}", lost.join(" "))
        };
        match proof.refusal() {
            None => paint.ink(Ink::Green, &safe(&format!("{counts}{lost}"))),
            Some(why) => paint.ink(Ink::Red, &safe(&format!("{counts}{lost}; REFUSED: {why}"))),
        }
    }

    fn diff(&self, paint: Paint) -> String {
        let Amendment { file, before, after, .. } = self.amendment;
        let diff = unified(file, before, after);
        if !paint.0 {
            return diff;
        }
        let ink = |line: &str| match line.as_bytes().first() {
            Some(b'+') => Ink::Green,
            Some(b'-') => Ink::Red,
            Some(b'@') => Ink::Cyan,
            _ => Ink::Plain,
        };
        let lines = diff.lines().map(|line| paint.ink(ink(line), &safe_lines(line)));
        lines.map(|line| line + "\n").collect()
    }

    fn missing(&self) -> String {
        let open = |except: &ExceptSection| {
            except.why.is_empty() || except.expires.as_deref() == Some(EXPIRES_PLACEHOLDER)
        };
        match self.proposal.exceptions.iter().any(open) {
            true => "nothing was written; `yett check` refuses it until `why` and `expires` are filled in\n".into(),
            false => "nothing was written; --write does\n".into(),
        }
    }

    fn json(&self) -> Value {
        let proof = self.proof;
        json!({
            "event": self.event.id,
            "route": self.event.route,
            "profile": self.event.profile,
            "exceptions": self.proposal.exceptions,
            "notes": self.proposal.notes,
            "score": { "before": self.event.score, "after": self.proposal.left, "threshold": self.event.threshold },
            "proof": {
                "classes": proof.classes,
                "tests": proof.tests,
                "before": proof.before,
                "after": proof.after,
                "lost": proof.lost,
                "refusal": proof.refusal(),
            },
            "file": self.amendment.file,
            "diff": unified(&self.amendment.file, &self.amendment.before, &self.amendment.after),
        })
    }
}

/// Replaces the file in one step, if it still is what was read.
fn write(config: &Path, amendment: &Amendment) -> Result<(), String> {
    let path = if config.is_dir() { config.join(&amendment.file) } else { config.to_path_buf() };
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    let current = std::fs::read_to_string(&path).map_err(fail)?;
    let mark = if current.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    if current.strip_prefix(mark) != Some(amendment.before.as_str()) {
        return Err(format!("{}: changed in the meantime", path.display()));
    }
    // Links are followed: the file that is meant is replaced, not the link to it.
    let path = std::fs::canonicalize(&path).map_err(fail)?;
    let mut beside = path.clone().into_os_string();
    beside.push(".new");
    let permissions = std::fs::metadata(&path).map_err(fail)?.permissions();
    let written = std::fs::write(&beside, format!("{mark}{}", amendment.after));
    let written = written.and_then(|()| std::fs::set_permissions(&beside, permissions));
    written.and_then(|()| std::fs::rename(&beside, &path)).map_err(|error| {
        // What is left of it helps nobody.
        let _ = std::fs::remove_file(&beside);
        fail(error)
    })
}
