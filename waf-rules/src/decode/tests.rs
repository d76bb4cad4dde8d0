//! Round trips in every coding and chunking, bombs, and broken streams.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use super::*;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Brotli that holds text as it is: one uncompressed meta-block and the empty last one (RFC 7932, 9.2).
fn brotli(text: &[u8]) -> Vec<u8> {
    // Window bits 16 is the bit 0; then last = 0, nibbles = 4 (00), length - 1 in 16 bits, uncompressed = 1.
    let header = (u32::try_from(text.len()).unwrap() - 1) << 4 | 1 << 20;
    let mut bytes = header.to_le_bytes()[..3].to_vec();
    bytes.extend_from_slice(text);
    bytes.push(3);
    bytes
}

fn decode(
    coding: &str,
    body: &[u8],
    chunk: usize,
    bounds: DecodeBounds,
) -> Result<Vec<u8>, DecodeError> {
    let mut decoder = Decoder::new(coding.as_bytes(), bounds)?.unwrap();
    let mut out = Vec::new();
    for chunk in body.chunks(chunk.max(1)) {
        decoder.push(chunk, &mut out)?;
    }
    decoder.finish(&mut out)?;
    Ok(out)
}

#[test]
fn decodes_in_any_chunks() {
    let text = b"a=1' OR '1'='1&b=<script>".repeat(9);
    for (coding, body) in [
        ("gzip", gzip(&text)),
        ("X-GZIP", gzip(&text)),
        ("identity, gzip", gzip(&text)),
        ("deflate", zlib(&text)),
        ("deflate", deflate(&text)),
        ("br", brotli(&text)),
        // Two members, as `cat a.gz b.gz` makes them, are one text.
        ("gzip", [gzip(&text[..50]), gzip(&text[50..])].concat()),
    ] {
        for chunk in [1, 2, 7, body.len()] {
            let decoded = decode(coding, &body, chunk, DecodeBounds::default());
            assert_eq!(decoded.as_deref(), Ok(text.as_slice()), "{coding} by {chunk}");
        }
    }
}

#[test]
fn refuses_what_it_does_not_decode() {
    let new = |coding: &str| Decoder::new(coding.as_bytes(), DecodeBounds::default());
    assert!(matches!(new(""), Ok(None)) && matches!(new("identity"), Ok(None)));
    for (coding, message) in [
        ("zstd", "content coding `zstd` is not decoded"),
        ("compress", "content coding `compress` is not decoded"),
        ("gzip, gzip", "more than one content coding is not decoded"),
        ("gzip,br", "more than one content coding is not decoded"),
        ("gz\u{7}ip", "content coding `gzip` is not decoded"),
    ] {
        assert_eq!(new(coding).unwrap_err().to_string(), message);
    }
}

#[test]
fn broken_streams_are_errors() {
    let text = b"some text that is long enough to be cut".repeat(3);
    let mut spoilt = gzip(&text);
    let middle = spoilt.len() - 6;
    spoilt[middle] ^= 0xff;
    for (coding, body) in [
        ("gzip", gzip(&text)[..20].to_vec()),
        ("gzip", b"no gzip at all".to_vec()),
        ("gzip", spoilt),
        ("gzip", [gzip(&text), b"behind it".to_vec()].concat()),
        ("deflate", zlib(&text)[..10].to_vec()),
        ("deflate", vec![0x78]),
        ("deflate", [zlib(&text), b"behind it".to_vec()].concat()),
        ("br", brotli(&text)[..20].to_vec()),
        ("br", b"\xff\xff\xff\xff\xff".to_vec()),
    ] {
        for chunk in [1, body.len()] {
            let result = decode(coding, &body, chunk, DecodeBounds::default());
            assert!(matches!(result, Err(DecodeError::Malformed(_))), "{coding}: {result:?}");
        }
    }
}

/// What is put out never passes the bounds, and neither does the memory for it.
#[test]
fn bombs_stop_at_the_bounds() {
    let bomb = vec![b'a'; 8 * 1024 * 1024];
    for (coding, body) in
        [("gzip", gzip(&bomb)), ("deflate", zlib(&bomb)), ("deflate", deflate(&bomb))]
    {
        for chunk in [64, body.len()] {
            let bounds = DecodeBounds { output_bytes: 100_000, ratio: 10_000 };
            let result = decode(coding, &body, chunk, bounds);
            assert_eq!(result, Err(DecodeError::Output { bound: 100_000 }), "{coding}");
            let bounds = DecodeBounds { output_bytes: usize::MAX, ratio: 50 };
            let result = decode(coding, &body, chunk, bounds);
            assert_eq!(result, Err(DecodeError::Ratio { bound: 50 }), "{coding}");
        }
    }
    let bounds = DecodeBounds { output_bytes: 50, ratio: 100 };
    assert_eq!(
        decode("br", &brotli(&bomb[..51]), 9, bounds),
        Err(DecodeError::Output { bound: 50 })
    );
    assert_eq!(decode("br", &brotli(&bomb[..50]), 9, bounds).map(|text| text.len()), Ok(50));
}

/// Of a large body all comes out that the bound allows, in whatever pieces it arrives.
#[test]
fn the_beginning_of_a_large_body_is_whole() {
    let text: Vec<u8> = (0..20_000u32).flat_map(|n| format!("{n};").into_bytes()).collect();
    for (coding, body) in
        [("gzip", gzip(&text)), ("deflate", zlib(&text)), ("br", brotli(&text[..60_000]))]
    {
        for (chunk, bound) in [(1, 10), (100, 1_000), (7_000, 50_000), (usize::MAX, 59_999)] {
            let bounds = DecodeBounds { output_bytes: bound, ratio: 100 };
            let mut decoder = Decoder::new(coding.as_bytes(), bounds).unwrap().unwrap();
            let mut out = Vec::new();
            let pushed = body.chunks(chunk).try_for_each(|chunk| decoder.push(chunk, &mut out));
            assert_eq!(pushed, Err(DecodeError::Output { bound }), "{coding} by {chunk}");
            assert!(out == text[..bound], "{coding} by {chunk}: {} bytes", out.len());
        }
    }
}

/// A bound on what is put out does not make a large body of a bomb, wherever in the body it goes off.
#[test]
fn a_bomb_is_told_from_a_large_body() {
    let noise: Vec<u8> =
        (0..4_000u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let bomb = vec![0; 16 * 1024 * 1024];
    for (before, output_bytes, expected) in [
        (0, 100, DecodeError::Ratio { bound: 100 }),
        (0, 128 * 1024, DecodeError::Ratio { bound: 100 }),
        (4_000, 128 * 1024, DecodeError::Ratio { bound: 100 }),
        // Beyond so much noise it is too far away to be worth the work of finding it.
        (16_000, 16 * 1024, DecodeError::Output { bound: 16 * 1024 }),
    ] {
        let body = [gzip(&noise[..before]), gzip(&bomb)].concat();
        let bounds = DecodeBounds { output_bytes, ratio: 100 };
        let mut decoder = Decoder::new(b"gzip", bounds).unwrap().unwrap();
        let mut out = Vec::new();
        assert_eq!(decoder.push(&body, &mut out), Err(expected), "{before}, {output_bytes}");
        // How much of a bomb is out when it is told for one is the decompressor's affair, which other crates choose.
        assert!(out.len() <= output_bytes && out.starts_with(&noise[..before.min(output_bytes)]));
    }
}

#[test]
fn nothing_is_no_broken_body() {
    assert_eq!(decode("gzip", b"", 1, DecodeBounds::default()), Ok(Vec::new()));
}
