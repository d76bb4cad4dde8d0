//! YAML text -> tree. YAML 1.2 core schema, without the features that make a configuration hard to read or
//! small text large: anchors and aliases (the "billion laughs" document), tags, keys that are not text, several
//! documents in a file.

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};

use crate::base::bounds::{CONFIG_DEPTH, CONFIG_VALUES};
use crate::base::compile::number;

use super::position::Positions;
use super::report::{Placed, Problems};
use super::scalar;
use super::source::is_direction_mark;
use super::tree::{Entry, Node, Place, Value};

/// Reads one file. Nothing when it holds no value or cannot be read to its end; everything that is wrong up to
/// there goes into `problems`.
pub(super) fn read(file: u32, text: &str, problems: &mut Problems) -> Option<Node> {
    if let Some(problem) = unreadable_character(file, text) {
        problems.push(problem);
        return None;
    }
    let mut reader = Reader {
        file,
        positions: Positions::new(text),
        open: Vec::new(),
        root: None,
        values: 0,
        documents: 0,
        problems,
    };
    reader.run(Parser::new_from_str(text)).then_some(reader.root).flatten()
}

/// One file on its way from events to a tree.
struct Reader<'t, 'p> {
    file: u32,
    positions: Positions<'t>,
    open: Vec<Open>,
    root: Option<Node>,
    values: usize,
    documents: usize,
    problems: &'p mut Problems,
}

/// A list or map whose end has not come yet.
struct Open {
    node: Node,
    /// Key whose value comes next.
    key: Option<(Box<str>, Place)>,
}

impl Reader<'_, '_> {
    /// Whether the text was read to its end.
    fn run(&mut self, mut parser: Parser<'_, StrInput<'_>>) -> bool {
        while let Some(event) = parser.next_event() {
            let taken = match event {
                Ok((event, span)) => self.take(event, span),
                Err(error) => {
                    self.syntax(error.marker().index(), error.info());
                    false
                }
            };
            if !taken {
                return false;
            }
        }
        true
    }

    /// Whether reading can go on.
    fn take(&mut self, event: Event<'_>, span: Span) -> bool {
        let place = self.place(span);
        match event {
            Event::DocumentStart(_) => return self.document(place),
            Event::Alias(_) => {
                self.feature(place, "aliases are not read", "write the value out");
                return self.value(Node { value: Value::Null, place });
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.plain_only(place, anchor, tag.is_some());
                return self.scalar(&text, style, place);
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain_only(place, anchor, tag.is_some());
                return self.begin(Value::List(Vec::new()), place);
            }
            Event::MappingStart(anchor, tag) => {
                self.plain_only(place, anchor, tag.is_some());
                return self.begin(Value::Map(Vec::new()), place);
            }
            Event::SequenceEnd | Event::MappingEnd => return self.end(place),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        true
    }

    fn document(&mut self, place: Place) -> bool {
        self.documents += 1;
        if self.documents == 2 {
            let message = "a second document in one file";
            let hint = "write each into its own file of a configuration directory";
            self.problems.push(Placed::new(number::DOCUMENTS, place, message).hint(hint));
            return false;
        }
        true
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> bool {
        let end = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                closing_quote(self.positions.text, place.start).unwrap_or(place.end)
            }
            _ => place.end,
        };
        let place = Place { end, ..place };
        let value = match style {
            ScalarStyle::Plain => scalar::resolve(text),
            _ => Value::Text(text.into()),
        };
        if let Some(open) = self.open.last_mut()
            && matches!(open.node.value, Value::Map(_))
            && open.key.is_none()
        {
            // A key is text whatever it looks like: `80:` and `on:` are names here.
            open.key = Some((text.into(), place));
            return self.count(place);
        }
        let place = if value == Value::Null { self.place_of_null(place) } else { place };
        self.value(Node { value, place })
    }

    /// What is not written, as in `key:`, arrives as `~` at the next thing that is. Its place is behind its key.
    fn place_of_null(&self, place: Place) -> Place {
        let written = self.positions.text.get(place.start as usize..place.end as usize);
        let key = self.open.last().and_then(|open| open.key.as_ref());
        match (written, key) {
            (Some("~" | "null" | "Null" | "NULL"), _) | (_, None) => place,
            (_, Some((_, key))) => Place { start: key.end, ..*key },
        }
    }

    fn begin(&mut self, value: Value, place: Place) -> bool {
        if self.open.len() == CONFIG_DEPTH {
            self.problems.push(too_deep(place));
            return false;
        }
        if self.expects_key() {
            self.feature(place, "a list or map as key", "a key is text");
            return false;
        }
        self.open.push(Open { node: Node { value, place }, key: None });
        self.count(place)
    }

    fn end(&mut self, place: Place) -> bool {
        let Some(Open { mut node, .. }) = self.open.pop() else { return false };
        let inner = match &node.value {
            Value::List(items) => items.last().map(|item| item.place.end),
            Value::Map(entries) => entries.last().map(|entry| entry.node.place.end),
            _ => None,
        };
        // A block ends where its last value does; the parser notices only at the next line.
        let closed =
            matches!(self.positions.text.as_bytes().get(place.start as usize), Some(b']' | b'}'));
        node.place.end = if closed { place.end } else { inner.unwrap_or(node.place.end) };
        self.refuse_duplicates(&mut node);
        self.value(node)
    }

