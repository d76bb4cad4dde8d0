//! `@detectSQLi`: whether a value, put into a statement, would change what the statement means. `TX:0` is the
//! fingerprint.
//!
//! The method and its tables are those of libinjection (Nick Galbreath and contributors, BSD licence): a value is read
//! as SQL, as it is and as the rest of a string; what is read is folded to five tokens; their kinds are looked up among
//! the fingerprints of attacks. This is written anew: linear, without a copy of the value, and paid for token by token. The
//! regression tests hold it against the C library.

mod fingerprints;
mod fold;
mod token;
mod tokens;
mod words;

use memchr::{memchr, memmem};

use self::fold::Folded;
use self::token::Kind;
use self::tokens::{BYTE_COST, Reading, TOKEN_COST, Tokens};
use super::{Captures, OutOfWork};

/// Work of a question, beside the bytes that are passed over to find quotes and ends.
const COST: u64 = 200;
/// A value is read in so many ways at most.
const READINGS_MAX: u64 = 5;

/// Whether the value is an attack. `pay` is asked for the work of each token before it is read.
pub(super) fn matches(
    input: &[u8],
    captures: Option<&mut Captures>,
    mut pay: impl FnMut(u64) -> bool,
) -> Result<bool, OutOfWork> {
    let Some(fingerprint) = detect(input, &mut pay)? else { return Ok(false) };
    if let Some(captures) = captures {
        fingerprint.write(captures);
    }
    Ok(true)
}

/// Work that is known before a token is read.
pub(super) fn cost(input: &[u8]) -> u64 {
    COST + input.len() as u64
}

/// The most work that reading can be.
pub(super) fn cost_max(input: &[u8]) -> u64 {
    cost(input) + READINGS_MAX * (TOKEN_COST + BYTE_COST) * input.len() as u64
}

/// The letters of the token's kinds, of the first reading that is an attack.
fn detect(
    input: &[u8],
    pay: &mut impl FnMut(u64) -> bool,
) -> Result<Option<Fingerprint>, OutOfWork> {
    for quote in [None, Some(b'\''), Some(b'"')] {
        if quote.is_some_and(|quote| memchr(quote, input).is_none()) {
            continue;
        }
        // Only MySQL takes double quotes for those of a string.
        let mut mysql = quote == Some(b'"');
        loop {
            let reading = Reading { quote, mysql };
            let folded = fold::fold(Tokens::new(input, reading, &mut *pay))?;
            let fingerprint = Fingerprint::of(&folded);
            if fingerprint.is_attack(&folded, input) {
                return Ok(Some(fingerprint));
            }
            if mysql || !folded.is_ambiguous {
                break;
            }
            mysql = true;
        }
    }
    Ok(None)
}

/// The kinds of the tokens.
struct Fingerprint {
    kinds: [Kind; fold::TOKENS_MAX],
    length: usize,
}

impl Fingerprint {
    fn of(folded: &Folded<'_>) -> Self {
        let mut kinds = [Kind::Unknown; fold::TOKENS_MAX];
        let tokens = folded.tokens();
        kinds.iter_mut().zip(tokens).for_each(|(kind, token)| *kind = token.kind);
        if kinds.contains(&Kind::Evil) {
            kinds[0] = Kind::Evil;
            return Self { kinds, length: 1 };
        }
        Self { kinds, length: tokens.len() }
    }

    fn kinds(&self) -> &[Kind] {
        &self.kinds[..self.length]
    }

    fn write(&self, captures: &mut Captures) {
        let letters = self.kinds.map(Kind::letter);
        captures.set_text(&letters[..self.length]);
    }

    /// It is one of the list, and not one of those that honest text has too.
    fn is_attack(&self, folded: &Folded<'_>, input: &[u8]) -> bool {
        if !fingerprints::is_known(self.kinds()) {
            return false;
        }
        // What SQL Server keeps out of its audit log.
        let hidden = || memmem::find(input, b"sp_password").is_some();
        match self.kinds() {
            [_, .., Kind::Comment] if hidden() => true,
            [first, second] => is_attack_of_two(*first, *second, folded, input),
            [first, second, third] => is_attack_of_three([*first, *second, *third], folded),
            _ => true,
        }
    }
}

fn is_attack_of_two(first: Kind, second: Kind, folded: &Folded<'_>, input: &[u8]) -> bool {
    let [number, last] = [folded.tokens()[0], folded.tokens()[1]];
    match (first, second, last.first()) {
        // A number and `union`, and nothing else.
        (_, Kind::Union, _) => folded.read != 2,
        (_, _, b'#') => false,
        (Kind::Bareword, Kind::Comment, sign) => sign == b'/',
        (Kind::Number, Kind::Comment, b'/') => true,
        // Two dashes behind the number, or only at the end of something that begins with one, as base64 may.
        (Kind::Number, Kind::Comment, _) => {
            let rest = input.get(number.text.len()..).unwrap_or_default();
            let blank = matches!(rest, [] | [0..=b' ' | 0x80.., ..]);
            folded.read > 2 || blank || rest.starts_with(b"/*") || rest.starts_with(b"--")
        }
        (_, _, b'-') => last.text.len() <= 2,
        _ => true,
    }
}

fn is_attack_of_three(kinds: [Kind; 3], folded: &Folded<'_>) -> bool {
    use Kind::{Bareword, Keyword, Logic, Number, Operator, Str, Variable};
    let tokens = folded.tokens();
    match kinds {
        // `foo' + 'bar`, and not `'foo' + 'bar'`.
        [Str, Operator | Logic, Str] => {
            let (first, third) = (tokens[0], tokens[2]);
            first.open == 0 && third.close == 0 && first.close == third.open
        }
        // `sexy and 17`, and not `sexy and 17<18`.
        [Str, Logic, Bareword] | [Bareword, Logic, Number] => folded.read != 3,
        [Number, Logic, Number | Variable | Str] => folded.read != 3,
        // `INTO OUTFILE`.
        [_, Keyword, _] => {
            let word = tokens[1].text;
            word.len() > 4 && word[..4].eq_ignore_ascii_case(b"INTO")
        }
        _ => true,
    }
}
