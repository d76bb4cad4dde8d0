//! The request head to stores: line, target, headers, cookies, query arguments.

use std::net::IpAddr;
use std::ops::ControlFlow;

use super::budget::Exceeded;
use super::buffers::Buffer;
use super::state::State;
use crate::action::BodyProcessor;
use crate::body::{BodyError, Sink, media_type, urlencoded};
use crate::bytes::{is_space, push_display};
use crate::variable::Store;

impl State {
    pub(super) fn connection(
        &mut self,
        client: IpAddr,
        client_port: u16,
        server: IpAddr,
        server_port: u16,
    ) {
        self.set_written(Store::RemoteAddr, |text| push_display(client.to_canonical(), text));
        self.set_number(Store::RemotePort, usize::from(client_port));
        self.set_written(Store::ServerAddr, |text| push_display(server.to_canonical(), text));
        self.set_number(Store::ServerPort, usize::from(server_port));
    }

    /// The target is split as bytes, never through a URL type: `//host/x` is a path (CVE-2025-29914).
    pub(super) fn request_line(
        &mut self,
        method: &[u8],
        target: &[u8],
        protocol: &[u8],
        arguments: usize,
        separator: u8,
    ) {
        self.set_written(Store::RequestLine, |line| push_words(&[method, target, protocol], line));
        self.set_text(Store::RequestMethod, method);
        self.set_text(Store::RequestProtocol, protocol);
        self.set_text(Store::RequestUriRaw, target);
        let uri = without_authority(target);
        self.set_text(Store::RequestUri, uri);
        let question = memchr::memchr(b'?', uri);
        let path = &uri[..question.unwrap_or(uri.len())];
        // Split first, then decoded once, `+` kept: rules without transformations rely on it (CRS 933151).
        self.set_written(Store::RequestFilename, |text| urlencoded::decode_path(path, text));
        self.set_basename();
        let query = question.map_or(b"".as_slice(), |at| &uri[at + 1..]);
        self.set_text(Store::QueryString, query);
        self.urlencoded(Store::ArgsGet, query, separator, arguments);
    }

    /// What follows the last `/` or `\` of the path.
    fn set_basename(&mut self) {
        let path = self.stores.scalar(Store::RequestFilename).unwrap_or(Buffer::EMPTY);
        let bytes = self.buffers.bytes(path);
        let slash = bytes.iter().rposition(|byte| matches!(byte, b'/' | b'\\'));
        let (start, end) = (slash.map_or(0, |at| at + 1), bytes.len());
        let base = self.buffers.intern_part(path, start..end);
        self.stores.set(Store::RequestBasename, base);
    }

    pub(super) fn header(&mut self, name: &[u8], value: &[u8]) {
        self.add(Store::RequestHeaders, name, value);
        if name.eq_ignore_ascii_case(b"cookie") {
            self.cookies(value);
        } else if name.eq_ignore_ascii_case(b"host") {
            self.set_text(Store::ServerName, host_of(value));
        }
    }

    /// The parser that the content type asks for, before any rule can choose another.
    pub(super) fn choose_by_content_type(&mut self) {
        let processor = self.content_type().and_then(media_type::processor);
        match processor {
            Some(processor) => self.choose_processor(processor),
            None => self.set_text(Store::ReqbodyProcessor, b""),
        }
    }

    pub(super) fn choose_processor(&mut self, processor: BodyProcessor) {
        self.control.processor = Some(processor);
        self.set_text(Store::ReqbodyProcessor, processor.as_str().as_bytes());
    }

    /// The first `Content-Type`; a second one is rules' business (CVE-2023-38199).
    pub(super) fn content_type(&self) -> Option<&[u8]> {
        let headers = self.stores.get(Store::RequestHeaders).iter();
        headers
            .map(|entry| (self.buffers.bytes(entry.key), self.buffers.bytes(entry.value)))
            .find(|(name, _)| name.eq_ignore_ascii_case(b"content-type"))
            .map(|(_, value)| value)
    }

