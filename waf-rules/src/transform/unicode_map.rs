//! Best fit of Unicode in ASCII, as Windows code page 20127 (and so IIS) does it.

/// The ASCII character that code page 20127 puts in place of a code point.
pub(super) fn best_fit(code: u16) -> Option<u8> {
    let table: &[u8] = match code {
        0x00a0..=0x00ff => return fit(LATIN_1, code - 0x00a0),
        0x0100..=0x017f => LATIN_EXTENDED_A,
        0x2000..=0x2006 | 0x3000 => return Some(b' '),
        0x2010 | 0x2011 | 0x2013 | 0x2014 | 0x2212 => return Some(b'-'),
        0x2018 | 0x2019 | 0x2032 | 0x02b9 | 0x02bc | 0x02c8 => return Some(b'\''),
        0x201a => return Some(b','),
        0x201c..=0x201e | 0x02ba => return Some(b'"'),
        0x2022 | 0x2026 => return Some(b'.'),
        0x2035 | 0x02cb | 0x0300 => return Some(b'`'),
        0x2039 | 0x2329 | 0x3008 => return Some(b'<'),
        0x203a | 0x232a | 0x3009 => return Some(b'>'),
        0x2044 | 0x2215 => return Some(b'/'),
        0x2216 => return Some(b'\\'),
        0x2217 => return Some(b'*'),
        0x2223 | 0x01c0 => return Some(b'|'),
        0x2236 | 0x0589 => return Some(b':'),
        0x037e => return Some(b';'),
        0x02c6 | 0x0302 | 0x2303 => return Some(b'^'),
        0x02dc | 0x0303 | 0x223c => return Some(b'~'),
        0xff01..=0xff5e => return Some((code - 0xff01 + 0x21).to_le_bytes()[0]),
        _ => return None,
    };
    fit(table, code - 0x0100)
}

/// Low byte of a code point; the full-width forms U+FF01 to U+FF5E become their ASCII twins.
pub(super) fn narrow(code: u32) -> u8 {
    let low = code.to_le_bytes()[0];
    if (0xff01..=0xff5e).contains(&code) { low + 0x20 } else { low }
}

/// `?` in a table: the code point has no fit.
fn fit(table: &[u8], at: u16) -> Option<u8> {
    table.get(usize::from(at)).copied().filter(|byte| *byte != b'?')
}

const LATIN_1: &[u8] = b" !c?$Y|??Ca<?-R???23???.,1o>????AAAAAAACEEEEIIIIDNOOOOO?OUUUUY??aaaaaaaceeeeiiii?nooooo?ouuuuy?y";
const LATIN_EXTENDED_A: &[u8] =
    b"AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi??JjKk?LlLlLl??LlNnNnNn???OoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZz?";
