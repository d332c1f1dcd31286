//! People and tenants.

use chrono::TimeDelta;
use secrecy::{ExposeSecret as _, SecretString};

use super::keys::HOOK_SECRET;
use super::{App, AppError, FieldProblem};
use crate::crypto::password::NewPassword;
use crate::crypto::token::{self, NewToken, SetupCode, TokenDigest};
use crate::domain::actor::Actor;
use crate::domain::hours::Hours;
use crate::domain::ids::{ConnectionId, TenantId, UserId};
use crate::domain::money::Currency;
use crate::domain::phone::CountryCode;
use crate::domain::tenant::{Tenant, slug_from_name};
use crate::domain::user::Role;
use crate::store::{Member, NewTenant, Session, StoreError, User};
use crate::zoho::secret::WebhookSecret;

/// How long a sign-in lasts.
const SESSION: TimeDelta = TimeDelta::days(14);

/// What is typed to make a tenant.
#[derive(Debug, Clone)]
pub struct TenantInput {
    pub name: String,
    pub owner_email: String,
    pub password: SecretString,
    pub country: String,
    pub zone: String,
    pub currency: String,
    /// Whether messages go to the owner instead of to contacts, until somebody goes live.
    pub is_rehearsal: bool,
    /// When contacts may be written to; `None` is at any time.
    pub hours: Option<Hours>,
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

impl App {
    /// The code that opens the set-up page while nobody can sign in: the same in every process on
    /// one database, and kept nowhere.
    pub fn setup_code(&self) -> Result<SetupCode, AppError> {
        let secret = self.parts.vault.derive("set-up code")?;
        Ok(SetupCode::derived(&secret))
    }

    /// Makes the first person of an empty instance, as an operator; `None` when somebody was faster,
    /// here or in another process.
    pub async fn create_first_operator(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<Option<UserId>, AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        let user = self.new_user(email, password, true).await?;
        let id = user.id;
        let platform = self.store().platform();
        let is_first = platform.create_first_user(user, self.now()).await?;
        Ok(is_first.then_some(id))
    }

    /// Makes a person who may see every tenant of this service.
    pub async fn create_operator(
        &self,
        email: &str,
        password: SecretString,
    ) -> Result<UserId, AppError> {
        let email = parse_email(email).map_err(|p| AppError::Invalid(vec![p]))?;
        let user = self.new_user(email, password, true).await?;
        let id = user.id;
        match self.store().platform().create_user(user, self.now()).await {
            Err(StoreError::Taken(_)) => Err(AppError::field(
                "email",
                "somebody with this e-mail address exists already",
            )),
            done => Ok(done.map(|()| id)?),
        }
    }

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
        let now = self.now();
        let id = TenantId::new(now);
        let zoho = ConnectionId::new(now);
        let secret = SecretString::from(WebhookSecret::generate().expose().to_owned());
        let sealed = self.seal(id, HOOK_SECRET, &secret)?;
        let hook_token = token::hook();
        let mut new = NewTenant {
            tenant: Tenant {
                id,
                slug: slug_from_name(&typed.name),
                name: typed.name,
                is_suspended: false,
                suspended_for: String::new(),
                country: typed.country,
                zone: typed.zone,
                currency: typed.currency,
                rule_set: 0,
                stopped: None,
                is_rehearsal: input.is_rehearsal,
                hours: input.hours,
                created_at: now,
            },
            owner: self.new_user(email, input.password, false).await?,
            zoho,
            hook_token: hook_token.clone(),
            hook_secret_id: sealed.id,
            hook_secret_sealed: sealed.sealed,
            actor: Actor::operator(),
        };
        let base = new.tenant.slug.clone();
        for number in 2..1000 {
            match self.store().platform().create_tenant(new.clone()).await {
                Ok(()) => {
                    return Ok(CreatedTenant {
                        id,
                        slug: new.tenant.slug,
                        hook_url: self.hook_url(&hook_token),
                        hook_secret: secret,
                    });
                }
                Err(StoreError::Taken(_)) => new.tenant.slug = format!("{base}-{number}"),
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::field(
            "name",
            "too many companies have this name; choose another",
        ))
    }

