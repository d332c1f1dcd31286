//! The service's own mail: what it says is kept, sealed, until a worker has handed it over.

use serde::{Deserialize, Serialize};

use super::{App, AppError};
use crate::crypto::vault::Place;
use crate::domain::ids::{TenantId, new_v7};
use crate::store::StoredMail;

/// A letter to one person, before it is kept.
#[derive(Debug, Clone)]
pub struct Mail {
    /// On whose behalf; `None` for a person's own account.
    pub tenant: Option<TenantId>,
    pub to: String,
    /// What it is about, as a stable word such as `reset`.
    pub kind: &'static str,
    /// What makes a second one the same letter; the first is kept.
    pub once: String,
    pub letter: Letter,
}

/// What stands in it. Links in it are credentials, so it is sealed and never logged.
#[derive(Clone, Serialize, Deserialize)]
pub struct Letter {
    pub subject: String,
    /// Plain text, lines ended by `\n`. A line that is only an address becomes the button of the
    /// HTML part.
    pub text: String,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter").finish_non_exhaustive()
    }
}

impl App {
    /// Keeps a letter and wakes whoever sends it.
    pub(super) async fn mail(&self, mail: Mail) -> Result<(), AppError> {
        let row = self.sealed(mail)?;
        self.store().platform().keep_mail(row, self.now()).await?;
        Ok(())
    }

    /// A letter as it is kept, for those who keep it with the change that it tells of.
    pub(super) fn sealed(&self, mail: Mail) -> Result<StoredMail, AppError> {
        let id = new_v7(self.now());
        let place = Place::platform("mails", "sealed", id);
        let letter = serde_json::to_vec(&mail.letter).unwrap_or_default();
        let sealed = self.parts.vault.seal_bytes(&place, &letter)?;
        Ok(StoredMail {
            id,
            tenant: mail.tenant,
            recipient: mail.to,
            kind: mail.kind.to_owned(),
            once: mail.once,
            sealed,
        })
    }
}
