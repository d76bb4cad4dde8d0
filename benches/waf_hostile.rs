//! The slowest of many hostile requests of 64 KiB: seeded, so that each run asks the same.
//!
//! `cargo bench -p waf-rules --bench waf_hostile -- [COUNT] [PASSES] [RULES] [#NUMBER...]` prints the slowest requests of
//! each rule set (or of those whose name holds RULES) with the processor time they took. All are asked in every pass
//! (or those of a NUMBER, as they are printed, alone), each pass on a new thread that has learned nothing; the least
//! time counts, because on a shared machine the most says little.
#![allow(clippy::panic, reason = "a bench that cannot set up must stop")]

mod heavy;
mod rulesets;

use std::path::PathBuf;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use waf_rules::{Profile, Ruleset, Transaction};

use rulesets::{crs, profile};

const BYTES: usize = 64 * 1024;
const COUNT: usize = 1_200;
const PASSES: usize = 3;
/// How many of the slowest are shown.
const SHOWN: usize = 8;

type Measured = (Duration, u64, usize, &'static str);

#[derive(Clone)]
struct Hostile {
    kind: &'static str,
    target: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse().ok());
    let (count, passes) = (numbers.next().unwrap_or(COUNT), numbers.next().unwrap_or(PASSES));
    let is_name = |text: &&String| !text.starts_with(['-', '#']) && text.parse::<usize>().is_err();
    let asked: Vec<usize> =
        arguments.iter().filter_map(|argument| argument.strip_prefix('#')?.parse().ok()).collect();
    let wanted = arguments.iter().find(is_name).map_or("", String::as_str);
    let texts = Texts::new();
    let chosen: Vec<_> = match asked.iter().max() {
        Some(last) => requests(&texts, last + 1).filter(|(at, _)| asked.contains(at)).collect(),
        None => Vec::new(),
    };
    for (name, ruleset, paranoia) in rulesets() {
        if !name.contains(wanted) {
            continue;
        }
        let profile = profile(&ruleset, paranoia);
        println!("{name}");
        if chosen.is_empty() {
            honest(&profile);
        }
        let measure = || match chosen.as_slice() {
            [] => pass(&profile, requests(&texts, count)),
            chosen => pass(&profile, chosen.iter().cloned()),
        };
        let mut times = measure();
        for _ in 1..passes {
            let again = measure();
            times.iter_mut().zip(again).for_each(|(best, again)| *best = again.min(*best));
        }
        times.sort_unstable_by(|left, right| right.cmp(left));
        let total: Duration = times.iter().map(|(time, ..)| *time).sum();
        let asked = times.len();
        println!("{name}: {asked} requests, mean {:?}", total / u32::try_from(asked).unwrap_or(1));
        for (time, work, number, kind) in times.iter().take(SHOWN) {
            let rate = time.as_nanos() as f64 / (*work).max(1) as f64;
            println!(
                "  {time:>12?}  {work:>10} units  {rate:.2} ns each  request {number} ({kind})"
            );
        }
        let mut rates: Vec<f64> = times
            .iter()
            .map(|(time, work, ..)| time.as_nanos() as f64 / (*work).max(1) as f64)
            .collect();
        rates.sort_by(f64::total_cmp);
        let at = |share: usize| rates[(rates.len() - 1) * share / 100];
        println!(
            "  nanoseconds a unit: median {:.2}, 90 % {:.2}, 99 % {:.2}, most {:.2}",
            at(50),
            at(90),
            at(99),
            at(100)
        );
    }
}

/// Time and work of each request, its number and kind, all on one new thread.
fn pass(
    profile: &Profile,
    requests: impl Iterator<Item = (usize, Hostile)> + Send,
) -> Vec<Measured> {
    let one = |(number, request): (usize, Hostile)| {
        let (time, work) = cost(profile, &request);
        (time, work, number, request.kind)
    };
    let thread = std::thread::scope(|scope| scope.spawn(|| requests.map(one).collect()).join());
    thread.unwrap_or_else(|_| panic!("a request brought its thread down"))
}

