//! CRS here, here without the prefilter, and in libmodsecurity: processor time of whole transactions on the same
//! requests under the same rules, in turns, so that what the machine does besides hits all of them.

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use waf_rules::{Profile, Ruleset, Transaction};

use crate::kinds::{self, Request};
use crate::peer::{self, Peer};
use crate::rulesets::{crs, profile, unbounded};
use crate::{cpu_time, inspect};

/// What asks for this table alone.
const FILTER: &str = "beside";
/// Rounds that count, and those before them that do not.
const ROUNDS: usize = 21;
const WARM_UP: usize = 3;
/// Requests of a round; libmodsecurity gets the first.
const BATCH: usize = 8;

/// Kinds at paranoia 4; at 1 all but the attack.
const AT_LEVEL_4: &[&str] = &["simple_get", "browser_get", "json_500_leaves"];

/// What all run under, beside CRS and its set-up example.
const SETUP: &str = r#"
SecRuleEngine DetectionOnly
SecAuditEngine Off
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecResponseBodyAccess On
SecResponseBodyMimeType text/html
SecResponseBodyLimit 1048576
SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" \
    "id:1001,phase:1,pass,nolog,t:none,t:lowercase,ctl:requestBodyProcessor=JSON"
"#;

/// Medians of one kind of request.
struct Row {
    name: String,
    ours: Duration,
    naive: Duration,
    theirs: Duration,
    /// libmodsecurity without a rule: reading the request, and the Python around it.
    bare: Duration,
}

/// Everything that measures at one level.
struct Level {
    paranoia: u8,
    profile: Profile,
    unbounded: Profile,
    theirs: Peer,
    bare: Peer,
}

/// Prints the table, unless the command line asks for something else.
pub(crate) fn run() {
    let other = |argument: &String| !argument.starts_with("--") && argument != FILTER;
    let asked: Vec<String> = env::args().skip(1).collect();
    if asked.iter().any(other) || asked.iter().any(|flag| flag == "--test" || flag == "--list") {
        return;
    }
    let folder = match crs() {
        Ok(folder) => folder,
        Err(why) => return eprintln!("{why}"),
    };
    let Some(python) = peer::python() else { return };
    let rows = measure(&folder, &python).unwrap_or_else(|error| panic!("{error}"));
    print(&rows);
}

fn measure(crs: &Path, python: &Path) -> io::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for paranoia in [1, 4] {
        let mut level = Level::start(crs, python, paranoia)?;
        if paranoia == 1 {
            println!("\n{}, Python around it included", level.theirs.engine);
        }
        let taken = |kind: &Request| match paranoia {
            1 => kind.name != "sqli_get",
            _ => AT_LEVEL_4.contains(&kind.name),
        };
        for kind in kinds::requests().iter().filter(|kind| taken(kind)) {
            rows.push(level.row(kind)?);
        }
    }
    Ok(rows)
}

impl Level {
    fn start(crs: &Path, python: &Path, paranoia: u8) -> io::Result<Self> {
        let include = |path: PathBuf| format!("Include {}", path.display());
        let levels = format!(
            "SecAction \"id:1000,phase:1,pass,nolog,t:none,\
             setvar:tx.blocking_paranoia_level={paranoia},setvar:tx.detection_paranoia_level={paranoia}\""
        );
        let rules = [
            include(crs.join("crs-setup.conf.example")),
            SETUP.to_owned(),
            levels,
            include(crs.join("rules/*.conf")),
        ];
        let builder = Ruleset::builder();
        let builder = rules.iter().fold(builder, |builder, text| builder.text("bench", text));
        let ruleset = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
        Ok(Self {
            paranoia,
            profile: profile(&ruleset, paranoia),
            unbounded: unbounded(&ruleset, paranoia),
            theirs: Peer::start(python, &rules)?,
            bare: Peer::start(python, &[SETUP.to_owned()])?,
        })
    }

    fn row(&mut self, kind: &Request) -> io::Result<Row> {
        let mut samples: [Vec<Duration>; 4] = Default::default();
        let mut number = 100_000;
        for round in 0..WARM_UP + ROUNDS {
            let requests: Vec<Request> = (0..BATCH)
                .map(|_| {
                    number += 1;
                    kind.fresh(number)
                })
                .collect();
            let (request, response) = requests[0].with_answer();
            let times = [
                time(&requests, || Transaction::new(self.profile.clone())),
                time(&requests[..1], || Transaction::exhaustive(self.unbounded.clone())),
                self.theirs.ask(&request, &response)?.1,
                self.bare.ask(&request, &response)?.1,
            ];
            if round >= WARM_UP {
                samples.iter_mut().zip(times).for_each(|(samples, time)| samples.push(time));
            }
        }
        let [ours, naive, theirs, bare] = samples.map(median);
        let name = format!("PL{} {}", self.paranoia, kind.name);
        Ok(Row { name, ours, naive, theirs, bare })
    }
}

/// Processor time of one transaction, its end included.
fn time(requests: &[Request], new: impl Fn() -> Transaction) -> Duration {
    let began = cpu_time();
    requests.iter().for_each(|request| drop(inspect(new(), request)));
    let count = u32::try_from(requests.len()).unwrap_or(1).max(1);
    cpu_time().saturating_sub(began) / count
}

fn median(mut samples: Vec<Duration>) -> Duration {
    samples.sort();
    samples[samples.len() / 2]
}

fn print(rows: &[Row]) {
    println!("processor time of a transaction in microseconds, median of {ROUNDS} rounds in turns");
    println!(
        "{:<24} {:>9} {:>9} {:>15} {:>14} {:>7} {:>7}",
        "request", "here", "naive", "libmodsecurity", "its bare cost", "ratio", "naive"
    );
    for row in rows {
        let times = |time: Duration| time.as_secs_f64() / row.ours.as_secs_f64();
        println!(
            "{:<24} {:>9.1} {:>9.1} {:>15.1} {:>14.1} {:>6.1}x {:>6.1}x",
            row.name,
            micros(row.ours),
            micros(row.naive),
            micros(row.theirs),
            micros(row.bare),
            times(row.theirs),
            times(row.naive),
        );
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
