//! XML bodies: all text as one value, every attribute value. No DTD is processed and no entity but
//! the predefined and numeric ones is expanded, so there is nothing to fetch and nothing to blow up.

use quick_xml::errors::{Error, IllFormedError, SyntaxError};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::BodyError;
use super::charset::Charset;

/// What a document holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Text and CDATA of all elements, in order; a document type declaration counts as text.
    pub(crate) text: Vec<u8>,
    pub(crate) attributes: Vec<Vec<u8>>,
    /// The document says that it is in a character set that cannot be inspected.
    doubt: Option<String>,
}

/// Reads as far as the body is well-formed; what was read comes back with the error.
pub(crate) fn parse(body: &[u8], depth: usize) -> (Document, Result<(), BodyError>) {
    let mut document = Document::default();
    let result = read(body, depth, &mut document);
    (document, result)
}

fn read(body: &[u8], bound: usize, document: &mut Document) -> Result<(), BodyError> {
    let mut reader = Reader::from_reader(body);
    reader.config_mut().check_end_names = true;
    let (mut depth, mut elements) = (0_usize, 0_usize);
    loop {
        match reader.read_event() {
            Ok(Event::Start(start)) => {
                depth += 1;
                elements += 1;
                if depth > bound {
                    return Err(BodyError::too_deep("XML", bound));
                }
                attributes(&start, document)?;
            }
            Ok(Event::Empty(start)) => {
                elements += 1;
                attributes(&start, document)?;
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(text)) => document.text.extend_from_slice(text.as_bytes()),
            Ok(Event::CData(text)) => document.text.extend_from_slice(text.as_bytes()),
            Ok(Event::DocType(text)) => document.text.extend_from_slice(text.as_bytes()),
            Ok(Event::GeneralRef(reference)) => push_reference(&reference, &mut document.text),
            Ok(Event::Decl(declaration)) => {
                let named = declaration.encoding().and_then(Result::ok);
                document.doubt = named.and_then(|name| Charset::parse(&name).err());
            }
            Ok(Event::Comment(_) | Event::PI(_)) => {}
            Ok(Event::Eof) => break,
            Err(error) => {
                let at = usize::try_from(reader.error_position()).unwrap_or(body.len());
                return Err(broken(&error, body.get(at..).unwrap_or_default(), document));
            }
        }
    }
    if let Some(doubt) = document.doubt.take() {
        return Err(BodyError::malformed(format!("XML: {doubt}")));
    }
    match (elements, depth) {
        (0, _) => Err(BodyError::Ends("XML: no element".to_owned())),
        (_, 0) => Ok(()),
        _ => Err(BodyError::Ends("XML: an element is not closed".to_owned())),
    }
}

/// Markup that breaks off is shown as text, from where it begins.
fn broken(error: &Error, rest: &[u8], document: &mut Document) -> BodyError {
    let reason = format!("XML: {error}");
    let breaks_off = match error {
        Error::Syntax(SyntaxError::InvalidBangMarkup) => rest == b"<!",
        Error::Syntax(_) => true,
        Error::IllFormed(IllFormedError::UnclosedReference) => {
            memchr::memchr2(b'<', b'&', rest.get(1..).unwrap_or_default()).is_none()
        }
        _ => false,
    };
    if !breaks_off {
        return BodyError::Malformed(reason);
    }
    document.text.extend_from_slice(rest);
    BodyError::Ends(reason)
}

fn attributes(start: &BytesStart<'_>, document: &mut Document) -> Result<(), BodyError> {
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| BodyError::malformed(format!("XML: {error}")))?;
        let mut value = Vec::with_capacity(attribute.value.len());
        unescape(attribute.value.as_bytes(), &mut value);
        document.attributes.push(value);
    }
    Ok(())
}

/// A reference that is not known stays as written.
fn push_reference(reference: &BytesRef<'_>, out: &mut Vec<u8>) {
    match resolve(reference.as_bytes()) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        None => {
            out.push(b'&');
            out.extend_from_slice(reference.as_bytes());
            out.push(b';');
        }
    }
}

fn unescape(value: &[u8], out: &mut Vec<u8>) {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        let name = memchr::memchr(b';', rest).map(|end| &rest[..end]);
        match name.and_then(|name| resolve(name).map(|character| (name, character))) {
            Some((name, character)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[name.len() + 1..];
            }
            None => out.push(b'&'),
        }
    }
    out.extend_from_slice(rest);
}

fn resolve(name: &[u8]) -> Option<char> {
    let number = |digits: &[u8], radix| {
        let digits = std::str::from_utf8(digits).ok()?;
        u32::from_str_radix(digits, radix).ok().and_then(char::from_u32)
    };
    match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    }
}
