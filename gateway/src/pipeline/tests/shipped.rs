//! The configurations that are shipped are accepted, their own tests included. Files and secrets that they name are made
//! beside a copy, so that nothing of the machine is needed.

use std::fs;
use std::path::Path;

use super::accepted;
use crate::tidy;

fn shipped(name: &str) -> String {
    fs::read_to_string(tidy::root().join(name)).unwrap()
}

/// A self-signed certificate with its key, each in a file.
fn certificate(folder: &Path, name: &str, file: &str) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    fs::write(folder.join(format!("{file}.pem")), made.cert.pem()).unwrap();
    fs::write(folder.join(format!("{file}.key")), made.signing_key.serialize_pem()).unwrap();
}

#[test]
fn the_reference_is_accepted_with_its_tests() {
    // As `main` does; another test may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    certificate(at, "api.example.com", "example");
    certificate(at, "clients.example.com", "clients");
    certificate(at, "orders.internal", "internal");
    fs::write(at.join("secret"), "a secret of some length\n").unwrap();
    let secret = format!("file:{}", at.join("secret").display());
    let text = shipped("config/reference.yaml")
        .replace("certs/", &format!("{}/", at.display()))
        .replace("file:/run/secrets/yett-admin", &secret)
        .replace("env:YETT_REDIS_PASSWORD", &secret)
        .replace("env:YETT_SUBJECT_KEY", &secret);
    let accepted = accepted(text).unwrap_or_else(|report| panic!("{report}"));
    assert!(accepted.document.tests.len() >= 2, "its tests are run");
    assert!(accepted.warnings.is_empty(), "{}", accepted.warnings);
}

#[test]
fn the_minimal_configuration_is_accepted() {
    let accepted =
        accepted(shipped("config/minimal.yaml")).unwrap_or_else(|report| panic!("{report}"));
    assert!(accepted.warnings.is_empty(), "{}", accepted.warnings);
}

/// A test that fails keeps a configuration from being taken, and says where and why.
#[test]
fn a_failing_test_refuses_the_configuration() {
    let head = shipped("config/minimal.yaml");
    let tests = "\ntests:\n  - request: { path: /x }\n    expect: ";
    for (expect, why) in [
        ("{ status: 404 }", "status 200, expected 404"),
        ("{ route: other }", "route `web`, expected `other`"),
        ("{ finding: policy.scope }", "finding none, expected policy.scope"),
    ] {
        let report = accepted(format!("{head}{tests}{expect}\n")).expect_err(why).to_string();
        assert!(report.contains("error[Y041]") && report.contains(why), "{report}");
    }
    let passing = format!("{head}{tests}{{ status: 200, route: web }}\n");
    accepted(passing).unwrap_or_else(|report| panic!("{report}"));
}
