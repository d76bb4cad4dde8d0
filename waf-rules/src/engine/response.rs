//! The response to stores.

use super::intake::push_words;
use super::state::State;
use crate::body::media_type;
use crate::bytes::push_display;
use crate::profile::Inner;
use crate::variable::Store;

/// Inspected when the rules name no types: ModSecurity's default.
const MIME_TYPES: [&str; 3] = ["text/plain", "text/html", "text/xml"];

impl State {
    pub(super) fn response_line(&mut self, status: u16, protocol: &[u8]) {
        self.set_number(Store::ResponseStatus, usize::from(status));
        self.set_text(Store::ResponseProtocol, protocol);
        self.set_written(Store::StatusLine, |line| {
            push_words(&[protocol, b""], line);
            push_display(status, line);
        });
    }

    pub(super) fn response_header(&mut self, name: &[u8], value: &[u8]) {
        self.add(Store::ResponseHeaders, name, value);
        if name.eq_ignore_ascii_case(b"content-type") {
            self.set_text(Store::ResponseContentType, value);
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.set_text(Store::ResponseContentLength, value);
        }
    }

    /// Of an answer that does not say its length, the bytes seen of its body so far.
    pub(super) fn response_length_seen(&mut self, bytes: usize) {
        let headers = self.stores.get(Store::ResponseHeaders).iter();
        let mut names = headers.map(|entry| self.buffers.bytes(entry.key));
        if !names.any(|name| name.eq_ignore_ascii_case(b"content-length")) {
            self.set_number(Store::ResponseContentLength, bytes);
        }
    }

    /// The body is of a type that the rules want to see; types compare in any case (CVE-2026-73856).
    pub(super) fn wants_response_body(&self, profile: &Inner) -> bool {
        if !self.control.response_body || self.control.force_response_body {
            return self.control.response_body;
        }
        let rules = &profile.ruleset.program().settings.response_mime_types;
        let essence = media_type::essence(self.text(Store::ResponseContentType));
        match profile.options.response_types.as_ref().or(rules.as_ref()) {
            Some(types) => types.contains(&essence),
            None => MIME_TYPES.contains(&essence.as_str()),
        }
    }
}
