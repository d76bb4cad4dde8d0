//! Files and directories, as they lie on disks and in Kubernetes volumes.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use super::super::files::{checksum, stamp};
use super::super::load::load;
use super::START;
use crate::base::bounds::CONFIG_BYTES;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn route(id: &str) -> String {
    format!(
        "routes: [{{ id: {id}, match: {{ path: /{id} }}, public: x, respond: {{ status: 200 }} }}]\n"
    )
}

fn routes(path: &Path) -> Vec<String> {
    let loaded = load(path).unwrap_or_else(|report| panic!("{report}"));
    loaded.document.routes.into_iter().map(|route| route.id).collect()
}

#[test]
fn a_directory_is_read_in_the_order_of_paths_and_only_its_yaml() {
    let folder = folder(&[
        ("z.yml", &route("z")),
        ("b/two.yaml", &route("b2")),
        ("b/one.yaml", &route("b1")),
        ("a.yaml", START),
        ("rules.conf", "SecRule ["),
        ("a.yaml~", "[["),
        (".hidden.yaml", "[["),
        ("empty.yaml", "# nothing\n"),
    ]);
    assert_eq!(routes(folder.path()), ["b1", "b2", "z"]);
    let loaded = load(folder.path()).unwrap();
    assert_eq!(
        loaded.source.files().collect::<Vec<_>>(),
        ["a.yaml", "b/one.yaml", "b/two.yaml", "empty.yaml", "z.yml"]
    );
    assert_eq!(loaded.directory, folder.path());
}

/// `..data` points at the current generation; a change swaps that link.
#[test]
fn a_kubernetes_volume_is_read_once_and_its_swap_is_seen() {
    let folder = folder(&[
        ("..2027_01/yett.yaml", &(START.to_owned() + &route("old"))),
        ("..2027_02/yett.yaml", &(START.to_owned() + &route("new"))),
    ]);
    let at = |name: &str| folder.path().join(name);
    symlink("..2027_01", at("..data")).unwrap();
    symlink("..data/yett.yaml", at("yett.yaml")).unwrap();
    assert_eq!(routes(folder.path()), ["old"]);
    let (old_stamp, old) = (stamp(folder.path()).unwrap(), checksum(folder.path()).unwrap());
    assert_eq!(load(folder.path()).unwrap().checksum, old);

    symlink("..2027_02", at("..next")).unwrap();
    fs::rename(at("..next"), at("..data")).unwrap();
    assert_ne!(stamp(folder.path()).unwrap(), old_stamp);
    assert_ne!(checksum(folder.path()).unwrap(), old);
    assert_eq!(routes(folder.path()), ["new"]);
}

#[test]
fn the_checksum_is_about_names_and_contents_alone() {
    let one = folder(&[("a.yaml", START), ("b.yaml", &route("x"))]);
    let same = folder(&[("a.yaml", START), ("b.yaml", &route("x"))]);
    let moved = folder(&[("a.yaml", START), ("c.yaml", &route("x"))]);
    let sum = |folder: &TempDir| checksum(folder.path()).unwrap();
    assert_eq!(sum(&one), sum(&same));
    assert_ne!(sum(&one), sum(&moved));
    let changed = one.path().join("b.yaml");
    fs::write(changed, route("y")).unwrap();
    assert_ne!(sum(&one), sum(&same));
}

#[test]
fn what_cannot_be_read_is_named_with_the_reason() {
    let empty = folder(&[("readme.md", "")]);
    let dangling = folder(&[("a.yaml", START)]);
    symlink("nowhere", dangling.path().join("b.yaml")).unwrap();
    let endless = folder(&[("a.yaml", START)]);
    symlink(".", endless.path().join("loop")).unwrap();
    let large = folder(&[("a.yaml", START)]);
    let file = fs::File::create(large.path().join("b.yaml")).unwrap();
    file.set_len(CONFIG_BYTES as u64).unwrap();
    let folder_as_file = folder(&[("a.yaml/b.txt", "")]);

    let cases: &[(&Path, &str)] = &[
        (Path::new("/nonexistent/yett.yaml"), "`/nonexistent/yett.yaml`: No such file"),
        (empty.path(), "no *.yaml or *.yml file in"),
        (dangling.path(), "b.yaml`: No such file"),
        (endless.path(), "folders nested more than 16 deep"),
        (large.path(), "configuration larger than 33554432 bytes"),
        (folder_as_file.path(), "a.yaml`: not a file"),
        (Path::new("/dev/null"), "`/dev/null`: not a file"),
    ];
    for (path, expected) in cases {
        let report = load(path).expect_err("refused").to_string();
        assert!(report.starts_with("error[Y001] cannot read the configuration: "), "{report}");
        assert!(report.contains(expected), "{report}");
    }
}

#[test]
fn a_file_is_reported_by_the_path_it_was_given_as() {
    let folder = folder(&[("yett.yaml", "version: 1\n")]);
    let path = folder.path().join("yett.yaml");
    let report = load(&path).expect_err("refused").to_string();
    assert!(report.contains(&format!("{}:1:1", path.display())), "{report}");
    fs::write(&path, START).unwrap();
    assert_eq!(load(&path).unwrap().directory, folder.path());
}
