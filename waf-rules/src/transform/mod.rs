//! Transformations (`t:`): what a value becomes before the operator sees it.
//!
//! Each is a pure function from bytes to bytes in a file of its own, with its source and cases
//! beside it. [`Transform::triggers`] names the bytes without which a transformation changes
//! nothing, so that most lists collapse to the original value at the cost of one mask test.

mod base64;
mod case;
mod cmd_line;
mod comments;
mod css_decode;
mod digest;
mod escape_seq_decode;
mod hex;
mod html_entity_decode;
mod js_decode;
mod normalize_path;
mod nulls;
mod parity;
mod sql_hex_decode;
#[cfg(test)]
mod tests;
mod unicode_map;
mod url;
mod utf8_to_unicode;
mod whitespace;

use crate::bytes::ByteSet;
use crate::seclang::nearest;

type Apply = fn(&[u8], &mut Vec<u8>);

/// One transformation, as an index into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Transform(u8);

struct Entry {
    name: &'static str,
    apply: Apply,
    triggers: ByteSet,
    /// Twice the work of a byte.
    byte_cost: u64,
}

/// Names of all transformations.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|entry| entry.name)
}

impl Transform {
    /// The transformation of this name, in any case.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let at = TABLE.iter().position(|entry| entry.name.eq_ignore_ascii_case(name));
        at.and_then(|at| u8::try_from(at).ok()).map(Self).ok_or_else(|| unknown(name))
    }

    /// Appends the transformed input to `out`.
    pub(crate) fn apply(self, input: &[u8], out: &mut Vec<u8>) {
        (self.entry().apply)(input, out);
    }

    /// An input with none of these bytes is returned unchanged.
    pub(crate) fn triggers(self) -> &'static ByteSet {
        &self.entry().triggers
    }

    /// Work of an input of this many bytes, in the unit of [`Bounds::work`](crate::Bounds::work): what it takes on hostile
    /// texts, what comes out and its place among the values included.
    pub(crate) fn cost(self, bytes: u64) -> u64 {
        self.entry().byte_cost * bytes / 3
    }

    fn entry(self) -> &'static Entry {
        &TABLE[self.0 as usize]
    }
}

fn unknown(name: &str) -> String {
    match nearest(name, TABLE.iter().map(|entry| entry.name)) {
        Some(near) => format!("unknown transformation `{name}`, did you mean `{near}`?"),
        None => format!("unknown transformation `{name}`"),
    }
}

const fn entry(name: &'static str, apply: Apply, triggers: ByteSet) -> Entry {
    Entry { name, apply, triggers, byte_cost: 3 }
}

impl Entry {
    const fn byte_cost(self, byte_cost: u64) -> Self {
        Self { byte_cost, ..self }
    }
}

const SPACE: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r\xa0");
const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
const COMMENT: ByteSet = ByteSet::of(b"/*-#<");

static TABLE: &[Entry] = &[
    entry("base64Decode", base64::decode, ByteSet::ALL),
    entry("base64DecodeExt", base64::decode_ext, ByteSet::ALL).byte_cost(5),
    entry("base64Encode", base64::encode, ByteSet::ALL),
    entry("cmdLine", cmd_line::apply, ByteSet::of(b"\\\"'^/(,; \t\n\x0b\x0c\r").union(UPPER)),
    entry("compressWhitespace", whitespace::compress, SPACE),
    entry("cssDecode", css_decode::apply, ByteSet::of(b"\\")),
    entry("escapeSeqDecode", escape_seq_decode::apply, ByteSet::of(b"\\")),
    entry("hexDecode", hex::decode, ByteSet::ALL),
    entry("hexEncode", hex::encode, ByteSet::ALL),
    entry("htmlEntityDecode", html_entity_decode::apply, ByteSet::of(b"&")).byte_cost(5),
    entry("jsDecode", js_decode::apply, ByteSet::of(b"\\")),
    entry("length", digest::length, ByteSet::ALL).byte_cost(1),
    entry("lowercase", case::lower, UPPER).byte_cost(1),
    entry("md5", digest::md5, ByteSet::ALL),
    entry("normalisePath", normalize_path::unix, ByteSet::of(b"/.")),
    entry("normalisePathWin", normalize_path::windows, ByteSet::of(b"/.\\")),
    entry("normalizePath", normalize_path::unix, ByteSet::of(b"/.")),
    entry("normalizePathWin", normalize_path::windows, ByteSet::of(b"/.\\")),
    entry("parityEven7bit", parity::even, ByteSet::ALL).byte_cost(1),
    entry("parityOdd7bit", parity::odd, ByteSet::ALL).byte_cost(1),
    entry("parityZero7bit", parity::zero, ByteSet::range(0x80, 0xff)).byte_cost(1),
    entry("removeComments", comments::remove, COMMENT).byte_cost(4),
    entry("removeCommentsChar", comments::remove_chars, COMMENT).byte_cost(4),
    entry("removeNulls", nulls::remove, ByteSet::of(b"\0")).byte_cost(1),
    entry("removeWhitespace", whitespace::remove, SPACE),
    entry("replaceComments", comments::replace, ByteSet::of(b"/")),
    entry("replaceNulls", nulls::replace, ByteSet::of(b"\0")).byte_cost(1),
    entry("sha1", digest::sha1, ByteSet::ALL),
    entry("sqlHexDecode", sql_hex_decode::apply, ByteSet::of(b"0")),
    entry("trim", whitespace::trim, SPACE).byte_cost(1),
    entry("trimLeft", whitespace::trim_left, SPACE).byte_cost(1),
    entry("trimRight", whitespace::trim_right, SPACE).byte_cost(1),
    entry("uppercase", case::upper, ByteSet::range(b'a', b'z')).byte_cost(1),
    entry("urlDecode", url::decode, ByteSet::of(b"%+")).byte_cost(5),
    entry("urlDecodeUni", url::decode_uni, ByteSet::of(b"%+")).byte_cost(5),
    entry("urlEncode", url::encode, ByteSet::ALL).byte_cost(5),
    entry("utf8toUnicode", utf8_to_unicode::apply, ByteSet::range(0x80, 0xff)).byte_cost(4),
];
