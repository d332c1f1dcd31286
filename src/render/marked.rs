//! Texts in which each value is one mark: a character that nobody can type.
//!
//! What comes from the books is put back only when the text around it has been read, so nothing of it can
//! be taken for Markdown, a link or a block.

/// The longest text with its values, in bytes.
pub(super) const MAX_MARKED_BYTES: usize = 64 * 1024;

/// The first mark of a value; there is one for each up to the end of the plane.
const FIRST: u32 = 0xF_0000;
/// The first mark of what a text places beside values.
const FIRST_PLACED: u32 = 0x10_0000;

/// A filled-in text, and what its marks stand for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Marked {
    pub(super) text: String,
    pub(super) values: Vec<String>,
}

/// What a character of a marked text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// The value of this index.
    Value(usize),
    /// The thing placed under this index.
    Placed(usize),
}

/// The mark of a value; `None` beyond 65,534 of them.
pub(super) fn mark_of(index: usize) -> Option<char> {
    let index = u32::try_from(index).ok().filter(|index| *index < 0xFFFE)?;
    char::from_u32(FIRST + index)
}

/// The mark of something placed.
pub(super) fn placed_mark(index: u8) -> Option<char> {
    char::from_u32(FIRST_PLACED + u32::from(index))
}

/// Reads a mark.
pub(super) fn read_mark(letter: char) -> Option<Mark> {
    let code = u32::from(letter);
    if code >= FIRST_PLACED {
        Some(Mark::Placed((code - FIRST_PLACED) as usize))
    } else if code >= FIRST {
        Some(Mark::Value((code - FIRST) as usize))
    } else {
        None
    }
}

/// Whether a character is a mark, or could be one.
pub(super) fn is_mark(letter: char) -> bool {
    u32::from(letter) >= FIRST
}
