//! Folding: a sequence of tokens becomes a shorter one that means the same to a database, as far as five tokens.
//!
//! What `1 + 1 + 1 = -1` and `1 = 1` have in common is found by rules on two and three tokens, until none applies. Each
//! rule takes tokens away or changes one for good, so the work is that of the tokens.

use super::token::{Kind, Token};
use super::tokens::Tokens;
use super::words;
use crate::operator::OutOfWork;

/// Tokens of a fingerprint; one more is read to know what the last one is.
pub(super) const TOKENS_MAX: usize = 5;

/// What a reading comes to.
pub(super) struct Folded<'a> {
    tokens: [Token<'a>; TOKENS_MAX + 1],
    length: usize,
    /// Tokens that were read for it.
    pub(super) read: usize,
    /// MySQL reads it differently.
    pub(super) is_ambiguous: bool,
}

impl<'a> Folded<'a> {
    pub(super) fn tokens(&self) -> &[Token<'a>] {
        &self.tokens[..self.length]
    }
}

pub(super) fn fold<'a, P: FnMut(u64) -> bool>(
    source: Tokens<'a, P>,
) -> Result<Folded<'a>, OutOfWork> {
    let tokens = [Token::NONE; TOKENS_MAX + 1];
    let mut folding =
        Folding { source, tokens, end: 0, left: 0, more: true, comment: None, evil: false };
    if folding.skip()? {
        folding.run()?;
    }
    Ok(folding.finish())
}

struct Folding<'a, P> {
    source: Tokens<'a, P>,
    tokens: [Token<'a>; TOKENS_MAX + 1],
    /// How many tokens there are, and how many of them are done with.
    end: usize,
    left: usize,
    /// The value goes on.
    more: bool,
    /// What stands at the very end.
    comment: Option<Token<'a>>,
    evil: bool,
}

/// Where folding goes on.
enum Then {
    /// At the first token.
    Restart,
    /// Where it is.
    Again,
    /// One token before.
    Back,
}

use Kind::{
    Bareword, Collate, Comma, Comment, Dot, Evil, Expression, Function, Group, Keyword, LeftBrace,
    LeftParenthesis, Logic, Number, Operator, RightBrace, RightParenthesis, Semicolon, SqlType,
    Statement, Str, Union, Variable,
};

