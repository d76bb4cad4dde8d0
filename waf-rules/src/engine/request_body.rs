//! The request body to stores: the chosen parser runs, its doubts become variables.

use std::ops::ControlFlow;

use super::budget::Exceeded;
use super::intake::ArgumentSink;
use super::state::State;
use crate::action::BodyProcessor;
use crate::body::multipart::{self, Flags, Part, PartBounds};
use crate::body::{BodyError, Sink, json, xml};
use crate::plan::Settings;
use crate::profile::Bounds;
use crate::variable::Store;

impl State {
    /// Parses what was received. A parse error is a finding: `REQBODY_ERROR` is set, what was parsed
    /// stays, and the raw body is shown in `REQUEST_BODY` so that the rest is inspected too.
    pub(super) fn parse_request_body(&mut self, bounds: &Bounds, settings: &Settings) {
        let body = std::mem::take(&mut self.request_body);
        self.set_number(Store::RequestBodyLength, body.len());
        if !body.is_empty() {
            let files = self.stores.get(Store::Files).len();
            let result = self.process(&body, bounds, settings);
            let without_files = body.len().saturating_sub(self.file_bytes(files));
            self.conclude(result, &body);
            self.check_no_files(without_files, settings);
        }
        self.set_args_combined_size();
        self.request_body = body;
    }

    fn process(
        &mut self,
        body: &[u8],
        bounds: &Bounds,
        settings: &Settings,
    ) -> Result<(), BodyError> {
        match self.control.processor {
            Some(BodyProcessor::UrlEncoded) => {
                self.set_text(Store::RequestBody, body);
                self.urlencoded(Store::ArgsPost, body, bounds.arguments);
                Ok(())
            }
            Some(BodyProcessor::Json) => {
                let mut sink =
                    ArgumentSink { state: self, store: Store::ArgsPost, bound: bounds.arguments };
                json::parse(body, bounds.depth, &mut sink)
            }
            Some(BodyProcessor::Multipart) => self.multipart(body, bounds, settings),
            Some(BodyProcessor::Xml) => self.xml(body, bounds),
            None => {
                if self.control.force_body_variable {
                    self.set_text(Store::RequestBody, body);
                }
                Ok(())
            }
        }
    }

    fn conclude(&mut self, result: Result<(), BodyError>, body: &[u8]) {
        match result {
            Ok(()) => {}
            Err(BodyError::Bound) => self.exceed(Exceeded::Arguments),
            Err(BodyError::Malformed(reason)) => {
                self.body_error(&reason);
                self.set_text(Store::RequestBody, body);
            }
        }
    }

    pub(super) fn body_error(&mut self, reason: &str) {
        self.set_text(Store::ReqbodyError, b"1");
        self.set_text(Store::ReqbodyProcessorError, b"1");
        self.set_text(Store::ReqbodyErrorMsg, reason.as_bytes());
    }

    /// `SecRequestBodyNoFilesLimit`.
    fn check_no_files(&mut self, bytes: usize, settings: &Settings) {
        if let Some(bound) = settings.request_body_no_files_bytes
            && bytes > bound
        {
            self.body_error(&format!("request body without files {bytes} bytes, bound {bound}"));
        }
    }

    fn file_bytes(&self, from: usize) -> usize {
        let sizes = self.stores.get(Store::FilesSizes).iter().skip(from);
        sizes
            .map(|entry| {
                usize::try_from(crate::bytes::atoi(self.buffers.bytes(entry.value))).unwrap_or(0)
            })
            .sum()
    }

    fn xml(&mut self, body: &[u8], bounds: &Bounds) -> Result<(), BodyError> {
        let (document, result) = xml::parse(body, bounds.depth);
        self.add(Store::Xml, b"/*", &document.text);
        for attribute in document.attributes.iter().take(bounds.arguments) {
            self.add(Store::XmlAttributes, b"//@*", attribute);
        }
        if document.attributes.len() > bounds.arguments { Err(BodyError::Bound) } else { result }
    }

    fn multipart(
        &mut self,
        body: &[u8],
        bounds: &Bounds,
        settings: &Settings,
    ) -> Result<(), BodyError> {
        let content_type = self.content_type().unwrap_or_default().to_vec();
        let part_bounds = PartBounds { parts: bounds.parts, files: settings.files };
        let mut flags = Flags::default();
        let mut sink = |part: Part<'_>| self.part(&part, bounds.arguments);
        let result = multipart::parse(&content_type, body, part_bounds, &mut flags, &mut sink);
        self.set_number(Store::FilesCombinedSize, self.file_bytes(0));
        self.set_flags(&flags, result.is_err());
        result
    }

    fn part(&mut self, part: &Part<'_>, bound: usize) -> ControlFlow<()> {
        for header in &part.headers {
            self.add(Store::MultipartPartHeaders, &part.name, header);
        }
        self.add(Store::MultipartName, &part.name, &part.name);
        let Some(filename) = &part.filename else {
            let mut sink = ArgumentSink { state: self, store: Store::ArgsPost, bound };
            return sink.argument(&part.name, part.content);
        };
        self.add(Store::Files, &part.name, filename);
        self.add(Store::MultipartFilename, &part.name, filename);
        self.add(Store::FilesNames, &part.name, &part.name);
        self.add(Store::FilesSizes, &part.name, part.content.len().to_string().as_bytes());
        ControlFlow::Continue(())
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
