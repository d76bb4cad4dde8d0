//! Section -> plan.

use super::section::{EncodedSeparators, NormaliseSection};
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::base::request::Canonical;

/// What one route relaxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    encoded_separators: bool,
}

impl Plan {
    pub fn compile(section: &NormaliseSection) -> Plan {
        Plan { encoded_separators: section.encoded_separators == EncodedSeparators::Allow }
    }

    /// The part that depends on the route: an encoded slash or backslash is read as a separator by some services
    /// and as data by others, so it passes only where the operator knows which.
    pub fn admit(&self, canonical: &Canonical) -> Decision<()> {
        if canonical.encoded_separator && !self.encoded_separators {
            return Err(Finding::new(Code::NormalisePath, "encoded slash or backslash in path")
                .detail("the path holds an encoded slash or backslash"));
        }
        Ok(())
    }
}
