//! Groups: people whom rules write to.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use super::people_lines;
use crate::app::groups::{GroupInput, MemberInput};
use crate::app::{AppError, FieldProblem};
use crate::domain::group::{Group, Member};
use crate::domain::ids::{GroupId, MemberId};
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::groups::page::{DeleteGroupPage, GroupPage, GroupsPage, MemberPage};
use crate::web::areas::rules;
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::Section;
use crate::web::extract::ability::{EditGroups, View};
use crate::web::extract::csrf_form::Form;
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest};
use crate::web::form::FormState;
use crate::web::ui::field::Choice;

/// `GET /t/{tenant}/groups?name=&ready=`: with a name to begin with, and the ready rule that wants the group.
pub(in crate::web) async fn list(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    let form = FormState::new()
        .with("name", request.asked("name"))
        .with("ready", request.asked("ready"));
    list_page(&request, StatusCode::OK, form).await
}

async fn list_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let groups = request.ask(move |app| async move { app.groups(tenant).await });
    let page = GroupsPage {
        groups: groups.await?,
        chrome: request.chrome(Section::Groups).await?,
        form,
    };
    request.page(status, &page)
}

/// `POST /t/{tenant}/groups`.
pub(in crate::web) async fn add(posted: TenantForm<EditGroups>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let input = GroupInput {
        name: form.get("name").to_owned(),
        members: people_lines::read(&form.text("people")),
    };
    let (tenant, actor) = (request.tenant(), request.actor());
    let added = request
        .ask(move |app| async move { app.add_group(tenant, &input, &actor).await })
        .await;
    let added = added.map_err(|error| at_their_lines(error, &form));
    match refused(added, &form, str::to_owned)? {
        Ok(group) => {
            // Back to the rule that wanted it.
            let to = match rules::ready::find(form.get("ready")) {
                Some(ready) => format!("/rules/new?ready={}", ready.key),
                None => format!("/groups/{}", group.id),
            };
            Ok(request.redirect_to(&to, Some(Told::GroupMade)))
        }
        Err(state) => list_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await,
    }
}

/// `GET /t/{tenant}/groups/{group}`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    group_page(&request, StatusCode::OK, FormState::new(), None).await
}

/// `POST /t/{tenant}/groups/{group}`: another name.
pub(in crate::web) async fn rename(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: GroupId = request.id("group")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let name = form.get("group_name").to_owned();
    let renamed = request
        .ask(move |app| async move { app.rename_group(tenant, id, &name, &actor).await })
        .await;
    match refused(renamed, &form, |_| "group_name".to_owned())? {
        Ok(_) => Ok(saved(&request, id, Told::GroupSaved)),
        Err(state) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            group_page(&request, status, FormState::new(), Some(state)).await
        }
    }
}

/// `POST /t/{tenant}/groups/{group}/members`.
pub(in crate::web) async fn add_member(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: GroupId = request.id("group")?;
    let typed = typed(&form, None);
    let (tenant, actor) = (request.tenant(), request.actor());
    let added = request
        .ask(move |app| async move { app.save_group_member(tenant, id, typed, &actor).await })
        .await;
    let is_of_team = !form.get("user").is_empty();
    let field = |field: &str| match field {
        // Its form has a single field.
        _ if is_of_team => "user".to_owned(),
        field => field.to_owned(),
    };
    match refused(added, &form, field)? {
        Ok(_) => Ok(saved(&request, id, Told::GroupMemberSaved)),
        Err(state) => group_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state, None).await,
    }
}

/// The problems of people, all at the field where they are typed.
fn at_their_lines(error: PageError, form: &Form) -> PageError {
    let PageError::App(AppError::Invalid(problems)) = error else {
        return error;
    };
    let typed = form.text("people");
    let (people, mut others): (Vec<_>, Vec<_>) = problems
        .into_iter()
        .partition(|problem| problem.field.starts_with("members"));
    let lines: Vec<String> = people
        .iter()
        .map(|problem| {
            people_lines::told(problem, &typed).unwrap_or_else(|| problem.message.clone())
        })
        .collect();
    if !lines.is_empty() {
        others.push(FieldProblem::new("people", lines.join(" ")));
    }
    PageError::App(AppError::Invalid(others))
}

fn typed(form: &Form, before: Option<&Member>) -> MemberInput {
    MemberInput {
        id: before.map(|m| m.id),
        user: form.get("user").to_owned(),
        name: form.get("name").to_owned(),
        phone: form.get("phone").to_owned(),
        email: form.get("email").to_owned(),
        is_on: before.is_none_or(|m| m.is_on),
    }
}

async fn group_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
    name: Option<FormState>,
) -> Result<HttpResponse, PageError> {
    let (id, tenant): (GroupId, _) = (request.id("group")?, request.tenant());
    let (group, team) = request
        .ask(move |app| async move {
            Ok((
                app.group(tenant, id).await?,
                app.team(tenant).await?.members,
            ))
        })
        .await?;
    let is_in = |user| group.members.iter().any(|m| m.user == Some(user));
    let team = team.iter().filter(|mate| !is_in(mate.user));
    let page = GroupPage {
        chrome: request.chrome(Section::Groups).await?,
        team: team
            .map(|mate| {
                Choice::new(
                    mate.user.to_string(),
                    format!("{}, {}", mate.name, mate.email),
                )
            })
            .collect(),
        name: name.unwrap_or_else(|| FormState::new().with("group_name", group.name.as_str())),
        group,
        form,
    };
    request.page(status, &page)
}

