//! The prefilter: which operators could match a value at all.
//!
//! Three facts are drawn from every operator at load: texts of which each match holds one, byte
//! classes of which each match holds a byte, and a least length. One pass over a value for
//! all texts, and a few table look-ups, then give the set of operators worth asking. The
//! facts may let too much through, never too little: `tests/crs/prefilter.rs` compares with asking
//! every operator about every value.

mod classes;
mod literals;
#[cfg(test)]
mod tests;
mod texts;

use regex_syntax::hir::Hir;
use smallvec::SmallVec;

use crate::bytes::{ByteSet, index};
use crate::operator::Operator;
use texts::{TEXT_BYTES_MIN, Texts};

/// A set of operators at hand.
type Row = SmallVec<[u64; 16]>;

/// Byte classes kept per operator; each must be present.
const CLASSES: usize = 3;
/// Words of a row of classes that are gathered at a time.
const BLOCK: usize = 4;
/// Longest least length told apart.
const LENGTHS: usize = 32;

/// The prefilter of a program. Rows are bit sets of operators, [`Gates::words`] words wide.
#[derive(Debug)]
pub(crate) struct Gates {
    words: usize,
    texts: Option<Texts>,
    /// Operators that need no text.
    textless: Vec<u64>,
    classes: ClassTable,
    /// For each length, the operators that a value of this length can satisfy.
    lengths: Vec<Vec<u64>>,
}

/// For every byte value, the operators whose first, second, third class holds it: three rows side by side, so that one
/// pass over the bytes present answers for all. They are cut into blocks that a processor can gather in registers.
#[derive(Debug, Default)]
struct ClassTable {
    /// A block of the three rows after another, each for all 256 bytes.
    by_byte: Vec<[u64; BLOCK]>,
    /// Operators without a first, second, third class.
    free: Vec<[u64; BLOCK]>,
}

/// What every value that an operator matches has.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// One of these, in any ASCII case. Empty: no text is needed.
    pub(crate) literals: Vec<Vec<u8>>,
    /// A byte of each of these.
    pub(crate) classes: Vec<ByteSet>,
    pub(crate) min_len: usize,
}

impl Gates {
    /// Takes what the patterns among the operators were read from.
    pub(crate) fn new(operators: &mut [Operator]) -> Self {
        let words = operators.len().div_ceil(64);
        let needs: Vec<Needs> = operators.iter_mut().map(Needs::of).collect();
        let (texts, owners) = collect(&needs);
        let mut textless = vec![0; words];
        needs
            .iter()
            .enumerate()
            .filter(|(_, needs)| needs.text().is_none())
            .for_each(|(at, _)| set(&mut textless, at));
        Self {
            words,
            texts: Texts::new(&texts, &owners),
            textless,
            classes: ClassTable::new(&needs, words),
            lengths: lengths(&needs, words),
        }
    }

    /// Width of a row, in 64-bit words.
    pub(crate) fn words(&self) -> usize {
        self.words
    }

    /// A row without an operator in it.
    pub(crate) fn empty_row(&self) -> Row {
        SmallVec::from_elem(0, self.words)
    }

    /// What length and bytes of a value say: `row` is given the operators that it could satisfy as it is, `wanted` those that
    /// it could if it held one of their texts.
    pub(crate) fn fitting(
        &self,
        length: usize,
        present: &ByteSet,
        row: &mut [u64],
        wanted: &mut [u64],
    ) {
        row.copy_from_slice(&self.lengths[length.min(LENGTHS - 1)]);
        self.classes.restrict(present, row);
        for ((row, wanted), free) in row.iter_mut().zip(wanted).zip(&self.textless) {
            *wanted = *row & !free;
            *row &= free;
        }
    }

    /// Moves the operators of which a value holds a text from `wanted` to `row`. `folded` is the value in lower case;
    /// `pay` is asked for the work of comparing. False: it does not pay, and the row is not complete.
    pub(crate) fn find_texts(
        &self,
        folded: &[u8],
        wanted: &mut [u64],
        row: &mut [u64],
        pay: impl FnMut(u64) -> bool,
    ) -> bool {
        self.texts.as_ref().is_none_or(|texts| texts.find(folded, wanted, row, pay))
    }
}

impl ClassTable {
    fn new(needs: &[Needs], words: usize) -> Self {
        let blocks = (CLASSES * words).div_ceil(BLOCK);
        let (mut by_byte, mut free) = (vec![[0; BLOCK]; 256 * blocks], vec![[0; BLOCK]; blocks]);
        // What fills up the last block allows everything.
        let filling = blocks * BLOCK - CLASSES * words;
        free.iter_mut().flatten().rev().take(filling).for_each(|word| *word = u64::MAX);
        for (operator, needs) in needs.iter().enumerate() {
            for number in 0..CLASSES {
                let word = number * words + operator / 64;
                let (block, word, bit) = (word / BLOCK, word % BLOCK, 1 << (operator % 64));
                match needs.classes.get(number) {
                    Some(class) => class.iter().for_each(|byte| {
                        by_byte[256 * block + usize::from(byte)][word] |= bit;
                    }),
                    None => free[block][word] |= bit,
                }
            }
        }
        Self { by_byte, free }
    }

