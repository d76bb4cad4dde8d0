//! One line of JSON, written straight into a buffer: nothing else is allocated. Texts may be hostile: they are
//! bounded, and everything that a terminal, a log viewer or a web page could act upon is escaped.

use std::io::Write;

/// Writes members into the object or list that is open. Names are ours and never need escaping.
pub(crate) struct Json<'b>(&'b mut Vec<u8>);

impl<'b> Json<'b> {
    /// One object, whole.
    pub(crate) fn object(out: &'b mut Vec<u8>, members: impl FnOnce(&mut Json<'_>)) {
        out.push(b'{');
        members(&mut Json(out));
        out.push(b'}');
    }

    /// A member that is an object.
    pub(crate) fn nest(&mut self, name: &str, members: impl FnOnce(&mut Json<'_>)) {
        self.name(name);
        Json::object(self.0, members);
    }

    /// A member that is a list of objects.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut members: impl FnMut(&mut Json<'_>, T),
    ) {
        self.name(name);
        self.0.push(b'[');
        for item in items {
            self.comma();
            Json::object(self.0, |json| members(json, item));
        }
        self.0.push(b']');
    }

    /// A member that is a list of our own words.
    pub(crate) fn words(&mut self, name: &str, words: &[&str]) {
        self.name(name);
        self.0.push(b'[');
        for word in words {
            self.comma();
            self.quoted(|out| out.extend_from_slice(word.as_bytes()));
        }
        self.0.push(b']');
    }

    /// A text of at most `bound` bytes before escaping; a cut one ends in `…`.
    pub(crate) fn text(&mut self, name: &str, text: &str, bound: usize) {
        self.name(name);
        self.quoted(|out| escape_cut(out, text, bound));
    }

    /// A list of such texts.
    pub(crate) fn texts(&mut self, name: &str, texts: &[String], bound: usize) {
        self.name(name);
        self.0.push(b'[');
        for text in texts {
            self.comma();
            self.quoted(|out| escape_cut(out, text, bound));
        }
        self.0.push(b']');
    }

    /// A text of our own making that needs no escaping: addresses, times, hexadecimal.
    pub(crate) fn plain(&mut self, name: &str, text: impl std::fmt::Display) {
        self.name(name);
        self.quoted(|out| {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{text}");
        });
    }

    pub(crate) fn number(&mut self, name: &str, number: impl Into<u64>) {
        self.name(name);
        self.0.extend_from_slice(itoa::Buffer::new().format(number.into()).as_bytes());
    }

    pub(crate) fn flag(&mut self, name: &str, flag: bool) {
        self.name(name);
        self.0.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A value never ends in an opening bracket, so the last byte tells whether one came before.
    fn comma(&mut self) {
        if !matches!(self.0.last(), Some(b'{' | b'[')) {
            self.0.push(b',');
        }
    }

    fn quoted(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.0.push(b'"');
        write(self.0);
        self.0.push(b'"');
    }
}

/// The longest head of `text` within `bound` bytes that ends between characters.
pub(crate) fn cut(text: &str, bound: usize) -> &str {
    &text[..text.floor_char_boundary(bound)]
}

fn escape_cut(out: &mut Vec<u8>, text: &str, bound: usize) {
    let shown = cut(text, bound);
    escape(out, shown);
    if shown.len() < text.len() {
        out.extend_from_slice("…".as_bytes());
    }
}

fn escape(out: &mut Vec<u8>, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(needs_a_look) {
        let (plain, tail) = rest.split_at(at);
        out.extend_from_slice(plain.as_bytes());
        let mut chars = tail.chars();
        let Some(found) = chars.next() else { break };
        escape_char(out, found);
        rest = chars.as_str();
    }
    out.extend_from_slice(rest.as_bytes());
}

fn needs_a_look(byte: u8) -> bool {
    !(0x20..0x7f).contains(&byte) || matches!(byte, b'"' | b'\\' | b'<' | b'>')
}

fn escape_char(out: &mut Vec<u8>, found: char) {
    match found {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        _ if acts(found) => {
            for unit in found.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
        _ => out.extend_from_slice(found.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

/// Characters that do something where a log is shown: controls (C0, DEL, C1: line breaks and terminal
/// sequences), markup, invisible and direction-changing ones (CVE-2021-42574), line separators, tags.
pub(crate) fn acts(found: char) -> bool {
    found.is_control()
        || matches!(found, '<' | '>' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(found, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(found, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}
