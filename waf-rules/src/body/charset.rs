//! Character sets of bodies. Rules look for ASCII: a body in a set that does not contain ASCII as it is
//! would pass them unseen (CVE-2022-39955), so it is decoded where that is sure, and a doubt otherwise.

use std::borrow::Cow;

use super::media_type::parameters;

/// How a body is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Charset {
    /// ASCII bytes mean ASCII.
    Ascii,
    Utf16 {
        little_endian: Option<bool>,
    },
    Utf32 {
        little_endian: Option<bool>,
    },
}

/// Sets in which the bytes of ASCII mean ASCII, whatever else they hold.
const SUPERSETS: &[&str] = &[
    "utf-8",
    "utf8",
    "us-ascii",
    "ascii",
    "ansi_x3.4-1968",
    "latin1",
    "iso_8859-1",
    "iso8859-1",
    "big5",
    "big5-hkscs",
    "cp1252",
    "euc-jp",
    "euc-kr",
    "gb18030",
    "gb2312",
    "gbk",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "shift_jis",
    "shift-jis",
    "sjis",
    "tis-620",
    "windows-31j",
    "windows-874",
    "windows-949",
];

impl Charset {
    /// The set that a content type names; the error says why the body cannot be trusted.
    pub(crate) fn of(content_type: &[u8]) -> Result<Option<Self>, String> {
        let mut named = parameters(content_type)
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"charset"))
            .map(|(_, value)| value);
        let Some(first) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            return Err("content type has more than one charset".to_owned());
        }
        Self::parse(&String::from_utf8_lossy(&first)).map(Some)
    }

    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let lower = name.trim().to_ascii_lowercase();
        let family = |prefix: &str| {
            lower.strip_prefix(prefix).is_some_and(|number| {
                !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        match lower.as_str() {
            "utf-16" | "utf16" | "ucs-2" | "iso-10646-ucs-2" => {
                Ok(Self::Utf16 { little_endian: None })
            }
            "utf-16le" => Ok(Self::Utf16 { little_endian: Some(true) }),
            "utf-16be" => Ok(Self::Utf16 { little_endian: Some(false) }),
            "utf-32" | "utf32" | "ucs-4" => Ok(Self::Utf32 { little_endian: None }),
            "utf-32le" => Ok(Self::Utf32 { little_endian: Some(true) }),
            "utf-32be" => Ok(Self::Utf32 { little_endian: Some(false) }),
            known if SUPERSETS.contains(&known) || family("iso-8859-") || family("windows-125") => {
                Ok(Self::Ascii)
            }
            _ => Err(format!("charset `{}` cannot be inspected", shown(&lower))),
        }
    }

    /// The set a byte order mark tells, where there is one.
    pub(crate) fn of_mark(body: &[u8]) -> Option<Self> {
        match body {
            [0xff, 0xfe, 0, 0, ..] => Some(Self::Utf32 { little_endian: Some(true) }),
            [0, 0, 0xfe, 0xff, ..] => Some(Self::Utf32 { little_endian: Some(false) }),
            [0xff, 0xfe, ..] => Some(Self::Utf16 { little_endian: Some(true) }),
            [0xfe, 0xff, ..] => Some(Self::Utf16 { little_endian: Some(false) }),
            _ => None,
        }
    }

    /// Without the piece of a character at the end of a body that was cut.
    pub(crate) fn whole_characters(self, body: &[u8]) -> &[u8] {
        let piece = match self {
            Self::Ascii => piece_of_utf8(body),
            Self::Utf16 { .. } => body.len() % 2,
            Self::Utf32 { .. } => body.len() % 4,
        };
        &body[..body.len() - piece]
    }

    /// The body in UTF-8; what is no character becomes U+FFFD.
    pub(crate) fn decode(self, body: &[u8]) -> Cow<'_, [u8]> {
        let little = |asked: Option<bool>| {
            // Without a mark or a word the first character tells: it is ASCII in all that is parsed.
            asked.unwrap_or_else(|| body.first() != Some(&0) && !body.starts_with(b"\xfe\xff"))
        };
        let text: String = match self {
            Self::Ascii => return Cow::Borrowed(body),
            Self::Utf16 { little_endian } => {
                let read =
                    if little(little_endian) { u16::from_le_bytes } else { u16::from_be_bytes };
                let units = body.chunks(2).map(|pair| match pair {
                    [a, b] => read([*a, *b]),
                    _ => 0xfffd,
                });
                char::decode_utf16(units)
                    .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect()
            }
            Self::Utf32 { little_endian } => {
                let read =
                    if little(little_endian) { u32::from_le_bytes } else { u32::from_be_bytes };
                let units = body.chunks(4).map(|quad| match quad {
                    [a, b, c, d] => char::from_u32(read([*a, *b, *c, *d])),
                    _ => None,
                });
                units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Cow::Owned(text.as_bytes().to_vec())
    }
}

/// Bytes at the end that begin a character and do not end it.
fn piece_of_utf8(body: &[u8]) -> usize {
    let longest = 4.min(body.len());
    let begins = |length: &usize| match body[body.len() - length] {
        0xc0..=0xdf => *length < 2,
        0xe0..=0xef => *length < 3,
        0xf0..=0xf7 => *length < 4,
        _ => false,
    };
    (1..=longest).find(begins).unwrap_or(0)
}

/// A name from a client, short and printable.
fn shown(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(40).collect()
}
