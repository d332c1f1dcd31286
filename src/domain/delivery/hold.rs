//! Why a delivery waits; when it does is decided in [`gate`](crate::domain::gate).

/// Why a delivery waits: for a person, or for the hour.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Hold {
    /// All sending is stopped.
    Stopped,
    /// No usable connection to a provider.
    NoConnection,
    /// The provider refused the credential.
    Broken,
    /// The tenant is suspended.
    Suspended,
    /// It was meant for its recipient, and the tenant is in rehearsal by now.
    Rehearsal,
    /// A rehearsal, and no owner has confirmed a number of their own.
    OwnNumber,
    /// Its recipient wrote something that may mean STOP.
    OptOut,
    /// It waits by itself, *queued*, until contacts may be written to again.
    Hours,
    /// It waits by itself, *queued*, for its place in its sender's line.
    Turn,
    /// Nobody but a person can tell whether the message exists.
    Person,
}

impl Hold {
    /// The stable text, as stored.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Reads the stored text; empty text is no hold.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
