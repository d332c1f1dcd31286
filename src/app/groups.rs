//! Groups: people whom rules write to, typed or of the team, each on or off.

use super::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::address::{Email, Phone};
use crate::domain::group::{Group, MOST_GROUPS, MOST_MEMBERS, Member, first_double};
use crate::domain::ids::{GroupId, MemberId, TenantId, UserId};
use crate::domain::name;
use crate::domain::phone::{CountryCode, to_e164};
use crate::store::{MessageEdit, Teammate};

/// What is typed of a group.
#[derive(Debug, Clone, Default)]
pub struct GroupInput {
    pub name: String,
    pub members: Vec<MemberInput>,
}

/// What is typed of one of its people.
#[derive(Debug, Clone)]
pub struct MemberInput {
    /// Of one who is in the group already.
    pub id: Option<MemberId>,
    /// Somebody of the team, whose name, number and address are not typed; may be empty.
    pub user: String,
    pub name: String,
    pub phone: String,
    pub email: String,
    pub is_on: bool,
}

impl Default for MemberInput {
    fn default() -> Self {
        Self {
            id: None,
            user: String::new(),
            name: String::new(),
            phone: String::new(),
            email: String::new(),
            is_on: true,
        }
    }
}

impl MemberInput {
    /// What would be typed to leave somebody as they are.
    fn unchanged(member: &Member) -> Self {
        let is_typed = member.user.is_none();
        let typed = |text: Option<&str>| {
            let text = text.filter(|_| is_typed);
            text.unwrap_or_default().to_owned()
        };
        Self {
            id: Some(member.id),
            user: member.user.map(|u| u.to_string()).unwrap_or_default(),
            name: typed(Some(&member.name)),
            phone: typed(member.phone.as_ref().map(Phone::as_str)),
            email: typed(member.email.as_ref().map(Email::as_str)),
            is_on: member.is_on,
        }
    }
}

impl App {
    /// Every group, the oldest first.
    pub async fn groups(&self, tenant: TenantId) -> Result<Vec<Group>, AppError> {
        Ok(self.tenant(tenant).groups().await?)
    }

    /// One group.
    pub async fn group(&self, tenant: TenantId, id: GroupId) -> Result<Group, AppError> {
        let found = self.tenant(tenant).group(id).await?;
        found.ok_or(AppError::NotFound("group"))
    }

    /// Adds a group.
    pub async fn add_group(
        &self,
        tenant: TenantId,
        input: &GroupInput,
        actor: &Actor,
    ) -> Result<Group, AppError> {
        let id = GroupId::new(self.now());
        let mut group = self.read_group(tenant, id, input).await?;
        for member in &mut group.members {
            // Nobody is in it yet: an id that was typed is another's.
            member.id = MemberId::new(self.now());
        }
        let store = self.tenant(tenant);
        done(store.add_group(group, actor.clone(), self.now()).await?)?;
        self.group(tenant, id).await
    }

    /// Gives a group another name and other people.
    pub async fn change_group(
        &self,
        tenant: TenantId,
        id: GroupId,
        input: &GroupInput,
        actor: &Actor,
    ) -> Result<Group, AppError> {
        self.group(tenant, id).await?;
        let group = self.read_group(tenant, id, input).await?;
        let store = self.tenant(tenant);
        let edit = store.change_group(group, actor.clone(), self.now());
        done(edit.await?)?;
        self.group(tenant, id).await
    }

    /// Gives a group another name.
    pub async fn rename_group(
        &self,
        tenant: TenantId,
        id: GroupId,
        name: &str,
        actor: &Actor,
    ) -> Result<Group, AppError> {
        let input = GroupInput {
            name: name.to_owned(),
            ..unchanged(&self.group(tenant, id).await?)
        };
        self.change_group(tenant, id, &input, actor).await
    }

    /// Adds somebody to a group, or changes one of its people. Problems name the fields of the one.
    pub async fn save_group_member(
        &self,
        tenant: TenantId,
        id: GroupId,
        typed: MemberInput,
        actor: &Actor,
    ) -> Result<Group, AppError> {
        let mut input = unchanged(&self.group(tenant, id).await?);
        let at = match typed.id {
            None => {
                input.members.push(typed);
                input.members.len() - 1
            }
            Some(member) => {
                let at = input.members.iter().position(|m| m.id == Some(member));
                let at = at.ok_or(AppError::NotFound("group member"))?;
                input.members[at] = typed;
                at
            }
        };
        let changed = self.change_group(tenant, id, &input, actor).await;
        changed.map_err(|error| of_one(error, at))
    }

    /// Takes somebody out of a group.
    pub async fn remove_group_member(
        &self,
        tenant: TenantId,
        id: GroupId,
        member: MemberId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let mut input = unchanged(&self.group(tenant, id).await?);
        let before = input.members.len();
        input.members.retain(|m| m.id != Some(member));
        if input.members.len() == before {
            return Err(AppError::NotFound("group member"));
        }
        let changed = self.change_group(tenant, id, &input, actor).await;
        changed.map(drop)
    }

