//! JSON that can be read in one way only. Two readers that disagree on one text are how a check is passed with
//! values that are then not used (RFC 7515 §4, RFC 7519 §4: duplicate members).

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::bounds::JSON_DEPTH;

/// Reads exactly one object: UTF-8, no bytes around it, no member twice at any depth, nesting up to
/// [`JSON_DEPTH`]. The error names the condition and never repeats the input.
pub fn read_object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    if bytes.first() != Some(&b'{') || bytes.last() != Some(&b'}') {
        return Err("not exactly one JSON object");
    }
    match read_value(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err("not exactly one JSON object"),
    }
}

/// As [`read_object`], for documents that may have white space around the object.
pub fn read_document(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    read_object(bytes.trim_ascii())
}

fn read_value(bytes: &[u8]) -> Result<Value, &'static str> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }.deserialize(&mut reader).map_err(|error| cause(&error))?;
    reader.end().map_err(|_| "bytes after the JSON object")?;
    Ok(value)
}

const DUPLICATE: &str = "a JSON member occurs twice";
const DEEP: &str = "JSON nested deeper than 16";

/// Our own causes keep their text; the library's may hold parts of the input.
fn cause(error: &serde_json::Error) -> &'static str {
    let text = error.to_string();
    [DUPLICATE, DEEP].into_iter().find(|own| text.starts_with(own)).unwrap_or("not valid JSON")
}

#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Strict, E> {
        if self.depth == JSON_DEPTH {
            return Err(E::custom(DEEP));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(deeper)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(deeper)?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(members))
    }
}
