//! A QR code as a drawing in the page. It is black on white in the dark as well, or phones do not
//! read it; what it says must stand beside it in text.

use std::fmt::Write as _;

use maud::{Markup, html};
use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around it, as the standard wants.
const QUIET: usize = 4;

/// The drawing of a text, with a title for those who cannot see it; nothing for a text that is too
/// long for any code.
pub fn code(text: &str, title: &str) -> Markup {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::M) else {
        return html! {};
    };
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (at % width + QUIET, at / width + QUIET);
            // Writing to a text cannot fail.
            let _ = write!(path, "M{x} {y}h1v1h-1z");
        }
    }
    html! {
        svg class="qr" viewBox={ "0 0 " (side) " " (side) } width="200" height="200" role="img"
            aria-label=(title) shape-rendering="crispEdges" {
            title { (title) }
            rect width=(side) height=(side) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_with_its_title() {
        let drawn = code("otpauth://totp/x?secret=ABC", "A <code>").into_string();
        assert!(drawn.contains("<title>A &lt;code&gt;</title>"), "{drawn}");
        // The finder in the upper left begins after the quiet zone.
        assert!(drawn.contains("M4 4h1v1h-1z"), "{drawn}");
        assert!(code(&"x".repeat(5_000), "").into_string().is_empty());
    }
}
