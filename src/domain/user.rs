//! Users and what their role lets them do.

use std::borrow::Cow;

use super::provider::Providers;

/// What a member may do in a tenant. Each role may do all that the ones after it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    strum::Display,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Role {
    /// Reads everything but secrets.
    Viewer,
    /// Also rules, replays and the stop switch.
    Editor,
    /// Also connections and settings.
    Admin,
    /// Also the team and the tenant itself.
    Owner,
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Editor, Self::Viewer];

    /// The stable text, as stored and typed on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The role as a word on a page.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Admin",
            Self::Editor => "Editor",
            Self::Viewer => "Viewer",
        }
    }

    /// Reads the stable text.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// What a role lets somebody do. This list and [`Ability::needs`] are the only place that says who
/// may do what: pages, API and docs all ask here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ability {
    /// See everything but secrets: history, rules, connections, suppressions, the team.
    View,
    /// Write, switch, order and delete rules.
    EditRules,
    /// Send or decide again, settle what is unknown, call off.
    Replay,
    /// Stop all sending, and let it go on.
    StopSending,
    /// Add and lift suppressions, and read replies off the list.
    Suppress,
    /// Lift what a person wished themselves, since they have allowed it anew.
    LiftWish,
    /// Keep groups of people, and switch these on and off.
    EditGroups,
    /// Connect, change and check Zoho Books and the providers of messages; make new secrets; keep senders.
    Connect,
    /// Change the company's name, country, zone, currency and hours, and how its e-mails look.
    ChangeSettings,
    /// End the rehearsal, so that contacts are written to; or begin it again.
    GoLive,
    /// Confirm one's own number, where rehearsals go.
    ConfirmNumber,
    /// Make and revoke API tokens.
    ManageTokens,
    /// Read who signed in and who changed what.
    ReadSecurityLog,
    /// Invite, change roles, and remove members.
    ManageTeam,
    /// Ask for other bank details, agree to them, call them off.
    ChangeBankDetails,
    /// Delete the company with all that it has.
    DeleteTenant,
}

impl Ability {
    /// Every ability, in the order of the docs' table.
    pub const ALL: [Self; 16] = [
        Self::View,
        Self::EditRules,
        Self::Replay,
        Self::StopSending,
        Self::Suppress,
        Self::LiftWish,
        Self::EditGroups,
        Self::Connect,
        Self::ChangeSettings,
        Self::GoLive,
        Self::ConfirmNumber,
        Self::ManageTokens,
        Self::ReadSecurityLog,
        Self::ManageTeam,
        Self::ChangeBankDetails,
        Self::DeleteTenant,
    ];

    /// What it is, as pages and docs say it, where messages go through these providers.
    pub fn label(self, providers: &Providers) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::View => "See history, rules, connections, team; no secrets",
            Self::EditRules => "Write, switch, order and delete rules",
            Self::Replay => "Send or decide again, resolve, cancel",
            Self::StopSending => "Stop all sending, and resume it",
            Self::Suppress => "Add and lift suppressions",
            Self::LiftWish => "Lift a STOP that its person has taken back",
            Self::EditGroups => "Keep groups, and switch their people on and off",
            Self::Connect => {
                let names = providers.names();
                return format!("Connect Zoho Books and {names}, make new secrets, keep senders")
                    .into();
            }
            Self::ChangeSettings => "Change the company's settings, hours and brand",
            Self::GoLive => "Go live, or back to rehearsal",
            Self::ConfirmNumber => "Confirm the number that rehearsals go to",
            Self::ManageTokens => "Make and revoke API tokens",
            Self::ReadSecurityLog => "Read the security log",
            Self::ManageTeam => "Invite, change roles, remove members",
            Self::ChangeBankDetails => "Change bank details, with a second factor",
            Self::DeleteTenant => "Delete the company",
        })
    }

    /// The least role that has it.
    pub const fn needs(self) -> Role {
        match self {
            Self::View => Role::Viewer,
            Self::EditRules
            | Self::Replay
            | Self::StopSending
            | Self::Suppress
            | Self::EditGroups => Role::Editor,
            Self::Connect
            | Self::ChangeSettings
            | Self::GoLive
            | Self::ManageTokens
            | Self::ReadSecurityLog => Role::Admin,
            Self::LiftWish
            | Self::ConfirmNumber
            | Self::ManageTeam
            | Self::ChangeBankDetails
            | Self::DeleteTenant => Role::Owner,
        }
    }
}

impl Role {
    /// Whether this role has an ability.
    pub fn may(self, ability: Ability) -> bool {
        self >= ability.needs()
    }
}
