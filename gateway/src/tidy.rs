//! House rules, held by reading the sources: who may import whom, how long a file and a function may be, that what is
//! declared is used and documented, and that nothing of one machine is in the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::base::code::Code;
use crate::base::compile::number;
use crate::telemetry::metrics::Metric;

/// Lines of a file without its tests.
const FILE_LINES: usize = 600;
/// Lines of a function, its signature included.
const FUNCTION_LINES: usize = 70;
/// `file function` with the reason why it may be longer. Empty is how it should be.
const LONGER: &[(&str, &str)] = &[];

/// What each folder of `gateway/src` may use beside itself. The order is the one of the tour in `lib.rs`.
const IMPORTS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("state", &["base"]),
    ("stages", &["base", "state"]),
    ("config", &["base", "state", "stages"]),
    ("pipeline", &["base", "state", "stages", "config"]),
    ("telemetry", &["base"]),
    ("edge", &["base", "state", "stages", "config", "pipeline", "telemetry"]),
    ("admin", &["base", "state", "config", "telemetry"]),
    ("cli", &["base", "state", "stages", "config", "pipeline", "telemetry", "edge", "admin"]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// One source file.
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    /// Folders and file below `gateway/src`, without the extension: `stages/route/plan` -> [stages, route, plan].
    fn module(&self) -> Vec<&str> {
        let path = self.path.strip_prefix("gateway/src/").unwrap_or(&self.path);
        let path = path.strip_suffix(".rs").unwrap_or(path);
        path.split('/').filter(|part| *part != "mod").collect()
    }

    fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| matches!(part, "tests" | "tests.rs" | "testing.rs" | "tidy.rs"))
    }

    /// Lines of code with their numbers, without comments.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        lines
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }
}

/// The root of the repository that is tested. Asked when the tests run: what was built is shared between checkouts, and a
/// path of another one would be read in its place. A binary that is started by hand stands in its package.
pub(crate) fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR");
    package.map_or_else(|| PathBuf::from("."), PathBuf::from).join("..")
}

/// Files below `folder` whose name ends in one of `endings`; nothing that is built, fetched or hidden.
fn files(folder: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    walk(&root().join(folder), endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    let skipped = |name: &str| name == "target" || name.starts_with(".git") || name == ".cache";
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if skipped(name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, endings, found);
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            found.push(Source { path, text });
        }
    }
}

fn gateway() -> Vec<Source> {
    let sources = files("gateway/src", &[".rs"]);
    assert!(sources.len() > 150, "only {} sources were found", sources.len());
    sources
}

/// Fails with every breach, not with the first.
fn assert_none(rule: &str, breaches: Vec<String>) {
    assert!(breaches.is_empty(), "{rule}:\n  {}", breaches.join("\n  "));
}

/// Modules that a line names, from the root of the crate: `crate::a::b` as it stands, `super::` counted up.
fn named(line: &str, module: &[&str], paths: &Regex) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for found in paths.captures_iter(line) {
        let below = found[2].split("::").filter(|part| !part.is_empty()).map(str::to_owned);
        // `crate::` climbs to the root.
        let climbed = found[1].matches("super::").count();
        let kept = if climbed == 0 { 0 } else { module.len().saturating_sub(climbed) };
        all.push(module[..kept].iter().map(|part| (*part).to_owned()).chain(below).collect());
    }
    all
}

