//! Tree -> Rust types, by serde. An item of a list that its type refuses is reported and left out, so that one
//! run finds the faults of every route and of every address; anything else ends the section that holds it.

use std::cell::RefCell;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::base::compile::number::FORMAT;

use super::report::{Placed, Problems};
use super::tree::{Entry, Node, Place, Value};

/// Reads a value of type `T`, or tells everything that its types object to.
pub(super) fn decode<'de, T: Deserialize<'de>>(node: &'de Node) -> Result<T, Problems> {
    let problems = RefCell::new(Problems::default());
    let result = T::deserialize(At { node, problems: &problems });
    let mut problems = problems.into_inner();
    match result {
        Ok(value) if problems.is_empty() => return Ok(value),
        Ok(_) => {}
        Err(refused) => problems.push(refused.placed(node.place)),
    }
    Err(problems)
}

/// A node about to be read.
#[derive(Clone, Copy)]
struct At<'de, 'p> {
    node: &'de Node,
    problems: &'p RefCell<Problems>,
}

/// What a type said against a value; the place is the innermost value that was being read.
#[derive(Debug)]
pub(super) struct Refused {
    message: String,
    place: Option<Place>,
}

impl Refused {
    fn at(mut self, place: Place) -> Refused {
        self.place.get_or_insert(place);
        self
    }

    /// Names the value, where the type's own message does not.
    fn value(mut self, node: &Node) -> Refused {
        if let (None, Some(text)) = (self.place, node.as_text())
            && !self.message.contains(text)
        {
            self.message = format!("`{text}`: {}", self.message);
        }
        self.at(node.place)
    }

    fn placed(self, place: Place) -> Placed {
        Placed::new(FORMAT, self.place.unwrap_or(place), self.message)
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: std::fmt::Display>(message: T) -> Refused {
        Refused { message: message.to_string(), place: None }
    }
}

impl<'de> de::Deserializer<'de> for At<'de, '_> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let value = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) => number(value, visitor),
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => {
                visitor.visit_seq(Items { rest: items.iter(), problems: self.problems })
            }
            Value::Map(entries) => visitor.visit_map(Entries {
                rest: entries.iter(),
                value: None,
                problems: self.problems,
            }),
        };
        value.map_err(|refused| refused.value(self.node))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_enum(self).map_err(|refused| refused.at(self.node.place))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// Variants are words; none of our types has one with content.
impl<'de> EnumAccess<'de> for At<'de, '_> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let Some(word) = self.node.as_text() else {
            return Err(de::Error::custom("a word is needed here"));
        };
        seed.deserialize(BorrowedStrDeserializer::new(word)).map(|variant| (variant, self))
    }
}

impl<'de> VariantAccess<'de> for At<'de, '_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Refused> {
        Err(de::Error::custom("a word with content is not read"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        Err(de::Error::custom("a word with content is not read"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        Err(de::Error::custom("a word with content is not read"))
    }
}

struct Items<'de, 'p> {
    rest: std::slice::Iter<'de, Node>,
    problems: &'p RefCell<Problems>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        let problems = self.problems;
        self.rest.next().map(|node| seed.deserialize(At { node, problems })).transpose()
    }

    /// What every list of our document is read with: goes on behind an item that is refused.
    fn next_element<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, Refused> {
        let problems = self.problems;
        for node in self.rest.by_ref() {
            match T::deserialize(At { node, problems }) {
                Ok(item) => return Ok(Some(item)),
                Err(refused) => problems.borrow_mut().push(refused.placed(node.place)),
            }
        }
        Ok(None)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Entries<'de, 'p> {
    rest: std::slice::Iter<'de, Entry>,
    value: Option<&'de Node>,
    problems: &'p RefCell<Problems>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        let Some(entry) = self.rest.next() else { return Ok(None) };
        self.value = Some(&entry.node);
        let key = seed.deserialize(BorrowedStrDeserializer::new(&entry.key));
        key.map(Some).map_err(|refused: Refused| refused.at(entry.key_place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let Some(node) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(At { node, problems: self.problems })
            .map_err(|refused| refused.at(node.place))
    }
}

fn number<'de, V: Visitor<'de>>(
    value: &serde_json::Number,
    visitor: V,
) -> Result<V::Value, Refused> {
    if let Some(value) = value.as_u64() {
        return visitor.visit_u64(value);
    }
    if let Some(value) = value.as_i64() {
        return visitor.visit_i64(value);
    }
    visitor.visit_f64(value.as_f64().unwrap_or(f64::NAN))
}