    /// Signs a person in; the cookie's text. A wrong password and an unknown address take as long
    /// and sound alike.
    pub async fn sign_in(
        &self,
        email: &str,
        password: SecretString,
        address: String,
        agent: String,
    ) -> Result<Option<SecretString>, AppError> {
        let platform = self.store().platform();
        let user = platform.user_by_email(&email.trim().to_lowercase()).await?;
        let hash = user.as_ref().map(|u| u.password_hash.clone());
        let is_right = self.parts.passwords.verify(password, hash).await?;
        let Some(user) = user.filter(|_| is_right) else {
            return Ok(None);
        };
        let NewToken { text, digest } = token::random();
        let now = self.now();
        let csrf = token::csrf(&text);
        let session = Session {
            user,
            csrf,
            seen_at: now,
            expires_at: now + SESSION,
        };
        platform
            .create_session(*digest.as_bytes(), session, address, agent)
            .await?;
        Ok(Some(text))
    }

    /// The session behind a cookie.
    pub async fn session(&self, cookie: &str) -> Result<Option<Session>, AppError> {
        let digest = TokenDigest::of(cookie);
        Ok(self
            .store()
            .platform()
            .session(*digest.as_bytes(), self.now())
            .await?)
    }

    /// Ends a session.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), AppError> {
        let digest = TokenDigest::of(cookie);
        Ok(self
            .store()
            .platform()
            .end_session(*digest.as_bytes(), self.now())
            .await?)
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

    /// Changes a tenant's name, country, zone and currency.
    pub async fn change_settings(
        &self,
        tenant: TenantId,
        input: &SettingsInput,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let typed = read_settings(input).map_err(AppError::Invalid)?;
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let changed = Tenant {
            name: typed.name,
            country: typed.country,
            zone: typed.zone,
            currency: typed.currency,
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

    async fn new_user(
        &self,
        email: String,
        password: SecretString,
        is_operator: bool,
    ) -> Result<User, AppError> {
        let password = NewPassword::parse(SecretString::from(
            password
                .expose_secret()
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
        ))
        .map_err(|e| AppError::field("password", e.to_string()))?;
        let password_hash = self.parts.passwords.hash(password).await?;
        let name = email.split('@').next().unwrap_or_default().to_owned();
        Ok(User {
            id: UserId::new(self.now()),
            email,
            name,
            password_hash,
            is_operator,
            phone: None,
        })
    }
}

struct TypedSettings {
    name: String,
    country: String,
    zone: chrono_tz::Tz,
    currency: String,
}

fn read_settings(input: &SettingsInput) -> Result<TypedSettings, Vec<FieldProblem>> {
    let mut problems = Vec::new();
    let mut refuse = |field: &str, message: &str| problems.push(FieldProblem::new(field, message));
    let name = input.name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        refuse("name", "type the company's name, at most 100 characters");
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
    match (country, zone, currency) {
        (Some(country), Some(zone), Some(currency)) if problems.is_empty() => Ok(TypedSettings {
            name: name.to_owned(),
            country: country.as_str().to_owned(),
            zone,
            currency: currency.code().to_owned(),
        }),
        _ => Err(problems),
    }
}

/// An address that could be one: the mail server has the last word.
pub(super) fn parse_email(text: &str) -> Result<String, FieldProblem> {
    let email = text.trim().to_lowercase();
    let shape = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
    });
    let plain = email.len() <= 254 && email.chars().all(|c| !c.is_whitespace() && !c.is_control());
    if shape && plain && email.matches('@').count() == 1 {
        Ok(email)
    } else {
        Err(FieldProblem::new(
            "email",
            "type an e-mail address such as ann@example.com",
        ))
    }
}
