//! Groups: people whom rules write to.

use askama::Template;
use maud::{Markup, html};

use crate::domain::group::{Group, Member};
use crate::domain::ids::MemberId;
use crate::domain::user::Ability;
use crate::web::chrome::Chrome;
use crate::web::form::FormState;
use crate::web::ui::confirm::act;
use crate::web::ui::empty::{Drawing, empty};
use crate::web::ui::field::{Choice, field};
use crate::web::ui::{badge, filters, icon, notice, tone::Tone};

/// `GET /t/{tenant}/groups`; posts `name` and `people` (one a line) there.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/groups/index.html")]
pub struct GroupsPage {
    pub chrome: Chrome,
    pub groups: Vec<Group>,
    pub form: FormState,
}

impl GroupsPage {
    fn nobody() -> Markup {
        empty(
            Drawing::Fork,
            "No groups yet",
            "Make one such as Finance, Collections or Approvers, add its people, and rules can write to \
             all of them at once.",
            None,
        )
    }
}

/// "3 people", "1 person, off", "3 people, 1 of them off", "nobody yet".
fn people(of: &Group) -> Markup {
    let (all, off) = (of.members.len(), of.members.len() - of.on());
    html! {
        @match (all, off) {
            (0, _) => { (badge::state(Tone::Needs, "Nobody yet")) }
            (_, off) if off == all => { (badge::state(Tone::Needs, "Nobody is on")) }
            (1, _) => { "1 person" }
            (n, 0) => { (n) " people" }
            (n, off) => { (n) " people, " (off) " of them off" }
        }
    }
}

/// The first few names.
fn names(of: &Group) -> String {
    const SHOWN: usize = 4;
    let mut names: Vec<&str> = of.members.iter().map(|m| m.name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    names.truncate(SHOWN);
    let names = names.join(", ");
    if more == 0 {
        names
    } else {
        format!("{names} and {more} more")
    }
}

/// `GET /t/{tenant}/groups/{group}`; posts `name` there; `name`, `phone`, `email`, or `user`, to `…/members`;
/// nothing to `…/members/{person}/removal`, and `on` to `…/activation`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/groups/group.html")]
pub struct GroupPage {
    pub chrome: Chrome,
    pub group: Group,
    /// Who of the team is not in it yet.
    pub team: Vec<Choice>,
    /// Somebody who is being added.
    pub form: FormState,
    /// Its new name.
    pub name: FormState,
}

impl GroupPage {
    fn at(&self, below: &str) -> String {
        self.chrome
            .path(&format!("/groups/{}{below}", self.group.id))
    }

    fn may(&self) -> bool {
        self.chrome.may(Ability::EditGroups)
    }

    fn switch(&self, of: &Member) -> Markup {
        let action = self.at(&format!("/members/{}/activation", of.id));
        let word = format!("Messages of this group to {}", of.name);
        let to = if of.is_on { "0" } else { "1" };
        html! {
            @if self.may() {
                (act(&action, &self.chrome.csrf, &word).hidden(&[("on", to)]).render_switch(of.is_on))
            } @else if of.is_on {
                (badge::state(Tone::Ok, "On"))
            } @else {
                (badge::state(Tone::Quiet, "Off"))
            }
        }
    }

    fn actions(&self, of: &Member) -> Markup {
        let own = self.at(&format!("/members/{}", of.id));
        let removal = format!("{own}/removal");
        html! {
            @if self.may() {
                span class="button-row cell-buttons" {
                    @if of.user.is_none() {
                        a class="button quiet tight" href=(own) aria-label={ "Change " (of.name) } { "Change" }
                    }
                    form method="post" action=(removal) {
                        input type="hidden" name="csrf" value=(self.chrome.csrf);
                        button class="button quiet tight" aria-label={ "Remove " (of.name) } { "Remove" }
                    }
                }
            }
        }
    }

    fn lacks(of: &Member, what: &str) -> Markup {
        html! {
            span class="muted" {
                @if of.user.is_some() && what == "number" { "no confirmed number" }
                @else { "no " (what) }
            }
        }
    }
}

/// `GET /t/{tenant}/groups/{group}/members/{person}`; posts `name`, `phone` and `email` there.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/groups/member.html")]
pub struct MemberPage {
    pub chrome: Chrome,
    pub group: Group,
    pub member: MemberId,
    pub name: String,
    pub form: FormState,
}

/// `GET /t/{tenant}/groups/{group}/deletion/new`; posts to `…/deletion`.
#[derive(Debug, Clone, Template)]
#[template(path = "pages/groups/delete.html")]
pub struct DeleteGroupPage {
    pub chrome: Chrome,
    pub group: Group,
    pub form: FormState,
}
