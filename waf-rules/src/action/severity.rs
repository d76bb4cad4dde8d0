//! `severity`: the syslog levels, by name or number.

/// How serious a match is. The order is from least to most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

const NAMES: [(&str, Severity); 8] = [
    ("EMERGENCY", Severity::Emergency),
    ("ALERT", Severity::Alert),
    ("CRITICAL", Severity::Critical),
    ("ERROR", Severity::Error),
    ("WARNING", Severity::Warning),
    ("NOTICE", Severity::Notice),
    ("INFO", Severity::Info),
    ("DEBUG", Severity::Debug),
];

impl Severity {
    /// Reads a level by name, in any case, or by its syslog number (0 is emergency).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<usize>() {
            return NAMES.get(number).map(|(_, severity)| *severity);
        }
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, severity)| *severity)
    }

    /// The syslog number: 0 is an emergency, 7 is for debugging.
    pub fn number(self) -> u8 {
        Self::Emergency as u8 - self as u8
    }

    /// The name as rules write it.
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, severity)| *severity == self).map_or("", |(name, _)| name)
    }
}
