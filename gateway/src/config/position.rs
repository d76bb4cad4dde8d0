//! Characters -> bytes. The parser counts characters; places are bytes.

/// Finds the byte of any character in constant time, with a table far smaller than the text.
pub(super) struct Positions<'t> {
    pub(super) text: &'t str,
    /// Byte of every [`STRIDE`]th character; empty for ASCII, where the two are the same.
    marks: Vec<u32>,
}

const STRIDE: usize = 128;

impl<'t> Positions<'t> {
    pub(super) fn new(text: &'t str) -> Positions<'t> {
        let mark = |(byte, _): (usize, char)| u32::try_from(byte).unwrap_or(u32::MAX);
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().step_by(STRIDE).map(mark).collect()
        };
        Positions { text, marks }
    }

    /// The byte at which a character starts; the end of the text for any character beyond it.
    pub(super) fn byte(&self, character: usize) -> u32 {
        let byte = if self.marks.is_empty() {
            character.min(self.text.len())
        } else {
            let mark =
                self.marks.get(character / STRIDE).map_or(self.text.len(), |mark| *mark as usize);
            let mut rest = self.text[mark..].char_indices();
            rest.nth(character % STRIDE).map_or(self.text.len(), |(offset, _)| mark + offset)
        };
        u32::try_from(byte).unwrap_or(u32::MAX)
    }

    /// Whether the white space before a byte, on its line, holds a tab.
    pub(super) fn indented_with_tab(&self, byte: u32) -> bool {
        let byte = byte as usize;
        let start = self.text[..byte].rfind(['\n', '\r']).map_or(0, |index| index + 1);
        let line = &self.text[start..];
        line.chars().take_while(|char| matches!(char, ' ' | '\t')).any(|char| char == '\t')
    }
}
