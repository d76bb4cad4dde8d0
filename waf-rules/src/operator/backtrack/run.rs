//! Running a program: one way at a time, and a list of the others.

use std::ops::Range;

use regex_syntax::hir::Look;
use smallvec::SmallVec;

use super::compile::Inst;
use super::node::{Mode, Repeat, Same};
use super::{Backtracker, Groups};
use crate::bytes::{ByteSet, WORD};
use crate::operator::OutOfWork;

/// Work of a step, and of a byte that a repeat passes.
const STEP_COST: u64 = 4;
const BYTE_COST: u64 = 1;
/// Work between two bills.
const BILL: u64 = 2_048;
/// Bound on the ways that are left to be tried: 6 MiB of memory.
const FRAMES_MAX: usize = 200_000;
const NONE: usize = usize::MAX;

pub(super) fn find(
    pattern: &Backtracker,
    input: &[u8],
    from: usize,
    pay: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<Groups>, OutOfWork> {
    let mut runner = Runner {
        pattern,
        input,
        slots: SmallVec::from_elem(Slot::default(), pattern.groups),
        marks: SmallVec::from_elem(NONE, pattern.marks),
        frames: Vec::new(),
        work: 0,
        pay,
    };
    for start in from..=input.len() {
        runner.spend(BYTE_COST)?;
        if pattern.first.is_some_and(|first| !runner.stands(&first, start)) {
            continue;
        }
        // A run without a match puts back all that it noted.
        if let Some(end) = runner.run(0, start)? {
            runner.bill()?;
            return Ok(Some(runner.groups(start..end)));
        }
    }
    runner.bill()?;
    Ok(None)
}

/// What is known of a group.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    /// What it matched last.
    matched: Option<(usize, usize)>,
    /// Where the round that is under way began.
    opened: usize,
}

struct Runner<'a> {
    pattern: &'a Backtracker,
    input: &'a [u8],
    slots: SmallVec<[Slot; 10]>,
    marks: SmallVec<[usize; 4]>,
    frames: Vec<Frame>,
    /// What is not paid for.
    work: u64,
    pay: &'a mut dyn FnMut(u64) -> bool,
}

/// What is left to be tried, or to be put back on the way there.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Branch {
        pc: usize,
        at: usize,
    },
    /// A greedy repeat gives back a byte at a time.
    Fewer {
        pc: usize,
        least: usize,
        at: usize,
    },
    /// A lazy one takes a byte at a time.
    More {
        run: usize,
        at: usize,
        left: usize,
    },
    Slot {
        group: usize,
        old: Slot,
    },
    Mark {
        mark: usize,
        old: usize,
    },
}

/// Where to go on.
type Next = Option<(usize, usize)>;

impl<'a> Runner<'a> {
    /// Runs up to the program's end from a place; where the match ends. The ways that are left stay in `frames`.
    fn run(&mut self, pc: usize, at: usize) -> Result<Option<usize>, OutOfWork> {
        let base = self.frames.len();
        let mut next = Some((pc, at));
        loop {
            self.spend(STEP_COST)?;
            let Some((pc, at)) = next else {
                next = self.back(base);
                if next.is_none() {
                    return Ok(None);
                }
                continue;
            };
            if matches!(self.pattern.program[pc], Inst::Accept) {
                return Ok(Some(at));
            }
            next = self.step(pc, at)?;
        }
    }

    fn step(&mut self, pc: usize, at: usize) -> Result<Next, OutOfWork> {
        let on = |holds: bool| Ok(holds.then_some((pc + 1, at)));
        let pattern: &'a Backtracker = self.pattern;
        match &pattern.program[pc] {
            Inst::Set(set) => Ok(self.stands(set, at).then_some((pc + 1, at + 1))),
            Inst::Run(set, repeat) => self.repeat(pc, at, set, *repeat),
            Inst::Assert(look) => on(self.holds(*look, at)),
            Inst::Same(same) => self.same(*same, pc, at),
            Inst::Split(first, second) => {
                self.push(Frame::Branch { pc: *second, at })?;
                Ok(Some((*first, at)))
            }
            Inst::Jump(to) => Ok(Some((*to, at))),
            Inst::Open(group) => {
                let old = self.slots[*group];
                self.note(*group, Slot { opened: at, ..old })?;
                on(true)
            }
            Inst::Close(group) => {
                let old = self.slots[*group];
                self.note(*group, Slot { matched: Some((old.opened, at)), ..old })?;
                on(true)
            }
            Inst::Mark(mark) => {
                let old = std::mem::replace(&mut self.marks[*mark], at);
                self.push(Frame::Mark { mark: *mark, old })?;
                on(true)
            }
            Inst::StopIfEmpty { mark, end } if self.marks[*mark] == at => Ok(Some((*end, at))),
            Inst::StopIfEmpty { .. } => on(true),
            Inst::Back(bytes) => Ok(at.checked_sub(*bytes).map(|at| (pc + 1, at))),
            Inst::Around { negated, end } => {
                let (base, found) = (self.frames.len(), self.run(pc + 1, at)?.is_some());
                if *negated {
                    // What it noted of groups is nobody's business.
                    while found && self.frames.len() > base {
                        self.undo();
                    }
                } else {
                    self.settle(base);
                }
                Ok((found != *negated).then_some((*end, at)))
            }
            Inst::Atomic { end } => {
                let base = self.frames.len();
                let found = self.run(pc + 1, at)?;
                self.settle(base);
                Ok(found.map(|at| (*end, at)))
            }
            Inst::Accept => Ok(None),
        }
    }

