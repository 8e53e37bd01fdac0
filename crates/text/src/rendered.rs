//! A text that was made from a template, and the way back to the template.
//!
//! In: pieces of output, each with the template range it came from. Out: [`Rendered`], whose [`OffsetMap`] turns output ranges
//! into template ranges, so that a complaint about rendered YAML points into the file the user wrote.

use std::sync::Arc;

/// What a template became.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The text.
    pub text: String,
    /// Where each byte of it came from.
    pub map: OffsetMap,
}

impl Rendered {
    /// A text that is its own template.
    pub fn verbatim(template: &str) -> Self {
        let mut builder = RenderedBuilder::new(template);
        builder.copy(0, template.len());
        builder.finish()
    }
}

/// From byte offsets in a rendered text to byte ranges in its template.
#[derive(Clone, Debug)]
pub struct OffsetMap {
    template: Arc<str>,
    pieces: Vec<Piece>,
}

/// A run of output that came from one place.
#[derive(Clone, Copy, Debug)]
struct Piece {
    out_start: usize,
    from_start: usize,
    from_end: usize,
    /// Copied byte by byte, rather than computed by the code that stands there.
    copied: bool,
}

impl OffsetMap {
    /// The template.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The template range behind an output range. Output of a tag maps to the whole tag.
    pub fn locate(&self, start: usize, end: usize) -> (usize, usize) {
        let from = self.point(start, false);
        let to = if end > start {
            self.point(end - 1, true)
        } else {
            from
        };
        (from, to.max(from))
    }

    /// Line and column, from 1, of an output offset's place in the template.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        line_column(&self.template, self.point(offset, false))
    }

    fn point(&self, offset: usize, after: bool) -> usize {
        let next = self.pieces.partition_point(|p| p.out_start <= offset);
        let Some(piece) = next.checked_sub(1).and_then(|at| self.pieces.get(at)) else {
            return 0;
        };
        let place = match (piece.copied, after) {
            (true, _) => {
                let at = piece.from_start + (offset - piece.out_start) + usize::from(after);
                at.min(piece.from_end)
            }
            (false, false) => piece.from_start,
            (false, true) => piece.from_end,
        };
        // `offset + 1` may have landed inside a character.
        (place..=self.template.len())
            .find(|at| self.template.is_char_boundary(*at))
            .unwrap_or(place)
    }
}

/// Line and column (from 1, columns in characters) of a byte offset.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// Collects the output of a template.
#[derive(Debug)]
pub struct RenderedBuilder {
    text: String,
    map: OffsetMap,
}

impl RenderedBuilder {
    /// Nothing yet.
    pub fn new(template: &str) -> Self {
        Self {
            text: String::new(),
            map: OffsetMap {
                template: Arc::from(template),
                pieces: Vec::new(),
            },
        }
    }

    /// How many bytes there are so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there is nothing so far.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Adds template bytes as they are.
    pub fn copy(&mut self, start: usize, end: usize) {
        let template = Arc::clone(&self.map.template);
        if let Some(text) = template.get(start..end)
            && !text.is_empty()
        {
            self.piece(start, end, true);
            self.text.push_str(text);
        }
    }

    /// Adds text that the code at `start..end` of the template computed.
    pub fn computed(&mut self, text: &str, start: usize, end: usize) {
        if !text.is_empty() {
            self.piece(start, end, false);
            self.text.push_str(text);
        }
    }

    /// The whole.
    pub fn finish(self) -> Rendered {
        Rendered {
            text: self.text,
            map: self.map,
        }
    }

    fn piece(&mut self, from_start: usize, from_end: usize, copied: bool) {
        self.map.pieces.push(Piece {
            out_start: self.text.len(),
            from_start,
            from_end,
            copied,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_maps_back_to_the_template() {
        let template = "a: <%= x %>\nbé: 1\n";
        let mut builder = RenderedBuilder::new(template);
        builder.copy(0, 3);
        builder.computed("some long value", 3, 11);
        builder.copy(11, template.len());
        let rendered = builder.finish();
        assert_eq!(rendered.text, "a: some long value\nbé: 1\n");
        assert_eq!(rendered.map.locate(0, 1), (0, 1));
        assert_eq!(rendered.map.locate(3, 18), (3, 11), "a tag is one place");
        assert_eq!(rendered.map.locate(8, 9), (3, 11));
        let b = rendered.text.find("bé").unwrap();
        assert_eq!(rendered.map.locate(b, b + 3), (12, 15));
        assert_eq!(rendered.map.line_column(b), (2, 1));
    }

    #[test]
    fn an_empty_text_maps_to_the_start() {
        assert_eq!(Rendered::verbatim("").map.locate(0, 0), (0, 0));
    }
}
