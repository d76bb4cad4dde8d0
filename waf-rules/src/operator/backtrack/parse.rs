//! PCRE syntax to a tree. Only what groups, repeats and looks around is read here; single bytes,
//! escapes and classes are read as everywhere else, so that they mean the same.

use regex_syntax::hir::{Hir, HirKind};

use super::node::{Around, Mode, Node, Repeat, Same};
use crate::bytes::ByteSet;
use crate::operator::rx::parse as parse_linear;
use crate::operator::rx_syntax;

/// Groups within groups.
const DEPTH_MAX: usize = 100;
/// Most groups that keep what they match.
const GROUPS_MAX: usize = 100;
/// Repeats of repeats, `a{2}{3}`: each is a level more for whatever walks the tree.
const REPEATS_MAX: usize = 4;

/// The tree, and how many groups a match has, itself with them.
pub(super) fn parse(pattern: &str) -> Result<(Node, usize), String> {
    let mut parser = Parser {
        bytes: pattern.as_bytes(),
        at: 0,
        flags: Flags { ignore_case: false, dot_all: true, multi_line: false },
        groups: 1,
        depth: 0,
        greatest_same: 0,
    };
    let node = parser.alternation()?;
    if parser.at < parser.bytes.len() {
        return Err("regular expression: unopened group".to_owned());
    }
    if parser.greatest_same >= parser.groups {
        return Err(format!(
            "back-reference `\\{}`, but the pattern has {} groups",
            parser.greatest_same,
            parser.groups - 1
        ));
    }
    Ok((node, parser.groups))
}

struct Parser<'p> {
    bytes: &'p [u8],
    at: usize,
    flags: Flags,
    groups: usize,
    depth: usize,
    greatest_same: usize,
}

#[derive(Debug, Clone, Copy)]
struct Flags {
    ignore_case: bool,
    dot_all: bool,
    multi_line: bool,
}