    /// Keeps the operators whose classes are all present.
    fn restrict(&self, present: &ByteSet, row: &mut [u64]) {
        let mut bytes = [0; 256];
        let bytes = present.list(&mut bytes);
        // The words of the three rows, one after the other, fall on those of the row in turn.
        let mut at = 0;
        for (free, by_byte) in self.free.iter().zip(self.by_byte.chunks_exact(256)) {
            let mut allowed = *free;
            for byte in bytes {
                let block = &by_byte[usize::from(*byte)];
                (0..BLOCK).for_each(|word| allowed[word] |= block[word]);
            }
            for allowed in allowed {
                row[at] &= allowed;
                at = if at + 1 == row.len() { 0 } else { at + 1 };
            }
        }
    }
}

impl Needs {
    fn of(operator: &mut Operator) -> Self {
        match operator {
            Operator::Rx(rx) | Operator::RxGlobal(rx) => Self::of_hir(&rx.take_syntax()),
            Operator::Verify(verify) => Self::of_hir(&verify.take_syntax()),
            Operator::Pm(pm) => Self::of_phrases(pm.literals()),
            Operator::Text(test, argument) if test.needs_argument() => {
                argument.constant().map(Self::of_text).unwrap_or_default()
            }
            Operator::ByteRange(range) => Self::of_class(range.allowed().complement()),
            Operator::UrlEncoding => Self::of_class(ByteSet::of(b"%")),
            Operator::Utf8Encoding => Self::of_class(ByteSet::range(0x80, 0xff)),
            // A dangerous tag needs `<`, a dangerous attribute its `=`: see the operator's tests.
            Operator::DetectXss => Self::of_class(ByteSet::of(b"<=")),
            // A word alone is one token and no fingerprint: see the operator's tests.
            Operator::DetectSqli => Self::of_class(crate::bytes::WORD.complement()),
            _ => Self::default(),
        }
    }

    pub(crate) fn of_hir(hir: &Hir) -> Self {
        Self {
            literals: literals::required(hir),
            classes: classes::required(hir, CLASSES),
            min_len: hir.properties().minimum_len().unwrap_or(0),
        }
    }

    fn of_phrases(phrases: &[Box<[u8]>]) -> Self {
        let literals = phrases.iter().map(|phrase| phrase.to_ascii_lowercase()).collect();
        let min_len = phrases.iter().map(|phrase| phrase.len()).min().unwrap_or(0);
        let classes = classes::of_phrases(phrases).into_iter().collect();
        Self { literals, classes, min_len }
    }

    fn of_text(text: &[u8]) -> Self {
        let literals = if text.is_empty() { Vec::new() } else { vec![text.to_ascii_lowercase()] };
        Self { literals, classes: Vec::new(), min_len: text.len() }
    }

    fn of_class(class: ByteSet) -> Self {
        Self { literals: Vec::new(), classes: vec![class], min_len: 1 }
    }

    /// The texts, where all are long enough to be searched for.
    fn text(&self) -> Option<&[Vec<u8>]> {
        let usable = !self.literals.is_empty()
            && self.literals.iter().all(|text| text.len() >= TEXT_BYTES_MIN);
        usable.then_some(self.literals.as_slice())
    }
}

/// Every text once, with the operators that need it.
fn collect(needs: &[Needs]) -> (Vec<&[u8]>, Vec<Vec<u32>>) {
    let mut places = std::collections::HashMap::new();
    let (mut texts, mut owners): (Vec<&[u8]>, Vec<Vec<u32>>) = (Vec::new(), Vec::new());
    for (operator, needs) in needs.iter().enumerate() {
        for text in needs.text().unwrap_or_default() {
            let place = *places.entry(text.as_slice()).or_insert_with(|| {
                texts.push(text);
                owners.push(Vec::new());
                texts.len() - 1
            });
            owners[place].push(index(operator));
        }
    }
    (texts, owners)
}

fn lengths(needs: &[Needs], words: usize) -> Vec<Vec<u64>> {
    let row = |length: usize| {
        let mut row = vec![0; words];
        let fits =
            needs.iter().enumerate().filter(|(_, needs)| needs.min_len.min(LENGTHS - 1) <= length);
        fits.for_each(|(operator, _)| set(&mut row, operator));
        row
    };
    (0..LENGTHS).map(row).collect()
}

fn set(row: &mut [u64], at: usize) {
    row[at / 64] |= 1 << (at % 64);
}
