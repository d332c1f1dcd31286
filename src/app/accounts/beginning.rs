//! How a company begins: whom it writes to, and when. One place, so that pages and shell agree.

use crate::domain::hours::Hours;

/// What a company may do on its first day. Its owner changes it later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beginning {
    /// Messages go to the owner instead of to contacts, until somebody goes live; from then on by day
    /// only.
    #[default]
    Rehearsal,
    /// Contacts are written to at once, by day only.
    Live,
    /// Contacts are written to at once and at any time.
    LiveAtAnyHour,
}

impl Beginning {
    /// Whether messages go to the owner.
    pub const fn is_rehearsal(self) -> bool {
        matches!(self, Self::Rehearsal)
    }

    /// When contacts may be written to; `None` is at any time.
    pub fn hours(self) -> Option<Hours> {
        match self {
            Self::Rehearsal | Self::Live => Some(Hours::default()),
            Self::LiveAtAnyHour => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_written_to_by_night_unless_told_so() {
        assert!(Beginning::default().is_rehearsal());
        let day = Some("08:00 to 20:00".to_owned());
        let hours = |of: Beginning| of.hours().map(Hours::label);
        assert_eq!(hours(Beginning::Rehearsal), day);
        assert_eq!(hours(Beginning::Live), day);
        assert_eq!(hours(Beginning::LiveAtAnyHour), None);
        assert!(!Beginning::Live.is_rehearsal() && !Beginning::LiveAtAnyHour.is_rehearsal());
    }
}
