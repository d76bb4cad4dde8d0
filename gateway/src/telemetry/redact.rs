//! What must not leave the process, in whatever text it sits: tokens, keys, passwords. Used at writing time by
//! every encoder; a text that was redacted says so.
//!
//! Two readings: by *name* (`access_token=...`) and by *shape* (a JWT is one wherever it stands). Both rather
//! take too much than too little.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use smallvec::SmallVec;

/// Stands for what was taken out.
pub const REDACTED: &str = "[redacted]";

/// Words that make a name secret when they are part of it, whatever stands between its letters:
/// `access_token`, `X-Amz-Security-Token`, `user[password]`, `apiKey`.
static PARTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let parts = "token|secret|passw|passphrase|passcode|apikey|accesskey|privatekey|signature|credential|session|sessid|jwt|\
                 otp|assertion|authorization|cookie|verifier|ticket|samlre";
    Regex::new(parts).ok()
});

/// Names that are secret as a whole; parts of other words are not. `code` is OAuth's authorization code.
const WHOLE: [&str; 14] = [
    "sig", "key", "code", "auth", "pass", "pwd", "pin", "sid", "psw", "nonce", "state", "hmac",
    "mac", "bearer",
];

/// Digits of the longest card number.
const CARD_DIGITS: usize = 19;
/// The groups that numbers of cards are written in, each without its separators.
const CARD_GROUPS: [&[usize]; 6] =
    [&[4, 4, 4, 4], &[4, 4, 4, 4, 3], &[4, 6, 5], &[4, 6, 4], &[4, 3, 3, 3], &[6, 13]];
/// Longest name that is read; longer ones count as secret when they are not.
const NAME_BYTES: usize = 256;
/// Longest name that is looked for in prose; of longer ones the end counts.
const PAIR_NAME_BYTES: usize = 64;

/// Whether values of this name are secret. The name may be percent-encoded.
pub fn is_secret_name(name: &str) -> bool {
    if name.len() > NAME_BYTES {
        return true;
    }
    let name = Name::of(name);
    let is_part = |parts: &Regex| parts.is_match(name.joined());
    WHOLE.contains(&name.joined())
        || WHOLE.contains(&name.last())
        || PARTS.as_ref().is_none_or(is_part)
}

/// A query with the values of secret names and secret shapes taken out; names stay.
pub fn query(query: &str) -> Cow<'_, str> {
    let is_secret = |pair: &str| pair.split_once('=').is_some_and(|(name, _)| is_secret_name(name));
    let separators = ['&', ';'];
    if !query.split(separators).any(is_secret) {
        // A value may hold an address, or JSON, with names of its own.
        return if query.contains('%') { prose(query) } else { text(query) };
    }
    let mut shown = String::with_capacity(query.len());
    for pair in query.split_inclusive(separators) {
        let (body, separator) = match pair.strip_suffix(separators) {
            Some(body) => (body, &pair[body.len()..]),
            None => (pair, ""),
        };
        match body.split_once('=') {
            Some((name, _)) if is_secret_name(name) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(REDACTED);
            }
            _ => shown.push_str(body),
        }
        shown.push_str(separator);
    }
    Cow::Owned(prose(&shown).into_owned())
}

/// A path: shapes, and the values of secret path parameters such as `;jsessionid=...` (RFC 3986 §3.3).
pub fn path(path: &str) -> Cow<'_, str> {
    if path.contains([';', '=']) { prose(path) } else { text(path) }
}

/// A text with everything taken out that has a secret's shape.
pub fn text(text: &str) -> Cow<'_, str> {
    match cards(text) {
        Cow::Borrowed(text) => shaped(text),
        Cow::Owned(text) => Cow::Owned(shaped(&text).into_owned()),
    }
}