#[test]
fn imports_point_one_way() {
    let paths = Regex::new(r"\b(crate::|(?:super::)+)((?:[a-z_0-9]+(?:::)?)*)").unwrap();
    let allowed: BTreeMap<&str, &[&str]> = IMPORTS.iter().copied().collect();
    let mut breaches = Vec::new();
    for source in gateway().iter().filter(|source| source.path != "gateway/src/tidy.rs") {
        let module = source.module();
        let own = module[0];
        let Some(may) = allowed.get(own) else {
            breaches.push(format!("{}: folder `{own}` has no rule in tidy.rs", source.path));
            continue;
        };
        for (at, line) in source.code() {
            for path in named(line, &module, &paths) {
                let Some(other) = path.first().filter(|other| allowed.contains_key(other.as_str()))
                else {
                    continue;
                };
                let folder = other != own && !may.contains(&other.as_str());
                let stage = own == "stages"
                    && other == "stages"
                    && path.len() > 1
                    && module.len() > 1
                    && path[1] != module[1];
                if folder || stage {
                    breaches.push(format!("{}:{at}: {}", source.path, path.join("::")));
                }
            }
        }
    }
    assert_none("a folder uses one that it may not know", breaches);
}

#[test]
fn only_edge_names_the_framework() {
    let framework = Regex::new(r#"(^|[^"\w])pingora(_\w+)?::|^\s*use pingora"#).unwrap();
    let mut breaches = Vec::new();
    for source in gateway().iter().filter(|source| !source.path.starts_with("gateway/src/edge/")) {
        let named = source.code().filter(|(_, line)| framework.is_match(line));
        breaches.extend(named.map(|(at, line)| format!("{}:{at}: {}", source.path, line.trim())));
    }
    for source in files("waf-rules/src", &[".rs"]) {
        for word in ["pingora", "tokio"] {
            let named = source.code().filter(|(_, line)| line.contains(&format!("{word}::")));
            breaches.extend(named.map(|(at, _)| format!("{}:{at}: {word}", source.path)));
        }
    }
    assert_none("the framework is named outside of `edge`", breaches);
}

#[test]
fn every_stage_folder_holds_the_same_files() {
    let mut breaches = Vec::new();
    for folder in fs::read_dir(root().join("gateway/src/stages")).unwrap() {
        let folder = folder.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        for file in ["mod.rs", "section.rs", "plan.rs", "decide.rs"] {
            if !folder.join(file).is_file() {
                breaches.push(format!("{}: no {file}", folder.display()));
            }
        }
        if !folder.join("tests.rs").is_file() && !folder.join("tests/mod.rs").is_file() {
            breaches.push(format!("{}: no tests", folder.display()));
        }
        let code = fs::read_to_string(folder.join("decide.rs")).unwrap_or_default();
        for (at, line) in code.lines().enumerate() {
            // What waits for keys or a store measures its own wait, by the runtime's clock.
            let clock = [" Instant::now(", "time::Instant::now(", "SystemTime::now(", "Now::read("];
            let runtime = line.contains("tokio::time::Instant::now(");
            if !runtime && clock.iter().any(|clock| line.contains(clock)) {
                breaches.push(format!(
                    "{}/decide.rs:{}: reads the clock",
                    folder.display(),
                    at + 1
                ));
            }
        }
    }
    assert_none("a stage is not built like the others", breaches);
}

#[test]
fn files_and_functions_stay_short() {
    let mut breaches = Vec::new();
    let mut functions = 0;
    for source in files("gateway/src", &[".rs"]).iter().chain(&files("waf-rules/src", &[".rs"])) {
        if source.is_test() {
            continue;
        }
        let lines = source.text.lines().count();
        if lines > FILE_LINES {
            breaches.push(format!("{}: {lines} lines, budget {FILE_LINES}", source.path));
        }
        for (name, lines) in lengths(&source.text) {
            functions += 1;
            let known = format!("{} {name}", source.path);
            if lines > FUNCTION_LINES && !LONGER.iter().any(|(longer, _)| *longer == known) {
                breaches.push(format!("{known}: {lines} lines, budget {FUNCTION_LINES}"));
            }
        }
    }
    assert!(functions > 1_000, "only {functions} functions were measured");
    assert_none("too long", breaches);
}

/// Functions with their lines: from `fn` to the brace that stands below it, as rustfmt sets it.
fn lengths(text: &str) -> Vec<(String, usize)> {
    let start = Regex::new(r"^(\s*)(?:pub(?:\([^)]*\))? )?(?:const |async )*fn (\w+)").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(named) = start.captures(line) else { continue };
        let one_line = line.ends_with('}') || line.ends_with(';');
        let end = format!("{}}}", &named[1]);
        let length =
            lines[at..].iter().position(|line| *line == end).map_or(1, |length| length + 1);
        found.push((named[2].to_owned(), if one_line { 1 } else { length }));
    }
    found
}

