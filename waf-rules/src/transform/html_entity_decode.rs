//! `htmlEntityDecode`: numeric references of any length (leading zeros count for nothing,
//! CVE-2025-27110) and every named reference for an ASCII character in the WHATWG table
//! (CVE-2026-61812: `&colon;`). Codes up to 255 become that byte, higher ones UTF-8.

use crate::bytes::hex;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        if input[at] == b'&'
            && let Some(length) = reference(&input[at..], out)
        {
            at += length;
            continue;
        }
        out.push(input[at]);
        at += 1;
    }
}

/// Decodes one reference; its length, or nothing when the ampersand stands for itself.
fn reference(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    match (rest.get(1)?, rest.get(2)) {
        (b'#', Some(b'x' | b'X')) => numeric(rest, 3, 16, out),
        (b'#', _) => numeric(rest, 2, 10, out),
        _ => named(rest, out),
    }
}

fn numeric(rest: &[u8], start: usize, radix: u32, out: &mut Vec<u8>) -> Option<usize> {
    let digit = |byte: &u8| hex(*byte).map(u32::from).filter(|digit| *digit < radix);
    let digits = rest[start..].iter().take_while(|byte| digit(byte).is_some()).count();
    if digits == 0 {
        return None;
    }
    let code = rest[start..start + digits]
        .iter()
        .filter_map(digit)
        .fold(0_u32, |code, digit| code.saturating_mul(radix).saturating_add(digit));
    push_code(code, out);
    Some(start + digits + usize::from(rest.get(start + digits) == Some(&b';')))
}

fn push_code(code: u32, out: &mut Vec<u8>) {
    match (u8::try_from(code), char::from_u32(code)) {
        (Ok(byte), _) => out.push(byte),
        (_, Some(character)) => {
            out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes())
        }
        _ => out.extend_from_slice("\u{fffd}".as_bytes()),
    }
}

fn named(rest: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let length =
        rest[1..].iter().take(LONGEST).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let closed = rest.get(1 + length) == Some(&b';');
    let name = &rest[1..=length];
    let byte = legacy(name).or_else(|| closed.then(|| strict(name)).flatten())?;
    out.push(byte);
    Some(1 + length + usize::from(closed))
}

/// References that browsers accept without the semicolon, here in any case as ModSecurity does.
fn legacy(name: &[u8]) -> Option<u8> {
    const NAMES: [(&[u8], u8); 5] =
        [(b"quot", b'"'), (b"amp", b'&'), (b"lt", b'<'), (b"gt", b'>'), (b"nbsp", 0xa0)];
    NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, byte)| *byte)
}

fn strict(name: &[u8]) -> Option<u8> {
    STRICT.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, byte)| *byte)
}

const LONGEST: usize = "DiacriticalGrave".len();

/// Named references for ASCII characters: HTML Living Standard, 13.5.
const STRICT: [(&str, u8); 42] = [
    ("Tab", b'\t'),
    ("NewLine", b'\n'),
    ("excl", b'!'),
    ("num", b'#'),
    ("dollar", b'$'),
    ("percnt", b'%'),
    ("apos", b'\''),
    ("lpar", b'('),
    ("rpar", b')'),
    ("ast", b'*'),
    ("midast", b'*'),
    ("plus", b'+'),
    ("comma", b','),
    ("period", b'.'),
    ("sol", b'/'),
    ("colon", b':'),
    ("semi", b';'),
    ("equals", b'='),
    ("quest", b'?'),
    ("commat", b'@'),
    ("lsqb", b'['),
    ("lbrack", b'['),
    ("bsol", b'\\'),
    ("rsqb", b']'),
    ("rbrack", b']'),
    ("Hat", b'^'),
    ("lowbar", b'_'),
    ("UnderBar", b'_'),
    ("grave", b'`'),
    ("DiacriticalGrave", b'`'),
    ("lcub", b'{'),
    ("lbrace", b'{'),
    ("verbar", b'|'),
    ("vert", b'|'),
    ("VerticalLine", b'|'),
    ("rcub", b'}'),
    ("rbrace", b'}'),
    ("NonBreakingSpace", 0xa0),
    ("QUOT", b'"'),
    ("AMP", b'&'),
    ("LT", b'<'),
    ("GT", b'>'),
];
