//! Team: inviting, roles, removing and leaving.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::accounts::throttle::Gate;
use crate::domain::ids::{InvitationId, UserId};
use crate::domain::user::{Ability, Role};
use crate::store::Teammate;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::team::page::{InvitationLine, MemberLine, RemovalPage, TeamPage};
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm, redirect};
use crate::web::form::FormState;

/// `GET /t/{tenant}/team`.
pub(in crate::web) async fn show(seat: Seat) -> Result<HttpResponse, PageError> {
    page(&seat, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/team/invitations`.
pub(in crate::web) async fn invite(
    posted: SeatForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::ManageTeam)?;
    // Each sends a letter to whom the sender likes. Companies count apart, or one could keep another
    // from inviting somebody.
    let (app, email) = (&seat.who.app, form.get("email"));
    let by = format!("{} {}", seat.tenant(), email.trim());
    entrance::handlers::admit(app, &request, Gate::Invite, &by).await?;
    entrance::handlers::admit(app, &request, Gate::Invited, email).await?;
    let role = Role::parse(form.get("role")).ok_or(PageError::Unreadable)?;
    let (tenant, actor, email) = (seat.tenant(), seat.actor(), form.get("email").to_owned());
    let sent = seat
        .ask(|app| async move { app.invite(tenant, &email, role, &actor).await })
        .await;
    match sent {
        Ok(()) => Ok(seat.lead("/team", Some(Told::Invited))),
        Err(PageError::App(error)) => {
            let mut state = form.state(&[]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&seat, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /t/{tenant}/team/invitations/{invitation}/revocation`.
pub(in crate::web) async fn revoke(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let seat = posted.seat;
    seat.require(Ability::ManageTeam)?;
    let id: InvitationId = seat.id("invitation")?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    seat.ask(|app| async move { app.revoke_invitation(tenant, id, &actor).await })
        .await?;
    Ok(seat.lead("/team", Some(Told::InvitationRevoked)))
}

/// `POST /t/{tenant}/team/{member}/role`.
pub(in crate::web) async fn role(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::ManageTeam)?;
    let id: UserId = seat.id("member")?;
    let role = Role::parse(form.get("role")).ok_or(PageError::Unreadable)?;
    let (tenant, actor) = (seat.tenant(), seat.actor());
    let changed = seat
        .ask(|app| async move { app.change_role(tenant, id, role, &actor).await })
        .await?;
    let told = if changed {
        Told::RoleChanged
    } else {
        Told::LastOwner
    };
    Ok(seat.lead("/team", Some(told)))
}

/// `GET /t/{tenant}/team/{member}/removal/new`.
pub(in crate::web) async fn ask_removal(seat: Seat) -> Result<HttpResponse, PageError> {
    let id = removable(&seat)?;
    let tenant = seat.tenant();
    let team = seat
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
        chrome: seat.chrome(Section::Team).await?,
        is_last_owner: member.role == Role::Owner && owners == 1,
        member: line(&seat, member),
    };
    seat.page(StatusCode::OK, &page)
}

/// `POST /t/{tenant}/team/{member}/removal`.
pub(in crate::web) async fn removal(posted: SeatForm) -> Result<HttpResponse, PageError> {
    let seat = posted.seat;
    let id = removable(&seat)?;
    let (tenant, actor, session) = (seat.tenant(), seat.actor(), seat.who.session.clone());
    let removed = seat
        .ask(|app| async move { app.remove_member(tenant, id, &session.user, &actor).await })
        .await?;
    if !removed {
        return Ok(seat.lead("/team", Some(Told::LastOwner)));
    }
    if id == seat.who.session.user.id {
        let told = Told::Left.cookie(seat.who.app.public_url());
        return Ok(redirect("/", Some(told)));
    }
    Ok(seat.lead("/team", Some(Told::MemberRemoved)))
}

/// Anybody may take themselves out of the team; for others it takes the ability.
fn removable(seat: &Seat) -> Result<UserId, PageError> {
    let id: UserId = seat.id("member")?;
    if id != seat.who.session.user.id {
        seat.require(Ability::ManageTeam)?;
    }
    Ok(id)
}

async fn page(seat: &Seat, status: StatusCode, form: FormState) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let team = seat
        .ask(|app| async move { app.team(tenant).await })
        .await?;
    let now = seat.who.app.now();
    let invitations = team.invitations.into_iter().map(|i| InvitationLine {
        id: i.id,
        email: i.email,
        role: i.role,
        invited_by: i.invited_by,
        expires_at: i.expires_at,
        is_over: i.expires_at <= now,
    });
    let page = TeamPage {
        chrome: seat.chrome(Section::Team).await?,
        members: team.members.into_iter().map(|m| line(seat, m)).collect(),
        invitations: invitations.collect(),
        form,
    };
    seat.page(status, &page)
}

fn line(seat: &Seat, of: Teammate) -> MemberLine {
    MemberLine {
        is_you: of.user == seat.who.session.user.id,
        id: of.user,
        name: of.name,
        email: of.email,
        role: of.role,
        seen_at: of.seen_at,
        has_second_factor: of.has_second_factor,
    }
}
