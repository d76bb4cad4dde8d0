//! A tree to the instructions that are run.

use regex_syntax::hir::Look;

use super::node::{Around, Mode, Node, Repeat, Same};
use crate::bytes::{ByteSet, WORD};

/// Longest program: bounded repeats are written out.
const INSTRUCTIONS_MAX: usize = 100_000;

#[derive(Debug)]
pub(super) enum Inst {
    Set(ByteSet),
    /// A repeated set: one way back, however long it is.
    Run(ByteSet, Repeat),
    Assert(Look),
    Same(Same),
    /// Tries the first place, then the second.
    Split(usize, usize),
    Jump(usize),
    /// Where a group begins, and where it ends.
    Open(usize),
    Close(usize),
    /// Notes where a round of a loop begins.
    Mark(usize),
    /// Leaves a loop, if the last round matched nothing.
    StopIfEmpty {
        mark: usize,
        end: usize,
    },
    /// Steps back, for a lookbehind.
    Back(usize),
    /// What follows is looked for here, up to its own [`Accept`](Self::Accept); the pattern goes on at `end`.
    Around {
        negated: bool,
        end: usize,
    },
    Atomic {
        end: usize,
    },
    Accept,
}

/// The instructions, and how many marks they use.
pub(super) fn compile(node: &Node) -> Result<(Vec<Inst>, usize), String> {
    let mut compiler = Compiler { program: Vec::new(), marks: 0 };
    compiler.node(node, None)?;
    compiler.push(Inst::Accept)?;
    Ok((compiler.program, compiler.marks))
}

struct Compiler {
    program: Vec<Inst>,
    marks: usize,
}

impl Compiler {
    /// `next` is what follows for certain, where that is known.
    fn node(&mut self, node: &Node, next: Option<&Node>) -> Result<(), String> {
        match node {
            Node::Set(set) => self.push(Inst::Set(*set)),
            Node::Assert(look) => self.push(Inst::Assert(*look)),
            Node::Same(same) => self.push(Inst::Same(*same)),
            Node::Group(number, sub) => {
                self.push(Inst::Open(*number))?;
                self.node(sub, next)?;
                self.push(Inst::Close(*number))
            }
            Node::Concat(parts) => {
                let after = parts.iter().skip(1).map(Some).chain([next]);
                parts.iter().zip(after).try_for_each(|(part, next)| self.node(part, next))
            }
            Node::Alternate(parts) => {
                self.alternate(parts, |compiler, part| compiler.node(part, next))
            }
            Node::Repeat(repeat, sub) => self.repeat(*repeat, sub, next),
            Node::Around(around, sub) => self.around(*around, sub),
            Node::Atomic(sub) => self.atomic(|compiler| compiler.node(sub, None)),
        }
    }