fn shaped(text: &str) -> Cow<'_, str> {
    static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&shapes()).ok());
    if !may_hold_shape(text) {
        return Cow::Borrowed(text);
    }
    match &*SHAPES {
        Some(shapes) => shapes.replace_all(text, |found: &Captures<'_>| {
            let part = |name| found.name(name).map_or("", |kept| kept.as_str());
            format!("{}{}{REDACTED}{}", part("kept"), part("user"), part("end"))
        }),
        // Unreachable while the tests pass; closed all the same.
        None => Cow::Borrowed(REDACTED),
    }
}

/// A text without the numbers of payment cards (ISO/IEC 7812: 13 to 19 digits, the last one Luhn's, the first one of a
/// card network), written together or in the groups of cards.
fn cards(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let (mut shown, mut kept, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit() && (at == 0 || !bytes[at - 1].is_ascii_digit());
        match card_end(bytes, at).filter(|_| begins) {
            Some(end) => {
                shown.push_str(&text[kept..at]);
                shown.push_str(REDACTED);
                (kept, at) = (end, end);
            }
            None => at += 1,
        }
    }
    if kept == 0 { Cow::Borrowed(text) } else { Cow::Owned(shown + &text[kept..]) }
}

/// Where the card's number ends that begins at `at`, if one does. Groups are whole: a number within a longer one is none.
fn card_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut digits: SmallVec<[u8; 24]> = SmallVec::new();
    let mut groups: SmallVec<[usize; 8]> = SmallVec::new();
    let mut end = at;
    loop {
        let group = end;
        while let Some(digit) = bytes.get(end).filter(|byte| byte.is_ascii_digit()) {
            digits.push(digit - b'0');
            end += 1;
            if digits.len() > CARD_DIGITS {
                return None;
            }
        }
        groups.push(end - group);
        let is_written = || groups.len() == 1 || is_grouped(bytes, at..end, &groups);
        if is_card(&digits) && is_written() {
            return Some(end);
        }
        end += separator(&bytes[end..])?;
        if !bytes.get(end).is_some_and(u8::is_ascii_digit) {
            return None;
        }
    }
}

/// Bytes of what stands between the groups of a card's number.
fn separator(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b' ' | b'-' | b'+', ..] => Some(1),
        [b'%', b'2', b'0' | b'b' | b'B' | b'd' | b'D', ..] => Some(3),
        _ => None,
    }
}

/// Whether groups of digits are those of a card, and no part of a word. One UUID in 700 has digits that would pass for a
/// card's otherwise, and a log in which ids of requests or the markers of go-ftw are cut is of no use.
fn is_grouped(bytes: &[u8], number: Range<usize>, groups: &[usize]) -> bool {
    let is_word = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_alphanumeric);
    let escaped = number.start >= 3 && bytes[number.start - 3] == b'%';
    let follows_word = number.start > 0 && is_word(number.start - 1) && !escaped;
    CARD_GROUPS.contains(&groups) && !follows_word && !is_word(number.end)
}

fn is_card(digits: &[u8]) -> bool {
    if digits.len() < 13 || !(2..=6).contains(&digits[0]) {
        return false;
    }
    let weighed = |(place, digit): (usize, &u8)| match place % 2 {
        0 => u32::from(*digit),
        _ => u32::from(digit * 2 % 10 + digit * 2 / 10),
    };
    digits.iter().rev().enumerate().map(weighed).sum::<u32>() % 10 == 0
}

