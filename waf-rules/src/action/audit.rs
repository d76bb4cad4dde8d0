//! `SecAuditLogParts`, `ctl:auditLogParts`: which parts an audit record is to have.

/// Letters A to Z, as ModSecurity names the parts of an audit record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditParts(u32);

/// The parts that concern request, response, trailer and the end are known; others are refused.
const KNOWN: &str = "ABCDEFGHIJKZ";

impl Default for AuditParts {
    /// `ABCFHZ`, ModSecurity's default.
    fn default() -> Self {
        Self("ABCFHZ".chars().fold(0, |parts, letter| parts | bit(letter)))
    }
}

impl AuditParts {
    /// True when records have the part of this letter.
    pub fn contains(self, letter: char) -> bool {
        self.0 & bit(letter) != 0
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let letters = text.trim();
        if letters.is_empty() {
            return Err("no audit log part given".to_owned());
        }
        letters.chars().try_fold(Self(bit('A') | bit('Z')), |parts, letter| {
            known(letter).map(|letter| Self(parts.0 | bit(letter)))
        })
    }
}

/// `+EK` adds, `-E` takes away, anything else replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuditPartsChange {
    Add(AuditParts),
    Remove(AuditParts),
    Replace(AuditParts),
}

impl AuditPartsChange {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.strip_prefix('+') {
            Some(letters) => AuditParts::parse(letters).map(Self::Add),
            None => match text.strip_prefix('-') {
                Some(letters) => AuditParts::parse(letters).map(Self::Remove),
                None => AuditParts::parse(text).map(Self::Replace),
            },
        }
    }

    /// The header and the end of a record cannot be taken away.
    pub(crate) fn apply(self, parts: AuditParts) -> AuditParts {
        let always = bit('A') | bit('Z');
        match self {
            Self::Add(more) => AuditParts(parts.0 | more.0),
            Self::Remove(fewer) => AuditParts(parts.0 & !fewer.0 | always),
            Self::Replace(parts) => parts,
        }
    }
}

fn known(letter: char) -> Result<char, String> {
    let upper = letter.to_ascii_uppercase();
    if KNOWN.contains(upper) {
        Ok(upper)
    } else {
        Err(format!("audit log part `{letter}`, expected letters of {KNOWN}"))
    }
}

fn bit(letter: char) -> u32 {
    match letter {
        'A'..='Z' => 1 << (u32::from(letter) - u32::from('A')),
        _ => 0,
    }
}
