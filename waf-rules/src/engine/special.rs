//! Variables that are made when a rule asks for them.

use super::eval::Run;
use super::gather::{Content, Key, Value};
use crate::plan::Target;
use crate::variable::{ClockField, Store, Variable};

/// `HIGHEST_SEVERITY` before any rule with a severity matched.
pub(super) const NO_SEVERITY: u8 = 255;

impl Run<'_> {
    pub(super) fn gather_clock(
        &mut self,
        field: ClockField,
        variable: &'static Variable,
        values: &mut Vec<Value>,
    ) {
        if let Some(text) = self.state.clock.show(field) {
            self.gather_text(variable, text.as_bytes(), values);
        }
    }

    pub(super) fn gather_environment(&mut self, target: &Target, values: &mut Vec<Value>) {
        for (name, value) in &self.program.environment {
            if target.matcher.accepts(name) {
                let key = Key::Buffer(self.state.buffers.intern(name));
                let content = Content::Buffer(self.state.buffers.intern(value));
                values.push(Value { variable: target.variable, key, content, count: false });
            }
        }
    }

    pub(super) fn gather_full_request(
        &mut self,
        variable: &'static Variable,
        length_only: bool,
        values: &mut Vec<Value>,
    ) {
        let request = self.full_request();
        if length_only {
            let length = i64::try_from(request.len()).unwrap_or(i64::MAX);
            let content = Content::Int(length);
            values.push(Value { variable, key: Key::None, content, count: false });
        } else {
            self.gather_text(variable, &request, values);
        }
    }

    /// As HTTP/1.1 writes it, whatever protocol it came by.
    fn full_request(&self) -> Vec<u8> {
        let mut request = self.state.text(Store::RequestLine).to_vec();
        for entry in self.state.stores.get(Store::RequestHeaders) {
            request.extend_from_slice(b"\r\n");
            request.extend_from_slice(self.state.buffers.bytes(entry.key));
            request.extend_from_slice(b": ");
            request.extend_from_slice(self.state.buffers.bytes(entry.value));
        }
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(&self.state.request_body);
        request
    }
}
