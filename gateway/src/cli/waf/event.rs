//! An event as the access log has it, read back. Whoever wrote it may be an attacker as far as its texts go: they are
//! taken for what they are, bounded, and never for instructions.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// Largest input, bytes.
const INPUT_BYTES: u64 = 16 * 1024 * 1024;

/// What an exception needs to know of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedEvent {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) route: String,
    pub(super) profile: String,
    pub(super) score: i64,
    pub(super) threshold: i64,
    pub(super) matches: Vec<LoggedMatch>,
    /// More matches than are listed.
    pub(super) matches_total: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LoggedMatch {
    pub(super) rule: u32,
    pub(super) target: String,
    pub(super) score: i64,
}

/// Reads the event from a file, from standard input (`-`), or from the text itself when it is JSON. Of several, `id`
/// chooses; without it there must be one with matches.
pub(super) fn read(from: &str, id: Option<&str>) -> Result<LoggedEvent, String> {
    let text = match from {
        "-" => bounded(std::io::stdin().lock(), "standard input")?,
        text if text.trim_start().starts_with(['{', '[']) => text.to_owned(),
        path => {
            let file = std::fs::File::open(Path::new(path));
            bounded(file.map_err(|error| format!("{path}: {error}"))?, path)?
        }
    };
    choose(&text, id)
}

fn bounded(from: impl Read, name: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = from.take(INPUT_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("{name}: {error}"))?;
    if bytes.len() as u64 > INPUT_BYTES {
        return Err(format!("{name}: more than {INPUT_BYTES} bytes; give the lines that matter"));
    }
    String::from_utf8(bytes).map_err(|_| format!("{name}: not UTF-8"))
}

/// One event of a text: an object, a list of them, or one on each line.
pub(super) fn choose(text: &str, id: Option<&str>) -> Result<LoggedEvent, String> {
    let values = match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(values)) => values,
        Ok(value) => vec![value],
        Err(_) => lines(text)?,
    };
    let wanted = |value: &&Value| match id {
        Some(id) => value["trace"]["id"] == id,
        None => value["yett"]["waf"]["matches"].as_array().is_some_and(|found| !found.is_empty()),
    };
    let found: Vec<&Value> = values.iter().filter(wanted).collect();
    match (found.as_slice(), id) {
        ([event], _) => parse(event),
        ([], Some(id)) => Err(format!("no event with the id `{id}`")),
        ([], None) => Err("no event in which a rule matched".into()),
        (many, _) => Err(format!("{} events in which rules matched; --id chooses one", many.len())),
    }
}

fn lines(text: &str) -> Result<Vec<Value>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(at, line): (usize, &str)| {
        serde_json::from_str(line)
            .map_err(|error| format!("line {}: not an event: {error}", at + 1))
    };
    lines.map(parse).collect()
}

fn parse(event: &Value) -> Result<LoggedEvent, String> {
    let yett = &event["yett"];
    let waf = &yett["waf"];
    let word = |value: &Value, name: &str| {
        value.as_str().map(str::to_owned).ok_or_else(|| format!("the event has no `{name}`"))
    };
    let listed = waf["matches"].as_array().ok_or("the event has no `yett.waf.matches`")?;
    let matches = listed.iter().map(logged_match).collect::<Result<Vec<_>, _>>()?;
    let total = waf["matches_total"].as_u64().and_then(|total| usize::try_from(total).ok());
    Ok(LoggedEvent {
        id: word(&event["trace"]["id"], "trace.id").unwrap_or_default(),
        method: word(&event["http"]["request"]["method"], "method").unwrap_or_default(),
        path: word(&event["url"]["path"], "url.path").unwrap_or_default(),
        route: word(&yett["route"], "yett.route")?,
        profile: word(&waf["profile"], "yett.waf.profile")?,
        score: waf["score"].as_i64().unwrap_or_default(),
        threshold: waf["threshold"].as_i64().unwrap_or_default(),
        matches_total: total.unwrap_or(matches.len()),
        matches,
    })
}

/// Ids are texts in the log, as ECS wants them.
fn logged_match(value: &Value) -> Result<LoggedMatch, String> {
    let id = value["rule"].as_str().map_or_else(|| value["rule"].to_string(), str::to_owned);
    Ok(LoggedMatch {
        rule: id.parse().map_err(|_| "a match of the event has no rule id".to_owned())?,
        target: value["target"].as_str().unwrap_or_default().to_owned(),
        score: value["score"].as_i64().unwrap_or_default(),
    })
}
