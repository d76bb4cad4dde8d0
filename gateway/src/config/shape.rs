//! The JSON schema of the document, compiled for checking: which keys a section has and what each takes.
//!
//! Only what schemars makes of our own types is understood; a test fails on any other keyword, so that nothing in
//! the schema can go unchecked.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value as Json;

use crate::base::net::Block;
use crate::base::units::{Percent, Quota, Rate, SecretRef, Size, Span};

use super::schema;

/// Index of a shape.
pub(super) type Id = usize;

/// All shapes of the document, compiled once per process.
pub(super) static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::compile(schema::generate().as_value()));

#[derive(Debug)]
pub(super) struct Shapes {
    shapes: Vec<Shape>,
    pub(super) root: Id,
}

/// What one place takes: at most one of each kind, so that the kind of a value decides what it is checked against.
#[derive(Clone, Debug, Default)]
pub(super) struct Shape {
    pub(super) null: bool,
    pub(super) bool: bool,
    pub(super) number: Option<Range>,
    pub(super) text: Option<Text>,
    pub(super) list: Option<Id>,
    pub(super) map: Option<Map>,
    /// Takes whatever is written: claims of a test's token.
    pub(super) any: bool,
    /// First clause of the documentation.
    pub(super) about: String,
    pub(super) example: Option<String>,
}

/// Reads a text; the error says what is wrong with it.
pub(super) type ReadText = fn(&str) -> Result<(), String>;

/// Whole numbers from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: i128,
    pub(super) max: i128,
}

#[derive(Clone, Debug)]
pub(super) enum Text {
    Free,
    Words(Vec<String>),
    /// Text that one of our types reads; its own message says what is wrong.
    Read {
        kind: String,
        read: ReadText,
        secret: bool,
    },
}

