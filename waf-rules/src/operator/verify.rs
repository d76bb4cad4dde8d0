//! `@verifyCC`, `@verifySSN`, `@verifyCPF`, `@verifySVNR`: the pattern finds what looks like a number,
//! the check digits tell whether it is one.

use regex_syntax::hir::Hir;

use super::{Captures, Rx};

/// Which check a candidate has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Payment cards: the Luhn sum, ISO/IEC 7812-1, annex B, and a leading digit that is given out.
    Card,
    /// Brazil's taxpayers: two check digits.
    Cpf,
    /// Social security numbers of the USA: no check digit, but areas and groups that are never given.
    Ssn,
    /// Austria's insured: one check digit.
    Svnr,
}

/// Longest match of a pattern after which the search goes on one byte later: longer ones would make it
/// quadratic.
const OVERLAP_BYTES_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Verify {
    check: Check,
    rx: Rx,
    overlaps: bool,
}

impl Check {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "verifyCC" => Some(Self::Card),
            "verifyCPF" => Some(Self::Cpf),
            "verifySSN" => Some(Self::Ssn),
            "verifySVNR" => Some(Self::Svnr),
            _ => None,
        }
    }

    fn passes(self, digits: &[u8]) -> bool {
        match self {
            Self::Card => is_card(digits),
            Self::Cpf => is_cpf(digits),
            Self::Ssn => is_ssn(digits),
            Self::Svnr => is_svnr(digits),
        }
    }
}

impl Verify {
    pub(super) fn compile(check: Check, pattern: &str) -> Result<Self, String> {
        if pattern.trim().is_empty() {
            return Err("no pattern given for what looks like a number".to_owned());
        }
        let rx = Rx::finder(pattern)?;
        let overlaps = rx.longest().is_some_and(|longest| longest <= OVERLAP_BYTES_MAX);
        Ok(Self { check, rx, overlaps })
    }

    /// True when some match of the pattern is a number; that match is `TX:0`.
    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let mut at = 0;
        while let Some(found) = self.rx.find_at(input, at) {
            if self.check.passes(&digits(&input[found.clone()])) {
                if let Some(captures) = captures {
                    captures.push(found);
                }
                return true;
            }
            at = if self.overlaps { found.start + 1 } else { found.end.max(found.start + 1) };
            if at > input.len() {
                break;
            }
        }
        false
    }

    pub(crate) fn take_syntax(&mut self) -> Hir {
        self.rx.take_syntax()
    }
}

/// The digits of a text, as numbers; blanks and hyphens between them do not count.
fn digits(text: &[u8]) -> Vec<u8> {
    text.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect()
}

fn is_card(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| u32::from(if place % 2 == 1 { doubled(*digit) } else { *digit }))
        .sum();
    (12..=19).contains(&digits.len())
        && sum.is_multiple_of(10)
        && digits.iter().any(|digit| *digit != 0)
}

fn is_cpf(digits: &[u8]) -> bool {
    let same = digits.iter().all(|digit| Some(digit) == digits.first());
    let check = |length: usize| {
        let weights = (2..=length + 1).rev();
        let sum: usize =
            digits[..length].iter().zip(weights).map(|(digit, w)| usize::from(*digit) * w).sum();
        usize::from(digits[length]) == (sum * 10 % 11) % 10
    };
    digits.len() == 11 && !same && check(9) && check(10)
}

/// Since 2011: area not 000, 666 or from 900 on; group not 00; serial not 0000.
fn is_ssn(digits: &[u8]) -> bool {
    let number =
        |part: &[u8]| part.iter().fold(0_u32, |value, digit| value * 10 + u32::from(*digit));
    digits.len() == 9
        && !matches!(number(&digits[..3]), 0 | 666 | 900..)
        && number(&digits[3..5]) != 0
        && number(&digits[5..]) != 0
}

/// The fourth digit is the weighted sum of the others, modulo 11.
fn is_svnr(digits: &[u8]) -> bool {
    const WEIGHTS: [u32; 10] = [3, 7, 9, 0, 5, 8, 4, 2, 1, 6];
    let sum: u32 =
        digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    digits.len() == 10 && digits[0] != 0 && sum % 11 == u32::from(digits[3])
}
