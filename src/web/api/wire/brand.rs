//! Brand and bank details.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::some;
use crate::app::brand::BrandInput;
use crate::domain::bank_details::{self, CurrencyDetails};
use crate::domain::brand_settings::{BrandSettings, LogoImage};

/// How e-mails look.
#[derive(Debug, Serialize, ToSchema)]
pub struct Brand {
    /// `null` for the tenant's own name.
    pub name: Option<String>,
    /// `#` and six digits; `null` for the usual one.
    pub accent: Option<String>,
    pub postal_address: Option<String>,
    pub footer: Option<String>,
    /// Markdown, where a text has `[[signature]]`.
    pub signature: Option<String>,
    /// It is uploaded on the dashboard.
    pub logo: Option<BrandLogo>,
}

/// The stored picture.
#[derive(Debug, Serialize, ToSchema)]
pub struct BrandLogo {
    /// Where it is served, without a token.
    pub path: String,
    /// In pixels.
    pub width: u32,
    pub height: u32,
}

impl From<BrandSettings> for Brand {
    fn from(brand: BrandSettings) -> Self {
        Self {
            name: some(brand.name),
            accent: brand.accent.map(|accent| accent.to_string()),
            postal_address: some(brand.postal_address),
            footer: some(brand.footer),
            signature: some(brand.signature),
            logo: brand.logo.map(BrandLogo::from),
        }
    }
}

impl From<LogoImage> for BrandLogo {
    fn from(logo: LogoImage) -> Self {
        Self {
            path: logo.path(),
            width: logo.width,
            height: logo.height,
        }
    }
}

/// A brand to be kept; what is left out is none any more.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewBrand {
    pub name: Option<String>,
    /// White text has to be readable on it.
    pub accent: Option<String>,
    /// At most 300 characters.
    pub postal_address: Option<String>,
    /// At most 500 characters.
    pub footer: Option<String>,
    /// At most 2,000 characters.
    pub signature: Option<String>,
}

impl From<NewBrand> for BrandInput {
    fn from(new: NewBrand) -> Self {
        Self {
            name: new.name.unwrap_or_default(),
            accent: new.accent.unwrap_or_default(),
            postal_address: new.postal_address.unwrap_or_default(),
            footer: new.footer.unwrap_or_default(),
            signature: new.signature.unwrap_or_default(),
        }
    }
}

/// The bank details of a currency.
#[derive(Debug, Serialize, ToSchema)]
pub struct BankDetails {
    /// ISO 4217.
    pub currency: String,
    /// What e-mails in this currency tell today.
    pub text: Option<String>,
    /// Since when.
    pub in_force_at: Option<DateTime<Utc>>,
    pub waiting: Option<WaitingBankDetails>,
}

/// What somebody asked for and does not count yet.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingBankDetails {
    /// `null` where there shall be none any more.
    pub text: Option<String>,
    pub asked_by: String,
    pub asked_at: DateTime<Utc>,
    /// When it counts by itself, unless a second owner agrees before or an owner calls it off.
    pub in_force_at: DateTime<Utc>,
}

impl From<CurrencyDetails> for BankDetails {
    fn from(of: CurrencyDetails) -> Self {
        let (text, in_force_at) = of.in_force.map(|b| (b.text, b.in_force_at)).unzip();
        Self {
            currency: of.currency,
            text,
            in_force_at,
            waiting: of.waiting.map(WaitingBankDetails::from),
        }
    }
}

impl From<bank_details::BankDetails> for WaitingBankDetails {
    fn from(of: bank_details::BankDetails) -> Self {
        Self {
            text: some(of.text),
            asked_by: of.asked_by_name,
            asked_at: of.asked_at,
            in_force_at: of.in_force_at,
        }
    }
}
