//! Cases as data: `reports.txt` holds, for each, the files and the report word for word.
//!
//! ```text
//! === what the case shows
//! >>> yett.yaml
//! version: 1
//! <<<
//! error[Y021] missing key `listeners` ...
//! ```

use super::load;

const CASES: &str = include_str!("reports.txt");

#[test]
fn every_problem_is_told_with_its_line_and_a_way_out() {
    let cases: Vec<&str> = CASES.split("=== ").skip(1).collect();
    assert!(cases.len() > 30, "only {} cases were read", cases.len());
    for case in cases {
        let (title, rest) = case.split_once('\n').unwrap();
        let (written, expected) = rest.split_once("<<<\n").unwrap();
        let files: Vec<(&str, &str)> =
            written.split(">>> ").skip(1).map(|file| file.split_once('\n').unwrap()).collect();
        let report = load(&files).expect_err(title).to_string();
        assert_eq!(report.trim_end(), expected.trim_end(), "\n{title}\n{report}");
    }
}
