//! An e-mail on a page of ours: by day or by night whatever the browser prefers, and its links lead nowhere.

/// How a reader's device is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

/// What our layout asks about, as its style is written out.
const QUESTION: &str = "(prefers-color-scheme:dark)";
const BOTH: &str = "color-scheme:light dark";

/// The HTML part as somebody whose device is set so sees it.
pub fn shown(html: &str, scheme: Scheme) -> String {
    let (answer, only) = match scheme {
        Scheme::Light => ("not all", "color-scheme:light"),
        Scheme::Dark => ("all", "color-scheme:dark"),
    };
    // A link inside a frame would open inside the frame.
    let still = "<style>a{pointer-events:none}</style></head>";
    let html = html.replacen(QUESTION, answer, 1);
    html.replacen(BOTH, only, 1).replacen("</head>", still, 1)
}

/// Whether it has a picture, which only its sender's logo can be.
pub fn has_pictures(html: &str) -> bool {
    html.contains("<img ")
}
