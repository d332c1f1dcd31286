//! How many SMS segments a text takes: GSM-7 or UCS-2, and how full each is.
//!
//! One character outside GSM-7 turns the *whole* message to UCS-2 and more than halves the room,
//! so the first such character is told. Providers bill by segment.

/// The basic character set of GSM 03.38 beside ASCII letters and digits.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";

/// Its extension table: an escape and the character, two units.
const EXTENSION: &str = "\u{c}^{}\\[~]|€";

/// How the characters travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// 160 units in one segment, 153 each when split.
    Gsm7,
    /// 70 units in one segment, 67 each when split.
    Ucs2,
}

impl Encoding {
    /// As shown in previews.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    const fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// The size of a text as an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segments {
    pub encoding: Encoding,
    /// Septets of GSM-7 or 16-bit units of UCS-2.
    pub units: usize,
    /// What is billed; 0 for an empty text.
    pub count: usize,
    /// The first character outside GSM-7, which is what makes it UCS-2.
    pub offending: Option<char>,
}

impl Segments {
    /// Measures a text, after it is filled in.
    pub fn of(text: &str) -> Self {
        let offending = text.chars().find(|letter| gsm_units(*letter).is_none());
        let encoding = if offending.is_none() {
            Encoding::Gsm7
        } else {
            Encoding::Ucs2
        };
        let units_of = |letter: char| match encoding {
            Encoding::Gsm7 => gsm_units(letter).unwrap_or(1),
            Encoding::Ucs2 => letter.len_utf16(),
        };
        let units = text.chars().map(units_of).sum();
        let (single, split) = encoding.room();
        let count = if units <= single {
            usize::from(units > 0)
        } else {
            // A pair is never torn, so a segment may end one unit short.
            let mut count = 1;
            let mut used = 0;
            for size in text.chars().map(units_of) {
                if used + size > split {
                    count += 1;
                    used = 0;
                }
                used += size;
            }
            count
        };
        Self {
            encoding,
            units,
            count,
            offending,
        }
    }
}

/// Units of a character in GSM-7; none outside it.
fn gsm_units(letter: char) -> Option<usize> {
    if letter.is_ascii_alphanumeric() || BASIC.contains(letter) {
        Some(1)
    } else if EXTENSION.contains(letter) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> usize {
        Segments::of(text).count
    }

    #[test]
    fn plain_text_splits_after_160_into_segments_of_153() {
        assert_eq!(count(""), 0);
        assert_eq!(count("a"), 1);
        assert_eq!(count(&"a".repeat(160)), 1);
        assert_eq!(count(&"a".repeat(161)), 2);
        assert_eq!(count(&"a".repeat(306)), 2);
        assert_eq!(count(&"a".repeat(307)), 3);
        assert_eq!(count(&"a".repeat(153 * 10)), 10);
        assert_eq!(count(&"a".repeat(153 * 10 + 1)), 11);
    }

    #[test]
    fn one_foreign_character_turns_the_whole_text_to_ucs2() {
        let sized = Segments::of(&format!("{}“", "a".repeat(69)));
        assert_eq!(
            (sized.encoding, sized.units, sized.count),
            (Encoding::Ucs2, 70, 1)
        );
        assert_eq!(sized.offending, Some('“'));
        assert_eq!(count(&"ş".repeat(70)), 1);
        assert_eq!(count(&"ş".repeat(71)), 2);
        assert_eq!(count(&"ş".repeat(134)), 2);
        assert_eq!(count(&"ş".repeat(135)), 3);
    }

    #[test]
    fn extension_characters_count_twice_and_are_never_torn() {
        assert_eq!(Segments::of("€").units, 2);
        assert_eq!(count(&"€".repeat(80)), 1);
        assert_eq!(count(&format!("{}a", "€".repeat(80))), 2);
        // 76 pairs fit into 153, the odd unit stays empty.
        assert_eq!(count(&"€".repeat(152)), 2);
        assert_eq!(count(&"€".repeat(153)), 3);
        for letter in "^{}\\[~]|€\u{c}".chars() {
            assert_eq!(Segments::of(&letter.to_string()).units, 2, "{letter:?}");
        }
    }

    #[test]
    fn an_emoji_counts_twice_in_ucs2_and_is_never_torn() {
        let sized = Segments::of("🎉");
        assert_eq!(
            (sized.encoding, sized.units, sized.count),
            (Encoding::Ucs2, 2, 1)
        );
        assert_eq!(count(&"🎉".repeat(35)), 1);
        assert_eq!(count(&"🎉".repeat(36)), 2);
        assert_eq!(count(&"🎉".repeat(66)), 2);
        assert_eq!(count(&"🎉".repeat(67)), 3);
    }

    #[test]
    fn the_whole_basic_set_is_gsm7_and_the_usual_accidents_are_not() {
        let sized = Segments::of(
            "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./09:;<=>?¡AZÄÖÑÜ§¿azäöñüà",
        );
        assert_eq!(sized.encoding, Encoding::Gsm7);
        assert_eq!(BASIC.chars().count() + 62, 127);
        for letter in "’“”–—…\u{a0}`₹ç\t".chars() {
            assert_eq!(Segments::of(&letter.to_string()).offending, Some(letter));
        }
    }

    proptest! {
        #[test]
        fn more_text_never_takes_fewer_segments(text in "\\PC{0,400}", more in "\\PC{0,20}") {
            let longer = Segments::of(&format!("{text}{more}"));
            let shorter = Segments::of(&text);
            prop_assert!(longer.count >= shorter.count);
            let (_, split) = longer.encoding.room();
            prop_assert!(longer.units <= longer.count.max(1) * split.max(160));
        }
    }
}
