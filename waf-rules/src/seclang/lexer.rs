//! Text to statements: words, quotes, comments, continued lines.
//!
//! A statement is a directive and its words. Inside double quotes only `\"` is an escape, as in
//! libmodsecurity and Coraza; every other backslash belongs to the pattern that is quoted.

use super::source::Span;

/// One directive with its words, the directive's name first.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) words: Vec<Word>,
}

/// A word without its quotes, and where each of its bytes stood in the source.
#[derive(Debug, Clone)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) span: Span,
    /// (offset in `text`, offset in the source) wherever the distance between the two changes.
    breaks: Vec<(u32, u32)>,
}

/// Text that is no statement, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LexError {
    pub(crate) span: Span,
    pub(crate) message: String,
}

/// Splits a source into statements; a broken statement is reported and reading goes on after it.
pub(crate) fn statements(source: u32, text: &str) -> (Vec<Statement>, Vec<LexError>) {
    let mut lexer = Lexer { source, text, at: 0 };
    let (mut statements, mut errors) = (Vec::new(), Vec::new());
    while lexer.skip_blank() {
        match lexer.statement() {
            Ok(statement) => statements.push(statement),
            Err(error) => {
                lexer.skip_line();
                errors.push(error);
            }
        }
    }
    (statements, errors)
}

impl Word {
    /// The source span of a byte range of `text`.
    pub(crate) fn locate(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.source_offset(start), self.source_offset(end));
        Span { source: self.span.source, start, end: end.max(start) }
    }

    fn source_offset(&self, at: usize) -> u32 {
        let at = offset(at);
        let next = self.breaks.partition_point(|(text, _)| *text <= at);
        let (text, source) = self.breaks[next.saturating_sub(1)];
        source + (at - text)
    }
}

struct Lexer<'a> {
    source: u32,
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    /// Moves to the next statement; false at the end of the text.
    fn skip_blank(&mut self) -> bool {
        loop {
            match self.peek() {
                None => return false,
                Some(b'#') => self.skip_line(),
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                Some(b'\\') if self.continuation() > 0 => self.at += self.continuation(),
                Some(_) => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    }

    fn statement(&mut self) -> Result<Statement, LexError> {
        let mut words = Vec::new();
        while self.skip_gap() {
            words.push(self.word()?);
        }
        Ok(Statement { words })
    }

    /// Skips blanks and continued line ends between words; false at the end of the statement.
    fn skip_gap(&mut self) -> bool {
        loop {
            match self.peek() {
                None | Some(b'\n') => return false,
                // All that ends a word: what neither ends one nor stands between two would never be passed.
                Some(byte) if byte.is_ascii_whitespace() => self.at += 1,
                Some(b'\\') if self.continuation() > 0 => self.at += self.continuation(),
                Some(_) => return true,
            }
        }
    }

    fn word(&mut self) -> Result<Word, LexError> {
        match self.peek() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(quote),
            _ => Ok(self.bare()),
        }
    }

    fn bare(&mut self) -> Word {
        let mut word = WordBuilder::new(self.at);
        while let Some(byte) = self.peek() {
            match byte {
                _ if byte.is_ascii_whitespace() => break,
                b'\\' if self.continuation() > 0 => break,
                _ => self.take(&mut word),
            }
        }
        word.build(self.source, self.at)
    }

    fn quoted(&mut self, quote: u8) -> Result<Word, LexError> {
        let open = self.at;
        self.at += 1;
        let mut word = WordBuilder::new(self.at);
        loop {
            match self.peek() {
                None | Some(b'\n') => return Err(self.unterminated(open)),
                Some(byte) if byte == quote => break,
                Some(b'\\') if self.continuation() > 0 => {
                    self.at += self.continuation();
                    word.mark(self.at);
                }
                Some(b'\\') if self.byte(1) == Some(quote) => {
                    self.at += 1;
                    word.mark(self.at);
                    self.take(&mut word);
                }
                Some(_) => self.take(&mut word),
            }
        }
        let word = word.build(self.source, self.at);
        self.at += 1;
        Ok(word)
    }

    fn take(&mut self, word: &mut WordBuilder) {
        if let Some(character) = self.text[self.at..].chars().next() {
            word.text.push(character);
            self.at += character.len_utf8();
        }
    }

    fn unterminated(&self, open: usize) -> LexError {
        let span = Span { source: self.source, start: offset(open), end: offset(open + 1) };
        LexError {
            span,
            message: "quote opened here is not closed before the end of the line".to_owned(),
        }
    }

    /// Length of a backslash with the line end after it; 0 when there is none here.
    fn continuation(&self) -> usize {
        match (self.byte(1), self.byte(2)) {
            (Some(b'\n'), _) => 2,
            (Some(b'\r'), Some(b'\n')) => 3,
            _ => 0,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.byte(0)
    }

    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }
}

struct WordBuilder {
    text: String,
    start: usize,
    breaks: Vec<(u32, u32)>,
}

impl WordBuilder {
    fn new(start: usize) -> Self {
        Self { text: String::new(), start, breaks: vec![(0, offset(start))] }
    }

    fn mark(&mut self, source: usize) {
        self.breaks.push((offset(self.text.len()), offset(source)));
    }

    fn build(self, source: u32, end: usize) -> Word {
        let span = Span { source, start: offset(self.start), end: offset(end) };
        Word { text: self.text, span, breaks: self.breaks }
    }
}

/// Sources are bounded to 4 GiB by the include reader, so offsets fit.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
