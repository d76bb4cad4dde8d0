//! `sanitiseArg`, `sanitiseMatched` and their kin: values that no log may show.

/// What is to be masked in everything that leaves the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sanitise {
    /// The value of an argument.
    Argument(Vec<u8>),
    RequestHeader(Vec<u8>),
    ResponseHeader(Vec<u8>),
    /// Whatever the rule matched.
    Matched,
}

impl Sanitise {
    /// `name` is the action in lower case and British spelling.
    pub(super) fn parse(name: &str, value: Option<&str>) -> Result<Self, String> {
        let wanted = |value: Option<&str>| {
            let value = value.map(str::trim).filter(|value| !value.is_empty());
            value
                .map(|value| value.as_bytes().to_vec())
                .ok_or_else(|| format!("{name} needs a name"))
        };
        match name {
            "sanitisearg" => wanted(value).map(Self::Argument),
            "sanitiserequestheader" => wanted(value).map(Self::RequestHeader),
            "sanitiseresponseheader" => wanted(value).map(Self::ResponseHeader),
            // How many bytes stay visible is not obeyed: all are masked.
            "sanitisematchedbytes" => Ok(Self::Matched),
            _ if value.is_some() => Err(format!("{name} takes no value")),
            _ => Ok(Self::Matched),
        }
    }
}
