//! `/rules`.

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Map, Value};

use super::call::{Call, typed};
use super::refusal::{Refusal, invalid};
use super::wire::List;
use super::wire::rules::{NewRule, Rule, RulePatch, Switches};
use crate::app::rules::RuleSwitches;
use crate::domain::ids::RuleId;
use crate::web::extract::ability::{EditRules, View};

/// Every rule, in the order in which they are asked.
#[utoipa::path(get, path = "/api/v1/rules", tag = "rules",
    responses((status = 200, body = List<Rule>)))]
pub(super) async fn list(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let rules = call
        .run(|app, tenant| async move { app.rules(tenant).await })
        .await?;
    let rules = rules.into_iter().map(Rule::from).collect();
    Ok(HttpResponse::Ok().json(List::whole(rules)))
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/rules/{id}", tag = "rules", params(("id" = String, Path)),
    responses((status = 200, body = Rule)))]
pub(super) async fn show(call: Call<View>) -> Result<HttpResponse, Refusal> {
    let id: RuleId = call.id("rule")?;
    let rule = call
        .run(move |app, tenant| async move { app.rule(tenant, id).await })
        .await?;
    Ok(HttpResponse::Ok().json(Rule::from(rule)))
}

/// Makes a rule.
#[utoipa::path(post, path = "/api/v1/rules", tag = "rules", request_body = NewRule,
    responses((status = 201, body = Rule, headers(("Location" = String)))))]
pub(super) async fn create(mut call: Call<EditRules>) -> Result<HttpResponse, Refusal> {
    let (switches, definition) = split(call.object().await?)?;
    let actor = call.actor();
    let definition = Value::Object(definition);
    let rule = call
        .run(move |app, tenant| async move {
            app.create_rule(tenant, &definition, switches, &actor).await
        })
        .await?;
    let address = format!("/api/v1/rules/{}", rule.id);
    Ok(HttpResponse::Created()
        .insert_header((header::LOCATION, address))
        .json(Rule::from(rule)))
}

/// Changes a rule: what is given replaces what is stored, field by field.
#[utoipa::path(patch, path = "/api/v1/rules/{id}", tag = "rules", params(("id" = String, Path)),
    request_body = RulePatch, responses((status = 200, body = Rule)))]
pub(super) async fn change(mut call: Call<EditRules>) -> Result<HttpResponse, Refusal> {
    let id: RuleId = call.id("rule")?;
    let (switches, patch) = split(call.object().await?)?;
    let actor = call.actor();
    let rule = call
        .run(move |app, tenant| async move {
            let old = app.rule(tenant, id).await?;
            // Switching is no edit: the version stays.
            if let (Some(enabled), None, true) =
                (switches.enabled, switches.position, patch.is_empty())
            {
                app.switch_rule(tenant, id, enabled, &actor).await?;
                return app.rule(tenant, id).await;
            }
            // A definition always serialises; were it not to, the reader refuses what is missing.
            let mut whole = serde_json::to_value(&old.definition).unwrap_or_default();
            if let Some(whole) = whole.as_object_mut() {
                whole.extend(patch);
            }
            app.update_rule(tenant, id, &whole, switches, &actor).await
        })
        .await?;
    Ok(HttpResponse::Ok().json(Rule::from(rule)))
}

/// Removes a rule; its past decisions stay.
#[utoipa::path(delete, path = "/api/v1/rules/{id}", tag = "rules", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn delete(call: Call<EditRules>) -> Result<HttpResponse, Refusal> {
    let id: RuleId = call.id("rule")?;
    let actor = call.actor();
    call.run(move |app, tenant| async move { app.delete_rule(tenant, id, &actor).await })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Takes the switches out of a flat body; the rest is the definition.
fn split(mut body: Map<String, Value>) -> Result<(RuleSwitches, Map<String, Value>), Refusal> {
    let mut beside = Map::new();
    for field in ["enabled", "position"] {
        if let Some(value) = body.shift_remove(field) {
            beside.insert(field.to_owned(), value);
        }
    }
    let switches: Switches = typed(beside).map_err(invalid)?;
    let switches = RuleSwitches {
        enabled: switches.enabled,
        position: switches.position,
    };
    Ok((switches, body))
}
