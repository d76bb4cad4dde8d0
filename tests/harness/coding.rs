//! Content codings, as senders make them.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// Text in a coding: `gzip`, `deflate`, `raw` (deflate without its header) or `br`.
pub fn coded(coding: &str, text: &str) -> Vec<u8> {
    let level = Compression::default();
    let written = |mut writer: Box<dyn Write + '_>| writer.write_all(text.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    match coding {
        "gzip" => written(Box::new(GzEncoder::new(&mut bytes, level))),
        "deflate" => written(Box::new(ZlibEncoder::new(&mut bytes, level))),
        "raw" => written(Box::new(DeflateEncoder::new(&mut bytes, level))),
        "br" => return stored_brotli(text.as_bytes()),
        _ => panic!("no coder for {coding}"),
    }
    bytes
}

/// Brotli that holds text as it is: one uncompressed meta-block and the empty last one (RFC 7932, section 9.2).
fn stored_brotli(text: &[u8]) -> Vec<u8> {
    // Window bits 16 is the bit 0; then last = 0, nibbles = 4 (00), length - 1 in 16 bits, uncompressed = 1.
    let header = (u16::try_from(text.len() - 1).map(u32::from).unwrap()) << 4 | 1 << 20;
    let mut bytes = header.to_le_bytes()[..3].to_vec();
    bytes.extend_from_slice(text);
    bytes.push(3);
    bytes
}
