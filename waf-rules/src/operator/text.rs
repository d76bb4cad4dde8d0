//! Comparisons of two texts, byte for byte: `@streq @contains @containsWord @beginsWith @endsWith
//! @within @strmatch`.

use memchr::memmem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextTest {
    BeginsWith,
    Contains,
    ContainsWord,
    EndsWith,
    Equal,
    /// The argument contains the value; an empty value is within anything.
    Within,
}

impl TextTest {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "beginsWith" => Some(Self::BeginsWith),
            "contains" | "strmatch" => Some(Self::Contains),
            "containsWord" => Some(Self::ContainsWord),
            "endsWith" => Some(Self::EndsWith),
            "streq" => Some(Self::Equal),
            "within" => Some(Self::Within),
            _ => None,
        }
    }

    /// Every value that matches holds the argument.
    pub(crate) fn needs_argument(self) -> bool {
        self != Self::Within
    }

    pub(super) fn matches(self, input: &[u8], argument: &[u8]) -> bool {
        match self {
            Self::BeginsWith => input.starts_with(argument),
            Self::Contains => memmem::find(input, argument).is_some(),
            Self::ContainsWord => contains_word(input, argument),
            Self::EndsWith => input.ends_with(argument),
            Self::Equal => input == argument,
            Self::Within => memmem::find(argument, input).is_some(),
        }
    }
}

fn contains_word(input: &[u8], word: &[u8]) -> bool {
    let is_word =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    memmem::find_iter(input, word).any(|start| {
        let before = start.checked_sub(1).and_then(|at| input.get(at));
        !is_word(before) && !is_word(input.get(start + word.len()))
    })
}
