//! Where text came from: files kept for the life of a load, positions as byte spans.

/// Byte range in one source, kept on every node so that an error can show its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// One file or one text given by the caller.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// All sources of one load; a [`Span`] indexes into it.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    sources: Vec<Source>,
}

/// Line and column (both from 1, column in characters) and the line itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) text: &'a str,
}

impl Sources {
    pub(crate) fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> u32 {
        self.sources.push(Source { name: name.into(), text: text.into() });
        u32::try_from(self.sources.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn get(&self, source: u32) -> &Source {
        &self.sources[source as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }

    pub(crate) fn place(&self, span: Span) -> Place<'_> {
        let source = self.get(span.source);
        let start = floor_char_boundary(&source.text, span.start as usize);
        let line_start = source.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = source.text[start..].find('\n').map_or(source.text.len(), |at| start + at);
        Place {
            file: &source.name,
            line: count(source.text[..start].matches('\n').count() + 1),
            column: count(source.text[line_start..start].chars().count() + 1),
            text: source.text[line_start..line_end].trim_end(),
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
