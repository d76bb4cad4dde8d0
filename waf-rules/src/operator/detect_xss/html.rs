//! Tags, attributes and comments of a value, as browsers find them in HTML: the lenient ones too.
//!
//! Read once from left to right. NUL bytes are blanks between attributes and nothing inside of the name of a tag.

use memchr::memchr;

/// Where in a page a value may be put, and how it is read from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Between tags.
    Text,
    /// Inside of a tag.
    Tag,
    /// In the value of an attribute, inside of such quotes.
    Quoted(u8),
}

/// What may do harm. Text and ends of tags do none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Doctype,
    Tag(&'a [u8]),
    /// One without a value does nothing.
    Attribute {
        name: &'a [u8],
        value: &'a [u8],
    },
    Comment(&'a [u8]),
}

pub(super) struct Pieces<'a> {
    input: &'a [u8],
    at: usize,
    state: State,
    /// The name of the attribute whose value comes.
    name: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Text,
    Tag,
    Attributes,
    AfterName,
    Value,
    Quoted(u8),
    End,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        while self.state != State::End && self.at < self.input.len() {
            let piece = match self.state {
                State::Text => self.text(),
                State::Tag => self.tag(),
                State::Attributes => self.attributes(),
                State::AfterName => self.after_name(),
                State::Value => self.value(),
                State::Quoted(quote) => Some(self.quoted(quote)),
                State::End => None,
            };
            if piece.is_some() {
                return piece;
            }
        }
        None
    }
}

impl<'a> Pieces<'a> {
    pub(super) fn new(input: &'a [u8], place: Place) -> Self {
        let state = match place {
            Place::Text => State::Text,
            Place::Tag => State::Attributes,
            Place::Quoted(quote) => State::Quoted(quote),
        };
        Self { input, at: 0, state, name: b"" }
    }

