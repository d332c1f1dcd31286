//! What every page of a tenant needs: who looks, at which tenant, and what hangs over it; and what
//! the pages of somebody who is signed in but in no tenant need.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use maud::Markup;

use crate::domain::provider::Providers;
use crate::domain::user::{Ability, Role};
use crate::web::ui::icon;
use crate::web::ui::time::Moment;

/// The frame around a tenant's page.
#[derive(Debug, Clone)]
pub struct Chrome {
    /// The tenant's name, as its people write it.
    pub tenant_name: String,
    /// The tenant in addresses: `/t/{slug}/…`.
    pub slug: String,
    /// The signed-in person.
    pub user_name: String,
    pub role: Role,
    /// Whether the tenant picker has more than this tenant to offer.
    pub can_switch: bool,
    /// The person's own companies, for the switcher.
    pub companies: Vec<CompanyLink>,
    /// The session's CSRF token, for every form.
    pub csrf: String,
    /// The place in the rail.
    pub section: Section,
    /// What the last action did, told once.
    pub flash: Option<Flash>,
    pub banners: Vec<Banner>,
    /// How many deliveries wait for a person; 0 shows nothing.
    pub needs_you: u64,
    /// How the providers of messages are called.
    pub providers: Providers,
    /// The tenant's zone.
    pub zone: Tz,
    /// The instant of the request.
    pub now: DateTime<Utc>,
}

/// A company to switch to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompanyLink {
    pub name: String,
    pub slug: String,
    pub role: Role,
}

/// A place in the rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    Overview,
    History,
    Rules,
    Connections,
    Groups,
    Suppressions,
    Team,
    Settings,
}

impl Section {
    /// Every place, in the rail's order.
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::History,
        Self::Rules,
        Self::Connections,
        Self::Groups,
        Self::Suppressions,
        Self::Team,
        Self::Settings,
    ];

    /// The word in the rail.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::History => "History",
            Self::Rules => "Rules",
            Self::Connections => "Connections",
            Self::Groups => "Groups",
            Self::Suppressions => "Suppressions",
            Self::Team => "Team",
            Self::Settings => "Settings",
        }
    }

    /// The path below the tenant.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::History => "/history",
            Self::Rules => "/rules",
            Self::Connections => "/connections",
            Self::Groups => "/groups",
            Self::Suppressions => "/suppressions",
            Self::Team => "/team",
            Self::Settings => "/settings",
        }
    }

    /// Its drawing in the rail.
    pub fn icon(self) -> Markup {
        match self {
            Self::Overview => icon::overview(),
            Self::History => icon::history(),
            Self::Rules => icon::rules(),
            Self::Connections => icon::connections(),
            Self::Groups => icon::groups(),
            Self::Suppressions => icon::suppressions(),
            Self::Team => icon::team(),
            Self::Settings => icon::settings(),
        }
    }
}

/// What an action did, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    pub kind: FlashKind,
    pub sentence: String,
}

/// How a flash looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashKind {
    Done,
    Refused,
}

/// What hangs over the whole tenant, always with the way out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Banner {
    /// The providers are the sandbox: nobody is written to.
    Sandbox,
    /// The operator suspended the tenant.
    Suspended {
        /// Why, in the operator's words.
        why: String,
    },
    /// Messages go to the owner instead of to contacts.
    Rehearsal {
        /// Where they go, shortened; none while no owner has confirmed a number.
        to: Option<String>,
    },
    /// The stop switch is thrown.
    Stopped {
        /// Who threw it, when known.
        by: Option<String>,
        at: DateTime<Utc>,
    },
}

impl Chrome {
    /// A path below the tenant: `path("/rules")` is `/t/acme/rules`.
    pub fn path(&self, below: &str) -> String {
        format!("/t/{}{below}", self.slug)
    }

    /// How instants are shown on this page.
    pub fn moment(&self) -> Moment {
        Moment {
            zone: self.zone,
            now: self.now,
        }
    }

    /// Whether the person's role has an ability.
    pub fn may(&self, ability: Ability) -> bool {
        self.role.may(ability)
    }

    /// Whether all sending is stopped.
    pub fn is_stopped(&self) -> bool {
        self.banners
            .iter()
            .any(|b| matches!(b, Banner::Stopped { .. }))
    }

    /// The first letter of the tenant's name.
    pub fn monogram(&self) -> String {
        monogram(&self.tenant_name)
    }

    /// The role, as a word on the page.
    pub const fn role_words(&self) -> &'static str {
        self.role.label()
    }
}

/// The frame around a page of somebody who is signed in, outside any tenant.
#[derive(Debug, Clone)]
pub struct AccountChrome {
    pub user_name: String,
    /// With which they sign in.
    pub email: String,
    /// Whether the operator's pages are theirs.
    pub is_operator: bool,
    /// The session's CSRF token, for every form.
    pub csrf: String,
    /// The place in the top bar.
    pub section: Place,
    /// What the last action did, told once.
    pub flash: Option<Flash>,
    /// The providers are the sandbox.
    pub is_sandboxed: bool,
    /// How the providers of messages are called.
    pub providers: Providers,
    /// The instant of the request.
    pub now: DateTime<Utc>,
}

/// A place in the top bar of the pages outside a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Companies,
    Account,
    Operator,
}

impl Place {
    /// The word in the bar.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Companies => "Companies",
            Self::Account => "Account",
            Self::Operator => "Operator",
        }
    }

    /// Where it leads.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Companies => "/tenants",
            Self::Account => "/account",
            Self::Operator => "/operator",
        }
    }
}

impl AccountChrome {
    /// The places that this person may go to.
    pub const fn places(&self) -> &'static [Place] {
        if self.is_operator {
            &[Place::Companies, Place::Account, Place::Operator]
        } else {
            &[Place::Companies, Place::Account]
        }
    }

    /// How instants are shown: in UTC, since a person has no zone of their own.
    pub const fn moment(&self) -> Moment {
        Moment {
            zone: Tz::UTC,
            now: self.now,
        }
    }
}

/// The first letter or digit of a name, upper case.
pub fn monogram(name: &str) -> String {
    name.chars()
        .find(|c| c.is_alphanumeric())
        .map_or_else(|| "·".to_owned(), |c| c.to_uppercase().collect())
}
