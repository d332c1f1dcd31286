//! How a tenant's e-mails look: name, colour, addresses and signature, and the logo.

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::brand_settings::{BrandSettings, LogoImage, parse_accent};
use crate::domain::ids::TenantId;
use crate::domain::name;
use crate::render::logo::{self, LogoProblem};
use crate::store::{MessageEdit, NewLogo};

/// The longest postal address, footer and signature, in characters.
const LONGEST_ADDRESS: usize = 300;
const LONGEST_FOOTER: usize = 500;
const LONGEST_SIGNATURE: usize = 2000;

/// What is typed of a brand.
#[derive(Debug, Clone, Default)]
pub struct BrandInput {
    pub name: String,
    pub accent: String,
    pub postal_address: String,
    pub footer: String,
    pub signature: String,
}

impl App {
    /// How a tenant's e-mails look.
    pub async fn brand(&self, tenant: TenantId) -> Result<BrandSettings, AppError> {
        Ok(self.tenant(tenant).brand().await?)
    }

    /// Changes all but the logo.
    pub async fn save_brand(
        &self,
        tenant: TenantId,
        input: &BrandInput,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let brand = read(input).map_err(AppError::Invalid)?;
        let store = self.tenant(tenant);
        done(store.save_brand(brand, actor.clone(), self.now()).await?)
    }

    /// Takes an uploaded picture as the logo.
    pub async fn save_logo(
        &self,
        tenant: TenantId,
        upload: Vec<u8>,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let read = tokio::task::spawn_blocking(move || logo::read(&upload)).await;
        let read = read.unwrap_or(Err(LogoProblem::Unreadable));
        let picture = read.map_err(|problem| AppError::field("logo", problem.to_string()))?;
        let logo = NewLogo {
            image: LogoImage {
                hash: picture.hash,
                width: picture.width,
                height: picture.height,
            },
            png: picture.png,
        };
        let store = self.tenant(tenant);
        done(
            store
                .save_logo(Some(logo), actor.clone(), self.now())
                .await?,
        )
    }

    /// Takes the logo away; e-mails that show it go on to.
    pub async fn remove_logo(&self, tenant: TenantId, actor: &Actor) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        done(store.save_logo(None, actor.clone(), self.now()).await?)
    }

    /// The bytes of a logo, for whoever has its address.
    pub async fn logo(&self, hash: &str) -> Result<Option<Vec<u8>>, AppError> {
        Ok(self.store().platform().logo(hash).await?)
    }
}

fn read(input: &BrandInput) -> Result<BrandSettings, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut refuse = |field, message: String| problems.push(FieldProblem::new(field, message));
    let name = input.name.trim();
    if !name.is_empty()
        && let Err(problem) = name::parse(name)
    {
        refuse("name", format!("type a name, {problem}"));
    }
    let accent = input.accent.trim();
    let accent = (!accent.is_empty()).then(|| parse_accent(accent));
    let accent = accent.transpose().unwrap_or_else(|problem| {
        refuse("accent", problem.to_string());
        None
    });
    let texts = [
        ("postal_address", &input.postal_address, LONGEST_ADDRESS),
        ("footer", &input.footer, LONGEST_FOOTER),
        ("signature", &input.signature, LONGEST_SIGNATURE),
    ];
    let [postal_address, footer, signature] = texts.map(|(field, text, longest)| {
        super::text::lines(text, longest).unwrap_or_else(|message| {
            refuse(field, message);
            String::new()
        })
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(BrandSettings {
        name: name.to_owned(),
        logo: None,
        accent,
        postal_address,
        footer,
        signature,
    })
}

fn done(edit: MessageEdit) -> Result<(), AppError> {
    match edit {
        MessageEdit::TooOften => Err(AppError::Conflict(
            "The brand was changed 1,000 times within a day, as often as it may; try again tomorrow"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}
