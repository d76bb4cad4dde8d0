//! `@rbl`: what a list said of the client.

use std::net::Ipv4Addr;

use super::buffers::Buffer;
use super::eval::Run;
use super::gather::Value;
use crate::operator::{AddressList, address};
use crate::variable::Store;

impl Run<'_> {
    /// Whether the value is the client's address, and on the list.
    pub(super) fn is_listed(&self, list: &AddressList, value: Buffer) -> bool {
        let value = self.state.buffers.bytes(value);
        self.answer_of(list).is_some() && value == self.state.text(Store::RemoteAddr)
    }

    /// `TX:0` becomes what the match has to say; there are no other groups.
    pub(super) fn capture_listing(&mut self, list: &AddressList, value: &Value, input: Buffer) {
        let client = address(self.state.text(Store::RemoteAddr));
        let Some((client, answer)) = client.zip(self.answer_of(list)) else { return };
        let text = list.explain(client, &self.label(value), answer);
        let mut captures = std::mem::take(&mut self.state.scratch.captures);
        captures.clear();
        captures.set_text(text.as_bytes());
        self.state.uncaptured = None;
        self.keep_groups(&captures, input);
        self.state.scratch.captures = captures;
    }

    fn answer_of(&self, list: &AddressList) -> Option<Ipv4Addr> {
        let known = self.state.listed.iter().find(|(zone, _)| **zone == *list.zone());
        known.map(|(_, answer)| *answer)
    }
}
