//! `multipart/form-data` (RFC 7578), read strictly: every way of writing it that two parsers could
//! read differently raises a flag of ModSecurity's `MULTIPART_*` family.

mod boundary;
mod disposition;
mod inner;
mod parser;

pub(crate) use parser::Parser;

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

impl Part<'_> {
    /// The name that counts most; empty where it has none.
    pub(crate) fn name(&self) -> &[u8] {
        self.names.last().map_or(b"", Vec::as_slice)
    }

    /// All names; where there is none, the empty one.
    pub(crate) fn names(&self) -> impl Iterator<Item = &[u8]> {
        let none = self.names.is_empty().then_some(b"".as_slice());
        self.names.iter().map(Vec::as_slice).chain(none)
    }
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

    /// The doubts of both.
    fn and(self, other: Self) -> Self {
        Self {
            boundary_quoted: self.boundary_quoted || other.boundary_quoted,
            boundary_whitespace: self.boundary_whitespace || other.boundary_whitespace,
            data_before: self.data_before || other.data_before,
            data_after: self.data_after || other.data_after,
            header_folding: self.header_folding || other.header_folding,
            invalid_header_folding: self.invalid_header_folding || other.invalid_header_folding,
            lf_line: self.lf_line || other.lf_line,
            crlf_line: self.crlf_line || other.crlf_line,
            missing_semicolon: self.missing_semicolon || other.missing_semicolon,
            invalid_quoting: self.invalid_quoting || other.invalid_quoting,
            invalid_part: self.invalid_part || other.invalid_part,
            file_limit_exceeded: self.file_limit_exceeded || other.file_limit_exceeded,
            unmatched_boundary: self.unmatched_boundary || other.unmatched_boundary,
        }
    }
}

/// One part, handed on when it is complete.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Every name that it gives itself, the one that counts most last.
    pub(crate) names: Vec<Vec<u8>>,
    /// Likewise; a part without is no file.
    pub(crate) filenames: Vec<Vec<u8>>,
    /// Its content is an argument: it is no file, or some reader takes it for none.
    pub(crate) is_field: bool,
    /// Every header line of the part, folded lines joined.
    pub(crate) headers: Vec<Vec<u8>>,
    /// Empty for a file whose content is not kept; an argument's is kept, of a file that has a boundary
    /// within from there on.
    pub(crate) content: &'a [u8],
    /// Size of the content.
    pub(crate) bytes: usize,
}

/// How much a body may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartBounds {
    pub(crate) parts: usize,
    pub(crate) files: Option<usize>,
    /// The content of files is kept too.
    pub(crate) keep_files: bool,
}
