//! The words, numbers, strings and signs of a value, read as SQL of any dialect.
//!
//! Each token is read once, from left to right, without a copy. What is looked at and not made part of a token (a
//! `$` and its letters, a bit string that is none) is looked at once more at most: the work is linear.

use memchr::{memchr, memmem};

use super::token::{Kind, TEXT_BYTES_MAX, Token};
use super::words;
use crate::bytes::ByteSet;
use crate::operator::OutOfWork;

/// Work of a token, and of each of its bytes.
pub(super) const TOKEN_COST: u64 = 40;
pub(super) const BYTE_COST: u64 = 3;

/// How a value is read: as if it began inside of a quote, and in which dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) quote: Option<u8>,
    /// `#` begins a comment, and `--` only in front of a blank.
    pub(super) mysql: bool,
}

/// A token and the bytes up to the end of it.
type Read<'a> = (Token<'a>, usize);

/// The tokens of one reading. `pay` is asked before each of them is read.
pub(super) struct Tokens<'a, P> {
    input: &'a [u8],
    reading: Reading,
    at: usize,
    pay: P,
    /// Tokens read so far.
    pub(super) count: usize,
    /// MySQL reads what was read so far differently.
    pub(super) is_ambiguous: bool,
}

impl<'a, P: FnMut(u64) -> bool> Tokens<'a, P> {
    pub(super) fn new(input: &'a [u8], reading: Reading, pay: P) -> Self {
        Self { input, reading, at: 0, pay, count: 0, is_ambiguous: false }
    }

    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, OutOfWork> {
        loop {
            let start = self.at;
            if !(self.pay)(TOKEN_COST) {
                return Err(OutOfWork);
            }
            let token = match self.reading.quote.filter(|_| start == 0) {
                Some(quote) => Some(self.string_inside(quote)),
                None => self.token(),
            };
            if !(self.pay)(BYTE_COST * (self.at - start) as u64) {
                return Err(OutOfWork);
            }
            if token.is_none_or(|token| token.kind != Kind::Nothing) {
                self.count += usize::from(token.is_some());
                return Ok(token);
            }
        }
    }

    /// The rest of a string that began before the value.
    fn string_inside(&mut self, quote: u8) -> Token<'a> {
        let (token, length) = string(self.input, quote);
        self.at = length;
        Token { open: 0, ..token }
    }

    fn token(&mut self) -> Option<Token<'a>> {
        let rest = &self.input[self.at..];
        self.at += rest.iter().take_while(|byte| BLANKS.contains(**byte)).count();
        let rest = &self.input[self.at..];
        let (token, length) = self.read(*rest.first()?, rest);
        self.at += length;
        Some(token)
    }

    fn read(&mut self, first: u8, rest: &'a [u8]) -> Read<'a> {
        match first {
            b'\'' | b'"' => quoted(rest, 0),
            b'`' => backquoted(rest),
            b'(' => sign(Kind::LeftParenthesis, rest),
            b')' => sign(Kind::RightParenthesis, rest),
            b'{' => sign(Kind::LeftBrace, rest),
            b'}' => sign(Kind::RightBrace, rest),
            b',' => sign(Kind::Comma, rest),
            b';' => sign(Kind::Semicolon, rest),
            b'?' | b']' => sign(Kind::Unknown, rest),
            b'%' | b'^' | b'+' | b'~' => sign(Kind::Operator, rest),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => operator(rest),
            b'#' => self.hash(rest),
            b'-' => self.dash(rest),
            b'/' => slash(rest),
            b'\\' if rest.get(1) == Some(&b'N') => cut(Kind::Number, rest, 2),
            b'\\' => sign(Kind::Backslash, rest),
            b'.' | b'0'..=b'9' => number(rest),
            b'$' => money(rest),
            b'@' => variable(rest),
            b'[' => cut(Kind::Bareword, rest, memchr(b']', rest).map_or(rest.len(), |end| end + 1)),
            _ => prefixed(rest).unwrap_or_else(|| word(rest)),
        }
    }

    fn hash(&mut self, rest: &'a [u8]) -> Read<'a> {
        self.is_ambiguous = true;
        if self.reading.mysql { line_comment(rest) } else { sign(Kind::Operator, rest) }
    }

    fn dash(&mut self, rest: &'a [u8]) -> Read<'a> {
        match rest {
            [_, b'-'] => line_comment(rest),
            [_, b'-', next, ..] if SPACES.contains(*next) => line_comment(rest),
            [_, b'-', ..] if !self.reading.mysql => {
                self.is_ambiguous = true;
                line_comment(rest)
            }
            _ => sign(Kind::Operator, rest),
        }
    }
}

/// Bytes between tokens.
const BLANKS: ByteSet = ByteSet::range(0, b' ').with(0x7f).with(0xa0);
/// Blanks behind `--` and behind a number.
const SPACES: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r\xa0\0");
/// What ends a word, and what ends the name of a variable.
const WORD_ENDS: ByteSet = ByteSet::of(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0");
const VARIABLE_ENDS: ByteSet = ByteSet::of(b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r'`\"\0");
/// NUL bytes are skipped among digits and in the tag of a string.
const MONEY: ByteSet = ByteSet::range(b'0', b'9').union(ByteSet::of(b".,\0"));
const TAG: ByteSet = ByteSet::range(b'a', b'z').union(ByteSet::range(b'A', b'Z')).with(0);
const BITS: ByteSet = ByteSet::of(b"01\0");
const HEX: ByteSet = ByteSet::range(b'0', b'9')
    .union(ByteSet::range(b'a', b'f'))
    .union(ByteSet::range(b'A', b'F'))
    .with(0);

/// Bytes up to the first one outside of a set.
fn span(rest: &[u8], set: ByteSet) -> usize {
    rest.iter().position(|byte| !set.contains(*byte)).unwrap_or(rest.len())
}

fn span_until(rest: &[u8], ends: ByteSet) -> usize {
    rest.iter().position(|byte| ends.contains(*byte)).unwrap_or(rest.len())
}

/// Pairs are mostly near: whatever prepares a search for one takes longer.
fn find(rest: &[u8], end: &[u8]) -> Option<usize> {
    match end {
        [first, second] => rest.windows(2).position(|pair| pair == [*first, *second]),
        _ => memmem::find(rest, end),
    }
}

fn digits(rest: &[u8]) -> usize {
    span(rest, ByteSet::range(b'0', b'9'))
}

fn sign(kind: Kind, rest: &[u8]) -> Read<'_> {
    cut(kind, rest, 1)
}

fn cut(kind: Kind, rest: &[u8], length: usize) -> Read<'_> {
    (Token::new(kind, &rest[..length]), length)
}

fn operator(rest: &[u8]) -> Read<'_> {
    if rest.starts_with(b"<=>") {
        return cut(Kind::Operator, rest, 3);
    }
    if let Some(found) = rest.get(..2).and_then(words::find) {
        return cut(found.kind, rest, 2);
    }
    // A colon at the end is an operator.
    let kind = if rest[0] == b':' && rest.len() > 1 { Kind::Colon } else { Kind::Operator };
    sign(kind, rest)
}

fn line_comment(rest: &[u8]) -> Read<'_> {
    let length = memchr(b'\n', rest).unwrap_or(rest.len());
    (Token::new(Kind::Comment, &rest[..length]), rest.len().min(length + 1))
}