impl<'a, P: FnMut(u64) -> bool> Folding<'a, P> {
    /// Comments, parentheses and signs in front say nothing. Whether anything else is there.
    fn skip(&mut self) -> Result<bool, OutOfWork> {
        while let Some(token) = self.source.next()? {
            let says_nothing = matches!(token.kind, Comment | LeftParenthesis | SqlType);
            if !says_nothing && !token.is_unary() {
                self.tokens[0] = token;
                self.end = 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn run(&mut self) -> Result<(), OutOfWork> {
        while !self.evil {
            self.fold_five();
            if !self.more || self.left >= TOKENS_MAX {
                break;
            }
            let folded = if !self.read(2)? {
                None
            } else if let Some(then) = self.fold_two() {
                Some(then)
            } else if !self.read(3)? {
                None
            } else if let Some(then) = self.fold_three() {
                Some(then)
            } else {
                self.left += 1;
                continue;
            };
            self.left = match folded {
                Some(Then::Restart) => 0,
                Some(Then::Again) => self.left,
                Some(Then::Back) => self.left.saturating_sub(1),
                None => self.end,
            };
        }
        Ok(())
    }

    /// Reads on until so many tokens are to be folded. Whether there are.
    fn read(&mut self, wanted: usize) -> Result<bool, OutOfWork> {
        while self.more && self.end <= TOKENS_MAX && self.end - self.left < wanted {
            match self.source.next()? {
                None => self.more = false,
                Some(token) if token.kind == Comment => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.tokens[self.end] = token;
                    self.end += 1;
                }
            }
        }
        Ok(self.end - self.left >= wanted)
    }

    fn finish(self) -> Folded<'a> {
        let Self { source, mut tokens, end: mut length, comment, evil, .. } = self;
        if let Some(comment) = comment.filter(|_| length < TOKENS_MAX && !evil) {
            tokens[length] = comment;
            length += 1;
        }
        length = length.min(TOKENS_MAX);
        // A backquote with nothing behind it ends a statement in PHP.
        if length > 2 {
            let last = &mut tokens[length - 1];
            let is_lone = last.open == b'`' && last.close == 0 && last.text.is_empty();
            if last.kind == Bareword && is_lone {
                last.kind = Comment;
            }
        }
        let (read, is_ambiguous) = (source.count, source.is_ambiguous);
        Folded { tokens, length, read, is_ambiguous }
    }

    /// Five tokens that may be one: `1 + (1)`, `a + (b)`, `1),(1`, `a) + (b`.
    fn fold_five(&mut self) {
        if self.end < TOKENS_MAX {
            return;
        }
        let kinds: [Kind; TOKENS_MAX] = std::array::from_fn(|at| self.tokens[at].kind);
        let is_one = matches!(
            kinds,
            [Number, Operator | Comma, LeftParenthesis, Number, RightParenthesis]
                | [Bareword, Operator, LeftParenthesis, Bareword | Number, RightParenthesis]
                | [Number, RightParenthesis, Comma, LeftParenthesis, Number]
                | [Bareword, RightParenthesis, Operator, LeftParenthesis, Bareword]
        );
        if is_one {
            self.tokens[1] = self.tokens[TOKENS_MAX];
            self.end -= TOKENS_MAX - 1;
            self.left = 0;
        }
    }

    /// Takes the last token away.
    fn drop_last(&mut self, then: Then) -> Option<Then> {
        self.end -= 1;
        Some(then)
    }

    /// Takes a token away for the one behind it.
    fn drop_former(&mut self, at: usize) -> Option<Then> {
        self.tokens[at] = self.tokens[at + 1];
        self.end -= 1;
        Some(Then::Restart)
    }

    /// Takes two tokens away.
    fn drop_two(&mut self) -> Option<Then> {
        self.end -= 2;
        Some(Then::Restart)
    }

    fn become_kind(&mut self, at: usize, kind: Kind) {
        self.tokens[at].kind = kind;
    }

    fn fold_two(&mut self) -> Option<Then> {
        let left = self.left;
        let (a, b) = (self.tokens[left], self.tokens[left + 1]);
        match (a.kind, b.kind) {
            (Str, Str) | (Semicolon, Semicolon) => return self.drop_last(Then::Again),
            (Operator | Logic, Operator | SqlType) if b.kind == SqlType || b.is_unary() => {
                return self.drop_last(Then::Restart);
            }
            (LeftParenthesis, Operator) if b.is_unary() => return self.drop_last(Then::Back),
            _ => {}
        }
        if let Some(phrase) = merged(&a, &b) {
            self.tokens[left] = Token { kind: phrase.kind, text: phrase.text, ..a };
            return self.drop_last(Then::Back);
        }
        self.fold_pair(&a, &b)
    }

    /// Two tokens that are no phrase.
    fn fold_pair(&mut self, a: &Token<'_>, b: &Token<'_>) -> Option<Then> {
        let left = self.left;
        match (a.kind, b.kind) {
            (Semicolon, Function)
                if b.text.get(..2).is_some_and(|b| b.eq_ignore_ascii_case(b"IF")) =>
            {
                self.become_kind(left + 1, Statement);
                Some(Then::Again)
            }
            (Bareword | Variable, LeftParenthesis) if is_function(a) => {
                self.become_kind(left, Function);
                Some(Then::Again)
            }
            (Keyword, _) if a.is(b"IN") || a.is(b"NOT IN") => {
                let kind = if b.kind == LeftParenthesis { Operator } else { Bareword };
                self.become_kind(left, kind);
                Some(Then::Again)
            }
            (Operator, _) if a.is(b"LIKE") || a.is(b"NOT LIKE") => {
                if b.kind == LeftParenthesis {
                    self.become_kind(left, Function);
                }
                None
            }
            (
                SqlType,
                Bareword | Number | SqlType | LeftParenthesis | Function | Variable | Str,
            ) => self.drop_former(left),
            (Collate, Bareword) => {
                if b.text.iter().take_while(|byte| **byte != 0).any(|byte| *byte == b'_') {
                    self.become_kind(left + 1, SqlType);
                    self.left = 0;
                }
                None
            }
            (Kind::Backslash, _) if b.is_arithmetic() => {
                self.become_kind(left, Number);
                Some(Then::Restart)
            }
            (Kind::Backslash, _) => self.drop_former(left),
            (LeftParenthesis, LeftParenthesis) | (RightParenthesis, RightParenthesis) => {
                self.drop_last(Then::Restart)
            }
            (LeftBrace, Bareword) if b.text.is_empty() => {
                self.become_kind(0, Evil);
                self.end = 1;
                self.evil = true;
                Some(Then::Again)
            }
            (LeftBrace, Bareword) => self.drop_two(),
            (_, RightBrace) => self.drop_last(Then::Restart),
            _ => None,
        }
    }

    fn fold_three(&mut self) -> Option<Then> {
        let left = self.left;
        let (a, b, c) = (self.tokens[left], self.tokens[left + 1], self.tokens[left + 2]);
        let unary = b.is_unary();
        match (a.kind, b.kind, c.kind) {
            (Number, Operator, Number)
            | (Logic, _, Logic)
            | (Variable, Operator, Variable | Number | Bareword)
            | (Bareword | Number, Operator, Number | Bareword)
            | (Bareword | Number | Str | Variable, Comma, Number | Bareword | Str | Variable)
            | (Bareword, Dot, Bareword) => self.drop_two(),
            (Operator, second, Operator) if second != LeftParenthesis => self.drop_two(),
            (Bareword | Number | Variable | Str, Operator, SqlType) if b.text == b"::" => {
                self.drop_two()
            }
            (Expression | Group | Comma, _, LeftParenthesis)
            | (Keyword | Expression | Group, _, Number | Bareword | Variable | Str)
            | (Keyword | Expression | Group | Comma, _, Function)
                if unary =>
            {
                self.drop_former(left + 1)
            }
            // `1,-1` is the number in front of it.
            (Comma, _, Number | Bareword | Variable | Str) if unary => {
                self.end -= 3;
                Some(Then::Restart)
            }
            (Expression, Dot, Bareword) => self.drop_former(left + 1),
            // `USER` takes no argument.
            (Function, LeftParenthesis, third) if third != RightParenthesis && a.is(b"USER") => {
                self.become_kind(left, Bareword);
                None
            }
            _ => None,
        }
    }
}

/// Two words that are one: `UNION ALL`.
fn merged(a: &Token<'_>, b: &Token<'_>) -> Option<words::Word> {
    let joins = |kind| {
        matches!(
            kind,
            Keyword | Bareword | Operator | Union | Function | Expression | Statement | SqlType
        )
    };
    (joins(a.kind) && (joins(b.kind) || b.kind == Logic))
        .then(|| words::find_phrase(a.text, b.text))
        .flatten()
}

/// Names that are functions in front of a parenthesis.
fn is_function(token: &Token<'_>) -> bool {
    const NAMES: [&[u8]; 11] = [
        b"USER_ID",
        b"USER_NAME",
        b"DATABASE",
        b"PASSWORD",
        b"USER",
        b"CURRENT_USER",
        b"CURRENT_DATE",
        b"CURRENT_TIME",
        b"CURRENT_TIMESTAMP",
        b"LOCALTIME",
        b"LOCALTIMESTAMP",
    ];
    NAMES.iter().any(|name| token.is(name))
}
