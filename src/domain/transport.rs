//! Transports: the ways of sending. One account at a provider may be used by several.

use std::fmt;

use super::word::Word;

/// Through which of a provider's APIs a message goes: a stable word that stands in its adapter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportName(Word);

impl TransportName {
    /// The transport of this word.
    ///
    /// # Panics
    ///
    /// On a word that is empty, longer than 20, or has other signs than small letters and `_`: in a constant,
    /// when it is compiled.
    pub const fn named(word: &'static str) -> Self {
        Self(Word::of(word))
    }

    /// The stable text, as stored.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Reads the stored text.
    pub fn parse(text: &str) -> Option<Self> {
        Word::parse(text).map(Self)
    }
}

impl fmt::Display for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TransportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransportName({})", self.as_str())
    }
}
