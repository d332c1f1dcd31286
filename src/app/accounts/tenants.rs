//! Companies: how they are made, who may enter, and their settings.

use secrecy::SecretString;

use super::{Beginning, parse_email};
use crate::app::keys::HOOK_SECRET;
use crate::app::{App, AppError, FieldProblem};
use crate::crypto::token;
use crate::domain::actor::Actor;
use crate::domain::currency::Currency;
use crate::domain::day::DateFormat;
use crate::domain::hours::Hours;
use crate::domain::ids::{ConnectionId, TenantId};
use crate::domain::name;
use crate::domain::phone::CountryCode;
use crate::domain::tenant::{Tenant, slug_from_name};
use crate::domain::user::Role;
use crate::store::{Member, NewTenant, StoreError, User};
use crate::zoho::secret::WebhookSecret;

/// What is typed to make a tenant.
#[derive(Debug, Clone)]
pub struct TenantInput {
    pub name: String,
    pub owner_email: String,
    pub password: SecretString,
    pub country: String,
    pub zone: String,
    pub currency: String,
    /// Whom it writes to, and when.
    pub beginning: Beginning,
}

/// A tenant that was made. The secret is shown this once.
pub struct CreatedTenant {
    pub id: TenantId,
    pub slug: String,
    pub hook_url: String,
    pub hook_secret: SecretString,
}

/// A tenant's settings, as typed.
#[derive(Debug, Clone)]
pub struct SettingsInput {
    pub name: String,
    pub country: String,
    pub zone: String,
    pub currency: String,
}

/// A tenant that is not kept yet.
pub(super) struct Prepared {
    pub(super) id: TenantId,
    pub(super) hook_token: String,
    pub(super) hook_secret: SecretString,
    pub(super) row: NewTenant,
}

/// How many companies one person may make without the operator.
const MOST_OWNED: usize = 20;

impl App {
    /// Makes a tenant with its owner and the hook of its Zoho connection.
    pub async fn create_tenant(&self, input: TenantInput) -> Result<CreatedTenant, AppError> {
        let typed = read_settings(&SettingsInput {
            name: input.name,
            country: input.country,
            zone: input.zone,
            currency: input.currency,
        });
        let email = parse_email(&input.owner_email);
        let (typed, email) = match (typed, email) {
            (Ok(typed), Ok(email)) => (typed, email),
            (typed, email) => {
                let mut problems = typed.err().unwrap_or_default();
                problems.extend(email.err().map(|p| FieldProblem {
                    field: "owner_email".to_owned(),
                    ..p
                }));
                return Err(AppError::Invalid(problems));
            }
        };
        let owner = self
            .new_user(email, input.password, &[&typed.name], false)
            .await?;
        let new = self.new_tenant(typed, owner, input.beginning, Actor::operator())?;
        let made = self.named(new.row, |row| async move {
            self.store().platform().create_tenant(row).await
        });
        let (slug, ()) = made.await?;
        Ok(CreatedTenant {
            id: new.id,
            slug,
            hook_url: self.hook_url(&new.hook_token),
            hook_secret: new.hook_secret,
        })
    }

    /// Makes another company of somebody who has an account, beginning as a sign-up would. Its place in
    /// addresses. Only where strangers may sign up.
    pub async fn create_company(
        &self,
        user: &User,
        input: &SettingsInput,
        actor: &Actor,
    ) -> Result<String, AppError> {
        if !self.takes_sign_ups() {
            return Err(AppError::NotFound("page"));
        }
        let typed = read_settings(input).map_err(AppError::Invalid)?;
        let own = self.store().platform().memberships(user.id).await?;
        let owned = own.iter().filter(|m| m.role == Role::Owner).count();
        if owned >= MOST_OWNED {
            return Err(AppError::field(
                "name",
                "you own twenty companies already; ask the operator of this service for more",
            ));
        }
        let beginning = Beginning::Rehearsal;
        let new = self.new_tenant(typed, user.clone(), beginning, actor.clone())?;
        let made = self.named(new.row, |row| async move {
            self.store().platform().create_tenant(row).await
        });
        Ok(made.await?.0)
    }

    /// Everything that a tenant begins with, before it is kept.
    pub(super) fn new_tenant(
        &self,
        typed: TypedSettings,
        owner: User,
        beginning: Beginning,
        actor: Actor,
    ) -> Result<Prepared, AppError> {
        let now = self.now();
        let id = TenantId::new(now);
        let secret = SecretString::from(WebhookSecret::generate().expose().to_owned());
        let sealed = self.seal(id, HOOK_SECRET, &secret)?;
        let hook_token = token::hook();
        let row = NewTenant {
            tenant: Tenant {
                id,
                slug: slug_from_name(&typed.name),
                name: typed.name,
                is_suspended: false,
                suspended_for: String::new(),
                country: typed.country,
                zone: typed.zone,
                currency: typed.currency,
                date_format: DateFormat::default(),
                rule_set: 0,
                stopped: None,
                is_rehearsal: beginning.is_rehearsal(),
                hours: beginning.hours(),
                created_at: now,
            },
            owner,
            zoho: ConnectionId::new(now),
            hook_token: hook_token.clone(),
            hook_secret_id: sealed.id,
            hook_secret_sealed: sealed.sealed,
            actor,
        };
        Ok(Prepared {
            id,
            hook_token,
            hook_secret: secret,
            row,
        })
    }