/// A division, or a comment. One inside of another, which PostgreSQL reads on, and `/*!`, which MySQL runs, are evil.
fn slash(rest: &[u8]) -> Read<'_> {
    if rest.get(1) != Some(&b'*') {
        return sign(Kind::Operator, rest);
    }
    let end = find(&rest[2..], b"*/").map(|at| at + 2);
    let nested = end.is_some_and(|end| find(&rest[2..=end], b"/*").is_some());
    let evil = nested || rest.get(2) == Some(&b'!');
    let kind = if evil { Kind::Evil } else { Kind::Comment };
    cut(kind, rest, end.map_or(rest.len(), |end| end + 2))
}

/// A string up to its quote, which is part of it where a backslash or its double makes it so.
fn string(inside: &[u8], quote: u8) -> Read<'_> {
    let mut from = 0;
    while let Some(end) = memchr(quote, &inside[from..]).map(|at| from + at) {
        let backslashes = inside[..end].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 1 {
            from = end + 1;
        } else if inside.get(end + 1) == Some(&quote) {
            from = end + 2;
        } else {
            let token = Token::new(Kind::Str, &inside[..end]);
            return (Token { open: quote, close: quote, ..token }, end + 1);
        }
    }
    (Token { open: quote, ..Token::new(Kind::Str, inside) }, inside.len())
}

/// A string whose quote stands at `at`.
fn quoted(rest: &[u8], at: usize) -> Read<'_> {
    let (token, length) = string(&rest[at + 1..], rest[at]);
    (token, at + 1 + length)
}

/// MySQL's quoted names, which may be names of functions.
fn backquoted(rest: &[u8]) -> Read<'_> {
    let (token, length) = quoted(rest, 0);
    let found = words::find(token.text).filter(|word| word.kind == Kind::Function);
    (Token { kind: found.map_or(Kind::Bareword, |word| word.kind), ..token }, length)
}

/// A string up to `end`, with a letter for its quotes.
fn string_up_to<'a>(rest: &'a [u8], from: usize, end: &[u8], letter: u8) -> Read<'a> {
    let inside = &rest[from..];
    let found = find(inside, end);
    let token = Token::new(Kind::Str, &inside[..found.unwrap_or(inside.len())]);
    let close = if found.is_some() { letter } else { 0 };
    let length = found.map_or(rest.len(), |at| from + at + end.len());
    (Token { open: letter, close, ..token }, length)
}

