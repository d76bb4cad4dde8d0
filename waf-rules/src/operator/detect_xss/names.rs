//! Names of tags, attributes and schemes that run scripts or let others in.

/// Events of today's browsers and of older ones, ascending: an attribute is `on` and one of them.
const EVENTS_TEXT: &[u8] = include_bytes!("events.txt");
/// Those of which no other is the beginning: whatever begins like an event counts as one.
static EVENTS: [&[u8]; EVENT_COUNT] = events();
const EVENT_COUNT: usize = event_count();

const TAGS: [&[u8]; 20] = [
    b"APPLET",
    b"BASE",
    b"COMMENT",
    b"EMBED",
    b"FRAME",
    b"FRAMESET",
    b"HANDLER",
    b"IFRAME",
    b"IMPORT",
    b"ISINDEX",
    b"LINK",
    b"LISTENER",
    b"META",
    b"NOSCRIPT",
    b"OBJECT",
    b"SCRIPT",
    b"STYLE",
    b"VMLFRAME",
    b"XML",
    b"XSS",
];
/// Beginnings of the names of whole families of tags.
const TAG_FAMILIES: [&[u8]; 2] = [b"SVG", b"XSL"];

/// Attributes that no tag may have, whatever their value is.
const ALWAYS: [&[u8]; 4] = [b"DATAFORMATAS", b"DATASRC", b"FILTER", b"STYLE"];
/// Beginnings of such names.
const ALWAYS_FAMILIES: [&[u8]; 2] = [b"XMLNS", b"XLINK"];
/// Attributes whose value is an address.
const ADDRESSES: [&[u8]; 15] = [
    b"ACTION",
    b"BACKGROUND",
    b"BY",
    b"DYNSRC",
    b"FOLDER",
    b"FORMACTION",
    b"FROM",
    b"HANDLER",
    b"HREF",
    b"LOWSRC",
    b"POSTER",
    b"SRC",
    b"TO",
    b"VALUES",
    b"XLINK:HREF",
];
/// The attribute of SVG whose value is the name of another.
const INDIRECT: &[u8] = b"ATTRIBUTENAME";
/// Schemes that run what follows, or show it.
const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];

/// What makes an attribute harmful.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// That it is there.
    Always,
    /// The scheme of its value.
    Address,
    /// The attribute that its value names.
    Indirect,
}

pub(super) fn is_harmful_tag(name: &[u8]) -> bool {
    name.len() > 2
        && (TAGS.iter().any(|tag| is_same(name, tag))
            || TAG_FAMILIES.iter().any(|family| begins(name, family)))
}

pub(super) fn harm(name: &[u8]) -> Option<Harm> {
    let long = name.len() > 4;
    if long && (is_event(name) || ALWAYS_FAMILIES.iter().any(|family| begins(name, family))) {
        return Some(Harm::Always);
    }
    let among = |names: &[&[u8]]| names.iter().any(|known| is_same(name, known));
    if among(&ALWAYS) {
        return Some(Harm::Always);
    }
    if among(&ADDRESSES) {
        return Some(Harm::Address);
    }
    is_same(name, INDIRECT).then_some(Harm::Indirect)
}

fn is_event(name: &[u8]) -> bool {
    if !begins(name, b"ON") {
        return false;
    }
    let event = &name[2..];
    let lower = |byte: &u8| byte.to_ascii_lowercase();
    let is_above = |known: &&[u8]| known.iter().copied().gt(event.iter().map(lower));
    let after = EVENTS.partition_point(|known| !is_above(known));
    after.checked_sub(1).is_some_and(|at| begins(event, EVENTS[at]))
}

fn begins(name: &[u8], with: &[u8]) -> bool {
    name.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// NUL bytes in a name are nothing.
fn is_same(name: &[u8], known: &[u8]) -> bool {
    name.len() >= known.len() && {
        let letters = name.iter().filter(|byte| **byte != 0).map(u8::to_ascii_uppercase);
        letters.eq(known.iter().copied())
    }
}

/// Whether an address begins with one of the schemes, character references and blanks in front notwithstanding.
pub(super) fn is_harmful_address(address: &[u8]) -> bool {
    let start = address.iter().position(|byte| matches!(byte, b'!'..=b'~'));
    let address = &address[start.unwrap_or(address.len())..];
    SCHEMES.iter().any(|scheme| is_scheme(address, scheme))
}

fn is_scheme(mut address: &[u8], scheme: &[u8]) -> bool {
    let (mut found, mut first) = (0, true);
    while found < scheme.len() && !address.is_empty() {
        let (letter, length) = character(address);
        address = &address[length..];
        if first && letter <= 32 || letter == 0 || letter == 10 {
            continue;
        }
        first = false;
        let small = (u32::from(b'a')..=u32::from(b'z')).contains(&letter);
        let capital = if small { letter - 32 } else { letter };
        // Of a larger one the low byte is what is compared.
        if scheme[found] != capital.to_le_bytes()[0] {
            return false;
        }
        found += 1;
    }
    found == scheme.len()
}

/// The character that an address begins with, and its bytes: a reference in digits, or a byte.
fn character(address: &[u8]) -> (u32, usize) {
    let (digits, radix) = match address {
        [b'&', b'#', b'x' | b'X', ..] => (3, 16),
        [b'&', b'#', ..] => (2, 10),
        _ => return (u32::from(address[0]), 1),
    };
    let mut value = 0;
    for (at, byte) in address.iter().enumerate().skip(digits) {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            if at == digits {
                break;
            }
            return (value, at + usize::from(*byte == b';'));
        };
        value = value * radix + digit;
        if value > REFERENCE_MAX {
            break;
        }
        if at + 1 == address.len() {
            return (value, address.len());
        }
    }
    (u32::from(b'&'), 1)
}

const REFERENCE_MAX: u32 = 0x10_00ff;

const fn event_count() -> usize {
    let (mut count, mut start, mut last) = (0, 0, b"".as_slice());
    while start < EVENTS_TEXT.len() {
        let event = event_at(start);
        start += event.len() + 1;
        if count == 0 || !begins_with(event, last) {
            last = event;
            count += 1;
        }
    }
    count
}

const fn events() -> [&'static [u8]; EVENT_COUNT] {
    let mut events = [b"".as_slice(); EVENT_COUNT];
    let (mut count, mut start) = (0, 0);
    while start < EVENTS_TEXT.len() {
        let event = event_at(start);
        start += event.len() + 1;
        if count == 0 || !begins_with(event, events[count - 1]) {
            events[count] = event;
            count += 1;
        }
    }
    events
}

const fn event_at(start: usize) -> &'static [u8] {
    let (_, rest) = EVENTS_TEXT.split_at(start);
    let mut end = 0;
    while rest[end] != b' ' && rest[end] != b'\n' {
        end += 1;
    }
    rest.split_at(end).0
}

const fn begins_with(text: &[u8], start: &[u8]) -> bool {
    let mut at = 0;
    while at < start.len() {
        if at == text.len() || text[at] != start[at] {
            return false;
        }
        at += 1;
    }
    true
}
