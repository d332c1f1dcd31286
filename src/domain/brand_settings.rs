//! What a tenant keeps of its brand.

use super::brand::{Accent, Brand, Colour, Logo};

/// How a tenant's e-mails look, as far as somebody said so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BrandSettings {
    /// Empty for the tenant's own name.
    pub name: String,
    pub logo: Option<LogoImage>,
    /// None for ours.
    pub accent: Option<Colour>,
    pub postal_address: String,
    pub footer: String,
    /// Markdown, where an e-mail asks for it.
    pub signature: String,
}

impl BrandSettings {
    /// What stands in e-mails of a tenant of this name; `origin` is where we are reached from outside.
    pub fn brand(&self, tenant: &str, origin: &str) -> Brand {
        let name = if self.name.is_empty() {
            tenant
        } else {
            &self.name
        };
        Brand {
            logo: self.logo.as_ref().map(|logo| logo.shown(name, origin)),
            accent: self.accent.and_then(Accent::of).unwrap_or_default(),
            postal_address: self.postal_address.clone(),
            footer: self.footer.clone(),
            ..Brand::plain(name)
        }
    }
}

/// A stored picture, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoImage {
    /// SHA-256 of its bytes, as hexadecimal digits.
    pub hash: String,
    pub width: u32,
    pub height: u32,
}

/// The most that a logo takes of an e-mail, in pixels.
const WIDEST: u16 = 240;
const HIGHEST: u16 = 64;

impl LogoImage {
    /// Where it is served, below our own address.
    pub fn path(&self) -> String {
        format!("/logos/{}.png", self.hash)
    }

    fn shown(&self, name: &str, origin: &str) -> Logo {
        let (width, height) = self.size();
        Logo {
            url: format!("{}{}", origin.trim_end_matches('/'), self.path()),
            width,
            height,
            alt: name.to_owned(),
        }
    }

    /// How large it is shown: as it is, or made to fit in its shape.
    pub fn size(&self) -> (u16, u16) {
        let (width, height) = (self.width.max(1), self.height.max(1));
        let is_wide =
            u64::from(width) * u64::from(HIGHEST) >= u64::from(height) * u64::from(WIDEST);
        let (side, most) = if is_wide {
            (width, WIDEST)
        } else {
            (height, HIGHEST)
        };
        if side <= most.into() {
            let small = |side| u16::try_from(side).unwrap_or(most);
            return (small(width), small(height));
        }
        let fit = |length: u32| {
            let fit = u64::from(length) * u64::from(most) / u64::from(side);
            u16::try_from(fit).unwrap_or(most).max(1)
        };
        (fit(width), fit(height))
    }
}

/// Why a text is no colour that e-mails can have, in words that say what to type.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum AccentProblem {
    #[error("type # and six digits, such as #0b6b5b")]
    Shape,
    #[error(
        "is too light for the white text of a button: their contrast is {contrast:.1} to 1, and 4.5 is \
         the least; take a darker one, such as {instead}"
    )]
    Light { contrast: f64, instead: Colour },
}

const WHITE: Colour = Colour::new(0xff, 0xff, 0xff);

/// Reads an accent colour.
///
/// # Errors
///
/// If it is no colour, or too light to be read.
pub fn parse_accent(text: &str) -> Result<Colour, AccentProblem> {
    let colour: Colour = text.parse().map_err(|_| AccentProblem::Shape)?;
    if Accent::of(colour).is_some() {
        return Ok(colour);
    }
    Err(AccentProblem::Light {
        contrast: colour.contrast(WHITE),
        instead: darker(colour),
    })
}

/// The nearest of its hue that bears white text.
fn darker(colour: Colour) -> Colour {
    let digits = colour.to_string();
    let part = |at: usize| {
        let digits = digits.get(at..at + 2).unwrap_or_default();
        u32::from_str_radix(digits, 16).unwrap_or_default()
    };
    let rgb = [1, 3, 5].map(part);
    let steps = (0..=100_u32).rev().map(|percent| {
        let [red, green, blue] =
            rgb.map(|part| u8::try_from(part * percent / 100).unwrap_or_default());
        Colour::new(red, green, blue)
    });
    let mut readable = steps.filter(|colour| Accent::of(*colour).is_some());
    readable.next().unwrap_or(Colour::new(0, 0, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_light_accent_is_refused_with_one_that_would_do() {
        assert!(parse_accent("#0b6b5b").is_ok());
        assert_eq!(parse_accent("teal"), Err(AccentProblem::Shape));
        let problem = parse_accent("#ffcc00").unwrap_err();
        let says = problem.to_string();
        assert!(says.contains("their contrast is 1.5 to 1"), "{says}");
    }

    #[test]
    fn a_logo_is_shown_in_its_shape() {
        let shown = |width, height| {
            let hash = String::new();
            LogoImage {
                hash,
                width,
                height,
            }
            .size()
        };
        assert_eq!(shown(120, 40), (120, 40));
        assert_eq!(shown(480, 64), (240, 32));
        assert_eq!(shown(400, 400), (64, 64));
        assert_eq!(shown(100, 640), (10, 64));
        assert_eq!(shown(3000, 2), (240, 1));
    }

    #[test]
    fn a_brand_that_nobody_chose_is_the_companys_name() {
        let settings = BrandSettings::default();
        assert_eq!(
            settings.brand("Acme", "https://a.example"),
            Brand::plain("Acme")
        );
        let logo = LogoImage {
            hash: "0a".to_owned(),
            width: 480,
            height: 64,
        };
        let chosen = BrandSettings {
            name: "Acme Books".to_owned(),
            logo: Some(logo),
            ..settings
        };
        let logo = chosen.brand("Acme", "https://a.example/").logo.unwrap();
        assert_eq!(logo.url, "https://a.example/logos/0a.png");
        assert_eq!((logo.width, logo.alt.as_str()), (240, "Acme Books"));
    }

    proptest! {
        #[test]
        fn what_is_proposed_instead_is_taken(red: u8, green: u8, blue: u8) {
            let colour = Colour::new(red, green, blue);
            prop_assert!(Accent::of(darker(colour)).is_some());
        }

        #[test]
        fn a_logo_always_fits(width in 0..5000_u32, height in 0..5000_u32) {
            let (w, h) = LogoImage { hash: String::new(), width, height }.size();
            prop_assert!((1..=WIDEST).contains(&w) && (1..=HIGHEST).contains(&h));
        }
    }
}