    fn alternate(
        &mut self,
        parts: &[Node],
        mut write: impl FnMut(&mut Self, &Node) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut ends = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let split = self.program.len();
            let is_last = at + 1 == parts.len();
            if !is_last {
                self.push(Inst::Split(split + 1, 0))?;
            }
            write(self, part)?;
            if !is_last {
                ends.push(self.program.len());
                self.push(Inst::Jump(0))?;
                self.program[split] = Inst::Split(split + 1, self.program.len());
            }
        }
        for end in ends {
            self.program[end] = Inst::Jump(self.program.len());
        }
        Ok(())
    }

    fn repeat(&mut self, repeat: Repeat, sub: &Node, next: Option<&Node>) -> Result<(), String> {
        if let Node::Set(set) = sub {
            let mode =
                if never_gives_back(set, repeat, next) { Mode::Possessive } else { repeat.mode };
            return self.push(Inst::Run(*set, Repeat { mode, ..repeat }));
        }
        if repeat.mode == Mode::Possessive {
            let greedy = Repeat { mode: Mode::Greedy, ..repeat };
            return self.atomic(|compiler| compiler.repeat(greedy, sub, None));
        }
        let lazy = repeat.mode == Mode::Lazy;
        let copies = if repeat.max.is_none() { repeat.min.saturating_sub(1) } else { repeat.min };
        for _ in 0..copies {
            let before = self.program.len();
            self.node(sub, None)?;
            // Nothing, as often as one likes.
            if self.program.len() == before {
                break;
            }
        }
        match repeat.max {
            None => self.looped(sub, lazy, repeat.min == 0),
            Some(max) => self.optional(sub, lazy, max - repeat.min),
        }
    }

    /// Any number of rounds. After one that matched nothing there is no other, even if it was the first.
    fn looped(&mut self, sub: &Node, lazy: bool, may_skip: bool) -> Result<(), String> {
        let before = self.program.len();
        if may_skip {
            self.push(Inst::Accept)?;
        }
        let start = self.program.len();
        if sub.is_nullable() {
            let mark = self.marks;
            self.marks += 1;
            self.push(Inst::Mark(mark))?;
            self.node(sub, None)?;
            let end = self.program.len() + 2;
            self.push(Inst::StopIfEmpty { mark, end })?;
        } else {
            self.node(sub, None)?;
        }
        let end = self.program.len() + 1;
        self.push(choice(start, end, lazy))?;
        if may_skip {
            self.program[before] = choice(start, end, lazy);
        }
        Ok(())
    }

    /// Up to so many rounds.
    fn optional(&mut self, sub: &Node, lazy: bool, times: u32) -> Result<(), String> {
        let mut splits = Vec::new();
        for _ in 0..times {
            splits.push(self.program.len());
            self.push(Inst::Jump(0))?;
            self.node(sub, None)?;
        }
        let end = self.program.len();
        for split in splits {
            self.program[split] = choice(split + 1, end, lazy);
        }
        Ok(())
    }

    fn around(&mut self, around: Around, sub: &Node) -> Result<(), String> {
        let start = self.program.len();
        self.push(Inst::Accept)?;
        if around.behind {
            self.alternate(sub.alternatives(), |compiler, part| {
                // The parser lets no other in.
                compiler.push(Inst::Back(part.width().unwrap_or_default()))?;
                compiler.node(part, None)
            })?;
        } else {
            self.node(sub, None)?;
        }
        self.push(Inst::Accept)?;
        self.program[start] = Inst::Around { negated: around.negated, end: self.program.len() };
        Ok(())
    }

    fn atomic(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let start = self.program.len();
        self.push(Inst::Accept)?;
        write(self)?;
        self.push(Inst::Accept)?;
        self.program[start] = Inst::Atomic { end: self.program.len() };
        Ok(())
    }

    fn push(&mut self, inst: Inst) -> Result<(), String> {
        if self.program.len() == INSTRUCTIONS_MAX {
            return Err(format!("the pattern is too large, more than {INSTRUCTIONS_MAX} steps"));
        }
        self.program.push(inst);
        Ok(())
    }
}

fn choice(round: usize, end: usize, lazy: bool) -> Inst {
    if lazy { Inst::Split(end, round) } else { Inst::Split(round, end) }
}

/// However few bytes a greedy repeat keeps, what follows cannot match what it gave back: one try is enough.
fn never_gives_back(set: &ByteSet, repeat: Repeat, next: Option<&Node>) -> bool {
    if repeat.mode != Mode::Greedy {
        return repeat.mode == Mode::Possessive;
    }
    match next {
        Some(Node::Set(follow)) => !set.intersects(follow),
        // Between two bytes of a kind there is no boundary.
        Some(Node::Assert(Look::WordAscii)) => {
            repeat.min > 0 && (!set.intersects(&WORD) || !set.intersects(&WORD.complement()))
        }
        Some(Node::Group(_, sub)) => never_gives_back(set, repeat, Some(sub)),
        Some(Node::Concat(parts)) => {
            parts.first().is_some_and(|first| never_gives_back(set, repeat, Some(first)))
        }
        _ => false,
    }
}
