//! `@geoLookup`, and the place that it found as `GEO` shows it.
//!
//! Kept is the address alone: its record is read when a rule asks for it, and no more of it than that.

use super::buffers::Buffer;
use super::eval::Run;
use super::gather::{Content, Key, Value};
use crate::geo::{FIELD_COST, FIELDS, LOOK_UP_COST};
use crate::operator::address;
use crate::plan::Target;

impl Run<'_> {
    /// Whether the database knows the address that a value is. `GEO` shows its place from here on; nothing, if there
    /// is none, as in ModSecurity 2.
    pub(super) fn look_up(&mut self, value: Buffer) -> bool {
        let Some(database) = &self.program.geo else { return false };
        let address = address(self.state.buffers.bytes(value));
        self.state.located = address.filter(|address| database.place(*address).is_some());
        self.state.located.is_some()
    }

    pub(super) fn gather_geo(&mut self, target: &Target, values: &mut Vec<Value>) {
        let Some((database, address)) = self.program.geo.as_ref().zip(self.state.located) else {
            return;
        };
        let Some(place) = database.place(address) else { return };
        self.state.budget.afford(LOOK_UP_COST);
        let mut text = std::mem::take(&mut self.state.scratch.geo);
        for field in FIELDS.iter().filter(|field| target.matcher.accepts(field.name.as_bytes())) {
            self.state.budget.afford(FIELD_COST);
            text.clear();
            if field.write(&place, &mut text) {
                let buffers = &mut self.state.buffers;
                let key = Key::Buffer(buffers.intern(field.name.as_bytes()));
                let content = Content::Buffer(buffers.intern(&text));
                values.push(Value { variable: target.variable, key, content, count: false });
            }
        }
        self.state.scratch.geo = text;
    }
}
