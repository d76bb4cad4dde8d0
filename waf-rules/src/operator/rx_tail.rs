//! A negative lookahead for plain text at the end of a pattern, `<\?(?!xml)`, said without lookahead.
//!
//! Nothing follows it, so it may as well be matched: by the end of the input, or by text that differs
//! from the forbidden one in its first byte, its second, and so on. Exactly one of these holds where the
//! lookahead does, so the same matches are found; their ends are put right by leaving the group out.

/// Name of the groups that stand for lookaheads.
pub(super) const GROUP: &str = "yett_tail";

/// Longest forbidden text.
const TEXT_BYTES_MAX: usize = 32;

/// The replacement for the lookahead that begins at `at`, and where the pattern goes on after it.
/// Nothing when it holds more than plain text, or when something follows it.
pub(super) fn replace(pattern: &[u8], at: usize, number: usize) -> Option<(String, usize)> {
    let start = at + 3;
    let length = pattern[start..].iter().position(|byte| *byte == b')')?;
    let text = &pattern[start..start + length];
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-<>=:;,/!\"'&#@%~".contains(byte);
    let end = start + length + 1;
    if text.is_empty()
        || text.len() > TEXT_BYTES_MAX
        || !text.iter().all(plain)
        || !is_last(&pattern[end..])
    {
        return None;
    }
    let differs = text.iter().rev().fold(String::new(), |rest, byte| {
        let same = if rest.is_empty() { rest } else { format!("|\\x{byte:02x}{rest}") };
        format!("(?:\\z|[^\\x{byte:02x}]{same})")
    });
    Some((format!("(?P<{GROUP}{number}>{differs})"), end))
}

/// Nothing that could match a byte follows: only the ends of groups, and their other alternatives.
fn is_last(mut rest: &[u8]) -> bool {
    loop {
        match rest.first() {
            None => return true,
            Some(b')') => rest = &rest[1..],
            Some(b'|') => match group_end(rest) {
                Some(end) => rest = &rest[end..],
                None => return true,
            },
            Some(_) => return false,
        }
    }
}

/// Where the group that a `|` stands in ends; nothing at the top.
fn group_end(rest: &[u8]) -> Option<usize> {
    let (mut depth, mut at, mut class) = (0_usize, 0, false);
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 1,
            b'[' => class = true,
            b']' => class = false,
            b'(' if !class => depth += 1,
            b')' if !class && depth == 0 => return Some(at),
            b')' if !class => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}
