//! The shape and colour of a state. Colour never stands alone: the word is always beside it.

use maud::{Markup, html};

/// How a thing stands, as a shape and a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// ● Done, and well.
    Ok,
    /// ◐ Under way elsewhere.
    Waiting,
    /// ○ Its turn has not come.
    Queued,
    /// ▲ A person must look.
    Needs,
    /// ✕ It went wrong.
    Failed,
    /// ‖ Held back.
    Held,
    /// – Ended on purpose, or nothing to do.
    Quiet,
}

impl Tone {
    /// The class that colours it.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Waiting | Self::Queued => "waiting",
            Self::Needs | Self::Held => "needs",
            Self::Failed => "failed",
            Self::Quiet => "quiet",
        }
    }

    /// The shape, ten pixels wide; hidden from screen readers, since the word says it.
    pub fn shape(self) -> Markup {
        html! {
            svg width="10" height="10" viewBox="0 0 10 10" fill="none" stroke="currentColor"
                stroke-width="1.6" aria-hidden="true" {
                @match self {
                    Self::Ok => circle cx="5" cy="5" r="4.2" fill="currentColor" stroke="none" {}
                    Self::Waiting => {
                        circle cx="5" cy="5" r="4" {}
                        path d="M5 1a4 4 0 0 0 0 8z" fill="currentColor" stroke="none" {}
                    }
                    Self::Queued => circle cx="5" cy="5" r="4" {}
                    Self::Needs => path d="M5 .6 9.8 9.2H.2z" fill="currentColor" stroke="none" {}
                    Self::Failed => path d="m1.4 1.4 7.2 7.2m0-7.2-7.2 7.2" stroke-width="2" {}
                    Self::Held => path d="M3 1v8m4-8v8" stroke-width="2" {}
                    Self::Quiet => path d="M1.5 5h7" stroke-width="1.8" {}
                }
            }
        }
    }
}
