//! The page around an e-mail's text: our own MJML, turned into HTML once per process.
//!
//! Nothing of a tenant's or of a customer's passes through the MJML parser: where something is to be filled
//! in, the layout has a slot (`@@title@@`), and what is put there is HTML already.

use std::sync::LazyLock;

use mrml::prelude::render::RenderOptions;

static LAYOUT: LazyLock<Layout> = LazyLock::new(Layout::build);

const SOURCE: &str = include_str!("../../../templates/emails/message.mjml");
/// Two style sheets, since some mail programs drop the whole of one in which they dislike a rule.
const STYLE: &str = include_str!("../../../templates/emails/message.css");
const STYLE_OF_SCREENS: &str = include_str!("../../../templates/emails/message-screens.css");

/// What is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Language,
    Direction,
    Title,
    Preview,
    /// Where a mark goes.
    Top,
    Brand,
    Footer,
    Accent,
    NightAccent,
    /// The words of a row of text.
    Words,
    /// The address of a button.
    Address,
    /// What a button says.
    Label,
}

/// The HTML in pieces.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) head: Pattern,
    /// A row with text.
    pub(super) words: Pattern,
    /// A row with a button.
    pub(super) button: Pattern,
    pub(super) tail: Pattern,
}

/// HTML with slots.
#[derive(Debug)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Html(String),
    Slot(Slot),
}

impl Layout {
    pub(super) fn get() -> &'static Self {
        &LAYOUT
    }

    #[expect(
        clippy::expect_used,
        reason = "a layout of ours, and every test of e-mails reads it"
    )]
    fn build() -> Self {
        let options = RenderOptions {
            // No font is fetched: a page that loads nothing tells nobody that it was read.
            fonts: std::collections::HashMap::new(),
            ..RenderOptions::default()
        };
        let parsed = mrml::parse(SOURCE).expect("the layout is MJML");
        let html = parsed
            .element
            .render(&options)
            .expect("the layout can be rendered");
        let html = html.replace("@@style@@", &compact(STYLE));
        let html = html.replace("@@style of screens@@", &compact(STYLE_OF_SCREENS));
        let cut = |from: &str, to: &str| {
            let (_, rest) = html.split_once(from).expect("the layout has its marks");
            let (part, _) = rest.split_once(to).expect("the layout has its marks");
            Pattern::read(part)
        };
        let (head, _) = html
            .split_once("@@rows@@")
            .expect("the layout has its marks");
        let (_, tail) = html
            .split_once("@@end@@")
            .expect("the layout has its marks");
        Self {
            head: Pattern::read(head),
            words: cut("@@begin words@@", "@@begin button@@"),
            button: cut("@@begin button@@", "@@end@@"),
            tail: Pattern::read(tail),
        }
    }
}

impl Pattern {
    fn read(html: &str) -> Self {
        let pieces = html.split("@@").enumerate().map(|(index, piece)| {
            if index % 2 == 0 {
                Piece::Html(piece.to_owned())
            } else {
                Piece::Slot(Slot::parse(piece))
            }
        });
        Self {
            pieces: pieces.collect(),
        }
    }

    /// Appends the HTML; `fill` writes what goes into a slot.
    pub(super) fn write(&self, out: &mut String, mut fill: impl FnMut(&mut String, Slot)) {
        for piece in &self.pieces {
            match piece {
                Piece::Html(html) => out.push_str(html),
                Piece::Slot(slot) => fill(out, *slot),
            }
        }
    }

    /// The HTML before and behind its one slot.
    pub(super) fn around(&self) -> (&str, &str) {
        match self.pieces.as_slice() {
            [Piece::Html(before), Piece::Slot(_), Piece::Html(behind)] => (before, behind),
            _ => ("", ""),
        }
    }
}

impl Slot {
    #[expect(
        clippy::panic,
        reason = "a layout of ours, and every test of e-mails reads it"
    )]
    fn parse(name: &str) -> Self {
        match name {
            "language" => Self::Language,
            "direction" => Self::Direction,
            "title" => Self::Title,
            "preview" => Self::Preview,
            "top" => Self::Top,
            "brand" => Self::Brand,
            "footer" => Self::Footer,
            "accent" => Self::Accent,
            "night accent" => Self::NightAccent,
            "words" => Self::Words,
            "address" => Self::Address,
            "label" => Self::Label,
            other => panic!("the layout has no slot {other}"),
        }
    }
}

/// Without the blanks that only make a style sheet readable.
fn compact(style: &str) -> String {
    let lines: Vec<&str> = style.lines().map(str::trim).collect();
    lines
        .join("")
        .replace(": ", ":")
        .replace("; ", ";")
        .replace(" { ", "{")
        .replace(" {", "{")
}
