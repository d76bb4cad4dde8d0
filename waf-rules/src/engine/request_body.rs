//! The request body to stores: the chosen parser runs, its doubts become variables.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::budget::Exceeded;
use super::buffers::Buffer;
use super::intake::ArgumentSink;
use super::state::State;
use crate::action::BodyProcessor;
use crate::body::charset::Charset;
use crate::body::grpc::{self, Framing};
use crate::body::{BodyError, Sink, graphql, json, media_type, protobuf, urlencoded, xml};
use crate::plan::{Program, Settings};
use crate::profile::Bounds;
use crate::variable::Store;

impl State {
    /// Parses what was received. A parse error is a finding: `REQBODY_ERROR` is set, what was parsed
    /// stays, and the raw body is shown in `REQUEST_BODY` so that the rest is inspected too. That a body which
    /// was cut has no end is none: the outcome says so.
    pub(super) fn parse_request_body(&mut self, bytes: usize, bounds: &Bounds, program: &Program) {
        let body = std::mem::take(&mut self.request_body);
        let bytes = if self.upload.is_some() { bytes } else { body.len() };
        self.set_number(Store::RequestBodyLength, bytes);
        if !body.is_empty() {
            let charset = Charset::of(self.content_type().unwrap_or_default());
            let text = self.decoded(&body, &charset);
            let cut = self.is_body_cut();
            let result = match self.process(&text, bounds, program) {
                Err(BodyError::Ends(_)) if cut => Ok(()),
                result => result.map_err(BodyError::of_whole),
            };
            let without_files = bytes.saturating_sub(self.file_bytes());
            if bytes > body.len() && matches!(result, Err(BodyError::Malformed(_))) {
                // What is shown of it in place of its parts is not all of it.
                self.exceed(Exceeded::RequestBody);
            }
            self.conclude(result, &text);
            self.doubt_charset(charset, &text);
            self.check_no_files(without_files, &program.settings);
        }
        self.set_args_combined_size();
        self.request_body = body;
    }

    /// Bytes of the body as rules see them: decoded, and without the content of files. What rules see of it as a whole
    /// besides counts where that is more, but not of a form: escapes buy no work.
    pub(super) fn body_bytes_seen(&self) -> usize {
        let parsed = self.bytes_in(&[
            Store::ArgsPost,
            Store::Xml,
            Store::XmlAttributes,
            Store::MultipartPartHeaders,
            Store::Files,
            Store::FilesNames,
        ]);
        let raw = self.stores.scalar(Store::RequestBody).unwrap_or(Buffer::EMPTY);
        match self.control.processor {
            Some(BodyProcessor::UrlEncoded) => parsed,
            _ => parsed.max(self.buffers.bytes(raw).len()),
        }
    }

    /// Only the beginning of the body is here.
    pub(super) fn is_body_cut(&self) -> bool {
        self.control.exceeded == Some(Exceeded::RequestBody)
    }

