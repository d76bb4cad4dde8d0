//! `@eq @ge @gt @le @lt`: whole numbers, read as C's `atoi` does (junk is 0).

use crate::bytes::atoi;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Comparison {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "eq" => Some(Self::Eq),
            "ge" => Some(Self::Ge),
            "gt" => Some(Self::Gt),
            "le" => Some(Self::Le),
            "lt" => Some(Self::Lt),
            _ => None,
        }
    }

    pub(super) fn matches(self, input: &[u8], argument: &[u8]) -> bool {
        self.holds(atoi(input), atoi(argument))
    }

    pub(crate) fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Eq => left == right,
            Self::Ge => left >= right,
            Self::Gt => left > right,
            Self::Le => left <= right,
            Self::Lt => left < right,
        }
    }
}
