//! PCRE syntax to the syntax of the `regex` crate, where the two differ.
//!
//! What cannot be said in linear time (lookaround, back-references) is left to the backtracker; what would
//! silently mean something else (`\Z`, `\K`, `\Q`, `\G`) is refused.

use regex_syntax::hir::Class;

use super::rx_tail;
use crate::bytes::ByteSet;

/// Rewrites a pattern; what needs no change comes back as it was.
pub(super) fn translate(pattern: &str) -> Result<String, String> {
    let mut translator =
        Translator { bytes: pattern.as_bytes(), at: 0, out: String::new(), tails: 0 };
    while translator.at < translator.bytes.len() {
        translator.outside()?;
    }
    Ok(translator.out)
}

/// The byte, escape or class that stands at a place, rewritten, and where it ends.
pub(super) fn atom(pattern: &[u8], at: usize) -> Result<(String, usize), String> {
    let mut translator = Translator { bytes: pattern, at, out: String::new(), tails: 0 };
    translator.outside()?;
    Ok((translator.out, translator.at))
}

/// What stands between the braces of a repetition that `rest` begins with.
pub(super) fn repetition(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let inner = rest.get(1..end)?;
    let is_repetition = inner.first().is_some_and(u8::is_ascii_digit)
        && inner.iter().all(|byte| byte.is_ascii_digit() || *byte == b',')
        && inner.iter().filter(|byte| **byte == b',').count() <= 1;
    is_repetition.then_some(inner)
}

/// The bytes of a class. Even without Unicode the parser keeps classes of ASCII alone as classes of characters.
pub(crate) fn class_bytes(class: &Class) -> Option<ByteSet> {
    let class = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let ranges = class.iter().map(|range| ByteSet::range(range.start(), range.end()));
    Some(ranges.fold(ByteSet::EMPTY, ByteSet::union))
}

fn backtracks(what: &str) -> String {
    format!("{what} is not supported here, only in an @rx or @rxGlobal without macros")
}

struct Translator<'p> {
    bytes: &'p [u8],
    at: usize,
    out: String,
    /// Lookaheads replaced so far.
    tails: usize,
}

