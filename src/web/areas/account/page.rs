//! Pages before a tenant: sign in, the set-up of an empty instance, the tenant picker.

use askama::Template;

use crate::web::areas::entrance::page::PASSWORD_HELP;
use crate::web::chrome::{AccountChrome, monogram};
use crate::web::form::FormState;
use crate::web::ui::field::field;
use crate::web::ui::{filters, icon, notice};

/// `GET /sign-in`; posts `email` and `password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/sign_in.html")]
pub struct SignInPage {
    /// The token of the visit, for the form.
    pub csrf: String,
    pub form: FormState,
    /// Where the visitor wanted to go; a path of ours, already checked. May be empty.
    pub next: String,
    /// "You are signed out."
    pub flash: Option<crate::web::chrome::Flash>,
    /// Whether strangers may open an account.
    pub can_sign_up: bool,
}

/// `GET /setup` of an empty instance; posts `code`, `company`, `country`, `zone`, `currency`,
/// `email` and `password`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/new_instance.html")]
pub struct NewInstancePage {
    pub csrf: String,
    pub form: FormState,
}

/// `GET /tenants`: for people in several tenants, and for operators.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/tenants.html")]
pub struct TenantsPage {
    pub chrome: AccountChrome,
    pub tenants: Vec<TenantLine>,
    /// Whether the person may make another one here.
    pub can_make: bool,
}

/// `GET /tenants/new`; posts `company`, `country`, `zone` and `currency`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/new_company.html")]
pub struct NewCompanyPage {
    pub chrome: AccountChrome,
    pub form: FormState,
}

/// One tenant of the picker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantLine {
    pub name: String,
    pub slug: String,
    /// "Owner", or "Operator" where the person is no member.
    pub role: String,
    /// How many deliveries wait for a person.
    pub needs_you: u64,
}
