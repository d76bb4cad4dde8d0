//! From a path to a document: read, parse, merge, check, decode. Whatever is wrong is told at once, as far as one
//! fault does not hide another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::base::compile::{Step, number};

use super::check::check;
use super::decode::decode;
use super::document::Document;
use super::files::{self, Checksum, Files};
use super::merge::merge;
use super::report::{Placed, Problems, Report};
use super::shape::SHAPES;
use super::source::{SourceFile, SourceMap};
use super::tree::{Node, Place, Value};
use super::yaml;

/// Version of the format that this binary reads.
const VERSION: u64 = 1;

/// A configuration as written: its shape is right, its meaning not yet known.
#[derive(Debug)]
pub struct Loaded {
    pub document: Document,
    /// Finds the line of every part of the document. Holds the text of all files: not to be kept.
    pub source: SourceMap,
    pub checksum: Checksum,
    /// Folder that relative paths in the configuration start from.
    pub directory: PathBuf,
}

/// Loads a file, or all `*.yaml` and `*.yml` files of a directory as one configuration.
///
/// # Errors
/// Every problem of reading, syntax and shape that could be found.
pub fn load(path: &Path) -> Result<Loaded, Report> {
    match files::read(path) {
        Ok(files) => parse(files),
        Err(error) => {
            let message = format!("cannot read the configuration: {error}");
            let mut problems = Problems::default();
            problems.push(Placed::nowhere(number::UNREADABLE, message));
            Err(Report::of(problems, &SourceMap::new()))
        }
    }
}

/// Loads a text; `name` stands for the file in reports.
///
/// # Errors
/// As [`load`].
pub fn load_str(name: &str, text: &str) -> Result<Loaded, Report> {
    parse(files::given(&[(name, text)]))
}

/// Loads texts, each under the name of its file, as one configuration.
///
/// # Errors
/// As [`load`].
pub fn load_texts(texts: &[(&str, &str)]) -> Result<Loaded, Report> {
    parse(files::given(texts))
}

pub(super) fn parse(files: Files) -> Result<Loaded, Report> {
    let Files { contents, checksum, directory } = files;
    let mut source = SourceMap::new();
    let mut problems = Problems::default();
    let mut roots = Vec::new();
    let mut complete = true;
    for (name, bytes) in contents {
        match read_file(&mut source, &name, bytes, &mut problems) {
            Some(root) => roots.push(root),
            None => complete = false,
        }
    }
    // A file of comments alone adds nothing.
    roots.retain(|root| root.value != Value::Null);
    source.root = merge(&SHAPES, roots, &mut problems);
    let document = document(&mut source, complete, &mut problems);
    match document {
        Some(document) if problems.is_empty() => {
            Ok(Loaded { document, source, checksum, directory })
        }
        _ => Err(Report::of(problems, &source)),
    }
}

/// Reads one file into the source; nothing when it could not be read to its end.
fn read_file(
    source: &mut SourceMap,
    name: &str,
    bytes: Vec<u8>,
    problems: &mut Problems,
) -> Option<Node> {
    let file = u32::try_from(source.files.len()).unwrap_or(u32::MAX);
    let (text, broken) = text_of(bytes);
    let before = problems.len();
    let root = match broken {
        Some(at) => {
            let at = u32::try_from(at).unwrap_or(u32::MAX);
            let place = Place { file, start: at, end: at };
            problems.push(Placed::new(number::ENCODING, place, "the file is not UTF-8 text"));
            None
        }
        None => yaml::read(file, &text, problems),
    };
    source.files.push(SourceFile::new(name, text));
    let empty = Node { value: Value::Null, place: Place { file, start: 0, end: 0 } };
    root.or_else(|| (problems.len() == before).then_some(empty))
}

/// The text without its byte order mark, and where it stops being UTF-8.
fn text_of(mut bytes: Vec<u8>) -> (String, Option<usize>) {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(at))
        }
    }
}

/// What the tree says, when its shape is right.
fn document(source: &mut SourceMap, complete: bool, problems: &mut Problems) -> Option<Document> {
    if let Some(problem) = unknown_version(&source.root) {
        // Another version has other keys: telling them all wrong would help nobody.
        problems.push(problem);
        return None;
    }
    let checked = check(&SHAPES, source, complete);
    source.secrets.extend(checked.secrets);
    let sound = checked.problems.is_empty();
    problems.take(checked.problems);
    refuse_duplicate_routes(&source.root, problems);
    if !sound || !complete {
        return None;
    }
    decode(&source.root).map_err(|refused| problems.take(refused)).ok()
}

fn unknown_version(root: &Node) -> Option<Placed> {
    let node = root.get("version")?;
    let Value::Number(version) = &node.value else { return None };
    let known = version.as_u64() == Some(VERSION);
    let message = format!("format version {version} is not known");
    let problem = || Placed::new(number::VERSION, node.place, message);
    (!known).then(|| problem().hint(format!("this binary reads version {VERSION}")))
}

/// Routes are told apart by their id in metrics, events and counters.
fn refuse_duplicate_routes(root: &Node, problems: &mut Problems) {
    let routes = root.get("routes").map_or(&[][..], Node::items);
    let mut first = HashMap::with_capacity(routes.len());
    for (index, route) in routes.iter().enumerate() {
        let Some((id, node)) = route.get("id").and_then(|id| Some((id.as_text()?, id))) else {
            continue;
        };
        let known = *first.entry(id).or_insert(node.place);
        if known != node.place {
            let path = vec![Step::from("routes"), Step::Index(index), Step::from("id")];
            let message = format!("route `{id}` is written twice");
            let problem = Placed::new(number::DUPLICATE_ROUTE, node.place, message);
            problems.push(problem.related(known).path(path));
        }
    }
}