    fn rest(&self) -> &'a [u8] {
        &self.input[self.at..]
    }

    /// Goes on in a state behind so many bytes.
    fn go(&mut self, bytes: usize, state: State) -> Option<Piece<'a>> {
        self.at += bytes;
        self.state = state;
        None
    }

    /// The bytes up to an end that is so long, or all that are left.
    fn take(&mut self, end: Option<usize>, length: usize) -> &'a [u8] {
        let rest = self.rest();
        match end {
            Some(end) => self.go(end + length, State::Text),
            None => self.go(rest.len(), State::End),
        };
        &rest[..end.unwrap_or(rest.len())]
    }

    fn text(&mut self) -> Option<Piece<'a>> {
        match memchr(b'<', self.rest()) {
            Some(at) => self.go(at + 1, State::Tag),
            None => self.go(0, State::End),
        }
    }

    /// Behind a `<`.
    fn tag(&mut self) -> Option<Piece<'a>> {
        match self.rest() {
            [b'!', ..] => {
                self.at += 1;
                self.declaration()
            }
            [b'?', ..] => {
                self.at += 1;
                Some(self.bogus_comment())
            }
            // Comments of Internet Explorer 9 and Safari 4.
            [b'%', rest @ ..] => {
                self.at += 1;
                Some(Piece::Comment(self.take(find(rest, b"%>"), 2)))
            }
            [b'/', rest @ ..] => {
                self.at += 1;
                match rest {
                    [] => self.go(0, State::End),
                    [b'>', ..] => self.go(0, State::Text),
                    [first, ..] if first.is_ascii_alphabetic() => self.tag_name(true),
                    _ => Some(self.bogus_comment()),
                }
            }
            [first, ..] if first.is_ascii_alphabetic() || *first == 0 => self.tag_name(false),
            _ => self.go(0, State::Text),
        }
    }

    /// The name of a tag that `closes` an element, and ends with its name, is nothing.
    fn tag_name(&mut self, closes: bool) -> Option<Piece<'a>> {
        let rest = self.rest();
        let ends = |byte: &u8| is_space(*byte) || matches!(byte, b'/' | b'>');
        let end = rest.iter().position(ends).unwrap_or(rest.len());
        if closes && rest.get(end) == Some(&b'>') {
            return self.go(end + 1, State::Text);
        }
        self.go(end, State::Attributes);
        Some(Piece::Tag(&rest[..end]))
    }

    /// Behind a `<!`.
    fn declaration(&mut self) -> Option<Piece<'a>> {
        let rest = self.rest();
        if rest.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"DOCTYPE")) {
            return Some(Piece::Doctype);
        }
        if let Some(text) = rest.strip_prefix(b"[CDATA[") {
            self.at += rest.len() - text.len();
            self.take(find(text, b"]]>"), 3);
            return None;
        }
        let Some(comment) = rest.strip_prefix(b"--") else { return Some(self.bogus_comment()) };
        self.at += 2;
        let end = comment_end(comment);
        let (end, length) = end.map_or((None, 0), |(end, length)| (Some(end), length));
        Some(Piece::Comment(self.take(end, length)))
    }

    fn bogus_comment(&mut self) -> Piece<'a> {
        Piece::Comment(self.take(memchr(b'>', self.rest()), 1))
    }

    fn skip_blanks(&mut self) -> Option<u8> {
        let rest = self.rest();
        let blanks = rest.iter().take_while(|byte| is_blank(**byte)).count();
        self.at += blanks;
        rest.get(blanks).copied()
    }

    /// In front of a name, or of the end of the tag.
    fn attributes(&mut self) -> Option<Piece<'a>> {
        match self.skip_blanks() {
            Some(b'/') => self.go(1, State::Attributes),
            Some(b'>') => self.go(1, State::Text),
            Some(_) => self.attribute_name(),
            None => None,
        }
    }

    /// Whatever its first byte is, it is part of the name.
    fn attribute_name(&mut self) -> Option<Piece<'a>> {
        let rest = self.rest();
        let ends = |byte: &u8| is_blank(*byte) || matches!(byte, b'/' | b'=' | b'>');
        let end = rest[1..].iter().position(ends).map_or(rest.len(), |at| at + 1);
        self.name = &rest[..end];
        match rest.get(end) {
            Some(b'=') => self.go(end + 1, State::Value),
            Some(b'/') => self.go(end + 1, State::Attributes),
            Some(b'>') => self.go(end + 1, State::Text),
            _ => self.go(end, State::AfterName),
        }
    }

    fn after_name(&mut self) -> Option<Piece<'a>> {
        match self.skip_blanks() {
            Some(b'=') => self.go(1, State::Value),
            _ => self.go(0, State::Attributes),
        }
    }

    fn value(&mut self) -> Option<Piece<'a>> {
        match self.skip_blanks()? {
            quote @ (b'"' | b'\'' | b'`') => {
                self.at += 1;
                Some(self.quoted(quote))
            }
            _ => Some(self.unquoted()),
        }
    }

    fn unquoted(&mut self) -> Piece<'a> {
        let rest = self.rest();
        let end = rest.iter().position(|byte| is_blank(*byte) || *byte == b'>');
        let end = end.unwrap_or(rest.len());
        self.go(end, State::Attributes);
        Piece::Attribute { name: self.name, value: &rest[..end] }
    }

    fn quoted(&mut self, quote: u8) -> Piece<'a> {
        let value = self.take(memchr(quote, self.rest()), 1);
        if self.state != State::End {
            self.state = State::Attributes;
        }
        Piece::Attribute { name: self.name, value }
    }
}

/// Short texts in short distances: whatever prepares a search takes longer.
fn find<const N: usize>(text: &[u8], end: &[u8; N]) -> Option<usize> {
    text.windows(N).position(|window| window == end)
}

/// Start and length of `-->` or `-!>`, with NUL bytes behind the first dash.
fn comment_end(comment: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let dash = from + memchr(b'-', &comment[from..])?;
        let rest = &comment[dash + 1..];
        let nulls = rest.iter().take_while(|byte| **byte == 0).count();
        if let [b'-' | b'!', b'>', ..] = rest[nulls..] {
            return Some((dash, nulls + 3));
        }
        from = dash + 1;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn is_blank(byte: u8) -> bool {
    byte == 0 || is_space(byte)
}