/// Literals that begin with a letter: `b'01'`, `x'0a'`, `e'..'`, `n'..'`, `u&'..'`, `q'[..]'`, `nq'[..]'`.
fn prefixed(rest: &[u8]) -> Option<Read<'_>> {
    match rest {
        [b'b' | b'B', b'\'', _, ..] => literal(rest, BITS),
        [b'x' | b'X', b'\'', _, ..] => literal(rest, HEX),
        [b'e' | b'E' | b'n' | b'N', b'\'', _, ..] => Some(quoted(rest, 1)),
        [b'u' | b'U', b'&', b'\'', ..] => {
            let (token, length) = quoted(rest, 2);
            let close = if token.close == b'\'' { b'u' } else { token.close };
            Some((Token { open: b'u', close, ..token }, length))
        }
        [b'q' | b'Q', b'\'', bracket, ..] => bracketed(rest, 3, *bracket),
        [b'n' | b'N', b'q' | b'Q', b'\'', bracket, ..] => bracketed(rest, 4, *bracket),
        _ => None,
    }
}

fn literal(rest: &[u8], set: ByteSet) -> Option<Read<'_>> {
    let end = 2 + span(&rest[2..], set);
    (rest.get(end) == Some(&b'\'')).then(|| cut(Kind::Number, rest, end + 1))
}

/// Oracle's strings, in brackets of their own choice.
fn bracketed(rest: &[u8], from: usize, bracket: u8) -> Option<Read<'_>> {
    let closing = match bracket {
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        0..=b' ' | 0x80.. => return None,
        other => other,
    };
    Some(string_up_to(rest, from, &[closing, b'\''], b'q'))
}

/// A word, or the part of it in front of a dot or backquote if that part is one of the table.
fn word(rest: &[u8]) -> Read<'_> {
    let head = &rest[..span_until(&rest[..rest.len().min(TEXT_BYTES_MAX)], WORD_ENDS)];
    let mut from = 0;
    for _ in 0..=words::DOTS_MAX {
        let Some(at) = head[from..].iter().position(|byte| matches!(byte, b'.' | b'`')) else {
            break;
        };
        let part = &head[..from + at];
        if let Some(found) = words::find(part).filter(|word| word.kind != Kind::Bareword) {
            return (Token::new(found.kind, part), part.len());
        }
        from += at + 1;
    }
    let length = match head.len() {
        TEXT_BYTES_MAX => TEXT_BYTES_MAX + span_until(&rest[TEXT_BYTES_MAX..], WORD_ENDS),
        length => length,
    };
    cut(words::find(&rest[..length]).map_or(Kind::Bareword, |word| word.kind), rest, length)
}

fn variable(rest: &[u8]) -> Read<'_> {
    let from = if rest.get(1) == Some(&b'@') { 2 } else { 1 };
    let name = &rest[from..];
    let (token, length) = match name.first() {
        Some(b'`') => backquoted(name),
        Some(b'\'' | b'"') => quoted(name, 0),
        _ => cut(Kind::Variable, name, span_until(name, VARIABLE_ENDS)),
    };
    (Token { kind: Kind::Variable, ..token }, from + length)
}

/// An amount, or PostgreSQL's strings: `$$..$$`, `$tag$..$tag$`.
fn money(rest: &[u8]) -> Read<'_> {
    let amount = span(&rest[1..], MONEY);
    if amount == 1 && rest[1] == b'.' {
        return word(rest);
    }
    if amount > 0 {
        return cut(Kind::Number, rest, 1 + amount);
    }
    let tag = 1 + span(&rest[1..], TAG);
    if rest.get(tag) == Some(&b'$') {
        return string_up_to(rest, tag + 1, &rest[..=tag], b'$');
    }
    sign(Kind::Bareword, rest)
}

fn number(rest: &[u8]) -> Read<'_> {
    match rest {
        [b'0', b'x' | b'X', digits @ ..] => based(rest, span(digits, HEX)),
        [b'0', b'b' | b'B', digits @ ..] => based(rest, span(digits, BITS)),
        _ => decimal(rest),
    }
}

fn based(rest: &[u8], digits: usize) -> Read<'_> {
    let kind = if digits == 0 { Kind::Bareword } else { Kind::Number };
    cut(kind, rest, 2 + digits)
}

fn decimal(rest: &[u8]) -> Read<'_> {
    let mut end = digits(rest);
    if rest.get(end) == Some(&b'.') {
        end += 1 + digits(&rest[end + 1..]);
        if end == 1 {
            return sign(Kind::Dot, rest);
        }
    }
    let mut kind = Kind::Number;
    if let Some(b'e' | b'E') = rest.get(end) {
        let signs = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
        let power = digits(&rest[end + 1 + signs..]);
        end += 1 + signs + power;
        kind = if power == 0 { Kind::Nothing } else { Kind::Number };
    }
    cut(kind, rest, end + suffix(&rest[end..]))
}

/// Oracle's `d` and `f`: at the end, in front of a blank, and of `UNION`.
fn suffix(rest: &[u8]) -> usize {
    let ends = |next: &u8| SPACES.contains(*next) || matches!(next, b';' | b'u' | b'U');
    let is_suffix = matches!(rest.first(), Some(b'd' | b'D' | b'f' | b'F'));
    usize::from(is_suffix && rest.get(1).is_none_or(ends))
}
