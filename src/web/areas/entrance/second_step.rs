//! The second step of a sign-in: a code, after the password was right.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::app::accounts::sign_in::Step;
use crate::app::accounts::throttle::Gate;
use crate::web::areas::cookies;
use crate::web::areas::entrance::handlers;
use crate::web::areas::entrance::page::SecondStepPage;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::session::{local_path, next_of, or_start};
use crate::web::extract::csrf_form::VisitForm;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::on_main;

/// Where a second step is asked for, with the way on.
pub(in crate::web) fn path(next: &str) -> String {
    if next.is_empty() {
        return "/sign-in/second-step".to_owned();
    }
    let next: String = form_urlencoded::byte_serialize(next.as_bytes()).collect();
    format!("/sign-in/second-step?next={next}")
}

/// `GET /sign-in/second-step`.
pub(in crate::web) async fn show(
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let Some(step) = cookies::token(&request, cookies::STEP) else {
        return Ok(redirect("/sign-in", None));
    };
    let is_open = on_main(&app, |app| async move { app.step_is_open(&step).await });
    if !is_open.await? {
        return Ok(over(&app));
    }
    let next = next_of(&request);
    page(&request, &app, StatusCode::OK, FormState::new(), next)
}

/// `POST /sign-in/second-step`.
pub(in crate::web) async fn pass(
    VisitForm(form): VisitForm,
    request: HttpRequest,
    app: Data<App>,
) -> Result<HttpResponse, PageError> {
    let Some(step) = cookies::token(&request, cookies::STEP) else {
        return Ok(redirect("/sign-in", None));
    };
    let asked = step.clone();
    let account = on_main(&app, |app| async move { app.step_account(&asked).await });
    let Some(account) = account.await? else {
        return Ok(over(&app));
    };
    let account = account.to_string();
    handlers::admit(&app, &request, Gate::SecondStep, &account).await?;
    let (visit, code) = (handlers::visit(&request), form.get("code").to_owned());
    let passed = on_main(&app, |app| async move {
        app.second_step(&step, &code, visit).await
    });
    let next = local_path(form.get("next")).to_owned();
    match passed.await? {
        Step::In(token) => {
            handlers::succeeded(&app, &request, Gate::SecondStep, &account).await?;
            let cookies = handlers::entered(&token, app.public_url());
            Ok(redirect(or_start(&next), cookies))
        }
        Step::Over => Ok(over(&app)),
        Step::Wrong => {
            let mut state = FormState::new();
            state.refuse(
                "code",
                "This code is wrong, or was used before. Wait for the app to show the next one.",
            );
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            page(&request, &app, status, state, next)
        }
    }
}

/// Back to the password.
fn over(app: &App) -> HttpResponse {
    let url = app.public_url();
    let cookies = [cookies::end(cookies::STEP, url), Told::StepOver.cookie(url)];
    redirect("/sign-in", cookies)
}

fn page(
    request: &HttpRequest,
    app: &App,
    status: StatusCode,
    form: FormState,
    next: String,
) -> Result<HttpResponse, PageError> {
    handlers::public_page(request, app, status, |csrf| SecondStepPage {
        csrf,
        form,
        next,
    })
}
