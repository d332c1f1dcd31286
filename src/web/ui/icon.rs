//! Line icons, 16 pixels, in the colour of the text around them. Decoration only: the word is
//! always beside them, or the control has a label of its own.

use maud::{Markup, PreEscaped, html};

fn line(d: &'static str) -> Markup {
    html! {
        svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor"
            stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"
            aria-hidden="true" { path d=(d) {} }
    }
}

/// The rail's Overview.
pub fn overview() -> Markup {
    line("M2.5 13.5h11M4 11V7m4 4V3m4 8V8.5")
}

/// The rail's History.
pub fn history() -> Markup {
    line("M2.5 4h11m-11 4h11m-11 4h7")
}

/// The rail's Rules.
pub fn rules() -> Markup {
    line(
        "M2.5 4H6c3 0 3 8 6 8h1.5M2.5 12H6c.8 0 1.4-.5 1.9-1.3M11.5 10l2 2-2 2M9.6 5.2C10.2 4.5 11 4 12 4h1.500m-2-2 2 2-2 2",
    )
}

/// The rail's Connections.
pub fn connections() -> Markup {
    line("M6 2.500v3m4-3v3m-6 0h8V8a4 4 0 0 1-8 0zM8 12v2.5")
}

/// The rail's Groups.
pub fn groups() -> Markup {
    line(
        "M8 2.500a1.800 1.800 0 1 0 0 3.600 1.800 1.800 0 0 0 0-3.600M4 9.500a1.800 1.800 0 1 0 0 3.600 1.800 1.800 0 0 0 0-3.600M12 9.500a1.800 1.800 0 1 0 0 3.600 1.800 1.800 0 0 0 0-3.600M6.900 6.100 5 9.500m4.100-3.400 1.900 3.400M6 11.300h4",
    )
}

/// The rail's Suppressions.
pub fn suppressions() -> Markup {
    line("M8 2.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11M4.200 4.200l7.600 7.600")
}

/// The rail's Team.
pub fn team() -> Markup {
    line(
        "M6 7.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5M1.500 13.500c0-2.500 2-4 4.500-4s4.500 1.500 4.500 4M11 3a2.300 2.300 0 0 1 0 4.400M12.500 9.900c1.300.6 2 1.900 2 3.600",
    )
}

/// The rail's Settings.
pub fn settings() -> Markup {
    line("M2.5 4.500h5m4 0h2m-11 7h2m4 0h5M9.5 2.800v3.400M6.5 9.800v3.4")
}

/// Other tenants.
pub fn switch() -> Markup {
    line("m5 6 3-3 3 3m-6 4 3 3 3-3")
}

/// The menu of small screens.
pub fn menu() -> Markup {
    line("M2.5 4.500h11m-11 3.500h11m-11 3.500h11")
}

/// Back to the page above.
pub fn back() -> Markup {
    line("M10 3.5 5.5 8l4.5 4.5")
}

/// Further.
pub fn forward() -> Markup {
    line("M6 3.5 10.5 8 6 12.5")
}

/// Moves a rule up.
pub fn up() -> Markup {
    line("M8 13V3.500M4 7.500l4-4 4 4")
}

/// Moves a rule down.
pub fn down() -> Markup {
    line("M8 3v9.500M4 8.500l4 4 4-4")
}

/// Done.
pub fn check() -> Markup {
    line("m3.5 8.5 3 3 6-7")
}

/// The sign of ml-connector: lines of a ledger and a dot that speaks.
pub fn brand() -> Markup {
    html! {
        svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true" {
            rect width="32" height="32" rx="7" fill="currentColor" {}
            (PreEscaped(r#"<g stroke="var(--on-accent)" fill="none" stroke-width="2.6" stroke-linecap="round"><path d="M8 9.500h16M8 15h10M8 20.500h6"/></g><circle cx="22.5" cy="21" r="3.6" fill="var(--on-accent)"/>"#))
        }
    }
}