    /// Keeps a tenant under the first name in addresses that is free; what `keep` said of it.
    pub(super) async fn named<T, F, Fut>(
        &self,
        mut new: NewTenant,
        keep: F,
    ) -> Result<(String, T), AppError>
    where
        F: Fn(NewTenant) -> Fut,
        Fut: Future<Output = Result<T, StoreError>>,
    {
        let base = new.tenant.slug.clone();
        for number in 2..1000 {
            match keep(new.clone()).await {
                Err(StoreError::Taken("the name of the tenant")) => {
                    new.tenant.slug = format!("{base}-{number}");
                }
                kept => return Ok((new.tenant.slug, kept?)),
            }
        }
        Err(AppError::field(
            "name",
            "too many companies have this name; choose another",
        ))
    }

    /// Where a person may go: their own tenants; an operator sees all, as a viewer.
    pub async fn tenants_of(&self, user: &User) -> Result<Vec<Member>, AppError> {
        let platform = self.store().platform();
        let mut own = platform.memberships(user.id).await?;
        if user.is_operator {
            for tenant in platform.tenants().await? {
                if own.iter().all(|m| m.tenant.id != tenant.id) {
                    own.push(Member {
                        tenant,
                        role: Role::Viewer,
                    });
                }
            }
        }
        Ok(own)
    }

    /// A person's place in a tenant; `None` is *not found*, for foreign and missing ones alike. An
    /// operator who looks at a tenant of others stands in its security log before they see anything.
    pub async fn member(
        &self,
        user: &User,
        slug: &str,
        actor: &Actor,
    ) -> Result<Option<Member>, AppError> {
        let platform = self.store().platform();
        if let Some(member) = platform.membership(user.id, slug).await? {
            return Ok(Some(member));
        }
        if !user.is_operator {
            return Ok(None);
        }
        let Some(tenant) = platform.tenant_by_slug(slug).await? else {
            return Ok(None);
        };
        let store = self.tenant(tenant.id);
        store.note_look(actor.clone(), self.now()).await?;
        Ok(Some(Member {
            tenant,
            role: Role::Viewer,
        }))
    }

    /// Changes a tenant's name, country, zone, currency and how its dates are read.
    pub async fn change_settings(
        &self,
        tenant: TenantId,
        input: &SettingsInput,
        date_format: &str,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let Some(date_format) = DateFormat::parse(date_format) else {
            return Err(AppError::field("date_format", "choose one of the list"));
        };
        let typed = read_settings(input).map_err(AppError::Invalid)?;
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let changed = Tenant {
            name: typed.name,
            country: typed.country,
            zone: typed.zone,
            currency: typed.currency,
            date_format,
            ..row
        };
        store
            .update_settings(changed, actor.clone(), self.now())
            .await?;
        // The zone is part of what a hook needs.
        self.forget_hooks();
        Ok(())
    }

    /// Changes when contacts may be written to; `None` is at any time. What waits for the old hours is
    /// looked at again at once.
    pub async fn change_hours(
        &self,
        tenant: TenantId,
        hours: Option<Hours>,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let changed = Tenant { hours, ..row };
        store
            .update_settings(changed, actor.clone(), self.now())
            .await?;
        Ok(())
    }
}

/// Settings that were read.
pub(super) struct TypedSettings {
    pub(super) name: String,
    pub(super) country: String,
    pub(super) zone: chrono_tz::Tz,
    pub(super) currency: String,
}

pub(super) fn read_settings(input: &SettingsInput) -> Result<TypedSettings, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, message: &str| problems.push(FieldProblem::new(field, message));
    let name = name::parse(&input.name);
    if let Err(problem) = name {
        refuse("name", &format!("type the company's name, {problem}"));
    }
    let country = CountryCode::parse(input.country.trim().to_uppercase().as_str()).ok();
    if country.is_none() {
        refuse("country", "type a country's two letters, such as GB");
    }
    let zone = input.zone.trim().parse::<chrono_tz::Tz>().ok();
    if zone.is_none() {
        refuse("zone", "type a time zone such as Europe/London");
    }
    let currency = Currency::parse(input.currency.trim().to_uppercase().as_str()).ok();
    if currency.is_none() {
        refuse("currency", "type a currency's three letters, such as GBP");
    }
    match (name, country, zone, currency) {
        (Ok(name), Some(country), Some(zone), Some(currency)) if problems.is_empty() => {
            Ok(TypedSettings {
                name: name.to_owned(),
                country: country.as_str().to_owned(),
                zone,
                currency: currency.code().to_owned(),
            })
        }
        _ => Err(problems),
    }
}
