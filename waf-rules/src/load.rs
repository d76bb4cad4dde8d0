//! Inputs to assembly: reads files, follows includes, collects every problem with its place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sha1_smol::Sha1;

use crate::builtin;
use crate::collection::MemoryCollections;
use crate::geo::Database;
use crate::plan::course::Courses;
use crate::plan::{self, Assembly, Program};
use crate::seclang::ast::Directive;
use crate::seclang::error::{LoadError, LoadErrors};
use crate::seclang::source::{Sources, Span};
use crate::seclang::{LexError, Word, include, parser};
use crate::variable::environment::Environment;

/// One thing a rule set is loaded from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Builtin,
    /// A path, with wildcards or without.
    File(PathBuf),
    Text {
        name: String,
        text: String,
    },
}

/// Size and time of a file or folder: whether it is worth reading again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp(Option<(u64, SystemTime)>);

impl FileStamp {
    /// What is there now, behind links; nothing may be.
    pub fn of(path: &Path) -> Self {
        let about = std::fs::metadata(path).ok();
        Self(about.and_then(|about| Some((about.len(), about.modified().ok()?))))
    }
}

/// What a load yields.
pub(crate) struct Loaded {
    pub(crate) program: Program,
    pub(crate) courses: Courses,
    pub(crate) version: String,
    pub(crate) notices: Vec<String>,
    /// Everything that was read, and the folders that were searched for it.
    pub(crate) files: BTreeMap<PathBuf, FileStamp>,
    /// For profiles that are given no other.
    pub(crate) collections: Arc<MemoryCollections>,
}

/// Loads everything, or reports everything that is wrong.
pub(crate) fn load(inputs: &[Input], environment: Environment) -> Result<Loaded, LoadErrors> {
    let mut loader = Loader::default();
    loader.assembly.environment = environment;
    for input in inputs {
        loader.input(input);
    }
    loader.finish()
}

/// The sources with what they say, before anything is compiled.
pub(crate) fn sources(inputs: &[Input]) -> Result<(Sources, Assembly), LoadErrors> {
    let mut loader = Loader::default();
    for input in inputs {
        loader.input(input);
    }
    let Loader { sources, assembly, problems, mut failures, .. } = loader;
    failures.extend(
        problems.iter().map(|problem| LoadError::at(&sources, problem.span, &problem.message)),
    );
    if failures.is_empty() { Ok((sources, assembly)) } else { Err(LoadErrors::new(failures)) }
}

/// Where the data files of a source are looked for.
enum Home {
    Builtin,
    Folder(PathBuf),
}

impl Home {
    fn path_of(&self, name: &str) -> Option<PathBuf> {
        match self {
            Self::Builtin => None,
            Self::Folder(folder) => Some(folder.join(name)),
        }
    }

    /// The folder a file is in.
    fn of(file: &Path) -> Self {
        Self::Folder(file.parent().map(Path::to_path_buf).unwrap_or_default())
    }
}

#[derive(Default)]
struct Loader {
    sources: Sources,
    homes: Vec<Home>,
    assembly: Assembly,
    problems: Vec<LexError>,
    failures: Vec<LoadError>,
    files: RefCell<BTreeMap<PathBuf, FileStamp>>,
}

impl Loader {
    fn input(&mut self, input: &Input) {
        match input {
            Input::Builtin => {
                for (name, text) in builtin::RULES {
                    self.source(&format!("builtin:{name}"), text, Home::Builtin, 0);
                }
            }
            Input::Text { name, text } => self.source(name, text, Home::Folder(PathBuf::new()), 0),
            Input::File(path) => self.files(path),
        }
    }

    fn files(&mut self, path: &Path) {
        self.searched(path);
        match include::expand(Path::new(""), &path.to_string_lossy()) {
            Ok(files) => files.iter().for_each(|file| self.file(file, 0)),
            Err(message) => self.failures.push(LoadError::file(path.to_string_lossy(), message)),
        }
    }

    /// Files may come and go where a pattern looks for them.
    fn searched(&self, pattern: &Path) {
        let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
        self.read(folder.unwrap_or_else(|| Path::new(".")));
    }

    /// Notes what a file looks like before it is read.
    fn read(&self, path: &Path) {
        note(&self.files, path.to_owned());
    }

    fn file(&mut self, path: &Path, depth: usize) {
        self.read(path);
        let home = Home::of(path);
        match include::read(path) {
            Ok(text) => self.source(&path.to_string_lossy(), &text, home, depth),
            Err(message) => self.failures.push(LoadError::file(path.to_string_lossy(), message)),
        }
    }

    fn source(&mut self, name: &str, text: &str, home: Home, depth: usize) {
        let source = self.sources.add(name, text);
        self.homes.push(home);
        let (nodes, errors) = parser::parse(source, text);
        self.problems.extend(errors);
        let mut pending = Vec::new();
        for node in nodes {
            match &node.directive {
                Directive::Include { path, optional } => {
                    plan::assemble(
                        std::mem::take(&mut pending),
                        &mut self.assembly,
                        &mut self.problems,
                    );
                    self.include(path, *optional, depth + 1);
                }
                _ => pending.push(node),
            }
        }
        plan::assemble(pending, &mut self.assembly, &mut self.problems);
    }