    fn note(&mut self, group: usize, slot: Slot) -> Result<(), OutOfWork> {
        let old = std::mem::replace(&mut self.slots[group], slot);
        self.push(Frame::Slot { group, old })
    }

    /// Forgets the ways that are left, not what is to be put back.
    fn settle(&mut self, base: usize) {
        let mut kept = base;
        for at in base..self.frames.len() {
            if matches!(self.frames[at], Frame::Slot { .. } | Frame::Mark { .. }) {
                self.frames[kept] = self.frames[at];
                kept += 1;
            }
        }
        self.frames.truncate(kept);
    }

    /// Puts back what the last frame holds, if it holds anything.
    fn undo(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        match frame {
            Frame::Slot { group, old } => self.slots[group] = old,
            Frame::Mark { mark, old } => self.marks[mark] = old,
            _ => {}
        }
        Some(frame)
    }

    /// The last way that is left.
    fn back(&mut self, base: usize) -> Next {
        while self.frames.len() > base {
            match self.undo()? {
                Frame::Branch { pc, at } => return Some((pc, at)),
                Frame::Fewer { pc, least, at } => {
                    if at - 1 > least {
                        self.frames.push(Frame::Fewer { pc, least, at: at - 1 });
                    }
                    return Some((pc, at - 1));
                }
                Frame::More { run, at, left } => {
                    let Inst::Run(set, _) = &self.pattern.program[run] else { continue };
                    if self.stands(set, at) {
                        if left > 1 {
                            self.frames.push(Frame::More { run, at: at + 1, left: left - 1 });
                        }
                        return Some((run + 1, at + 1));
                    }
                }
                Frame::Slot { .. } | Frame::Mark { .. } => {}
            }
        }
        None
    }

    fn repeat(
        &mut self,
        pc: usize,
        at: usize,
        set: &ByteSet,
        repeat: Repeat,
    ) -> Result<Next, OutOfWork> {
        let max = repeat.max.map_or(usize::MAX, |max| max as usize);
        let least = repeat.min as usize;
        let wanted = if repeat.mode == Mode::Lazy { least } else { max };
        let passed = self.input[at..].iter().take(wanted).take_while(|byte| set.contains(**byte));
        let passed = passed.count();
        self.spend(BYTE_COST * passed as u64)?;
        if passed < least {
            return Ok(None);
        }
        let end = at + passed;
        if repeat.mode == Mode::Greedy && passed > least {
            self.push(Frame::Fewer { pc: pc + 1, least: at + least, at: end })?;
        }
        if repeat.mode == Mode::Lazy && max > least {
            self.push(Frame::More { run: pc, at: end, left: max - least })?;
        }
        Ok(Some((pc + 1, end)))
    }

    /// A group without a match cannot be matched again.
    fn same(&mut self, same: Same, pc: usize, at: usize) -> Result<Next, OutOfWork> {
        let Some((start, end)) = self.slots[same.group].matched else { return Ok(None) };
        self.spend(BYTE_COST * (end - start) as u64)?;
        let (input, text) = (self.input, &self.input[start..end]);
        let here = input.get(at..at + text.len());
        let holds = here.is_some_and(|here| {
            if same.ignore_case { here.eq_ignore_ascii_case(text) } else { here == text }
        });
        Ok(holds.then_some((pc + 1, at + text.len())))
    }

    fn holds(&self, look: Look, at: usize) -> bool {
        let is = |set: &ByteSet, at: Option<usize>| at.is_some_and(|at| self.stands(set, at));
        let line = ByteSet::of(b"\n");
        match look {
            Look::Start => at == 0,
            Look::End => at == self.input.len(),
            Look::StartLF => at == 0 || is(&line, at.checked_sub(1)),
            Look::EndLF => at == self.input.len() || is(&line, Some(at)),
            // The parser lets no others in.
            look => {
                let boundary = is(&WORD, at.checked_sub(1)) != is(&WORD, Some(at));
                boundary != (look == Look::WordAsciiNegate)
            }
        }
    }

    fn stands(&self, set: &ByteSet, at: usize) -> bool {
        self.input.get(at).is_some_and(|byte| set.contains(*byte))
    }

    fn push(&mut self, frame: Frame) -> Result<(), OutOfWork> {
        if self.frames.len() == FRAMES_MAX {
            // As if it were too much work: no request passes because its value was too hard to judge.
            (self.pay)(u64::MAX);
            return Err(OutOfWork);
        }
        self.frames.push(frame);
        Ok(())
    }

    fn spend(&mut self, work: u64) -> Result<(), OutOfWork> {
        self.work += work;
        if self.work < BILL { Ok(()) } else { self.bill() }
    }

    fn bill(&mut self) -> Result<(), OutOfWork> {
        if (self.pay)(std::mem::take(&mut self.work)) { Ok(()) } else { Err(OutOfWork) }
    }

    fn groups(&self, whole: Range<usize>) -> Groups {
        let groups = self.slots.iter().skip(1);
        let groups = groups.map(|slot| slot.matched.map(|(start, end)| start..end));
        std::iter::once(Some(whole)).chain(groups).collect()
    }
}
