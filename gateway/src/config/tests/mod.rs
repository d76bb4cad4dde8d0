//! Reading a configuration: what is refused, and exactly how the refusal reads.

mod amend;
mod files;
mod hostile;
mod places;
mod reference;
mod reports;
mod shapes;

use super::files::given;
use super::load::{Loaded, parse};
use super::report::Report;

/// Loads texts as the files of one directory.
fn load(texts: &[(&str, &str)]) -> Result<Loaded, Report> {
    parse(given(texts))
}

/// Smallest start of a document that the shape check takes.
const START: &str = "version: 1\nlisteners: {}\n";

/// The report on a text.
fn refusal(text: &str) -> String {
    load(&[("yett.yaml", text)]).expect_err("refused").to_string()
}