/// Sources in which something declared elsewhere counts as used.
fn users(except: &str) -> String {
    let sources = gateway();
    let used = sources.iter().filter(|source| !source.is_test() && source.path != except);
    used.map(|source| source.text.as_str()).collect::<Vec<_>>().join("\n")
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).unwrap()
}

#[test]
fn every_finding_code_is_made_somewhere_and_explained_once() {
    let text = users("gateway/src/base/code.rs");
    let unused = Code::ALL.iter().filter(|code| !text.contains(&format!("Code::{code:?}")));
    assert_none("no stage makes it", unused.map(|code| code.as_str().to_owned()).collect());

    let headings: Vec<String> = page("findings.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### ").map(str::to_owned))
        .collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(headings, codes, "docs/findings.md has one heading per code, in their order");

    let elsewhere =
        files("docs", &[".md"]).into_iter().filter(|page| page.path != "docs/findings.md");
    let mut breaches = Vec::new();
    for page in elsewhere {
        let twice = codes.iter().filter(|code| page.text.contains(&format!("### {code}\n")));
        breaches.extend(twice.map(|code| format!("{}: {code}", page.path)));
    }
    assert_none("explained twice: docs/findings.md has it", breaches);
}

/// The status, the title and the stage of each heading are those of the code.
#[test]
fn findings_tell_the_client_what_the_page_says() {
    let page = page("findings.md");
    let mut breaches = Vec::new();
    for code in Code::ALL {
        let section = page.split(&format!("### {}\n", code.as_str())).nth(1).unwrap_or_default();
        let section = section.split("\n#").next().unwrap_or_default();
        let client = format!("- **Client**: {} \"{}\"", code.status().as_u16(), code.title());
        for part in ["- **When**: ", &client, "- **Event**: ", "- **Cause**: ", "- **Fix**: "] {
            if !section.contains(part) {
                breaches.push(format!("{}: `{part}`", code.as_str()));
            }
        }
    }
    assert_none("docs/findings.md does not say", breaches);
}

#[test]
fn every_metric_is_set_somewhere_and_documented() {
    let text = users("gateway/src/telemetry/metrics/names.rs");
    let page = page("telemetry.md");
    let mut breaches = Vec::new();
    for metric in Metric::ALL {
        if !text.contains(&format!("{metric:?}")) {
            breaches.push(format!("{} is never set", metric.name()));
        }
        let row = format!("| `{}` |", metric.name());
        if !page.contains(&row) {
            breaches.push(format!("{} has no row in docs/telemetry.md", metric.name()));
        }
    }
    assert_none("metrics", breaches);
}

#[test]
fn every_problem_has_a_name_and_every_name_is_used() {
    let raw =
        Regex::new(r"(cx\.(error|warning|unknown)\(\s*[0-9])|(const [A-Z_]+: u16 = )").unwrap();
    let numbers = "gateway/src/base/compile/number.rs";
    let text = users(numbers);
    let mut breaches = Vec::new();
    for source in gateway().iter().filter(|source| !source.is_test() && source.path != numbers) {
        let found = raw.find_iter(&source.text).map(|found| found.as_str().trim().to_owned());
        breaches.extend(found.map(|found| format!("{}: `{found}`", source.path)));
    }
    let unused = number::ALL
        .iter()
        .filter(|(_, name)| !Regex::new(&format!(r"number::{name}\b")).unwrap().is_match(&text));
    breaches.extend(unused.map(|(number, name)| format!("Y{number:03} {name} is never reported")));
    assert_none("numbers of problems stand in base/compile/number.rs", breaches);
}

