//! What is fuzzed: each function takes any bytes and panics when the engine breaks a promise. cargo-fuzz
//! calls them with what it finds, the stable smoke run with a seeded generator.

use std::sync::OnceLock;

use waf_rules::{
    Bounds, DecodeBounds, Decoder, EngineMode, FeatureKind, Outcome, Over, Profile, ProfileOptions,
    Ruleset, Transaction, features,
};

/// Rule text: it loads, or every problem has its place; what loads runs.
pub fn parser(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Files are not what is fuzzed.
    if text.to_ascii_lowercase().contains("include") || text.to_ascii_lowercase().contains("file") {
        return;
    }
    match Ruleset::builder().text("fuzz.conf", text.into_owned()).build() {
        Ok(ruleset) => {
            let profile = with_bounds(&ruleset, Bounds::default());
            let tx = run(Transaction::new(profile), &Request::default());
            assert_is_explicit(&tx);
        }
        Err(errors) => {
            assert!(errors.len() > 0);
            for error in errors.iter() {
                assert!(error.line > 0 && error.column > 0 && !error.message.is_empty());
                assert!(error.to_string().contains('^'));
            }
        }
    }
}

/// Media types whose processors are fuzzed; the first byte chooses.
const TYPES: [&str; 12] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "application/json",
    "text/xml",
    "application/graphql",
    "application/x-protobuf",
    "application/grpc+proto",
    "application/grpc-web-text",
    "application/connect+json",
    "application/json; charset=utf-16",
    "application/x-www-form-urlencoded; charset=utf-7",
    "text/plain",
];

/// A body: parsed within its bounds, and alike in one piece and in many.
pub fn bodies(data: &[u8]) {
    static PROFILES: OnceLock<[Profile; 2]> = OnceLock::new();
    let profiles = PROFILES.get_or_init(|| {
        let rules = "SecRule ARGS|ARGS_NAMES|FILES|FILES_NAMES|FILES_TMP_CONTENT|MULTIPART_PART_HEADERS|XML:/*|XML://@*|\
                     REQUEST_BODY|REQBODY_ERROR_MSG \"@rx [^a-z]\" \"id:1,phase:2,pass,log,msg:'%{MATCHED_VAR_NAME}'\"\n\
                     SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR|URLENCODED_ERROR \"@eq 1\" \"id:2,phase:2,pass,log\"";
        let bounds = Bounds { arguments: 200, parts: 20, depth: 20, ..Bounds::default() };
        // The other one drops files, and cuts.
        let dropping = load(&rules.replace("|FILES_TMP_CONTENT", ""));
        let cutting = Bounds { body_bytes: 200, over: Over::Partial, ..bounds };
        [with_bounds(&load(rules), bounds), with_bounds(&dropping, cutting)]
    });
    let Some((first, body)) = data.split_first() else { return };
    let content_type = TYPES[usize::from(*first) % TYPES.len()].as_bytes().to_vec();
    let headers = vec![
        (b"Content-Type".to_vec(), content_type),
        (b"grpc-encoding".to_vec(), b"gzip".to_vec()),
    ];
    let request = Request { headers, body: body.to_vec(), ..Request::default() };
    let in_pieces = Request {
        body: request.body.clone(),
        headers: request.headers.clone(),
        chunk: 7,
        ..Request::default()
    };
    for profile in profiles {
        let whole = run(Transaction::new(profile.clone()), &request);
        let pieces = run(Transaction::new(profile.clone()), &in_pieces);
        assert_eq!(summary(&whole), summary(&pieces));
        assert_is_explicit(&whole);
    }
}

