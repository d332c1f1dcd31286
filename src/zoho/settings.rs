//! What is stored of an organisation besides its secrets.

use serde::{Deserialize, Serialize};

use crate::domain::connection::Settings;

/// What was entered, and what Zoho said of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BooksSettings {
    /// The data centre.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub client_id: String,
    /// The name of the organisation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// What we asked to read and were not allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_scopes: Vec<String>,
}

impl BooksSettings {
    /// The settings of a connection to Zoho Books.
    pub fn of(settings: &Settings) -> Self {
        settings.read()
    }
}
