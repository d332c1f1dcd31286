//! What a company's e-mails look like: its name, logo, colour, and where it is found.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The look of a tenant's e-mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brand {
    pub name: String,
    pub logo: Option<Logo>,
    pub accent: Accent,
    /// Lines of its own; blank where it is not known.
    pub postal_address: String,
    /// A line or two of the company's own, such as its registration number.
    pub footer: String,
}

/// A picture that stands in the company's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logo {
    /// An `https` address of ours.
    pub url: String,
    /// In pixels of the screen, as it is shown.
    pub width: u16,
    pub height: u16,
    /// What is read where it is not shown; the company's name where it is empty.
    pub alt: String,
}

/// A colour of links and buttons, by day and by night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accent {
    /// On white, and below white letters.
    pub light: Colour,
    /// On [`NIGHT`], and below [`NIGHT_INK`].
    pub dark: Colour,
}

/// A colour of the screen, written `#0b6b5b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Colour {
    red: u8,
    green: u8,
    blue: u8,
}

/// A text that is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a colour; type one such as #0b6b5b")]
pub struct ColourProblem;

/// The ground of e-mails by night.
pub const NIGHT: Colour = Colour::new(0x1b, 0x1e, 0x24);
/// Letters on the accent by night.
pub const NIGHT_INK: Colour = Colour::new(0x0c, 0x15, 0x12);

const WHITE: Colour = Colour::new(0xff, 0xff, 0xff);

/// The contrast that letters need (WCAG 2.2, 1.4.3).
const ENOUGH: f64 = 4.5;

impl Brand {
    /// A company that has chosen nothing.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            logo: None,
            accent: Accent::default(),
            postal_address: String::new(),
            footer: String::new(),
        }
    }
}

impl Accent {
    /// The colour with a lighter one for the night; `None` where white letters could not be read on it.
    pub fn of(light: Colour) -> Option<Self> {
        if light.contrast(WHITE) < ENOUGH {
            return None;
        }
        let is_readable =
            |c: &Colour| c.contrast(NIGHT) >= ENOUGH && c.contrast(NIGHT_INK) >= ENOUGH;
        let dark = (0..=20)
            .map(|step| light.mixed(WHITE, f64::from(step) / 20.0))
            .find(is_readable)?;
        Some(Self { light, dark })
    }
}

impl Default for Accent {
    fn default() -> Self {
        Self {
            light: Colour::new(0x0b, 0x6b, 0x5b),
            dark: Colour::new(0x56, 0xcd, 0xb3),
        }
    }
}

impl Colour {
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// The contrast between two colours: 1 where they are one, 21 between black and white (WCAG 2.2).
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.040_45 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(self.red) + 0.7152 * part(self.green) + 0.0722 * part(self.blue)
    }

    /// So much of `other` in it, from 0 to 1.
    fn mixed(self, other: Self, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes"
        )]
        let part = |from: u8, to: u8| {
            (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8
        };
        Self::new(
            part(self.red, other.red),
            part(self.green, other.green),
            part(self.blue, other.blue),
        )
    }
}

impl FromStr for Colour {
    type Err = ColourProblem;

    /// Reads `#0b6b5b`, with or without the sign, and `#0bb`.
    fn from_str(text: &str) -> Result<Self, ColourProblem> {
        let text = text.trim();
        let digits = text.strip_prefix('#').unwrap_or(text);
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ColourProblem);
        }
        let whole = match digits.len() {
            6 => digits.to_owned(),
            3 => digits.chars().flat_map(|c| [c, c]).collect(),
            _ => return Err(ColourProblem),
        };
        let part =
            |at: usize| u8::from_str_radix(&whole[at..at + 2], 16).map_err(|_| ColourProblem);
        Ok(Self::new(part(0)?, part(2)?, part(4)?))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

impl TryFrom<String> for Colour {
    type Error = ColourProblem;

    fn try_from(text: String) -> Result<Self, ColourProblem> {
        text.parse()
    }
}

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_colour_is_read_as_people_type_it() {
        let read = |text: &str| text.parse::<Colour>().map(|colour| colour.to_string());
        assert_eq!(read(" #0B6B5B").as_deref(), Ok("#0b6b5b"));
        assert_eq!(read("08f").as_deref(), Ok("#0088ff"));
        for text in ["", "#12345", "green", "#12345g", "#é12", "#1234567"] {
            assert_eq!(read(text), Err(ColourProblem), "{text}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let black = Colour::new(0, 0, 0);
        assert!((black.contrast(WHITE) - 21.0).abs() < 0.001);
        assert!((WHITE.contrast(WHITE) - 1.0).abs() < 0.001);
        assert!(Accent::of(Colour::new(0xff, 0xe0, 0x00)).is_none());
    }

    proptest! {
        #[test]
        fn an_accent_is_readable_by_day_and_by_night(red: u8, green: u8, blue: u8) {
            if let Some(accent) = Accent::of(Colour::new(red, green, blue)) {
                prop_assert!(accent.light.contrast(WHITE) >= ENOUGH);
                prop_assert!(accent.dark.contrast(NIGHT) >= ENOUGH);
                prop_assert!(accent.dark.contrast(NIGHT_INK) >= ENOUGH);
            }
        }
    }
}