/// What honest requests cost beside them: the first time, and once the thread knows their kind.
fn honest(profile: &Profile) {
    for heavy in heavy::heavy() {
        let run = || {
            let start = cpu_time();
            let mut tx = Transaction::new(profile.clone());
            heavy.inspect(&mut tx);
            (cpu_time().saturating_sub(start), tx.work(), tx.work_bound())
        };
        let (first, work, bound) = run();
        run();
        let (time, again, _) = run();
        println!(
            "  honest: {}: {first:?}, {work} units; then {time:?}, {again} of {bound}",
            heavy.name
        );
    }
}

/// Processor time and work of one request, from its first byte to its last phase. A profiler finds it by its name.
#[inline(never)]
fn cost(profile: &Profile, request: &Hostile) -> (Duration, u64) {
    let start = cpu_time();
    let mut tx = Transaction::new(profile.clone());
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 443);
    tx.request_line(b"POST", &request.target, b"HTTP/1.1");
    tx.header(b"Host", b"shop.example.com");
    request.headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value));
    tx.head();
    tx.body_chunk(&request.body).unwrap_or_else(|error| panic!("{error}"));
    tx.body();
    tx.finish();
    let work = tx.work();
    drop(tx);
    (cpu_time().saturating_sub(start), work)
}

/// Processor time of this thread.
fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// What attacks are made of.
struct Texts {
    /// Test files of the CRS, where there are any: attacks against every rule.
    attacks: Vec<u8>,
}

const FRAGMENTS: &[&str] = &[
    "' or 1=1 -- ",
    "union select ",
    "<script>",
    "../../",
    "${jndi:ldap://",
    "|| cat /etc/passwd;",
    "{{7*7}}",
    "sleep(5)",
    "<!--#exec",
    "php://input",
    "javascript:",
    "onerror=",
    "&#x6a;",
    "\\u003c",
    "%2527",
    "/*!50000",
    "waitfor delay",
    "$(id)",
    "`id`",
    "() { :;};",
    "System.out",
    "eval(",
    "base64_decode(",
    "a=b&",
    "\"><svg ",
    "(select(0)from(",
    "xp_cmdshell",
    "0x41424344",
    "cmd.exe /c ",
    "powershell -enc ",
    "@@version",
    "__proto__",
];
const RUNS: &[&str] = &[
    "a", "(", "'", "\\", "/", "../", "/*", "%25", "&#x", "\\u00", "<a ", "=", " ", "\t", ";", "1",
    "a.", "--", "\"", "${", "{{", "[", "%", "<", "@", "a'", "1,", "a b", "-1 ", "||", "<!--",
    "\u{e9}", "a=", "&&", "\r\n", "0x",
];

impl Texts {
    fn new() -> Self {
        let mut attacks = Vec::new();
        if let Ok(folder) = crs() {
            collect(&folder.join("tests/regression/tests"), &mut attacks);
        }
        Self { attacks }
    }

    /// About `bytes` bytes of one kind.
    fn text(&self, kind: usize, bytes: usize, seed: &mut u64) -> Vec<u8> {
        let mut text = Vec::with_capacity(bytes + 64);
        let run = RUNS[below(seed, RUNS.len())];
        while text.len() < bytes {
            match kind {
                0 => text.extend_from_slice(FRAGMENTS[below(seed, FRAGMENTS.len())].as_bytes()),
                1 => text.extend_from_slice(run.as_bytes()),
                2 => text.extend_from_slice(RUNS[below(seed, RUNS.len())].as_bytes()),
                3 => text.push(u8::try_from(32 + below(seed, 95)).unwrap_or(b' ')),
                _ if self.attacks.len() > 256 => {
                    let at = below(seed, self.attacks.len() - 200);
                    text.extend_from_slice(&self.attacks[at..at + 1 + below(seed, 199)]);
                }
                _ => text.push(u8::try_from(below(seed, 256)).unwrap_or(0)),
            }
        }
        text.truncate(bytes);
        text
    }
}

/// The first of them, numbered.
fn requests(texts: &Texts, count: usize) -> impl Iterator<Item = (usize, Hostile)> {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    (0..count).map(move |number| (number, hostile(number, texts, &mut seed)))
}