impl Text {
    /// Whether a text is allowed.
    pub(super) fn takes(&self, text: &str) -> bool {
        match self {
            Text::Free => true,
            Text::Words(words) => words.iter().any(|word| word == text),
            Text::Read { read, .. } => read(text).is_ok(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    pub(super) keys: BTreeMap<String, Id>,
    pub(super) required: Vec<String>,
    /// What names chosen by the operator take; none: only `keys` are allowed.
    pub(super) named: Option<Id>,
}

impl Shapes {
    pub(super) fn get(&self, id: Id) -> &Shape {
        &self.shapes[id]
    }

    /// The schema must come from schemars; what it does not say is not checked.
    pub(super) fn compile(schema: &Json) -> Shapes {
        let mut compiler = Compiler { schema, shapes: Vec::new(), known: BTreeMap::new() };
        let root = compiler.add(schema);
        Shapes { shapes: compiler.shapes, root }
    }
}

impl Shape {
    /// Takes what either takes.
    fn join(&mut self, other: &Shape) {
        let other = other.clone();
        self.null |= other.null;
        self.bool |= other.bool;
        self.any |= other.any;
        self.number = self.number.or(other.number);
        self.text = self.text.take().or(other.text);
        self.list = self.list.or(other.list);
        self.map = self.map.take().or(other.map);
        self.about = other.about;
        self.example = other.example;
    }
}

struct Compiler<'s> {
    schema: &'s Json,
    shapes: Vec<Shape>,
    /// Shapes of `$defs`, by reference.
    known: BTreeMap<&'s str, Id>,
}

impl<'s> Compiler<'s> {
    fn add(&mut self, schema: &'s Json) -> Id {
        let id = self.shapes.len();
        self.shapes.push(Shape::default());
        let mut shape = Shape::default();
        self.fill(&mut shape, schema);
        self.shapes[id] = shape;
        id
    }

    /// The shape of one of `$defs`, compiled once however often it is referred to.
    fn definition(&mut self, reference: &'s str) -> Id {
        if let Some(id) = self.known.get(reference) {
            return *id;
        }
        let name = reference.strip_prefix("#/$defs/").unwrap_or_default();
        let id = self.add(&self.schema["$defs"][name]);
        self.known.insert(reference, id);
        let shape = &mut self.shapes[id];
        if let Some(read) = reader(name) {
            let about = self.schema["$defs"][name]["description"].as_str();
            let kind = about.unwrap_or("text").to_owned();
            shape.text = Some(Text::Read { kind, read, secret: name == "SecretRef" });
        }
        id
    }

    fn fill(&mut self, shape: &mut Shape, schema: &'s Json) {
        shape.any |= schema == &Json::Bool(true);
        if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
            let id = self.definition(reference);
            shape.join(&self.shapes[id]);
        }
        for branch in ["anyOf", "oneOf"].iter().flat_map(|key| list(schema, key)) {
            self.fill(shape, branch);
        }
        match schema.get("type") {
            Some(Json::String(kind)) => self.kind(shape, schema, kind),
            Some(Json::Array(kinds)) => {
                kinds
                    .iter()
                    .filter_map(Json::as_str)
                    .for_each(|kind| self.kind(shape, schema, kind));
            }
            _ => {}
        }
        describe(shape, schema);
    }

    fn kind(&mut self, shape: &mut Shape, schema: &'s Json, kind: &str) {
        match kind {
            "null" => shape.null = true,
            "boolean" => shape.bool = true,
            "integer" => shape.number = Some(range(schema)),
            "array" => shape.list = schema.get("items").map(|items| self.add(items)),
            "object" => shape.map = Some(self.map(schema)),
            "string" => add_text(shape, schema),
            _ => {}
        }
    }

    fn map(&mut self, schema: &'s Json) -> Map {
        let properties = schema.get("properties").and_then(Json::as_object);
        let keys = properties.into_iter().flatten();
        let named = schema.get("additionalProperties").filter(|named| **named != Json::Bool(false));
        Map {
            keys: keys.map(|(key, value)| (key.clone(), self.add(value))).collect(),
            required: list(schema, "required")
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
            named: named.map(|named| self.add(named)),
        }
    }
}

fn describe(shape: &mut Shape, schema: &Json) {
    if let Some(about) = schema.get("description").and_then(Json::as_str) {
        shape.about = first_sentence(about);
    }
    if let Some(example) = list(schema, "examples").find_map(Json::as_str) {
        shape.example = Some(example.to_owned());
    }
}

fn add_text(shape: &mut Shape, schema: &Json) {
    let words: Vec<String> = list(schema, "enum")
        .chain(schema.get("const"))
        .filter_map(Json::as_str)
        .map(str::to_owned)
        .collect();
    match (&mut shape.text, words.is_empty()) {
        (Some(Text::Words(known)), false) => known.extend(words),
        (_, false) => shape.text = Some(Text::Words(words)),
        (_, true) => {
            let format = schema.get("format").and_then(Json::as_str);
            let read = format.and_then(format_reader);
            shape.text = Some(read.unwrap_or(Text::Free));
        }
    }
}

/// Our own types that are written as text, by their name in the schema.
pub(super) fn reader(name: &str) -> Option<ReadText> {
    Some(match name {
        "Block" => |text| Block::read(text).map(drop),
        "Span" => |text| text.parse::<Span>().map(drop),
        "Size" => |text| text.parse::<Size>().map(drop),
        "Rate" => |text| text.parse::<Rate>().map(drop),
        "Quota" => |text| text.parse::<Quota>().map(drop),
        "Percent" => |text| text.parse::<Percent>().map(drop),
        "SecretRef" => |text| text.parse::<SecretRef>().map(drop),
        _ => return None,
    })
}

fn format_reader(format: &str) -> Option<Text> {
    let read: ReadText = match format {
        "ip" => |text| match text.parse::<std::net::IpAddr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("`{text}` is not an IP address, for example 192.0.2.1")),
        },
        _ => return None,
    };
    Some(Text::Read { kind: "an IP address".into(), read, secret: false })
}

fn range(schema: &Json) -> Range {
    let (min, max) = match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint" | "uint64") => (0, u64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    let bound = |key: &str| schema.get(key).and_then(Json::as_i64).map(i128::from);
    Range { min: bound("minimum").unwrap_or(min), max: bound("maximum").unwrap_or(max) }
}

fn list<'s>(schema: &'s Json, key: &str) -> impl Iterator<Item = &'s Json> + use<'s> {
    schema.get(key).and_then(Json::as_array).into_iter().flatten()
}

/// The first clause: what a key is, without examples and details.
fn first_sentence(text: &str) -> String {
    let text = text.replace('\n', " ");
    let end = [", e.g. ", ". ", ": "].iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim_end_matches('.').to_owned()
}