/// A free text such as evidence: shapes, and what follows a secret name and `=` or `:`.
pub fn prose(prose: &str) -> Cow<'_, str> {
    static HEADS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        // Quotes may be escaped, in JSON or in a URL, and so may the sign.
        let quote = r#"(?:\\{0,3}["'`]|%(?:25)*2[27]|%5[cC]%22)?"#;
        let name = format!(r#"(?P<name>[A-Za-z0-9_.\[\]-]{{1,{PAIR_NAME_BYTES}}})"#);
        let sign = r"[ \t]{0,2}(?:=|:|%(?:25)*3[aAdD])[ \t]{0,2}";
        Regex::new(&format!("{quote}{name}{quote}{sign}")).ok()
    });
    static VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"^(?:\\{0,3}"[^"]*"?|'[^']*'?|`[^`]*`?|[^ \t\r\n&,;"'`}]+)"#).ok()
    });
    let (Some(heads), Some(value)) = (&*HEADS, &*VALUE) else { return Cow::Borrowed(REDACTED) };
    let shaped = text(prose);
    if !may_hold_pair(&shaped) {
        return shaped;
    }
    let (mut shown, mut kept, mut at) = (String::new(), 0, 0);
    // A value may hold the next name: `https://host/?token=...` is one pair within another.
    while let Some(found) = heads.captures_at(&shaped, at) {
        at = found.get(0).map_or(shaped.len(), |head| head.end());
        // One character is a flag and no secret.
        let secret = value.find(&shaped[at..]).filter(|value| value.len() > 1);
        let secret = secret.filter(|_| is_secret_name(&found["name"]));
        if let Some(secret) = secret {
            shown.push_str(&shaped[kept..at]);
            shown.push_str(REDACTED);
            at += secret.end();
            kept = at;
        }
    }
    if kept == 0 { shaped } else { Cow::Owned(shown + &shaped[kept..]) }
}

/// Who the client is, as rules see it: events show a hash of it.
const IDENTITY: [&str; 2] = ["REMOTE_USER", "USERID"];

/// A value that was found at `target`, e.g. `ARGS:password` or `REQUEST_HEADERS:authorization`.
pub fn at<'t>(target: &str, value: &'t str) -> Cow<'t, str> {
    let secret = match target.split_once(':') {
        // `json.key.0` is a value of `key`.
        Some((_, name)) => is_secret_name(name) || name.split(['.', '[', ']']).any(is_secret_name),
        None => IDENTITY.contains(&target),
    };
    if secret { Cow::Borrowed(REDACTED) } else { prose(value) }
}

/// Lower-case letters and digits of a name. Words end where something else stands or where an upper-case letter
/// follows a lower-case one: `X-Amz_SecurityToken` is `xamzsecuritytoken` with `token` last.
struct Name {
    letters: SmallVec<[u8; 64]>,
    last_word: usize,
}

impl Name {
    fn of(text: &str) -> Name {
        let mut name = Name { letters: SmallVec::new(), last_word: 0 };
        let (mut was_lower, mut at_start) = (false, true);
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let byte = if byte == b'%' { decoded(&mut bytes) } else { byte };
            if !byte.is_ascii_alphanumeric() {
                (was_lower, at_start) = (false, true);
                continue;
            }
            if at_start || byte.is_ascii_uppercase() && was_lower {
                name.last_word = name.letters.len();
            }
            (was_lower, at_start) = (byte.is_ascii_lowercase(), false);
            name.letters.push(byte.to_ascii_lowercase());
        }
        name
    }

    fn joined(&self) -> &str {
        std::str::from_utf8(&self.letters).unwrap_or("")
    }

    fn last(&self) -> &str {
        self.joined().get(self.last_word..).unwrap_or("")
    }
}

/// The byte that two hexadecimal digits stand for, through any number of encodings (`%255F`).
fn decoded(bytes: &mut std::str::Bytes<'_>) -> u8 {
    loop {
        let digit = |bytes: &mut std::str::Bytes<'_>| {
            bytes.next().and_then(|digit| char::from(digit).to_digit(16))
        };
        let (Some(high), Some(low)) = (digit(bytes), digit(bytes)) else { return b' ' };
        let byte = u8::try_from(high * 16 + low).unwrap_or(b' ');
        if byte != b'%' {
            return byte;
        }
    }
}