fn hostile(number: usize, texts: &Texts, seed: &mut u64) -> Hostile {
    let kind = number % 5;
    let text = |bytes, seed: &mut u64| texts.text(kind, bytes, seed);
    match below(seed, 7) {
        0 => form("one argument", &[("a".to_owned(), text(BYTES, seed))]),
        1 => {
            let pieces = 1 + below(seed, 990);
            let pairs: Vec<_> =
                (0..pieces).map(|n| (format!("a{n}"), text(BYTES / pieces, seed))).collect();
            form("many arguments", &pairs)
        }
        2 => {
            let pieces = 1 + below(seed, 990);
            let values = (0..pieces).map(|_| escape_json(&text(BYTES / pieces, seed)));
            let body = format!("[{}]", values.collect::<Vec<_>>().join(","));
            with_body("JSON", "application/json", body.into_bytes())
        }
        3 => {
            let mut body = b"<a>".to_vec();
            text(BYTES, seed).into_iter().filter(|byte| *byte != b'<').for_each(|b| body.push(b));
            body.extend_from_slice(b"</a>");
            with_body("XML", "application/xml", body)
        }
        4 => with_body("raw body", "text/plain", text(BYTES, seed)),
        5 => {
            let mut request = with_body("cookies", "text/plain", Vec::new());
            let pieces = 1 + below(seed, 400);
            let cookie = (0..pieces).flat_map(|_| [text(BYTES / pieces, seed), b"; c=".to_vec()]);
            request.headers.push(("Cookie", cookie.flatten().collect()));
            request
        }
        _ => {
            let mut request = with_body("target and headers", "text/plain", Vec::new());
            request.target = [b"/", text(BYTES / 2, seed).as_slice()].concat();
            request.headers.push(("User-Agent", text(BYTES / 4, seed)));
            request.headers.push(("Referer", text(BYTES / 4, seed)));
            request
        }
    }
}

fn form(kind: &'static str, pairs: &[(String, Vec<u8>)]) -> Hostile {
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={}", escape_url(value)));
    let mut body = pairs.collect::<Vec<_>>().join("&").into_bytes();
    body.truncate(2 * BYTES);
    with_body(kind, "application/x-www-form-urlencoded", body)
}

fn with_body(kind: &'static str, content_type: &str, mut body: Vec<u8>) -> Hostile {
    body.truncate(2 * BYTES);
    let headers = vec![
        ("Content-Type", content_type.as_bytes().to_vec()),
        ("Content-Length", body.len().to_string().into_bytes()),
    ];
    Hostile { kind, target: b"/search".to_vec(), headers, body }
}

/// Only what would end the value is escaped: the decoded value is as long as it can be.
fn escape_url(value: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'%' | b'&' | b'+' | b'=' | 0x80.. => format!("%{byte:02x}"),
        b' ' => "+".to_owned(),
        byte => char::from(*byte).to_string(),
    };
    value.iter().map(escape).collect()
}

fn escape_json(value: &[u8]) -> String {
    let escape = |byte: &u8| match byte {
        b'"' | b'\\' => format!("\\{}", char::from(*byte)),
        0..=0x1f | 0x80.. => format!("\\u{byte:04x}"),
        byte => char::from(*byte).to_string(),
    };
    format!("\"{}\"", value.iter().map(escape).collect::<String>())
}

fn collect(folder: &std::path::Path, text: &mut Vec<u8>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, text);
        } else {
            text.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
}

/// Xorshift: the same requests in every run.
fn below(seed: &mut u64, bound: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed % bound as u64).unwrap_or(0)
}

fn rulesets() -> Vec<(&'static str, Ruleset, u8)> {
    let build = |builder: waf_rules::RulesetBuilder| {
        builder.build().unwrap_or_else(|errors| panic!("{errors}"))
    };
    let mut rulesets = vec![("builtin pl1", build(Ruleset::builder().builtin()), 1)];
    match crs() {
        Ok(folder) => {
            let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
            let crs = build(builder.file(folder.join("rules/*.conf")));
            rulesets.extend([("crs pl1", crs.clone(), 1), ("crs pl4", crs, 4)]);
        }
        Err(remark) => eprintln!("{remark}"),
    }
    rulesets
}
