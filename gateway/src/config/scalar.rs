//! Plain scalars -> values, by the core schema of YAML 1.2 (§10.3.2): `yes`, `on` and `0777` mean nothing special.

use serde_json::Number;

use super::tree::Value;

/// What a plain scalar stands for. Numbers that JSON does not know (`.inf`, `.nan`) stay text.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::Text(text.into()), Value::Number),
    }
}

fn number(text: &str) -> Option<Number> {
    // Most scalars are words: one look at the first byte settles those.
    if !matches!(text.as_bytes().first()?, b'0'..=b'9' | b'-' | b'+' | b'.') {
        return None;
    }
    whole(text).or_else(|| real(text))
}

fn whole(text: &str) -> Option<Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return unsigned(digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return unsigned(digits, 8);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text).parse::<u64>().ok().map(Number::from);
    unsigned.or_else(|| text.parse::<i64>().ok().map(Number::from))
}

fn unsigned(digits: &str, radix: u32) -> Option<Number> {
    let plain = !digits.starts_with('+');
    plain.then(|| u64::from_str_radix(digits, radix).ok()).flatten().map(Number::from)
}

/// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`: what Rust reads, without its words for
/// infinity.
fn real(text: &str) -> Option<Number> {
    let digits = text.bytes().any(|byte| byte.is_ascii_digit());
    let plain =
        text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    (digits && plain).then(|| text.parse::<f64>().ok()).flatten().and_then(Number::from_f64)
}
