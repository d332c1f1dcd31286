//! The API described for programs, made from the handlers and the structs that they serialise.

use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Ref};
use utoipa::{Modify, OpenApi};

use super::{
    audit, brand, connections, deliveries, events, groups, permissions, rules, senders, stop,
    suppressions,
};
use crate::web::problem;

/// The document as JSON.
pub(super) fn text() -> String {
    // It always serialises; were it not to, an empty text is at least no wrong one.
    document().to_json().unwrap_or_default()
}

/// The document.
pub(super) fn document() -> Document {
    Api::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ml-connector",
        description = "Senders, groups, brand, rules, events, deliveries, who must not be written to, and the switch that stops all."
    ),
    paths(
        connections::twilio,
        connections::connect_twilio,
        connections::zoho,
        senders::list,
        senders::show,
        senders::add,
        senders::change,
        senders::delete,
        groups::list,
        groups::show,
        groups::add,
        groups::change,
        groups::delete,
        brand::show,
        brand::change,
        brand::bank_details,
        rules::list,
        rules::create,
        rules::show,
        rules::change,
        rules::delete,
        events::list,
        events::show,
        events::replay,
        events::deal,
        deliveries::list,
        deliveries::show,
        deliveries::replay,
        deliveries::resolve,
        stop::show,
        stop::set,
        stop::lift,
        suppressions::list,
        suppressions::add,
        suppressions::lift,
        permissions::list,
        permissions::add,
        audit::list,
    ),
    components(schemas(problem::Body<'static>, problem::FieldError)),
    modifiers(&Shared),
    security(("token" = []))
)]
struct Api;

/// What all operations share: the token, and the shape of errors.
struct Shared;

impl Modify for Shared {
    fn modify(&self, document: &mut Document) {
        let token = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", token);
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                let body = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("Problem")))
                    .build();
                let problem = ResponseBuilder::new()
                    .description("A problem (RFC 9457)")
                    .content("application/problem+json", body)
                    .build();
                let responses = &mut operation.responses.responses;
                responses.insert("default".to_owned(), problem.into());
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut utoipa::openapi::path::Operation> {
    [
        item.get.as_mut(),
        item.put.as_mut(),
        item.post.as_mut(),
        item.patch.as_mut(),
        item.delete.as_mut(),
    ]
    .into_iter()
    .flatten()
}