/// Every transformation, alone and behind another one: the prefilter, which skips those that cannot
/// change a value, sees the same as asking for each.
pub fn transformations(data: &[u8]) {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    let profile = PROFILE.get_or_init(|| {
        let all = features().into_iter();
        let names = all.filter(|known| known.kind == FeatureKind::Transformation && known.name != "none");
        let rule = |(number, name): (usize, &str)| {
            let (one, two) = (2 * number + 1, 2 * number + 2);
            format!(
                "SecRule ARGS \"@rx [<(;'a-f]\" \"id:{one},phase:2,pass,log,t:none,t:{name}\"\n\
                 SecRule ARGS \"@pm script select ../\" \"id:{two},phase:2,pass,log,t:none,t:urlDecodeUni,t:{name},t:lowercase,multiMatch\"\n"
            )
        };
        let rules: String = names.map(|known| known.name).enumerate().map(rule).collect();
        with_bounds(&load(&rules), Bounds { matches: 1_000, ..Bounds::default() })
    });
    let form = b"multipart/form-data; boundary=--b".to_vec();
    let body =
        [b"----b\r\nContent-Disposition: form-data; name=a\r\n\r\n", data, b"\r\n----b--\r\n"]
            .concat();
    let headers = vec![(b"Content-Type".to_vec(), form)];
    compare(profile, &Request { headers, body, ..Request::default() });
}

/// A pattern on the first line and a value behind it: what compiles ends within the work of the request, with the groups that
/// asking everything finds.
pub fn patterns(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let pattern = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    // What the rule around it would make something else of.
    if pattern.contains(['"', '\r']) || pattern.contains("%{") || pattern.ends_with('\\') {
        return;
    }
    let rules = ["@rx", "@rxGlobal"].map(|operator| {
        let id = 1 + u32::from(operator.ends_with("Global"));
        format!("SecRule ARGS \"{operator} {pattern}\" \"id:{id},phase:2,pass,log,capture,msg:'%{{TX.0}}|%{{TX.1}}|%{{TX.2}}'\"\n")
    });
    let Ok(ruleset) = Ruleset::builder().text("fuzz.conf", rules.concat()).build() else { return };
    let form = b"multipart/form-data; boundary=--b".to_vec();
    let value = parts.next().unwrap_or_default();
    let head = b"----b\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let body = [head, value, b"\r\n----b--\r\n"].concat();
    let headers = vec![(b"Content-Type".to_vec(), form)];
    let request = Request { headers, body, ..Request::default() };
    compare(&with_bounds(&ruleset, Bounds::default()), &request);
}

/// A whole request against the built-in rules.
pub fn transaction(data: &[u8]) {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    let profile = PROFILE.get_or_init(|| {
        let ruleset =
            Ruleset::builder().builtin().build().unwrap_or_else(|errors| panic!("{errors}"));
        let options = ProfileOptions {
            blocking_paranoia: 4,
            detection_paranoia: 4,
            engine: Some(EngineMode::DetectionOnly),
            ..ProfileOptions::default()
        };
        Profile::new(&ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
    });
    compare(profile, &Request::read(data));
}

/// A compressed body: what comes out keeps its bounds, and does not depend on how it came in.
pub fn decoder(data: &[u8]) {
    let Some((first, body)) = data.split_first() else { return };
    let coding = ["gzip", "deflate", "br"][usize::from(*first) % 3];
    let bounds = DecodeBounds { output_bytes: 200_000, ratio: 50 };
    let whole = decode(coding, body, body.len(), bounds);
    let pieces = decode(coding, body, 3, bounds);
    assert_eq!(whole.is_ok(), pieces.is_ok(), "{coding}: {whole:?} {pieces:?}");
    if let (Ok(whole), Ok(pieces)) = (whole, pieces) {
        assert!(whole == pieces && whole.len() <= bounds.output_bytes);
    }
}

fn decode(
    coding: &str,
    body: &[u8],
    chunk: usize,
    bounds: DecodeBounds,
) -> Result<Vec<u8>, String> {
    let decoder = Decoder::new(coding.as_bytes(), bounds).map_err(|error| error.to_string())?;
    let mut decoder = decoder.ok_or("nothing to decode")?;
    let mut out = Vec::new();
    for chunk in body.chunks(chunk.max(1)) {
        decoder.push(chunk, &mut out).map_err(|error| error.to_string())?;
        assert!(out.len() <= bounds.output_bytes);
    }
    decoder.finish(&mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

/// A request, taken apart leniently from bytes.
#[derive(Debug)]
struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    protocol: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    /// Bytes of the body given at a time.
    chunk: usize,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: b"POST".to_vec(),
            target: b"/path?a=1".to_vec(),
            protocol: b"HTTP/1.1".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            chunk: usize::MAX,
        }
    }
}

