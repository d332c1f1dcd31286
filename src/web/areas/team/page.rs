//! Team: who may open the company, what they may do, and who is invited.

use askama::Template;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::domain::ids::{InvitationId, UserId};
use crate::domain::user::{Ability, Role};
use crate::web::areas::entrance::page::PASSWORD_HELP;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::field::{self, Choice, field};
use crate::web::ui::tone::Tone;
use crate::web::ui::{badge, filters, icon, notice, time};

/// `GET /t/{tenant}/team`; posts `email` and `role` to `/team/invitations`, `role` to
/// `/team/{member}/role`, nothing to `/team/invitations/{invitation}/revocation`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/team/index.html")]
pub struct TeamPage {
    pub chrome: Chrome,
    pub members: Vec<MemberLine>,
    pub invitations: Vec<InvitationLine>,
    /// The invitation being written.
    pub form: FormState,
}

/// One person of the team.
#[derive(Debug, Clone)]
pub struct MemberLine {
    pub id: UserId,
    pub name: String,
    pub email: String,
    pub role: Role,
    pub seen_at: Option<DateTime<Utc>>,
    pub has_second_factor: bool,
    /// Whoever looks.
    pub is_you: bool,
}

/// One invitation.
#[derive(Debug, Clone)]
pub struct InvitationLine {
    pub id: InvitationId,
    pub email: String,
    pub role: Role,
    pub invited_by: String,
    pub expires_at: DateTime<Utc>,
    pub is_over: bool,
}

/// The roles as choices, the least powerful first, up to `most`.
pub fn roles(most: Role) -> Vec<Choice> {
    Role::ALL
        .into_iter()
        .rev()
        .filter(|role| *role <= most)
        .map(|role| Choice::new(role.as_str(), role.label()))
        .collect()
}

impl TeamPage {
    fn role(&self, of: &MemberLine) -> Markup {
        let action = self.chrome.path(&format!("/team/{}/role", of.id));
        let id = format!("role-{}", of.id);
        html! {
            @if self.chrome.may(Ability::ManageTeam) {
                form class="inline-form" method="post" action=(action) {
                    input type="hidden" name="csrf" value=(self.chrome.csrf);
                    select class="control" name="role" id=(id) aria-label={ "Role of " (of.name) } {
                        (field::options(&roles(Role::Owner), of.role.as_str()))
                    }
                    button class="button tight" aria-label={ "Save the role of " (of.name) } { "Save" }
                }
            } @else {
                (of.role.label())
            }
        }
    }

    fn second_factor(of: &MemberLine) -> Markup {
        if of.has_second_factor {
            badge::state(Tone::Ok, "On")
        } else {
            badge::state(Tone::Quiet, "Off")
        }
    }

    fn way_out(&self, of: &MemberLine) -> Markup {
        let to = self.chrome.path(&format!("/team/{}/removal/new", of.id));
        html! {
            @if of.is_you {
                a class="button quiet tight" href=(to) { "Leave" }
            } @else if self.chrome.may(Ability::ManageTeam) {
                a class="button quiet tight" href=(to) aria-label={ "Remove " (of.name) } { "Remove" }
            }
        }
    }

    fn revoke(&self, of: &InvitationLine) -> Markup {
        let action = self
            .chrome
            .path(&format!("/team/invitations/{}/revocation", of.id));
        html! {
            @if self.chrome.may(Ability::ManageTeam) {
                (act(&action, &self.chrome.csrf, if of.is_over { "Remove" } else { "Revoke" })
                    .class("button quiet tight").render())
            }
        }
    }
}

/// `GET /t/{tenant}/team/{member}/removal/new`; posts to `/team/{member}/removal`. For oneself it is
/// leaving.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/team/removal.html")]
pub struct RemovalPage {
    pub chrome: Chrome,
    pub member: MemberLine,
    /// Nobody else owns the company.
    pub is_last_owner: bool,
}

/// `GET /invitations/{token}`: posts nothing, or `name` and `password` of somebody new.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/account/invitation.html")]
pub struct InvitationPage {
    /// The session's token, or the visit's.
    pub csrf: String,
    /// The path of this page.
    pub path: String,
    pub company: String,
    pub invited_by: String,
    /// The invited address.
    pub email: String,
    pub role: Role,
    /// Until when it holds: "30 November".
    pub until: String,
    pub guest: Guest,
    pub form: FormState,
}

/// Who opens an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guest {
    /// Signed in with the invited address.
    Invited,
    /// Signed in with another one.
    SomebodyElse(String),
    /// Not signed in, and the invited address has an account. Where to sign in.
    HasAccount(String),
    /// The invited address has no account.
    New,
}

/// An invitation that was revoked, replaced or accepted, or is over.
#[derive(Debug, Clone, Copy, Template)]
#[template(path = "pages/account/invitation_gone.html")]
pub struct InvitationGonePage;