    /// Puts a finished value where it belongs.
    fn value(&mut self, node: Node) -> bool {
        let place = node.place;
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { node: Node { value: Value::List(items), .. }, .. }) => items.push(node),
            Some(Open { node: Node { value: Value::Map(entries), .. }, key }) => match key.take() {
                Some((key, key_place)) => entries.push(Entry { key, key_place, node }),
                // An alias as key: reported where it was seen.
                None => *key = Some(("".into(), place)),
            },
            Some(_) => {}
        }
        self.count(place)
    }

    fn count(&mut self, place: Place) -> bool {
        self.values += 1;
        if self.values > CONFIG_VALUES {
            let message = format!("more than {CONFIG_VALUES} keys and values in one file");
            self.problems.push(Placed::new(number::DEPTH, place, message));
        }
        self.values <= CONFIG_VALUES && !self.problems.is_full()
    }

    fn expects_key(&self) -> bool {
        self.open
            .last()
            .is_some_and(|open| matches!(open.node.value, Value::Map(_)) && open.key.is_none())
    }

    /// Reports keys written twice and keeps the first of each.
    fn refuse_duplicates(&mut self, node: &mut Node) {
        let Value::Map(entries) = &mut node.value else { return };
        let pairs = duplicates(entries);
        for (first, again) in pairs.iter().copied() {
            if self.problems.is_full() {
                break;
            }
            let message = format!("key `{}` is written twice", entries[again].key);
            self.problems.push(
                Placed::new(number::DUPLICATE_KEY, entries[again].key_place, message)
                    .related(entries[first].key_place),
            );
        }
        if !pairs.is_empty() {
            let mut seen = std::collections::HashSet::new();
            entries.retain(|entry| seen.insert(entry.key.clone()));
        }
    }

    fn plain_only(&mut self, place: Place, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.feature(place, "anchors are not read", "write the value out where it is used");
        }
        if tagged {
            self.feature(place, "tags are not read", "remove it, or put the value in quotes");
        }
    }

    fn feature(&mut self, place: Place, message: &str, hint: &str) {
        self.problems.push(Placed::new(number::FEATURE, place, message).hint(hint));
    }

    fn syntax(&mut self, character: usize, info: &str) {
        let text = self.positions.text;
        let written = u32::try_from(text.trim_end().len()).unwrap_or(u32::MAX);
        let start = self.positions.byte(character);
        let at = |start| Place { file: self.file, start, end: start };
        if info.contains("recursion limit") {
            // The scanner has its own bound for brackets, and looks ahead.
            return self.problems.push(too_deep(at(start)));
        }
        let message = format!("not YAML: {info}");
        let problem = match self.open.last().map(|open| open.node.place) {
            // The end of the file came too early: where it should have been closed is anyone's guess.
            Some(open)
                if start >= written && text[open.start as usize..].starts_with(['[', '{']) =>
            {
                Placed::new(number::SYNTAX, at(written), message).related(open)
            }
            _ => Placed::new(number::SYNTAX, at(start.min(written)), message),
        };
        self.problems.push(match self.positions.indented_with_tab(start) {
            true => problem.hint("lines are indented with spaces, not with tabs"),
            false => problem,
        });
    }

    fn place(&self, span: Span) -> Place {
        let start = self.positions.byte(span.start.index());
        Place { file: self.file, start, end: self.positions.byte(span.end.index()).max(start) }
    }
}

fn too_deep(place: Place) -> Placed {
    Placed::new(number::DEPTH, place, format!("nested more than {CONFIG_DEPTH} deep"))
}

/// Byte behind the closing quote of the quoted text that starts at a byte. The parser's own end lies behind the
/// white space and comment that follow.
fn closing_quote(text: &str, start: u32) -> Option<u32> {
    let bytes = text.as_bytes().get(start as usize..)?;
    let quote = *bytes.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let mut index = 1;
    loop {
        match (bytes.get(index)?, bytes.get(index + 1)) {
            (b'\\', _) if quote == b'"' => index += 2,
            (b'\'', Some(b'\'')) if quote == b'\'' => index += 2,
            (byte, _) if *byte == quote => break,
            _ => index += 1,
        }
    }
    Some(start + u32::try_from(index + 1).ok()?)
}

/// Pairs of entries with the same key: the first and a later one.
fn duplicates(entries: &[Entry]) -> Vec<(usize, usize)> {
    const FEW: usize = 8;
    if entries.len() <= FEW {
        let later = |again: usize| {
            let first = entries[..again].iter().position(|entry| entry.key == entries[again].key);
            first.map(|first| (first, again))
        };
        return (1..entries.len()).filter_map(later).collect();
    }
    let mut first = std::collections::HashMap::with_capacity(entries.len());
    let mut pairs = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let seen = *first.entry(&*entry.key).or_insert(index);
        if seen != index {
            pairs.push((seen, index));
        }
    }
    pairs
}

/// A character that YAML does not allow (YAML 1.2.2 §5.1), or that makes the file read differently from what it
/// is. The scanner takes NUL for the end of the file: what follows would be ignored in silence.
fn unreadable_character(file: u32, text: &str) -> Option<Placed> {
    let refused = |char: &char| match char {
        '\t' | '\n' | '\r' | '\u{85}' => false,
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' => true,
        char => char.is_control() || is_direction_mark(*char),
    };
    let (at, char) = text.char_indices().find(|(_, char)| refused(char))?;
    let start = u32::try_from(at).ok()?;
    let place = Place { file, start, end: start + u32::try_from(char.len_utf8()).ok()? };
    let message = format!("character U+{:04X} is not allowed", u32::from(char));
    let hint = "inside quotes it can be written as an escape, such as \"\\u0000\"";
    Some(Placed::new(number::ENCODING, place, message).hint(hint))
}