    /// Sum of the lengths of all argument names and values.
    pub(super) fn set_args_combined_size(&mut self) {
        let size = self.bytes_in(&[Store::ArgsGet, Store::ArgsPost]);
        self.set_number(Store::ArgsCombinedSize, size);
    }

    /// Sum of the lengths of all names and values in stores.
    pub(super) fn bytes_in(&self, stores: &[Store]) -> usize {
        let entries = stores.iter().flat_map(|store| self.stores.get(*store));
        let bytes = |buffer| self.buffers.bytes(buffer).len();
        entries.map(|entry| bytes(entry.key) + bytes(entry.value)).sum()
    }

    pub(super) fn urlencoded(&mut self, store: Store, text: &[u8], separator: u8, bound: usize) {
        let mut pair = std::mem::take(&mut self.scratch.pair);
        let mut sink = ArgumentSink { state: self, store, bound };
        let parsed = urlencoded::parse(text, separator, &mut pair, &mut sink);
        self.scratch.pair = pair;
        match parsed {
            Ok(true) => {}
            Ok(false) => self.set_text(Store::UrlencodedError, b"1"),
            Err(BodyError::Bound) => self.exceed(Exceeded::Arguments),
            Err(BodyError::Malformed(_) | BodyError::Ends(_) | BodyError::Beyond(..)) => {}
        }
    }

    /// Version 0 cookies: split at `;`, nothing decoded, a value may be missing.
    fn cookies(&mut self, value: &[u8]) {
        for pair in value.split(|byte| *byte == b';') {
            let start = pair.iter().position(|byte| !is_space(*byte)).unwrap_or(pair.len());
            let pair = &pair[start..];
            if pair.is_empty() {
                continue;
            }
            let equals = memchr::memchr(b'=', pair);
            let value = equals.map_or(b"".as_slice(), |at| &pair[at + 1..]);
            self.add(Store::RequestCookies, &pair[..equals.unwrap_or(pair.len())], value);
        }
    }
}

/// Adds arguments to a store until query and body together reach the bound.
pub(super) struct ArgumentSink<'a> {
    pub(super) state: &'a mut State,
    pub(super) store: Store,
    pub(super) bound: usize,
}

impl ArgumentSink<'_> {
    /// One value under several names; a long one is looked up once.
    pub(super) fn named<'n>(
        &mut self,
        names: impl Iterator<Item = &'n [u8]>,
        value: &[u8],
    ) -> ControlFlow<()> {
        let mut known = None;
        for name in names {
            let stores = &self.state.stores;
            if stores.get(Store::ArgsGet).len() + stores.get(Store::ArgsPost).len() >= self.bound {
                return ControlFlow::Break(());
            }
            let key = self.state.buffers.intern(name);
            let value = *known.get_or_insert_with(|| self.state.buffers.intern(value));
            self.state.stores.add(self.store, key, value);
        }
        ControlFlow::Continue(())
    }
}

impl Sink for ArgumentSink<'_> {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.named(std::iter::once(name), value)
    }
}

/// Words with a blank between.
pub(super) fn push_words(words: &[&[u8]], line: &mut Vec<u8>) {
    for (at, word) in words.iter().enumerate() {
        if at > 0 {
            line.push(b' ');
        }
        line.extend_from_slice(word);
    }
}

/// Takes `scheme://authority` off an absolute target.
fn without_authority(target: &[u8]) -> &[u8] {
    let Some(colon) = memchr::memmem::find(target, b"://") else { return target };
    let scheme = &target[..colon];
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if !is_scheme {
        return target;
    }
    let rest = &target[colon + 3..];
    let path =
        rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    &rest[path..]
}

/// The host without its port.
fn host_of(value: &[u8]) -> &[u8] {
    let end = match value.first() {
        Some(b'[') => memchr::memchr(b']', value).map(|at| at + 1),
        _ => memchr::memchr(b':', value),
    };
    &value[..end.unwrap_or(value.len())]
}