#[test]
fn nothing_of_one_machine_is_in_the_tree() {
    // Written in two parts, so that this file does not hold them.
    let homes = [("/ho", "me/"), ("/ro", "ot/"), ("/Us", "ers/"), ("/wo", "rk/")];
    let registries = [
        ("index.cra", "tes.io"),
        ("ghc", "r.io"),
        ("qua", "y.io"),
        ("arti", "factory"),
        ("nex", "us"),
    ];
    let kinds = [
        ".rs",
        ".md",
        ".toml",
        ".yaml",
        ".yml",
        ".json",
        ".sh",
        ".js",
        ".py",
        ".conf",
        ".txt",
        "Makefile",
        "Dockerfile",
        "run",
    ];
    let found = files("", &kinds);
    assert!(found.len() > 200, "only {} files were found", found.len());
    let mut breaches = Vec::new();
    for source in &found {
        for (start, end) in homes.iter().chain(&registries) {
            let word = format!("{start}{end}");
            for (at, line) in source.text.lines().enumerate() {
                if is_word(line, &word) {
                    breaches.push(format!("{}:{}: {word}", source.path, at + 1));
                }
            }
        }
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let foreign = lock.lines().filter(|line| {
        line.starts_with("source = ") && !line.contains("github.com/rust-lang/crates.io-index")
    });
    breaches.extend(foreign.map(|line| format!("Cargo.lock: {line}")));
    assert_none("an address of one machine or one company", breaches);
}

/// A path or a name, not the end of a longer one.
fn is_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|before| {
            before.is_alphanumeric() || matches!(before, '.' | '}' | '-' | '_' | '*')
        })
    })
}

#[test]
fn links_and_maps_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:\s]+)(?:#([^)]+))?\)").unwrap();
    let mut pages = files("docs", &[".md"]);
    pages.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].iter().filter_map(|name| {
        let text = fs::read_to_string(root().join(name)).ok()?;
        Some(Source { path: (*name).to_owned(), text })
    }));
    let mut breaches = Vec::new();
    for page in &pages {
        let folder = root().join(&page.path).parent().unwrap().to_owned();
        for found in link.captures_iter(&page.text) {
            let target = folder.join(&found[1]);
            let anchor = found.get(2).map(|anchor| anchor.as_str());
            let there = fs::read_to_string(&target).unwrap_or_default();
            if !target.exists() || !anchor.is_none_or(|anchor| anchors(&there).contains(anchor)) {
                breaches.push(format!("{}: {}", page.path, &found[0]));
            }
        }
        if page.path == "README.md" {
            let missing = mapped(&page.text).into_iter().filter(|path| !root().join(path).exists());
            breaches.extend(missing.map(|path| format!("README.md: map names `{path}`")));
        }
    }
    assert_none("leads nowhere", breaches);
}

/// Headings as links name them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let text: String =
                line.trim_start_matches('#').trim().chars().filter(|c| kept(*c)).collect();
            text.to_lowercase().replace(' ', "-")
        })
        .collect()
}

/// Folders that a block of text names: `gateway/  package` at the start of a line, `src/edge  sockets` below it.
fn mapped(page: &str) -> Vec<String> {
    let top = Regex::new(r"^([A-Za-z0-9_.-]+/)\s").unwrap();
    let below = Regex::new(r"(?:^|\s{2})((?:src|tests)/[a-z_]+)\s").unwrap();
    let (mut inside, mut folder) = (false, String::new());
    let mut found = Vec::new();
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside;
            folder.clear();
        } else if inside && let Some(named) = top.captures(line) {
            folder = named[1].to_owned();
            found.push(folder.clone());
        } else if inside && !folder.is_empty() {
            found.extend(below.captures_iter(line).map(|named| format!("{folder}{}", &named[1])));
        }
    }
    found
}
