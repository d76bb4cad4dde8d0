//! `multipart/form-data` (RFC 7578), read strictly: every way of writing it that two parsers could
//! read differently raises a flag of ModSecurity's `MULTIPART_*` family.

mod boundary;
mod disposition;
mod part;

pub(crate) use part::parse;

/// Doubts about a body. All false: there is one way to read it.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) boundary_quoted: bool,
    pub(crate) boundary_whitespace: bool,
    pub(crate) data_before: bool,
    pub(crate) data_after: bool,
    pub(crate) header_folding: bool,
    pub(crate) invalid_header_folding: bool,
    pub(crate) lf_line: bool,
    /// Some line of the structure ends in CR LF; not a doubt by itself.
    pub(crate) crlf_line: bool,
    pub(crate) missing_semicolon: bool,
    pub(crate) invalid_quoting: bool,
    pub(crate) invalid_part: bool,
    pub(crate) file_limit_exceeded: bool,
    pub(crate) unmatched_boundary: bool,
}

impl Flags {
    /// What `MULTIPART_STRICT_ERROR` sums up.
    pub(crate) fn is_strict_error(&self) -> bool {
        self.boundary_quoted
            || self.boundary_whitespace
            || self.data_before
            || self.data_after
            || self.header_folding
            || self.invalid_header_folding
            || self.lf_line
            || self.missing_semicolon
            || self.invalid_quoting
            || self.invalid_part
            || self.file_limit_exceeded
    }
}

/// One part, handed on when it is complete.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) name: Vec<u8>,
    /// A part with a file name is a file; its content is not an argument.
    pub(crate) filename: Option<Vec<u8>>,
    /// Every header line of the part, folded lines joined.
    pub(crate) headers: Vec<Vec<u8>>,
    pub(crate) content: &'a [u8],
}

/// How much a body may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartBounds {
    pub(crate) parts: usize,
    pub(crate) files: Option<usize>,
}
