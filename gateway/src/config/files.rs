//! The files of a configuration: one file, or the `*.yaml` and `*.yml` of a directory and its folders, in the
//! order of their paths.
//!
//! Names that start with a dot are passed over: a Kubernetes volume keeps its generations in `..2027_01_01_..` and
//! points at the current one with `..data`; the files beside them are links through it, and links are followed.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_lc_rs::digest::{Context, SHA256};

use crate::base::bounds::{CONFIG_BYTES, CONFIG_FILES, CONFIG_FOLDERS};

/// SHA-256 over names and contents of all files: the same for the same configuration, wherever it is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Checksum(pub [u8; 32]);

impl std::fmt::Display for Checksum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a configuration consists of, as bytes.
#[derive(Debug)]
pub(super) struct Files {
    /// Name in reports, and content.
    pub(super) contents: Vec<(String, Vec<u8>)>,
    pub(super) checksum: Checksum,
    /// Folder that relative paths in the configuration start from.
    pub(super) directory: PathBuf,
}

/// Size, time and target of every file: whether a second look at the contents is worth it. Costs no reading.
pub type Stamp = BTreeMap<PathBuf, (PathBuf, u64, Option<SystemTime>)>;

/// What the directory looks like from outside. It differs whenever a file was written, moved or linked anew.
///
/// # Errors
/// When a file or folder cannot be looked at, or a bound on their number is passed.
pub fn stamp(path: &Path) -> io::Result<Stamp> {
    list(path)?.into_iter().map(|file| Ok((file.clone(), stamp_of(&file)?))).collect()
}

/// The checksum that loading this path would yield. Reads every file.
///
/// # Errors
/// As reading the configuration.
pub fn checksum(path: &Path) -> io::Result<Checksum> {
    read(path).map(|files| files.checksum)
}

/// Reads all files as they were at one moment.
pub(super) fn read(path: &Path) -> io::Result<Files> {
    const TRIES: usize = 5;
    for _ in 0..TRIES {
        let before = stamp(path)?;
        let files = read_listed(path, before.keys())?;
        // A mount may be swapped between two files: half of each generation never was a configuration.
        if stamp(path)? == before {
            return Ok(files);
        }
    }
    Err(io::Error::other("its files keep changing while they are read"))
}

/// Texts that are not in files, with their names.
pub(super) fn given(texts: &[(&str, &str)]) -> Files {
    let content = |(name, text): &(&str, &str)| ((*name).to_owned(), text.as_bytes().to_vec());
    let contents: Vec<_> = texts.iter().map(content).collect();
    Files { checksum: digest(&contents), contents, directory: PathBuf::from(".") }
}

fn read_listed<'p>(path: &Path, files: impl Iterator<Item = &'p PathBuf>) -> io::Result<Files> {
    let mut contents = Vec::new();
    let mut left = CONFIG_BYTES;
    for file in files {
        let bytes = read_bounded(file, left).map_err(|error| named(file, &error))?;
        left -= bytes.len();
        let name = file.strip_prefix(path).ok().filter(|name| !name.as_os_str().is_empty());
        contents.push((name.unwrap_or(file).display().to_string(), bytes));
    }
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let directory = folder.filter(|folder| !folder.as_os_str().is_empty());
    let directory = directory.map_or_else(|| PathBuf::from("."), Path::to_owned);
    Ok(Files { checksum: digest(&contents), contents, directory })
}

fn read_bounded(path: &Path, left: usize) -> io::Result<Vec<u8>> {
    let file = fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    let bound = u64::try_from(left).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound).read_to_end(&mut bytes)?;
    if bytes.len() > left {
        return Err(io::Error::other(format!("configuration larger than {CONFIG_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Paths of all files, sorted.
fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path).map_err(|error| named(path, &error))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    walk(path, 0, &mut files)?;
    if files.is_empty() {
        return Err(io::Error::other(format!("no *.yaml or *.yml file in `{}`", path.display())));
    }
    files.sort();
    Ok(files)
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > CONFIG_FOLDERS {
        let message = format!("folders nested more than {CONFIG_FOLDERS} deep");
        return Err(named(folder, &io::Error::other(message)));
    }
    for entry in fs::read_dir(folder).map_err(|error| named(folder, &error))? {
        let path = entry?.path();
        if path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b".")) {
            continue;
        }
        // Follows links.
        let about = fs::metadata(&path).map_err(|error| named(&path, &error));
        if is_yaml(&path) {
            about?;
            files.push(path);
        } else if about.is_ok_and(|about| about.is_dir()) {
            walk(&path, depth + 1, files)?;
        }
        if files.len() > CONFIG_FILES {
            return Err(io::Error::other(format!("more than {CONFIG_FILES} files")));
        }
    }
    Ok(())
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

fn stamp_of(file: &Path) -> io::Result<(PathBuf, u64, Option<SystemTime>)> {
    let target = fs::canonicalize(file).map_err(|error| named(file, &error))?;
    let about: Metadata = fs::metadata(file).map_err(|error| named(file, &error))?;
    Ok((target, about.len(), about.modified().ok()))
}

fn digest(contents: &[(String, Vec<u8>)]) -> Checksum {
    let mut context = Context::new(&SHA256);
    for (name, bytes) in contents {
        // Lengths first, so that no two lists of files look the same.
        for part in [name.as_bytes(), bytes] {
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
    }
    let mut checksum = [0; 32];
    checksum.copy_from_slice(context.finish().as_ref());
    Checksum(checksum)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}