    /// JSON, XML and GraphQL may come in UTF-16 and UTF-32; they are read in UTF-8.
    fn decoded<'b>(
        &self,
        body: &'b [u8],
        named: &Result<Option<Charset>, String>,
    ) -> Cow<'b, [u8]> {
        let is_text = matches!(
            self.control.processor,
            Some(BodyProcessor::Json | BodyProcessor::Xml | BodyProcessor::GraphQl)
        );
        let named = named.as_ref().ok().copied().flatten();
        if !is_text {
            return Cow::Borrowed(body);
        }
        let charset = Charset::of_mark(body).or(named).unwrap_or(Charset::Ascii);
        charset.decode(if self.is_body_cut() { charset.whole_characters(body) } else { body })
    }

    /// A body in a set that hides ASCII, or that says so of itself, is a finding.
    fn doubt_charset(&mut self, named: Result<Option<Charset>, String>, body: &[u8]) {
        let Some(processor) = self.control.processor else { return };
        let form = matches!(processor, BodyProcessor::UrlEncoded | BodyProcessor::Multipart);
        let doubt = match named {
            _ if processor == BodyProcessor::Protobuf => None,
            Err(doubt) => Some(doubt),
            Ok(Some(Charset::Utf16 { .. } | Charset::Utf32 { .. })) if form => {
                Some("a form in UTF-16 or UTF-32 cannot be inspected".to_owned())
            }
            Ok(_) if form => self.doubt_charset_field(),
            Ok(_) => None,
        };
        if let Some(doubt) = doubt {
            self.body_error(&doubt);
            self.set_text(Store::RequestBody, body);
        }
    }

    /// `_charset_`, the field by which a form names its own character set (RFC 7578, 4.6).
    fn doubt_charset_field(&self) -> Option<String> {
        let fields = self.stores.get(Store::ArgsPost).iter();
        let named = fields.filter(|entry| self.buffers.bytes(entry.key) == b"_charset_");
        named
            .map(|entry| String::from_utf8_lossy(self.buffers.bytes(entry.value)).into_owned())
            .find_map(|name| match Charset::parse(&name) {
                Ok(Charset::Ascii) => None,
                Ok(_) => Some("a form in UTF-16 or UTF-32 cannot be inspected".to_owned()),
                Err(doubt) => Some(doubt),
            })
    }

    fn process(
        &mut self,
        body: &[u8],
        bounds: &Bounds,
        program: &Program,
    ) -> Result<(), BodyError> {
        match self.control.processor {
            Some(BodyProcessor::UrlEncoded) => {
                let separator = program.settings.argument_separator;
                self.set_text(Store::RequestBody, body);
                let body = if self.is_body_cut() { urlencoded::whole_escapes(body) } else { body };
                self.urlencoded(Store::ArgsPost, body, separator, bounds.arguments);
                Ok(())
            }
            Some(BodyProcessor::Json) => {
                json::parse(body, bounds.depth, &mut self.json_sink(bounds))
            }
            Some(BodyProcessor::Multipart) => self.end_upload(body, bounds, program),
            Some(BodyProcessor::Xml) => self.xml(body, bounds),
            Some(BodyProcessor::GraphQl) => {
                graphql::parse(body, b"graphql", bounds.depth, &mut self.sink(bounds))
            }
            Some(BodyProcessor::Protobuf) => self.protobuf(body, bounds),
            None => {
                if self.control.force_body_variable {
                    self.set_text(Store::RequestBody, body);
                }
                Ok(())
            }
        }
    }

    fn sink(&mut self, bounds: &Bounds) -> ArgumentSink<'_> {
        ArgumentSink { state: self, store: Store::ArgsPost, bound: bounds.arguments }
    }

    fn json_sink(&mut self, bounds: &Bounds) -> JsonSink<'_> {
        JsonSink { depth: bounds.depth, arguments: self.sink(bounds) }
    }

    fn protobuf(&mut self, body: &[u8], bounds: &Bounds) -> Result<(), BodyError> {
        let content_type = self.content_type().unwrap_or_default();
        let framing = Framing::of(&media_type::essence(content_type));
        if !framing.framed {
            return protobuf::parse(body, bounds.depth, &mut self.sink(bounds));
        }
        let plain = if framing.base64 { grpc::from_base64(body)? } else { Cow::Borrowed(body) };
        let encoding = self.message_encoding();
        // All messages together may decode to what one body may have.
        let mut room = bounds.body_bytes;
        grpc::messages(&plain, |compressed, message| {
            let mut decoded = Vec::new();
            let message = if compressed {
                grpc::decompress(message, &encoding, room, &mut decoded)?;
                room -= decoded.len();
                &decoded
            } else {
                message
            };
            match framing.json {
                true => json::parse(message, bounds.depth, &mut self.json_sink(bounds)),
                false => protobuf::parse(message, bounds.depth, &mut self.sink(bounds)),
            }
        })
    }

    /// How compressed messages of gRPC and Connect are.
    fn message_encoding(&self) -> Vec<u8> {
        let headers = self.stores.get(Store::RequestHeaders).iter();
        let named = headers.filter(|entry| {
            let name = self.buffers.bytes(entry.key);
            name.eq_ignore_ascii_case(b"grpc-encoding")
                || name.eq_ignore_ascii_case(b"connect-content-encoding")
        });
        named.map(|entry| self.buffers.bytes(entry.value)).collect::<Vec<_>>().join(&b',')
    }

    fn conclude(&mut self, result: Result<(), BodyError>, body: &[u8]) {
        match result {
            Ok(()) => {}
            Err(BodyError::Bound) => self.exceed(Exceeded::Arguments),
            Err(BodyError::Malformed(reason) | BodyError::Ends(reason)) => {
                self.body_error(&reason);
                self.set_text(Store::RequestBody, body);
            }
            Err(BodyError::Beyond(bound, reason)) => {
                self.exceed(bound);
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

    fn xml(&mut self, body: &[u8], bounds: &Bounds) -> Result<(), BodyError> {
        let (document, result) = xml::parse(body, bounds.depth);
        self.add(Store::Xml, b"/*", &document.text);
        for attribute in document.attributes.iter().take(bounds.arguments) {
            self.add(Store::XmlAttributes, b"//@*", attribute);
        }
        if document.attributes.len() > bounds.arguments { Err(BodyError::Bound) } else { result }
    }
}

/// JSON leaves as arguments, and the strings of a GraphQL document in a `query` as arguments too.
struct JsonSink<'a> {
    depth: usize,
    arguments: ArgumentSink<'a>,
}

impl Sink for JsonSink<'_> {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.arguments.argument(name, value)?;
        if name.ends_with(b".query") && graphql::looks_like_document(value) {
            match graphql::parse(value, name, self.depth, &mut self.arguments) {
                Err(BodyError::Bound) => return ControlFlow::Break(()),
                Err(BodyError::Beyond(bound, reason)) => {
                    self.arguments.state.exceed(bound);
                    self.arguments.state.body_error(&reason);
                }
                // What is no document is an ordinary value, which is an argument already.
                Ok(()) | Err(BodyError::Malformed(_) | BodyError::Ends(_)) => {}
            }
        }
        ControlFlow::Continue(())
    }
}
