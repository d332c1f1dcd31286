//! The text of an e-mail before it is filled in, as a rule bears it.

use serde::{Deserialize, Serialize};

/// The longest subject, and the longest preview line, before they are filled in, in characters.
pub const MAX_SUBJECT_CHARS: usize = 300;

/// What a clerk writes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EmailSource {
    pub subject: String,
    /// What lists of messages show behind the subject; empty for the beginning of the text.
    #[serde(default)]
    pub preview: String,
    /// Markdown with fields and blocks.
    pub body: String,
}
