//! `yett waf test`: ftw tests against rules, in process.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use waf_rules::ftw::{self, Judgement, Report, Rules, Test};

use super::Done;
use super::paint::{Ink, Paint, safe, safe_lines};
use super::proof::observing;
use super::subject::SubjectArgs;

/// Tests, and the rules that are to pass them.
#[derive(Debug, Args)]
pub(in crate::cli) struct TestArgs {
    /// Test files of go-ftw's format, or folders of them.
    #[arg(required = true, value_name = "FILE_OR_DIRECTORY")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Level at which the rules run; tests usually want every rule.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=4))]
    level: u8,
    /// Compare `status` too: with 403, or what the rules say, where they would refuse, with 200 otherwise.
    #[arg(long)]
    status: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn test(args: &TestArgs) -> Result<Done, String> {
    let subject = args.subject.read()?;
    let profile = observing(&subject.profile()?, args.level)?;
    let mut tests = Vec::new();
    let mut problems = Vec::new();
    for path in &args.files {
        match ftw::read(path) {
            Ok(read) => tests.extend(read),
            Err(errors) => problems.extend(errors.iter().map(|error| safe(&error.to_string()))),
        }
    }
    if !problems.is_empty() {
        return Err(problems.join("\nerror: "));
    }
    if tests.is_empty() {
        return Err("no test in what was named: nothing was tested".into());
    }
    let report = ftw::run(Rules { profile: &profile, decide: args.status }, &tests);
    let passed = report.failed.is_empty();
    let text = if args.json {
        format!("{:#}\n", json(&tests, &report))
    } else {
        text(&tests, &report, &subject.name, Paint::of_stdout())
    };
    Ok(Done { text, passed })
}

fn text(tests: &[Test], report: &Report, name: &str, paint: Paint) -> String {
    let mut out = String::new();
    for (test, judgement) in tests.iter().zip(&report.judgements) {
        let Judgement::Failed(why) = judgement else { continue };
        let place = paint.ink(Ink::Dim, &safe(&test.file.display().to_string()));
        let _ = writeln!(out, "{}  {}  {place}", paint.ink(Ink::Red, "fail"), safe(&test.name));
        if !test.description.is_empty() {
            let _ = writeln!(out, "      {}", safe(test.description.trim()));
        }
        for line in safe_lines(why).lines() {
            let _ = writeln!(out, "      {line}");
        }
    }
    let (passed, failed) = (report.passed(), report.failed.len());
    let server = tests.len() - passed - failed;
    let ink = |count: usize, ink: Ink| if count > 0 { ink } else { Ink::Dim };
    let passed = paint.ink(ink(passed, Ink::Green), &format!("{passed} pass"));
    let failed = paint.ink(ink(failed, Ink::Red), &format!("{failed} fail"));
    let _ = write!(out, "{passed}, {failed}");
    if server > 0 {
        let _ = write!(out, ", {server} ask only a server and were not judged");
    }
    let _ = writeln!(out, ": {} tests, rules {}", tests.len(), safe(name));
    out
}

fn json(tests: &[Test], report: &Report) -> Value {
    let one = |(test, judgement): (&Test, &Judgement)| {
        let (result, why) = match judgement {
            Judgement::Passed => ("pass", None),
            Judgement::Failed(why) => ("fail", Some(why)),
            Judgement::AsksServer => ("not_judged", None),
        };
        json!({ "test": test.name, "file": test.file.display().to_string(), "result": result, "why": why })
    };
    json!({
        "passed": report.passed(),
        "failed": report.failed.len(),
        "not_judged": tests.len() - report.passed() - report.failed.len(),
        "tests": tests.iter().zip(&report.judgements).map(one).collect::<Vec<_>>(),
    })
}
