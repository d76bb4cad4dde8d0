//! `@validateUtf8Encoding`: matches a value that is not UTF-8 (RFC 3629: no overlong forms, no
//! surrogates, nothing above U+10FFFF).

pub(super) fn invalid(input: &[u8]) -> bool {
    std::str::from_utf8(input).is_err()
}
