//! Deleting a company: its name typed, the password asked again.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::accounts::throttle::Gate;
use crate::domain::user::Ability;
use crate::web::areas::entrance;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::security::page::DeletionPage;
use crate::web::chrome::Section;
use crate::web::extract::tenant::{Seat, SeatForm, redirect};
use crate::web::form::FormState;

/// `GET /t/{tenant}/deletion/new`.
pub(in crate::web) async fn ask(seat: Seat) -> Result<HttpResponse, PageError> {
    seat.require(Ability::DeleteTenant)?;
    page(&seat, StatusCode::OK, FormState::new()).await
}

/// `POST /t/{tenant}/deletion`.
pub(in crate::web) async fn delete(
    posted: SeatForm,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let SeatForm { seat, form } = posted;
    seat.require(Ability::DeleteTenant)?;
    let app = seat.who.app.clone();
    let account = seat.who.session.user.id.to_string();
    entrance::handlers::admit(&app, &request, Gate::Own, &account).await?;
    let password = entrance::handlers::secret(&form, "password");
    let (tenant, actor, name) = (seat.tenant(), seat.actor(), form.get("name").to_owned());
    let session = seat.who.session.clone();
    let deleted = seat
        .ask(|app| async move {
            app.delete_tenant(tenant, &name, &session.user, password, &actor)
                .await
        })
        .await;
    match deleted {
        Ok(()) => Ok(redirect("/", Some(Told::Deleted.cookie(app.public_url())))),
        Err(PageError::App(error)) => {
            let mut state = form.state(&["password"]);
            entrance::handlers::refuse(error, &mut state)?;
            page(&seat, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

async fn page(seat: &Seat, status: StatusCode, form: FormState) -> Result<HttpResponse, PageError> {
    let tenant = seat.tenant();
    let holdings = seat
        .ask(|app| async move { app.holdings(tenant).await })
        .await?;
    let page = DeletionPage {
        chrome: seat.chrome(Section::Settings).await?,
        holdings,
        form,
    };
    seat.page(status, &page)
}