impl Request {
    fn read(data: &[u8]) -> Self {
        let blank = data.windows(2).position(|pair| pair == b"\n\n");
        let (head, body) =
            blank.map_or((data, b"".as_slice()), |at| (&data[..at], &data[at + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
        let mut word = || words.next().unwrap_or_default().to_vec();
        let (method, target, protocol) = (word(), word(), word());
        let headers = lines.take(100).map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            (
                line[..colon].to_vec(),
                line.get(colon + 1..).unwrap_or_default().trim_ascii().to_vec(),
            )
        });
        let headers = headers.collect();
        Self { method, target, protocol, headers, body: body.to_vec(), chunk: usize::MAX }
    }
}

fn load(rules: &str) -> Ruleset {
    Ruleset::builder().text("fuzz", rules).build().unwrap_or_else(|errors| panic!("{errors}"))
}

fn with_bounds(ruleset: &Ruleset, bounds: Bounds) -> Profile {
    let options = ProfileOptions { bounds, ..ProfileOptions::default() };
    Profile::new(ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn run(mut tx: Transaction, request: &Request) -> Transaction {
    tx.connection([192, 0, 2, 1].into(), 1, [192, 0, 2, 2].into(), 443);
    tx.request_line(&request.method, &request.target, &request.protocol);
    request.headers.iter().for_each(|(name, value)| tx.header(name, value));
    tx.head();
    let mut open = tx.wants_body();
    for chunk in request.body.chunks(request.chunk.min(request.body.len()).max(1)) {
        open = open && tx.body_chunk(chunk).is_ok();
    }
    tx.body();
    tx.response_line(200, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"text/html");
    tx.response_head();
    if tx.wants_response_body() {
        // What is refused is in the outcome.
        let _ = tx.response_body_chunk(&request.body);
    }
    tx.response_body();
    tx.finish();
    tx
}

/// The prefilter loses nothing.
fn compare(profile: &Profile, request: &Request) {
    let gated = run(Transaction::new(profile.clone()), request);
    if gated.outcome() != Outcome::Inspected {
        return assert_is_explicit(&gated);
    }
    let plain = run(Transaction::exhaustive(profile.clone()), request);
    // What is spent differs where there is too little: the two stop at different rules.
    if plain.outcome() == Outcome::Inspected {
        assert_eq!(summary(&gated), summary(&plain), "{request:?}");
    }
    assert_is_explicit(&gated);
}

type Summary = (Vec<u32>, Vec<(u32, String, Vec<u8>)>, Outcome);

fn summary(tx: &Transaction) -> Summary {
    let one =
        |found: &waf_rules::Match| (found.rule_id, found.target.clone(), found.matched.clone());
    (tx.matched_rules().to_vec(), tx.matches().iter().map(one).collect(), tx.outcome())
}

/// A request that was not looked at whole says so, and one that is refused was refused.
fn assert_is_explicit(tx: &Transaction) {
    let bounds = tx.profile().bounds();
    assert!(tx.matches().len() <= bounds.matches);
    if let Outcome::Refused(_) = tx.outcome() {
        assert_eq!(bounds.over, Over::Reject);
    }
    for found in tx.matches() {
        assert!(!found.log_line().chars().any(char::is_control));
    }
}
