//! What a use case can say instead of "done".

use crate::crypto::master_key::MasterKeyError;
use crate::crypto::password::PasswordError;
use crate::crypto::vault::VaultError;
use crate::domain::ids::DeliveryId;
use crate::domain::provider::ProviderWords;
use crate::domain::replay_facts::ReplayFacts;
use crate::store::StoreError;

/// What is wrong with one field of a form or an API body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The path of the field, as in the API body.
    pub field: String,
    /// In words that say what to type.
    pub message: String,
}

impl FieldProblem {
    /// A problem with one field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// A use case that did not end as wished.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// There is no such thing in this tenant.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// The input has to be changed; each field says how.
    #[error("the input is not valid")]
    Invalid(Vec<FieldProblem>),
    /// Something stands against it, in words.
    #[error("{0}")]
    Conflict(String),
    /// What was typed could not be tried, so it was not kept, in words.
    #[error("{1}")]
    Untried(&'static ProviderWords, String),
    /// A delivery of the same event and address is still on its way.
    #[error("a message of this event to this address is still on its way")]
    Open(DeliveryId),
    /// A replay waits for a person to confirm these facts.
    #[error("the facts of the replay are not confirmed")]
    Unconfirmed(Box<ReplayFacts>),
    /// The address must not be written to.
    #[error("the address is suppressed: {0}")]
    Suppressed(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    MasterKey(#[from] MasterKeyError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The document kept changing while it was decided; the job is tried again.
    #[error("the document kept changing while the event was decided")]
    Busy,
}

impl AppError {
    /// One wrong field.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem::new(field, message)])
    }
}
