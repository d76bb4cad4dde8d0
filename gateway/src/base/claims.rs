//! Paths into the claims of a token: `realm_access.roles`, `resource_access."orders.v1".roles`,
//! `"https://example.com/roles"`.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

/// A compiled path. A member whose own name holds a dot is reached only through a quoted segment: an
/// attacker-writable `"realm_access.roles"` never shadows the nested one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    segments: Box<[Box<str>]>,
}

impl ClaimPath {
    /// The value at the path, when every step but the last is an object.
    pub fn find<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        let (first, rest) = self.segments.split_first()?;
        let mut value = claims.get(&**first)?;
        for segment in rest {
            value = value.as_object()?.get(&**segment)?;
        }
        Some(value)
    }
}

impl FromStr for ClaimPath {
    type Err = String;

    fn from_str(text: &str) -> Result<ClaimPath, String> {
        let mut segments = Vec::new();
        let mut rest = text;
        loop {
            let (segment, after) = next_segment(rest).ok_or_else(|| {
                format!(
                    "claim path `{text}` is not names joined by dots, for example \
                     realm_access.roles or \"https://example.com/roles\""
                )
            })?;
            segments.push(Box::from(segment));
            match after {
                Some(after) => rest = after,
                None => return Ok(ClaimPath { segments: segments.into() }),
            }
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            let dot = if index == 0 { "" } else { "." };
            if segment.contains('.') {
                write!(f, "{dot}\"{segment}\"")?;
            } else {
                write!(f, "{dot}{segment}")?;
            }
        }
        Ok(())
    }
}

/// The first segment, and what follows its dot; `None` when the text is not a path.
fn next_segment(text: &str) -> Option<(&str, Option<&str>)> {
    let (segment, after) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"')?,
        None => text.split_at(text.find('.').unwrap_or(text.len())),
    };
    if segment.is_empty() || segment.contains('"') {
        return None;
    }
    match after {
        "" => Some((segment, None)),
        _ => after.strip_prefix('.').map(|after| (segment, Some(after))),
    }
}