    fn include(&mut self, path: &Word, optional: bool, depth: usize) {
        let span = path.span;
        if depth > include::INCLUDE_DEPTH_MAX {
            let message =
                format!("includes nest {depth} deep, bound {}", include::INCLUDE_DEPTH_MAX);
            return self.problems.push(LexError { span, message });
        }
        let Home::Folder(folder) = &self.homes[span.source as usize] else {
            return self
                .problems
                .push(LexError { span, message: "built-in rules include no files".to_owned() });
        };
        self.searched(&folder.join(&path.text));
        match include::expand(folder, &path.text) {
            Ok(files) => {
                let wanted = files.iter().filter(|file| !optional || file.exists());
                wanted.for_each(|file| self.included(file, span, depth));
            }
            Err(_) if optional => {}
            Err(message) => self.problems.push(LexError { span, message }),
        }
    }

    /// A file that cannot be read is the including line's problem.
    fn included(&mut self, path: &Path, span: Span, depth: usize) {
        self.read(path);
        match include::read(path) {
            Ok(text) => {
                self.source(&path.to_string_lossy(), &text, Home::of(path), depth);
            }
            Err(message) => {
                let message = format!("{}: {message}", path.display());
                self.problems.push(LexError { span, message });
            }
        }
    }

    fn finish(self) -> Result<Loaded, LoadErrors> {
        let Self { sources, homes, mut assembly, mut problems, mut failures, files } = self;
        let notices = notices(&sources, &mut assembly);
        let digest = RefCell::new(Sha1::new());
        let read = |span: Span, name: &str| {
            let home = &homes[span.source as usize];
            home.path_of(name).into_iter().for_each(|path| note(&files, path));
            let text = data(home, name)?;
            digest.borrow_mut().update(text.as_bytes());
            Ok(text)
        };
        let geo = assembly.settings.geo_database.take().and_then(|path| {
            let home = &homes[path.span.source as usize];
            home.path_of(&path.text).into_iter().for_each(|path| note(&files, path));
            let read = places(home, &path.text);
            read.map_err(|message| problems.push(LexError { span: path.span, message })).ok()
        });
        if let Some(database) = &geo {
            digest.borrow_mut().update(database.digest());
        }
        let program = plan::compile(assembly, &sources, &read, geo, &mut problems);
        problems.sort_by_key(|problem| (problem.span.source, problem.span.start));
        // What is wrong with a default is found in every rule that inherits it.
        problems.dedup();
        failures.extend(
            problems.iter().map(|problem| LoadError::at(&sources, problem.span, &problem.message)),
        );
        if !failures.is_empty() {
            return Err(LoadErrors::new(failures));
        }
        let version = version(&sources, digest.into_inner());
        let (courses, collections) = (Courses::default(), Arc::default());
        let files = files.into_inner();
        Ok(Loaded { program, courses, version, notices, files, collections })
    }
}

/// The first look counts: what changed after it was not read.
fn note(files: &RefCell<BTreeMap<PathBuf, FileStamp>>, path: PathBuf) {
    files.borrow_mut().entry(path).or_insert_with_key(|path| FileStamp::of(path));
}

fn data(home: &Home, name: &str) -> Result<String, String> {
    match home {
        Home::Folder(folder) => include::read(&folder.join(name))
            .map_err(|error| format!("data file `{name}`: {error}")),
        Home::Builtin => {
            let found = builtin::DATA.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, text)| (*text).to_owned())
                .ok_or_else(|| format!("no built-in data file `{name}`"))
        }
    }
}

/// The database of places that a source names.
fn places(home: &Home, name: &str) -> Result<Arc<Database>, String> {
    let Home::Folder(folder) = home else {
        return Err("built-in rules name no database".to_owned());
    };
    Database::read(&folder.join(name)).map_err(|error| format!("database `{name}`: {error}"))
}

fn notices(sources: &Sources, assembly: &mut Assembly) -> Vec<String> {
    let mut notices = std::mem::take(&mut assembly.notices);
    notices.extend(plan::unopened(assembly));
    notices.extend(plan::unlocated(assembly));
    notices.extend(plan::unasked(assembly));
    let text = notices.iter().map(|(span, message)| {
        let place = sources.place(*span);
        format!("{}:{}:{}: {message}", place.file, place.line, place.column)
    });
    text.collect()
}

/// Twelve hexadecimal digits that change with every byte of the rules and their data.
fn version(sources: &Sources, mut digest: Sha1) -> String {
    for source in sources.iter() {
        digest.update(source.text.as_bytes());
        digest.update(b"\0");
    }
    digest.digest().to_string()[..12].to_owned()
}
