//! `/suppressions`: addresses that must not be written to.

use actix_web::HttpResponse;

use super::call::{Call, page, typed, word};
use super::refusal::{Refusal, bad_query, invalid};
use super::wire::List;
use super::wire::suppressions::{LiftQuery, NewSuppression, Suppression, SuppressionQuery};
use crate::app::suppressions::{Added, SuppressionFilter};
use crate::app::suppressions::{Lifting, SuppressionInput};
use crate::domain::ids::SuppressionId;
use crate::domain::suppression::Source;
use crate::domain::user::Ability;
use crate::web::extract::ability::{Suppress, View};

/// Suppressions, newest first.
#[utoipa::path(get, path = "/api/v1/suppressions", tag = "suppressions",
    params(SuppressionQuery), responses((status = 200, body = List<Suppression>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let query: SuppressionQuery = call.query()?;
    let mut problems = Vec::new();
    let source = query.source.as_deref();
    let filter = SuppressionFilter {
        text: query.q.unwrap_or_default().chars().take(100).collect(),
        source: word("source", source, Source::parse, &mut problems),
    };
    let (cursor, limit) = page(
        query.cursor.as_deref(),
        query.limit.as_deref(),
        &mut problems,
    );
    if !problems.is_empty() {
        return Err(bad_query(problems).into());
    }
    let found =
        call.run(move |app, tenant| async move {
            app.suppressions(tenant, &filter, cursor, limit).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(List::of(found, Suppression::from)))
}

/// Suppresses an address by hand; 200 with the one that is there when somebody did so before.
#[utoipa::path(post, path = "/api/v1/suppressions", tag = "suppressions",
    request_body = NewSuppression,
    responses((status = 201, body = Suppression), (status = 200, body = Suppression)))]
pub(super) async fn add(mut call: Call<Suppress>) -> Result<HttpResponse, Refusal> {
    let typed: NewSuppression = typed(call.object().await?).map_err(invalid)?;
    let input = SuppressionInput {
        channel: typed.channel,
        address: typed.address,
        reason: typed.reason,
    };
    let actor = call.actor();
    let added = call
        .run(move |app, tenant| async move { app.suppress(tenant, &input, &actor).await })
        .await?;
    Ok(match added {
        Added::New(new) => HttpResponse::Created().json(Suppression::from(new)),
        Added::Already(old) => HttpResponse::Ok().json(Suppression::from(old)),
    })
}

/// Lifts one: what somebody decided here for a `reason`; what the person wished only by an owner, with
/// `who` allowed it anew, `when` (a day) and `how`. At Twilio a STOP stays until the person writes START.
#[utoipa::path(delete, path = "/api/v1/suppressions/{id}", tag = "suppressions",
    params(("id" = String, Path), LiftQuery), responses((status = 204)))]
pub(super) async fn lift(call: Call<Suppress>) -> Result<HttpResponse, Refusal> {
    let id: SuppressionId = call.id("suppression")?;
    let query: LiftQuery = call.query()?;
    let lifting = Lifting {
        reason: query.reason.unwrap_or_default(),
        who: query.who.unwrap_or_default(),
        when: query.when.unwrap_or_default(),
        how: query.how.unwrap_or_default(),
    };
    let (actor, may) = (call.actor(), call.may(Ability::LiftWish));
    call.run(move |app, tenant| async move {
        app.lift_suppression(tenant, id, &lifting, (&actor, may))
            .await
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
