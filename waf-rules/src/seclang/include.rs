//! Reading rule files: paths with `*` and `?`, relative to the file that includes them.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// Longest chain of files that include files.
pub(crate) const INCLUDE_DEPTH_MAX: usize = 16;
/// Largest rule or data file, in bytes.
pub(crate) const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The files that a path with wildcards names, sorted by path as Apache and nginx do.
pub(crate) fn expand(base: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    let path = base.join(pattern);
    if !pattern.contains(['*', '?']) {
        return Ok(vec![path]);
    }
    let mut found = vec![PathBuf::new()];
    for component in path.components() {
        found = found.into_iter().flat_map(|prefix| step(&prefix, component)).collect();
    }
    found.retain(|path| path.is_file());
    found.sort();
    if found.is_empty() {
        return Err(format!("no file matches `{pattern}`"));
    }
    Ok(found)
}

/// A rule or data file as text, bounded; lines end in `\n`.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > FILE_BYTES_MAX {
        return Err(format!("file has {size} bytes, bound {FILE_BYTES_MAX}"));
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}

fn step(prefix: &Path, component: Component<'_>) -> Vec<PathBuf> {
    let name = component.as_os_str().to_string_lossy();
    if !name.contains(['*', '?']) {
        return vec![prefix.join(component)];
    }
    let folder = if prefix.as_os_str().is_empty() { Path::new(".") } else { prefix };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| wildcard(name.as_bytes(), entry.file_name().as_encoded_bytes()))
        .map(|entry| prefix.join(entry.file_name()))
        .collect()
}

/// `*` stands for any run of bytes, `?` for one. Linear: only the last star is ever retried.
fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut retry) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((after, from)) => {
                    (p, n) = (after, from + 1);
                    retry = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}
