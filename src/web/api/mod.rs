//! The JSON API under `/api/v1`: bearer tokens in, problem+json out.
//!
//! `table` is the whole table of addresses; a test compares it with the `OpenAPI` text, so neither
//! can grow without the other.

mod audit;
mod brand;
mod call;
mod connections;
mod deliveries;
mod events;
mod groups;
mod openapi;
mod permissions;
mod refusal;
mod rules;
mod senders;
mod stop;
mod suppressions;
#[cfg(test)]
mod tests;
pub mod wire;

use actix_web::http::Method;
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Resource, Responder};

use refusal::{method_not_allowed, no_such_address};

/// The API's addresses.
pub fn routes(config: &mut ServiceConfig) {
    let mut v1 = web::scope("/v1").default_service(web::to(no_such_address));
    for route in table() {
        v1 = v1.service(route.into_resource());
    }
    let text = Bytes::from(openapi::text());
    let tell = move || {
        let text = text.clone();
        async move {
            HttpResponse::Ok()
                .content_type("application/json")
                .body(text)
        }
    };
    let openapi = Route::at("/openapi.json").on(Method::GET, tell);
    let api = web::scope("/api")
        .service(openapi.into_resource())
        .service(v1)
        .default_service(web::to(no_such_address));
    config.service(api);
}

/// Every address below `/api/v1`.
fn table() -> Vec<Route> {
    vec![
        Route::at("/connections/twilio")
            .on(Method::GET, connections::twilio)
            .on(Method::PUT, connections::connect_twilio),
        Route::at("/connections/zoho").on(Method::GET, connections::zoho),
        Route::at("/senders")
            .on(Method::GET, senders::list)
            .on(Method::POST, senders::add),
        Route::at("/senders/{id}")
            .on(Method::GET, senders::show)
            .on(Method::PUT, senders::change)
            .on(Method::DELETE, senders::delete),
        Route::at("/groups")
            .on(Method::GET, groups::list)
            .on(Method::POST, groups::add),
        Route::at("/groups/{id}")
            .on(Method::GET, groups::show)
            .on(Method::PUT, groups::change)
            .on(Method::DELETE, groups::delete),
        Route::at("/brand")
            .on(Method::GET, brand::show)
            .on(Method::PUT, brand::change),
        Route::at("/bank-details").on(Method::GET, brand::bank_details),
        Route::at("/rules")
            .on(Method::GET, rules::list)
            .on(Method::POST, rules::create),
        Route::at("/rules/{id}")
            .on(Method::GET, rules::show)
            .on(Method::PATCH, rules::change)
            .on(Method::DELETE, rules::delete),
        Route::at("/events").on(Method::GET, events::list),
        Route::at("/events/{id}").on(Method::GET, events::show),
        Route::at("/events/{id}/replays").on(Method::POST, events::replay),
        Route::at("/events/{id}/dealt").on(Method::POST, events::deal),
        Route::at("/deliveries").on(Method::GET, deliveries::list),
        Route::at("/deliveries/{id}").on(Method::GET, deliveries::show),
        Route::at("/deliveries/{id}/replays").on(Method::POST, deliveries::replay),
        Route::at("/deliveries/{id}/resolution").on(Method::POST, deliveries::resolve),
        Route::at("/suppressions")
            .on(Method::GET, suppressions::list)
            .on(Method::POST, suppressions::add),
        Route::at("/suppressions/{id}").on(Method::DELETE, suppressions::lift),
        Route::at("/permissions")
            .on(Method::GET, permissions::list)
            .on(Method::POST, permissions::add),
        Route::at("/stop")
            .on(Method::GET, stop::show)
            .on(Method::PUT, stop::set)
            .on(Method::DELETE, stop::lift),
        Route::at("/audit-entries").on(Method::GET, audit::list),
    ]
}

/// One address and the methods that it takes; any other is told so.
struct Route {
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "compared with the OpenAPI text")
    )]
    path: &'static str,
    methods: Vec<Method>,
    resource: Resource,
}

impl Route {
    fn at(path: &'static str) -> Self {
        Self {
            path,
            methods: Vec::new(),
            resource: web::resource(path),
        }
    }

    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::method(method.clone()).to(handler));
        self.methods.push(method);
        self
    }

    fn into_resource(self) -> Resource {
        let names: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        let allow = names.join(", ");
        let refuse = move || {
            let allow = allow.clone();
            async move { method_not_allowed(allow) }
        };
        self.resource.default_service(web::to(refuse))
    }
}