    /// Switches one of the people of a group on or off.
    pub async fn switch_group_member(
        &self,
        tenant: TenantId,
        who: (GroupId, MemberId),
        is_on: bool,
        actor: &Actor,
    ) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let edit = store.switch_group_member(who, is_on, actor.clone(), self.now());
        done(edit.await?)
    }

    /// Takes a group away to which no rule writes.
    pub async fn delete_group(
        &self,
        tenant: TenantId,
        id: GroupId,
        actor: &Actor,
    ) -> Result<(), AppError> {
        self.group(tenant, id).await?;
        if let Some(rule) = self.rule_that_names(tenant, &id.to_string()).await? {
            return Err(AppError::Conflict(format!(
                "The rule “{rule}” writes to it; choose another recipient there first"
            )));
        }
        let store = self.tenant(tenant);
        done(store.delete_group(id, actor.clone(), self.now()).await?)
    }

    async fn read_group(
        &self,
        tenant: TenantId,
        id: GroupId,
        input: &GroupInput,
    ) -> Result<Group, AppError> {
        let store = self.tenant(tenant);
        let row = store.tenant().await?.ok_or(AppError::NotFound("tenant"))?;
        let country = CountryCode::parse(&row.country).ok();
        let names_team = input.members.iter().any(|m| !m.user.trim().is_empty());
        let team = if names_team {
            store.team().await?
        } else {
            Vec::new()
        };
        let mut problems = Vec::new();
        let name = input.name.trim();
        if let Err(problem) = name::parse(name) {
            problems.push(FieldProblem::new("name", format!("type a name, {problem}")));
        }
        if input.members.len() > MOST_MEMBERS {
            let message = format!("at most {MOST_MEMBERS} people; make a second group");
            problems.push(FieldProblem::new("members", message));
        }
        let mut members = Vec::new();
        for (n, typed) in input.members.iter().take(MOST_MEMBERS).enumerate() {
            let new_id = MemberId::new(self.now());
            match read_member(typed, new_id, &team, country) {
                Ok(member) => members.push(member),
                Err(found) => problems.extend(found.into_iter().map(|problem| FieldProblem {
                    field: member_field(n, &problem.field),
                    ..problem
                })),
            }
        }
        if problems.is_empty()
            && let Some(n) = first_double(&members)
        {
            let message = "is in the group already: nobody is told twice";
            problems.push(FieldProblem::new(member_field(n, "name"), message));
        }
        if !problems.is_empty() {
            return Err(AppError::Invalid(problems));
        }
        Ok(Group {
            id,
            name: name.to_owned(),
            members,
            created_at: self.now(),
        })
    }
}

fn unchanged(group: &Group) -> GroupInput {
    GroupInput {
        name: group.name.clone(),
        members: group.members.iter().map(MemberInput::unchanged).collect(),
    }
}

fn read_member(
    typed: &MemberInput,
    new_id: MemberId,
    team: &[Teammate],
    country: Option<CountryCode>,
) -> Result<Member, Vec<FieldProblem>> {
    let id = typed.id.unwrap_or(new_id);
    let user = typed.user.trim();
    if !user.is_empty() {
        let id_of_user = user.parse::<UserId>().ok();
        let mate = team.iter().find(|mate| Some(mate.user) == id_of_user);
        let message = "is not in the team; choose somebody who is, or type name and address";
        let mate = mate.ok_or_else(|| vec![FieldProblem::new("user", message)])?;
        return Ok(Member {
            id,
            user: Some(mate.user),
            name: mate.name.clone(),
            phone: None,
            email: Email::parse(&mate.email).ok(),
            is_on: typed.is_on,
        });
    }
    let mut problems = Vec::new();
    let name = typed.name.trim();
    if let Err(problem) = name::parse(name) {
        problems.push(FieldProblem::new("name", format!("type a name, {problem}")));
    }
    let (phone, email) = (typed.phone.trim(), typed.email.trim());
    let number = (!phone.is_empty()).then(|| to_e164(phone, country));
    let number = number.transpose().unwrap_or_else(|problem| {
        problems.push(FieldProblem::new("phone", format!("this number {problem}")));
        None
    });
    let address = (!email.is_empty()).then(|| Email::parse(email));
    let address = address.transpose().unwrap_or_else(|problem| {
        problems.push(FieldProblem::new("email", format!("this {problem}")));
        None
    });
    if phone.is_empty() && email.is_empty() {
        let message = "type a number, an e-mail address, or both";
        problems.push(FieldProblem::new("phone", message));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Member {
        id,
        user: None,
        name: name.to_owned(),
        phone: number,
        email: address,
        is_on: typed.is_on,
    })
}

fn member_field(n: usize, field: &str) -> String {
    format!("members.{n}.{field}")
}

/// The problems of one of the people, by the names of its own fields.
fn of_one(error: AppError, at: usize) -> AppError {
    let AppError::Invalid(problems) = error else {
        return error;
    };
    let prefix = member_field(at, "");
    let problems = problems.into_iter().map(|problem| {
        let own = problem.field.strip_prefix(&prefix).map(str::to_owned);
        FieldProblem {
            field: own.unwrap_or(problem.field),
            ..problem
        }
    });
    AppError::Invalid(problems.collect())
}

fn done(edit: MessageEdit) -> Result<(), AppError> {
    match edit {
        MessageEdit::Done => Ok(()),
        MessageEdit::Gone => Err(AppError::NotFound("group")),
        MessageEdit::Taken => Err(AppError::field(
            "name",
            "there is a group of this name already",
        )),
        MessageEdit::TooMany => Err(AppError::field(
            "name",
            format!(
                "there are {MOST_GROUPS} groups, as many as a company may have; delete one that is no \
                 longer needed"
            ),
        )),
        MessageEdit::TooOften => Err(AppError::Conflict(
            "Groups were changed 1,000 times within a day, as often as they may; try again tomorrow. \
             Switching off and deleting still work"
                .to_owned(),
        )),
    }
}
