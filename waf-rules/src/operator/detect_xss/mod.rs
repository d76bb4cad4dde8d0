//! `@detectXSS`: whether a value, put into a page, would bring a script or markup that runs one.
//!
//! The method and its lists are those of libinjection (Nick Galbreath and contributors, BSD licence): a value is read as
//! HTML from each of the places in a page where it may end up, and its tags, attributes and comments are looked up. This is
//! written anew; the regression tests hold it against the C library.

mod html;
mod names;

use memchr::memchr;

use self::html::{Piece, Pieces, Place};
use self::names::Harm;

const PLACES: [Place; 5] =
    [Place::Text, Place::Tag, Place::Quoted(b'\''), Place::Quoted(b'"'), Place::Quoted(b'`')];

/// Work of a byte, in all places.
pub(super) const BYTE_COST: u64 = 18;

pub(super) fn matches(input: &[u8]) -> bool {
    PLACES.iter().any(|place| Pieces::new(input, *place).any(is_harmful))
}

fn is_harmful(piece: Piece<'_>) -> bool {
    match piece {
        Piece::Doctype => true,
        Piece::Tag(name) => names::is_harmful_tag(name),
        Piece::Attribute { name, value } => is_harmful_attribute(name, value),
        Piece::Comment(text) => is_harmful_comment(text),
    }
}

fn is_harmful_attribute(name: &[u8], value: &[u8]) -> bool {
    match names::harm(name) {
        None => false,
        Some(Harm::Always) => true,
        Some(Harm::Address) => names::is_harmful_address(value),
        Some(Harm::Indirect) => names::harm(value).is_some(),
    }
}

/// Internet Explorer ends tags with a backquote, and reads conditions and processing instructions in comments.
fn is_harmful_comment(text: &[u8]) -> bool {
    let begins =
        |with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    memchr(b'`', text).is_some()
        || text.len() > 3 && (begins(b"[IF") || begins(b"XML"))
        || begins(b"IMPORT")
        || begins(b"ENTITY")
}
