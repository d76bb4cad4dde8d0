//! One token: its kind, and as much of its text as means something.

/// Bytes of a token that are kept: longer words mean nothing, longer strings only that they are strings.
pub(super) const TEXT_BYTES_MAX: usize = 31;

/// What a token is; its letter stands for it in fingerprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Keyword = b'k',
    Union = b'U',
    Group = b'B',
    Expression = b'E',
    SqlType = b't',
    Function = b'f',
    Bareword = b'n',
    Number = b'1',
    Variable = b'v',
    Str = b's',
    Operator = b'o',
    Logic = b'&',
    Comment = b'c',
    Collate = b'A',
    LeftParenthesis = b'(',
    RightParenthesis = b')',
    LeftBrace = b'{',
    RightBrace = b'}',
    Dot = b'.',
    Comma = b',',
    Colon = b':',
    Semicolon = b';',
    Statement = b'T',
    Unknown = b'?',
    /// Dialects read it differently: always an attack.
    Evil = b'X',
    Backslash = b'\\',
    /// A number with a power that is not there, which MySQL reads as nothing: `1.e`.
    Nothing = b'0',
}

impl Kind {
    pub(super) const fn letter(self) -> u8 {
        self as u8
    }

    /// The kind of words that a letter stands for.
    pub(super) const fn of(letter: u8) -> Self {
        match letter {
            b'k' => Self::Keyword,
            b'U' => Self::Union,
            b'B' => Self::Group,
            b'E' => Self::Expression,
            b't' => Self::SqlType,
            b'f' => Self::Function,
            b'1' => Self::Number,
            b'v' => Self::Variable,
            b'o' => Self::Operator,
            b'&' => Self::Logic,
            b'A' => Self::Collate,
            b'T' => Self::Statement,
            _ => Self::Bareword,
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    /// As much of it as is kept; of a string what stands inside of the quotes.
    pub(super) text: &'a [u8],
    /// The quotes of a string, or a letter for them; 0 for one that is not there.
    pub(super) open: u8,
    pub(super) close: u8,
}

impl<'a> Token<'a> {
    pub(super) const NONE: Self = Self { kind: Kind::Unknown, text: b"", open: 0, close: 0 };

    pub(super) fn new(kind: Kind, text: &'a [u8]) -> Self {
        let text = &text[..text.len().min(TEXT_BYTES_MAX)];
        Self { kind, text, ..Self::NONE }
    }

    pub(super) fn is(&self, word: &[u8]) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    pub(super) fn first(&self) -> u8 {
        self.text.first().copied().unwrap_or_default()
    }

    pub(super) fn is_unary(&self) -> bool {
        let sign = || matches!(self.text, b"+" | b"-" | b"!" | b"~" | b"!!") || self.is(b"NOT");
        self.kind == Kind::Operator && sign()
    }

    pub(super) fn is_arithmetic(&self) -> bool {
        self.kind == Kind::Operator && matches!(self.text, b"*" | b"/" | b"-" | b"+" | b"%")
    }
}
