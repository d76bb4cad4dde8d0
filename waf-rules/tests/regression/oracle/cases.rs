//! The requests that both engines are asked about, each with the answer of its service.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use waf_rules::ftw::{Request, Response, Test, reflected};

use crate::{corpora, crs, kinds};

/// Requests taken of each file of the corpora, evenly.
const SAMPLE: usize = 150;
/// Bodies of the corpora that are taken, in bytes: libmodsecurity needs 16 seconds for one of 128 KiB.
const BODY_BYTES_MAX: usize = 8 * 1024;
/// What stands for `{n}` in the requests of the bench.
const NUMBER: u32 = 123_456;

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Set {
    /// The CRS's own regression tests.
    Crs,
    /// Labelled traffic.
    Corpora,
    /// The kinds of request that the bench measures.
    Bench,
}

pub(super) struct Case {
    pub(super) set: Set,
    /// `942100-3`, with `/2` for a second stage.
    pub(super) name: String,
    pub(super) request: Request,
    /// With its `Content-Type`, and nothing encoded.
    pub(super) response: Response,
}

pub(super) fn all(crs: &std::path::Path) -> Vec<Case> {
    let mut cases: Vec<Case> = crs::tests(crs).iter().flat_map(stages).collect();
    let sample = corpora::sample(SAMPLE).into_iter();
    let small = sample.filter(|(_, request)| request.body.len() <= BODY_BYTES_MAX);
    cases.extend(small.map(|(name, request)| Case::new(Set::Corpora, name, sent(request), None)));
    cases.extend(kinds::requests().iter().map(|kind| bench(&kind.fresh(NUMBER))));
    cases
}

fn stages(test: &Test) -> Vec<Case> {
    let numbered = |place| if place == 1 { String::new() } else { format!("/{place}") };
    let case = |(stage, place): (&waf_rules::ftw::Stage, usize)| {
        let name = format!("{}{}", test.name, numbered(place));
        let request = stage.input.request().unwrap_or_else(|error| panic!("{name}: {error}"));
        Case::new(Set::Crs, name, request, stage.input.response.clone())
    };
    test.stages.iter().zip(1..).map(case).collect()
}

fn bench(kind: &kinds::Request) -> Case {
    let (request, response) = kind.with_answer();
    Case::new(Set::Bench, kind.name.to_owned(), request, Some(response))
}

/// The corpora leave out what every client adds.
fn sent(mut request: Request) -> Request {
    if request.header("Host").is_none() {
        request.headers.insert(0, (b"Host".to_vec(), b"gateway.example".to_vec()));
    }
    if !request.body.is_empty() && request.header("Content-Length").is_none() {
        let length = request.body.len().to_string().into_bytes();
        request.headers.push((b"Content-Length".to_vec(), length));
    }
    request
}

impl Case {
    fn new(set: Set, name: String, request: Request, response: Option<Response>) -> Self {
        let mut response = response.or_else(|| reflected(&request)).unwrap_or_default();
        if !response.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            let plain = "text/plain; charset=utf-8".to_owned();
            response.headers.insert("Content-Type".to_owned(), plain);
        }
        // Once, so that both get the same bytes.
        if !response.encoded_body.is_empty() {
            let body = STANDARD.decode(&response.encoded_body).unwrap_or_default();
            response.body = String::from_utf8_lossy(&body).into_owned();
            response.encoded_body.clear();
        }
        Self { set, name, request, response }
    }
}
