//! Words that adapters own: short, stable, stored. One that no adapter of this binary owns can still be read,
//! so that its rows take no page down.

/// How many letters such a word has at most.
const LONGEST: usize = 20;

/// Small letters and `_`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Word([u8; LONGEST]);

impl Word {
    /// # Panics
    ///
    /// On a word that is empty, too long, or has other signs than small letters and `_`: in a constant, when
    /// it is compiled.
    pub(super) const fn of(word: &'static str) -> Self {
        match Self::read(word.as_bytes()) {
            Some(word) => word,
            None => panic!("not a word that an adapter may own"),
        }
    }

    /// The stable text, as stored.
    pub(super) fn as_str(&self) -> &str {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(LONGEST);
        str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// Reads the stored text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::read(text.as_bytes())
    }

    const fn read(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let (mut word, mut at) = ([0; LONGEST], 0);
        while at < text.len() {
            if !(text[at].is_ascii_lowercase() || text[at] == b'_') {
                return None;
            }
            word[at] = text[at];
            at += 1;
        }
        Some(Self(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_no_adapter_owns_is_read_and_shown_as_it_is() {
        let known = Word::of("carrier_pigeon");
        assert!(Word::parse("carrier_pigeon") == Some(known));
        assert_eq!(Word::parse("owl").unwrap().as_str(), "owl");
        for odd in ["", "Owl", "owl\0", "o w l", "an_owl_with_a_very_long_name"] {
            assert!(Word::parse(odd).is_none(), "{odd}");
        }
    }
}