impl Translator<'_> {
    fn outside(&mut self) -> Result<(), String> {
        match self.bytes[self.at] {
            b'\\' => self.escape(false),
            b'[' => self.class(),
            b'{' if !self.is_repetition() => self.replace(1, "\\{"),
            b'}' if !self.closes_repetition() => self.replace(1, "\\}"),
            b'(' => self.group(),
            b'*' | b'+' | b'?' | b'}' => self.quantifier(),
            _ => self.copy(),
        }
    }

    fn quantifier(&mut self) -> Result<(), String> {
        self.copy()?;
        match self.byte(0) {
            Some(b'+') => Err(backtracks("possessive quantifier `+`")),
            Some(b'?') => self.copy(),
            _ => Ok(()),
        }
    }

    fn group(&mut self) -> Result<(), String> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(b"(?!")
            && let Some((text, end)) = rx_tail::replace(self.bytes, self.at, self.tails)
        {
            self.tails += 1;
            self.out.push_str(&text);
            self.at = end;
            return Ok(());
        }
        for (mark, what) in [
            ("(?=", "lookahead `(?=`"),
            ("(?!", "lookahead `(?!`"),
            ("(?<=", "lookbehind `(?<=`"),
            ("(?<!", "lookbehind `(?<!`"),
            ("(?>", "atomic group `(?>`"),
        ] {
            if rest.starts_with(mark.as_bytes()) {
                return Err(backtracks(what));
            }
        }
        self.copy()
    }

    fn class(&mut self) -> Result<(), String> {
        self.copy()?;
        if self.byte(0) == Some(b'^') {
            self.copy()?;
        }
        // A bracket that comes first is a member.
        if self.byte(0) == Some(b']') {
            self.replace(1, "\\]")?;
        }
        while let Some(byte) = self.byte(0) {
            match byte {
                b']' => return self.copy(),
                b'[' if self.byte(1) == Some(b':') => self.posix()?,
                b'[' => self.replace(1, "\\[")?,
                b'\\' => self.escape(true)?,
                b'&' | b'~' => self.replace_byte(byte)?,
                b'-' if self.byte(1) == Some(b'-') => self.replace_byte(byte)?,
                _ => self.copy()?,
            }
        }
        Err("character class `[` is not closed".to_owned())
    }

    fn posix(&mut self) -> Result<(), String> {
        while self.byte(0).is_some_and(|byte| byte != b']') {
            self.copy()?;
        }
        self.copy()
    }

    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let Some(next) = self.byte(1) else { return Err("pattern ends in a backslash".to_owned()) };
        match next {
            b'x' if self.byte(2) == Some(b'{') => self.braced_hex(),
            b'x' => self.hex(),
            b'0'..=b'7' if in_class || next == b'0' => self.octal(),
            b'1'..=b'9' => Err(backtracks(&format!("back-reference `\\{}`", char::from(next)))),
            b'e' => self.replace(2, "\\x1b"),
            b'h' => self.replace(2, if in_class { "\\t\\x20\\xa0" } else { "[\\t\\x20\\xa0]" }),
            b'v' => self.replace(2, if in_class { "\\n-\\r\\x85" } else { "[\\n-\\r\\x85]" }),
            b'b' if in_class => self.replace(2, "\\x08"),
            b'H' | b'V' | b'R' | b'X' | b'N' | b'Z' | b'G' | b'K' | b'Q' | b'E' | b'p' | b'P'
            | b'g' | b'k' | b'c' => {
                Err(format!("escape `\\{}` is not supported", char::from(next)))
            }
            _ if next.is_ascii_alphanumeric() => {
                self.copy()?;
                self.copy()
            }
            _ => {
                self.at += 1;
                self.replace_byte(next)
            }
        }
    }

    fn braced_hex(&mut self) -> Result<(), String> {
        let end = self.bytes[self.at..].iter().position(|byte| *byte == b'}');
        let code =
            end.and_then(|end| std::str::from_utf8(&self.bytes[self.at + 3..self.at + end]).ok());
        match (end, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (Some(end), Some(byte)) => self.replace(end + 1, &format!("\\x{byte:02x}")),
            _ => Err("escape `\\x{...}`, expected a byte, 00 to ff".to_owned()),
        }
    }

    /// PCRE reads up to two digits, and none as a NUL.
    fn hex(&mut self) -> Result<(), String> {
        let digits = self.bytes[self.at + 2..]
            .iter()
            .take(2)
            .take_while(|byte| byte.is_ascii_hexdigit())
            .count();
        let value = self.bytes[self.at + 2..self.at + 2 + digits]
            .iter()
            .filter_map(|byte| crate::bytes::hex(*byte))
            .fold(0_u8, |value, digit| value << 4 | digit);
        self.replace(2 + digits, &format!("\\x{value:02x}"))
    }

    fn octal(&mut self) -> Result<(), String> {
        let digits = self.bytes[self.at + 1..]
            .iter()
            .take(3)
            .take_while(|byte| (b'0'..=b'7').contains(byte))
            .count();
        let value = self.bytes[self.at + 1..=self.at + digits]
            .iter()
            .fold(0_u32, |value, byte| value * 8 + u32::from(byte - b'0'));
        self.replace(1 + digits, &format!("\\x{:02x}", value & 0xff))
    }

    /// `{n}`, `{n,}` or `{n,m}` stands here.
    fn is_repetition(&self) -> bool {
        repetition(&self.bytes[self.at..]).is_some()
    }

    /// The brace here ends a repetition that was copied.
    fn closes_repetition(&self) -> bool {
        let open = self.out.rfind('{');
        open.is_some_and(|open| {
            let inner = &self.out.as_bytes()[open + 1..];
            let escaped = open > 0 && self.out.as_bytes()[open - 1] == b'\\';
            !escaped
                && !inner.is_empty()
                && inner.iter().all(|byte| byte.is_ascii_digit() || *byte == b',')
        })
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn skip(&mut self, length: usize) -> Result<(), String> {
        self.at += length;
        Ok(())
    }

    fn replace(&mut self, length: usize, with: &str) -> Result<(), String> {
        self.out.push_str(with);
        self.skip(length)
    }

    /// Writes the byte here so that it can only mean itself.
    fn replace_byte(&mut self, byte: u8) -> Result<(), String> {
        self.replace(1, &format!("\\x{byte:02x}"))
    }

    /// Copies an ASCII byte; others are bytes of a UTF-8 text and mean those bytes.
    fn copy(&mut self) -> Result<(), String> {
        match self.byte(0) {
            Some(byte) if byte.is_ascii() => {
                self.out.push(char::from(byte));
                self.skip(1)
            }
            Some(byte) => self.replace_byte(byte),
            None => Ok(()),
        }
    }
}