impl Parser<'_> {
    fn alternation(&mut self) -> Result<Node, String> {
        let mut parts = vec![self.sequence()?];
        while self.takes(b"|") {
            parts.push(self.sequence()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Alternate(parts) })
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut parts = Vec::new();
        while !matches!(self.byte(), None | Some(b'|' | b')')) {
            let part = self.item()?;
            parts.push(self.repeated(part)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Node::Concat(parts) })
    }

    fn item(&mut self) -> Result<Node, String> {
        let next = self.bytes.get(self.at + 1).copied();
        match (self.byte(), next) {
            (Some(b'('), _) => self.group(),
            (Some(b'\\'), Some(b'1'..=b'9')) => self.same(),
            (Some(b'*' | b'+' | b'?'), _) => {
                Err("regular expression: repetition operator missing expression".to_owned())
            }
            _ => self.atom(),
        }
    }

    /// A byte, an escape or a class.
    fn atom(&mut self) -> Result<Node, String> {
        let (text, end) = rx_syntax::atom(self.bytes, self.at)?;
        self.at = end;
        let Flags { ignore_case, dot_all, multi_line } = self.flags;
        let flags = [
            (ignore_case, "(?i)", "(?-i)"),
            (dot_all, "(?s)", "(?-s)"),
            (multi_line, "(?m)", "(?-m)"),
        ];
        let flags = flags.map(|(is_on, on, off)| if is_on { on } else { off }).concat();
        node_of(&parse_linear(&format!("{flags}{text}"))?)
    }

    /// `\1`. Of two digits PCRE makes an octal number where there are not as many groups: that is refused.
    fn same(&mut self) -> Result<Node, String> {
        let digits = self.bytes[self.at + 1..].iter().take_while(|byte| byte.is_ascii_digit());
        let digits: Vec<u8> = digits.copied().take(2).collect();
        let group = digits.iter().fold(0, |group, digit| group * 10 + usize::from(digit - b'0'));
        if digits.len() > 1 && group >= self.groups {
            return Err(format!(
                "back-reference `\\{group}` before its group; write an octal number as `\\x{{..}}`"
            ));
        }
        self.at += 1 + digits.len();
        self.greatest_same = self.greatest_same.max(group);
        Ok(Node::Same(Same { group, ignore_case: self.flags.ignore_case }))
    }

    fn group(&mut self) -> Result<Node, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("groups within groups, more than {DEPTH_MAX}"));
        }
        for (mark, behind, negated) in [
            (&b"(?="[..], false, false),
            (b"(?!", false, true),
            (b"(?<=", true, false),
            (b"(?<!", true, true),
        ] {
            if self.takes(mark) {
                let sub = self.inside()?;
                return around(Around { behind, negated }, sub);
            }
        }
        if self.takes(b"(?>") {
            return self.inside().map(|sub| Node::Atomic(Box::new(sub)));
        }
        if self.takes(b"(?:") {
            return self.inside();
        }
        if self.takes(b"(?#") {
            while !self.takes(b")") {
                self.byte().ok_or("regular expression: unclosed comment")?;
                self.at += 1;
            }
            return Ok(Node::EMPTY);
        }
        if self.takes(b"(?P<") || self.takes(b"(?<") {
            let length = self.bytes[self.at..].iter().position(|byte| *byte == b'>');
            self.at += length.ok_or("regular expression: unclosed group name")? + 1;
            return self.keeping();
        }
        if self.takes(b"(?") {
            return self.flags();
        }
        self.at += 1;
        if self.byte() == Some(b'*') {
            return Err("verbs such as `(*ACCEPT)` are not supported".to_owned());
        }
        self.keeping()
    }

    fn keeping(&mut self) -> Result<Node, String> {
        let number = self.groups;
        self.groups += 1;
        if self.groups > GROUPS_MAX {
            return Err(format!("more than {GROUPS_MAX} groups"));
        }
        Ok(Node::Group(number, Box::new(self.inside()?)))
    }

    /// Up to the end of a group; flags set in it end with it.
    fn inside(&mut self) -> Result<Node, String> {
        let flags = self.flags;
        self.depth += 1;
        let node = self.alternation()?;
        self.depth -= 1;
        self.flags = flags;
        if self.takes(b")") {
            Ok(node)
        } else {
            Err("regular expression: unclosed group".to_owned())
        }
    }

    /// `(?i)` up to the end of the group around it, `(?i:...)`.
    fn flags(&mut self) -> Result<Node, String> {
        let before = self.flags;
        let mut on = true;
        loop {
            let flag = self.byte().ok_or("regular expression: unclosed group")?;
            self.at += 1;
            match flag {
                b'-' => on = false,
                b'i' => self.flags.ignore_case = on,
                b's' => self.flags.dot_all = on,
                b'm' => self.flags.multi_line = on,
                b')' => return Ok(Node::EMPTY),
                b':' => {
                    let node = self.inside()?;
                    self.flags = before;
                    return Ok(node);
                }
                _ => return Err(format!("group `(?{}` is not supported", flag.escape_ascii())),
            }
        }
    }

    fn repeated(&mut self, node: Node) -> Result<Node, String> {
        let (mut node, mut repeats) = (node, 0);
        while let Some((min, max)) = self.times()? {
            repeats += 1;
            if repeats > REPEATS_MAX {
                return Err(format!("repetition of a repetition, more than {REPEATS_MAX} times"));
            }
            let mode = match self.byte() {
                Some(b'?') => Mode::Lazy,
                Some(b'+') => Mode::Possessive,
                _ => Mode::Greedy,
            };
            self.at += usize::from(mode != Mode::Greedy);
            node = Node::Repeat(Repeat { min, max, mode }, Box::new(node));
        }
        Ok(node)
    }

    fn times(&mut self) -> Result<Option<(u32, Option<u32>)>, String> {
        let (times, length) = match self.byte() {
            Some(b'*') => ((0, None), 1),
            Some(b'+') => ((1, None), 1),
            Some(b'?') => ((0, Some(1)), 1),
            Some(b'{') => match rx_syntax::repetition(&self.bytes[self.at..]) {
                Some(inner) => (bounds(inner)?, inner.len() + 2),
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        self.at += length;
        Ok(Some(times))
    }

    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn takes(&mut self, text: &[u8]) -> bool {
        let stands = self.bytes[self.at..].starts_with(text);
        self.at += if stands { text.len() } else { 0 };
        stands
    }
}

/// What stands between the braces of `{n}`, `{n,}` or `{n,m}`.
fn bounds(inner: &[u8]) -> Result<(u32, Option<u32>), String> {
    let text = String::from_utf8_lossy(inner);
    let (min, max) = text.split_once(',').map_or((&*text, None), |(min, max)| (min, Some(max)));
    let number = |text: &str| {
        text.parse::<u32>()
            .map_err(|_| format!("repetition `{{{}}}`, expected numbers", inner.escape_ascii()))
    };
    let min = number(min)?;
    let max = match max {
        None => Some(min),
        Some("") => None,
        Some(max) => Some(number(max)?),
    };
    if max.is_some_and(|max| max < min) {
        return Err(format!("repetition `{{{text}}}`, the least is more than the most"));
    }
    Ok((min, max))
}

/// A lookbehind steps back first: how far must be known of each of its alternatives.
fn around(around: Around, sub: Node) -> Result<Node, String> {
    if around.behind && sub.alternatives().iter().any(|part| part.width().is_none()) {
        return Err(
            "each alternative of a lookbehind must match a fixed number of bytes".to_owned()
        );
    }
    Ok(Node::Around(around, Box::new(sub)))
}

/// What a single byte, escape or class came to.
fn node_of(hir: &Hir) -> Result<Node, String> {
    Ok(match hir.kind() {
        HirKind::Literal(literal) => {
            let sets = literal.0.iter().map(|byte| Node::Set(ByteSet::of(&[*byte])));
            let mut sets: Vec<_> = sets.collect();
            if sets.len() == 1 { sets.remove(0) } else { Node::Concat(sets) }
        }
        HirKind::Class(class) => {
            let class = rx_syntax::class_bytes(class);
            Node::Set(class.ok_or("regular expression: a class of characters, not of bytes")?)
        }
        HirKind::Look(look) => Node::Assert(*look),
        HirKind::Empty => Node::EMPTY,
        HirKind::Concat(parts) => {
            Node::Concat(parts.iter().map(node_of).collect::<Result<_, _>>()?)
        }
        HirKind::Alternation(parts) => {
            Node::Alternate(parts.iter().map(node_of).collect::<Result<_, _>>()?)
        }
        HirKind::Repetition(_) | HirKind::Capture(_) => {
            return Err("regular expression: not a single item".to_owned());
        }
    })
}
