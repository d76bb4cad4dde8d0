//! A multipart body as it arrives: its parts go to the stores one by one, the content of files nowhere.

use std::ops::ControlFlow;

use super::intake::ArgumentSink;
use super::state::State;
use crate::body::BodyError;
use crate::body::multipart::{Flags, Parser, Part, PartBounds};
use crate::plan::Program;
use crate::profile::Bounds;
use crate::variable::Store;

/// The parser of this request's body, and what it ran into.
#[derive(Debug)]
pub(super) struct Upload {
    parser: Result<Parser, BodyError>,
    flags: Flags,
    failed: Option<BodyError>,
}

impl State {
    /// Reads a chunk. False when more than `bound` bytes that are not files have come: the rest is not read.
    pub(super) fn push_upload(
        &mut self,
        chunk: &[u8],
        bound: usize,
        bounds: &Bounds,
        program: &Program,
    ) -> bool {
        let mut upload = self.upload.take().unwrap_or_else(|| self.begin_upload(bounds, program));
        let mut rest = chunk;
        if let (Ok(parser), None) = (&mut upload.parser, &upload.failed) {
            let mut sink = |part: Part<'_>| self.part(&part, bounds.arguments);
            while !rest.is_empty() && parser.held() < bound && upload.failed.is_none() {
                // No more at once than there is room for, so that what is held never passes the bound.
                let (now, later) = rest.split_at(rest.len().min(bound - parser.held()));
                upload.failed = parser.push(now, &mut sink).err();
                rest = later;
            }
        }
        let stopped = upload.parser.is_err() || upload.failed.is_some();
        self.upload = Some(upload);
        rest.is_empty() || stopped
    }

    fn begin_upload(&mut self, bounds: &Bounds, program: &Program) -> Box<Upload> {
        let content_type = self.content_type().unwrap_or_default();
        let mut flags = Flags::default();
        let bounds = PartBounds {
            parts: bounds.parts,
            files: program.settings.files,
            keep_files: program.wants_file_content,
        };
        let parser = Parser::new(content_type, bounds, &mut flags);
        Box::new(Upload { parser, flags, failed: None })
    }

    /// The body is complete. One that no chunk was read of, because a rule chose the parser late, is read now.
    pub(super) fn end_upload(
        &mut self,
        body: &[u8],
        bounds: &Bounds,
        program: &Program,
    ) -> Result<(), BodyError> {
        if self.upload.is_none() {
            self.push_upload(body, body.len(), bounds, program);
        }
        let Some(upload) = self.upload.take() else { return Ok(()) };
        let cut = self.is_body_cut();
        let Upload { parser, mut flags, failed } = *upload;
        let result = parser.and_then(|mut parser| {
            let mut sink = |part: Part<'_>| self.part(&part, bounds.arguments);
            let end = if cut { Parser::cut } else { Parser::finish };
            let result = failed.map_or_else(|| end(&mut parser, &mut sink), Err);
            flags = parser.flags();
            result
        });
        self.set_number(Store::FilesCombinedSize, self.file_bytes());
        self.set_flags(&flags, result.is_err());
        result
    }

    /// Bytes of all files.
    pub(super) fn file_bytes(&self) -> usize {
        let sizes = self.stores.get(Store::FilesSizes).iter();
        let size = |value: &[u8]| usize::try_from(crate::bytes::atoi(value)).unwrap_or(0);
        sizes.map(|entry| size(self.buffers.bytes(entry.value))).sum()
    }

    fn part(&mut self, part: &Part<'_>, bound: usize) -> ControlFlow<()> {
        self.add_each(Store::MultipartPartHeaders, part.name(), &part.headers);
        for name in part.names() {
            self.add(Store::MultipartName, name, name);
        }
        if !part.filenames.is_empty() {
            self.file(part);
        }
        if part.is_field {
            let mut sink = ArgumentSink { state: self, store: Store::ArgsPost, bound };
            return sink.named(part.names(), part.content);
        }
        ControlFlow::Continue(())
    }

    fn file(&mut self, part: &Part<'_>) {
        self.add_each(Store::Files, part.name(), &part.filenames);
        self.add_each(Store::MultipartFilename, part.name(), &part.filenames);
        for name in part.names() {
            self.add(Store::FilesNames, name, name);
        }
        self.add(Store::FilesSizes, part.name(), part.bytes.to_string().as_bytes());
        if part.content.len() == part.bytes {
            self.add(Store::FilesTmpContent, part.name(), part.content);
        }
    }

    /// A long key is looked up once, not for every value.
    fn add_each(&mut self, store: Store, key: &[u8], values: &[Vec<u8>]) {
        let key = self.buffers.intern(key);
        for value in values {
            let value = self.buffers.intern(value);
            self.stores.add(store, key, value);
        }
    }

    fn set_flags(&mut self, flags: &Flags, failed: bool) {
        let set = [
            (Store::MultipartBoundaryQuoted, flags.boundary_quoted),
            (Store::MultipartBoundaryWhitespace, flags.boundary_whitespace),
            (Store::MultipartDataBefore, flags.data_before),
            (Store::MultipartDataAfter, flags.data_after),
            (Store::MultipartHeaderFolding, flags.header_folding),
            (Store::MultipartInvalidHeaderFolding, flags.invalid_header_folding),
            (Store::MultipartLfLine, flags.lf_line),
            (Store::MultipartCrlfLfLines, flags.lf_line && flags.crlf_line),
            (Store::MultipartMissingSemicolon, flags.missing_semicolon),
            (Store::MultipartInvalidQuoting, flags.invalid_quoting),
            (Store::MultipartInvalidPart, flags.invalid_part),
            (Store::MultipartFileLimitExceeded, flags.file_limit_exceeded),
            (Store::MultipartUnmatchedBoundary, flags.unmatched_boundary),
            (Store::MultipartStrictError, failed || flags.is_strict_error()),
        ];
        for (store, raised) in set {
            self.set_text(store, if raised { b"1" } else { b"0" });
        }
    }
}
