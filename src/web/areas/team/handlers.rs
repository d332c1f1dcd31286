//! Team: inviting, roles, removing and leaving.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;

use crate::app::accounts::throttle::Gate;
use crate::app::team::Teammate;
use crate::domain::ids::{InvitationId, UserId};
use crate::domain::user::{Ability, Role};
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::team::page::{InvitationLine, MemberLine, RemovalPage, TeamPage};
use crate::web::chrome::Section;
use crate::web::extract::ability::{ManageTeam, View};
use crate::web::extract::tenant::{TenantContext, TenantForm, TenantRequest, redirect};
use crate::web::form::FormState;

/// `GET /t/{tenant}/team`.
pub(in crate::web) async fn show(request: TenantRequest<View>) -> Result<HttpResponse, PageError> {
    page(&request, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/team/invitations`.
pub(in crate::web) async fn invite(
    posted: TenantForm<ManageTeam>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    // Each sends a letter to whom the sender likes. Companies count apart, or one could keep another
    // from inviting somebody.
    let (app, email) = (&request.who.app, form.get("email"));
    let by = format!("{} {}", request.tenant(), email.trim());
    entrance::handlers::admit(app, request.http(), Gate::Invite, &by).await?;
    entrance::handlers::admit(app, request.http(), Gate::Invited, email).await?;
    let role = Role::parse(form.get("role")).ok_or(PageError::Unreadable)?;
    let (tenant, actor, email) = (
        request.tenant(),
        request.actor(),
        form.get("email").to_owned(),
    );
    let sent = request
        .ask(|app| async move { app.invite(tenant, &email, role, &actor).await })
        .await;
    match sent {
        Ok(()) => Ok(request.redirect_to("/team", Some(Told::Invited))),
        Err(PageError::App(error)) => {
            let mut state = form.state(&[]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&request, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/team/invitations/{invitation}/revocation`.
pub(in crate::web) async fn revoke(
    posted: TenantForm<ManageTeam>,
) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id: InvitationId = request.id("invitation")?;
    let (tenant, actor) = (request.tenant(), request.actor());
    request
        .ask(|app| async move { app.revoke_invitation(tenant, id, &actor).await })
        .await?;
    Ok(request.redirect_to("/team", Some(Told::InvitationRevoked)))
}

/// `POST /t/{tenant}/team/{member}/role`.
pub(in crate::web) async fn role(
    posted: TenantForm<ManageTeam>,
) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let id: UserId = request.id("member")?;
    let role = Role::parse(form.get("role")).ok_or(PageError::Unreadable)?;
    let (tenant, actor) = (request.tenant(), request.actor());
    let changed = request
        .ask(|app| async move { app.change_role(tenant, id, role, &actor).await })
        .await?;
    let told = if changed {
        Told::RoleChanged
    } else {
        Told::LastOwner
    };
    Ok(request.redirect_to("/team", Some(told)))
}

/// `GET /t/{tenant}/team/{member}/removal/new`.
pub(in crate::web) async fn ask_removal(
    request: TenantRequest<View>,
) -> Result<HttpResponse, PageError> {
    let id = removable(&request)?;
    let tenant = request.tenant();
    let team = request
        .ask(|app| async move { app.team(tenant).await })
        .await?;
    let owners = team
        .members
        .iter()
        .filter(|m| m.role == Role::Owner)
        .count();
    let member = team.members.into_iter().find(|m| m.user == id);
    let member = member.ok_or(PageError::NotFound)?;
    let page = RemovalPage {
        chrome: request.chrome(Section::Team).await?,
        is_last_owner: member.role == Role::Owner && owners == 1,
        member: line(&request, member),
    };
    request.page(StatusCode::OK, &page)
}

/// `POST /t/{tenant}/team/{member}/removal`.
pub(in crate::web) async fn removal(posted: TenantForm<View>) -> Result<HttpResponse, PageError> {
    let request = posted.request;
    let id = removable(&request)?;
    let (tenant, actor, session) = (
        request.tenant(),
        request.actor(),
        request.who.session.clone(),
    );
    let removed = request
        .ask(|app| async move { app.remove_member(tenant, id, &session.user, &actor).await })
        .await?;
    if !removed {
        return Ok(request.redirect_to("/team", Some(Told::LastOwner)));
    }
    if id == request.who.session.user.id {
        let told = Told::Left.cookie(request.who.app.public_url());
        return Ok(redirect("/", Some(told)));
    }
    Ok(request.redirect_to("/team", Some(Told::MemberRemoved)))
}

/// Anybody may take themselves out of the team; for others it takes the ability.
fn removable(request: &TenantContext) -> Result<UserId, PageError> {
    let id: UserId = request.id("member")?;
    let is_own = id == request.who.session.user.id;
    if !is_own && !request.may(Ability::ManageTeam) {
        return Err(PageError::Role);
    }
    Ok(id)
}

async fn page(
    request: &TenantContext,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = request.tenant();
    let team = request
        .ask(|app| async move { app.team(tenant).await })
        .await?;
    let now = request.who.app.now();
    let invitations = team.invitations.into_iter().map(|i| InvitationLine {
        id: i.id,
        email: i.email,
        role: i.role,
        invited_by: i.invited_by,
        expires_at: i.expires_at,
        is_over: i.expires_at <= now,
    });
    let page = TeamPage {
        chrome: request.chrome(Section::Team).await?,
        members: team.members.into_iter().map(|m| line(request, m)).collect(),
        invitations: invitations.collect(),
        form,
    };
    request.page(status, &page)
}

fn line(request: &TenantContext, of: Teammate) -> MemberLine {
    MemberLine {
        is_you: of.user == request.who.session.user.id,
        id: of.user,
        name: of.name,
        email: of.email,
        role: of.role,
        seen_at: of.seen_at,
        has_second_factor: of.has_second_factor,
    }
}
