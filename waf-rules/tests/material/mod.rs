//! Where tests and benches find what they read. Asked when they run, not when they are built: what was built is shared
//! between checkouts, and a path of another one would be read in its place.

use std::path::PathBuf;

/// The folder of the package whose tests run, as cargo says; a binary that is started by hand stands in it.
pub(crate) fn package() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from("."), PathBuf::from)
}

/// The folder of the OWASP CRS, which is no part of the project: `YETT_CRS`, else `shared/crs` beside the workspace.
///
/// # Errors
/// There is none; what to say about it.
pub(crate) fn crs() -> Result<PathBuf, String> {
    let folder = std::env::var_os("YETT_CRS")
        .map_or_else(|| package().join("../../shared/crs"), PathBuf::from);
    if folder.join("rules").is_dir() {
        return Ok(folder);
    }
    Err(format!("SKIPPED: no CRS at {}; set YETT_CRS to its folder", folder.display()))
}