/// Whether a secret name stands before a sign of [`prose`]'s pairs: most texts are done here.
fn may_hold_pair(text: &str) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.[]-".contains(byte);
    let bytes = text.as_bytes();
    let mut signs = bytes.iter().enumerate().filter(|(_, byte)| matches!(byte, b'=' | b':' | b'%'));
    signs.any(|(sign, _)| {
        // A quote, escaped or not, and two spaces may stand between: looking further back would make `::::` quadratic.
        let gap = bytes[..sign].iter().rev().take(6).position(is_name).unwrap_or(6);
        let before = &bytes[..sign.saturating_sub(gap)];
        let length =
            before.iter().rev().take(PAIR_NAME_BYTES).take_while(|byte| is_name(byte)).count();
        let start = before.len() - length;
        // Two digits behind a percent sign are a quote or another sign.
        let escaped = start > 0 && before[start - 1] == b'%' && length > 2;
        let start = if escaped { start + 2 } else { start };
        std::str::from_utf8(&before[start..]).is_ok_and(is_secret_name)
    })
}

/// Whether three bytes stand together that one of [`shapes`] begins with: most texts are done here.
fn may_hold_shape(text: &str) -> bool {
    text.as_bytes().windows(3).any(|start| match start[0] {
        b'e' => start == b"eyJ",
        b'b' | b'B' => {
            start[1..].eq_ignore_ascii_case(b"ea") || start[1..].eq_ignore_ascii_case(b"as")
        }
        b'A' => matches!(start, b"AKI" | b"ASI" | b"ARO" | b"AID" | b"AIz"),
        b'g' => matches!(start, [_, b'h', b'o' | b'p' | b's' | b'u' | b'r'] | b"git" | b"glp"),
        b's' | b'r' | b'p' => matches!(start, [_, b'k', b'_' | b'-']),
        b'x' => start == b"xox",
        b'y' => start == b"ya2",
        b'n' => start == b"npm",
        b'-' => start == b"---",
        b':' => start == b"://",
        _ => false,
    })
}

/// Shapes of secrets. `kept` stays: it tells what was there.
fn shapes() -> String {
    let dot = r"(?:\.|%(?:25)*2[eE])";
    let space = r"(?:[ \t\r\n+:=]|%(?:25)*(?:20|09|3[aAdD]))";
    [
        // A JSON object in base64url, with the further parts of a JWS or JWE (RFC 7519, `{"` is `eyJ`).
        format!(r"eyJ[A-Za-z0-9_-]{{6,}}(?:{dot}[A-Za-z0-9_-]*){{0,4}}"),
        // Credentials of RFC 6750 and RFC 7617.
        format!(r"(?P<kept>(?-u:\b)(?i-u:bearer|basic){space}{{1,3}})[A-Za-z0-9._~+/=%-]{{6,}}"),
        // User information of a URL (RFC 3986 §3.2.1).
        r"(?P<user>://[^/?\#:@\s]{0,64}:)[^/?\#@\s]{1,256}(?P<end>@)".into(),
        // AWS key identifiers; tokens of GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI.
        r"(?-u:\b)A(?:KI|SI|RO|ID)A[0-9A-Z]{16}".into(),
        r"(?-u:\b)gh[opsur]_[A-Za-z0-9]{20,}|(?-u:\b)github_pat_[A-Za-z0-9_]{20,}|(?-u:\b)glpat-[A-Za-z0-9_-]{16,}".into(),
        r"(?-u:\b)xox[abeprs]-[A-Za-z0-9-]{10,}|(?-u:\b)[rsp]k_(?:live|test)_[A-Za-z0-9]{10,}".into(),
        r"(?-u:\b)AIza[A-Za-z0-9_-]{30,}|(?-u:\b)ya29\.[A-Za-z0-9_-]{20,}|(?-u:\b)npm_[A-Za-z0-9]{30,}|(?-u:\b)sk-[A-Za-z0-9_-]{20,}".into(),
        // A private key (RFC 7468), to its end or the end of the text.
        r"(?s:-----BEGIN[A-Z0-9 +]{0,40}PRIVATE(?:[ +]|%20)KEY.*?(?:-----END[A-Z0-9 +]{0,40}-----|\z))".into(),
    ]
    .join("|")
}
