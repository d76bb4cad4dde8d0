//! Files and folders of tests.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{File, Test};
use crate::builtin::TESTS;

/// Largest test file, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Deepest folder, from the one that was named.
const DEPTH_MAX: usize = 16;

/// A file that cannot be read as tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    pub path: PathBuf,
    /// Why; with the line where the text itself is wrong.
    pub message: String,
}

/// The tests of a file, or of every `.yaml` and `.yml` file below a folder, by path.
///
/// # Errors
/// Every file that is not readable, no test file, or larger than 16 MiB; two tests of one name.
pub fn read(path: &Path) -> Result<Vec<Test>, Vec<ReadError>> {
    let (mut paths, mut errors) = (Vec::new(), Vec::new());
    collect(path, 0, &mut paths, &mut errors);
    paths.sort();
    let mut tests = Vec::new();
    for path in paths {
        match load(&path).and_then(|text| parse(&path, &text)) {
            Ok(read) => tests.extend(read),
            Err(error) => errors.push(error),
        }
    }
    errors.extend(twins(&tests));
    if errors.is_empty() { Ok(tests) } else { Err(errors) }
}

/// The tests of the built-in rules.
///
/// # Errors
/// None while this crate's own tests pass.
pub fn builtin() -> Result<Vec<Test>, Vec<ReadError>> {
    let files = TESTS.iter().map(|(name, text)| parse(Path::new(&format!("builtin:{name}")), text));
    let read = files.collect::<Result<Vec<_>, _>>().map_err(|error| vec![error])?;
    Ok(read.into_iter().flatten().collect())
}

/// The tests of one file's text; `path` stands for it in messages. A file without content has none.
///
/// # Errors
/// The text is no test file.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Test>, ReadError> {
    let blank = |line: &str| line.trim().is_empty() || line.starts_with('#') || line == "---";
    if text.lines().all(blank) {
        return Ok(Vec::new());
    }
    let file: File = serde_norway::from_str(text).map_err(|error| ReadError::at(path, error))?;
    let path: Arc<Path> = path.into();
    Ok(file.tests(&path).collect())
}

fn load(path: &Path) -> Result<String, ReadError> {
    let fail = |error| ReadError::at(path, error);
    let bytes = fs::metadata(path).map_err(fail)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(ReadError::at(path, format!("file {bytes} bytes, bound {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(path).map_err(fail)
}

/// A file that is named is read whatever it is called.
fn collect(path: &Path, depth: usize, paths: &mut Vec<PathBuf>, errors: &mut Vec<ReadError>) {
    if !path.is_dir() {
        return paths.push(path.to_path_buf());
    }
    if depth > DEPTH_MAX {
        let message = format!("folders nest {depth} deep, bound {DEPTH_MAX}");
        return errors.push(ReadError::at(path, message));
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return errors.push(ReadError::at(path, error)),
    };
    let is_test = |path: &Path| {
        path.is_dir() || path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml")
    };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_test(path)) {
        collect(&path, depth + 1, paths, errors);
    }
}

/// Results are told apart by name.
fn twins(tests: &[Test]) -> Vec<ReadError> {
    let mut names = HashSet::new();
    let twins = tests.iter().filter(|test| !names.insert(test.name.as_str()));
    twins
        .map(|test| ReadError::at(&test.file, format!("test {} is there twice", test.name)))
        .collect()
}

impl ReadError {
    fn at(path: &Path, message: impl fmt::Display) -> Self {
        Self { path: path.to_path_buf(), message: message.to_string() }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.message)
    }
}

impl std::error::Error for ReadError {}
