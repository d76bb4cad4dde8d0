//! What was written -> what runs. Start and reload are one path: read, parse, compile, test, swap.
//!
//! Reading, in its order: [`files`] (bytes), `yaml` (text -> [`tree`], each value with its place), `merge` (files of a
//! directory -> one tree), `check` (against the schema, every problem at once), `decode` (-> [`document`]). [`load`]
//! runs them; [`report`] prints what is wrong. [`compile`] makes a [`snapshot`] of it, [`reload`] puts it behind the
//! one pointer of [`live`]. [`amend`] changes a file in place.

pub mod amend;
mod check;
pub mod compile;
mod decode;
pub mod document;
pub mod files;
pub mod listener;
pub mod listener_plan;
pub mod live;
pub mod load;
mod merge;
pub mod paths;
mod position;
pub mod redact;
pub mod reload;
pub mod report;
mod scalar;
pub mod schema;
mod shape;
pub mod snapshot;
pub mod source;
pub mod tree;
mod yaml;

#[cfg(test)]
mod tests;
