//! What was written -> what runs. Start and reload are one path: read, parse, compile, test, swap.

pub mod document;
pub mod listener;