/// `GET /t/{tenant}/groups/{group}/members/{person}`.
pub(in crate::web) async fn edit_member(
    request: TenantRequest<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let (group, member) = member_of(&request).await?;
    let form = FormState::new()
        .with("name", member.name.as_str())
        .with("phone", member.phone.as_ref().map_or("", |p| p.as_str()))
        .with("email", member.email.as_ref().map_or("", |e| e.as_str()));
    member_page(&request, StatusCode::OK, (group, member), form).await
}

/// `POST /t/{tenant}/groups/{group}/members/{person}`.
pub(in crate::web) async fn save_member(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (group, member) = member_of(&request).await?;
    let (tenant, actor, id) = (request.tenant(), request.actor(), group.id);
    let typed = typed(&form, Some(&member));
    let saving = request
        .ask(move |app| async move { app.save_group_member(tenant, id, typed, &actor).await })
        .await;
    match refused(saving, &form, str::to_owned)? {
        Ok(_) => Ok(saved(&request, id, Told::GroupMemberSaved)),
        Err(state) => {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            member_page(&request, status, (group, member), state).await
        }
    }
}

/// The group and the typed person of the address; what is of the team is changed there.
async fn member_of(request: &TenantContext) -> Result<(Group, Member), PageError> {
    let (id, member): (GroupId, MemberId) = (request.id("group")?, request.id("person")?);
    let tenant = request.tenant();
    let group = request.ask(move |app| async move { app.group(tenant, id).await });
    let group = group.await?;
    let member = group.member(member).filter(|m| m.user.is_none()).cloned();
    Ok((group, member.ok_or(PageError::NotFound)?))
}

async fn member_page(
    request: &TenantContext,
    status: StatusCode,
    (group, member): (Group, Member),
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let page = MemberPage {
        chrome: request.chrome(Section::Groups).await?,
        group,
        member: member.id,
        name: member.name,
        form,
    };
    request.page(status, &page)
}

/// `POST /t/{tenant}/groups/{group}/members/{person}/activation`.
pub(in crate::web) async fn switch_member(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let who: (GroupId, MemberId) = (request.id("group")?, request.id("person")?);
    let is_on = form.get("on") == "1";
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(move |app| async move { app.switch_group_member(tenant, who, is_on, &actor).await })
        .await?;
    let told = if is_on {
        Told::GroupMemberOn
    } else {
        Told::GroupMemberOff
    };
    Ok(saved(&request, who.0, told))
}

/// `POST /t/{tenant}/groups/{group}/members/{person}/removal`.
pub(in crate::web) async fn remove_member(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, .. } = posted;
    let (id, member): (GroupId, MemberId) = (request.id("group")?, request.id("person")?);
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(move |app| async move { app.remove_group_member(tenant, id, member, &actor).await })
        .await?;
    Ok(saved(&request, id, Told::GroupMemberRemoved))
}

/// `GET /t/{tenant}/groups/{group}/deletion/new`.
pub(in crate::web) async fn ask_deletion(
    request: TenantRequest<EditGroups>,
) -> Result<HttpResponse, PageError> {
    deletion_page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/groups/{group}/deletion`.
pub(in crate::web) async fn delete(
    posted: TenantForm<EditGroups>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let (id, tenant): (GroupId, _) = (request.id("group")?, request.tenant());
    let group = request.ask(move |app| async move { app.group(tenant, id).await });
    if form.get("name") != group.await?.name {
        let mut state = form.state(&[]);
        state.refuse("name", "This is not its name. Type it as it stands here.");
        return deletion_page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await;
    }
    let actor = request.actor();
    let deleted = request
        .ask(move |app| async move { app.delete_group(tenant, id, &actor).await })
        .await;
    match refused(deleted, &form, str::to_owned)? {
        Ok(()) => Ok(request.redirect_to("/groups", Some(Told::GroupDeleted))),
        Err(state) => deletion_page(&request, StatusCode::CONFLICT, state).await,
    }
}

async fn deletion_page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let (id, tenant): (GroupId, _) = (request.id("group")?, request.tenant());
    let group = request.ask(move |app| async move { app.group(tenant, id).await });
    let page = DeleteGroupPage {
        group: group.await?,
        chrome: request.chrome(Section::Groups).await?,
        form,
    };
    request.page(status, &page)
}

fn saved(request: &TenantContext, group: GroupId, told: Told) -> HttpResponse {
    request.redirect_to(&format!("/groups/{group}"), Some(told))
}

/// What was refused, as the form shows it: each problem at its field, and what stands against it above.
pub(in crate::web) fn refused<T>(
    done: Result<T, PageError>,
    form: &Form,
    field: impl Fn(&str) -> String,
) -> Result<Result<T, FormState>, PageError> {
    let mut state = form.state(&["code"]);
    match done {
        Ok(done) => return Ok(Ok(done)),
        Err(PageError::App(AppError::Invalid(problems))) => {
            for problem in problems {
                state.refuse(field(&problem.field), sentence(&problem.message));
            }
        }
        Err(PageError::App(AppError::Conflict(why))) => state.refuse_all(sentence(&why)),
        Err(error) => return Err(error),
    }
    Ok(Err(state))
}
