//! The headers that every answer bears, unless its handler has set its own.
//!
//! Caching is refused by default and allowed by the few handlers that serve immutable files, so a
//! new private page cannot be forgotten.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::config::web::PublicUrl;

/// Nothing by default, everything from ourselves, nothing inline, framed by nobody.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     img-src 'self'; font-src 'self'; connect-src 'self'; frame-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const PERMISSIONS_POLICY: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
/// Two years, the least that browsers' preload lists ask for.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=63072000";

/// What depends on where the instance stands. Kept in `app_data`.
#[derive(Debug, Clone, Copy)]
pub struct SecurityHeaders {
    strict_transport: bool,
}

impl SecurityHeaders {
    /// HSTS only over https and outside loopback: on localhost it would lock a developer's other
    /// projects out of plain http for years.
    pub fn new(public_url: &PublicUrl) -> Self {
        Self {
            strict_transport: public_url.is_https() && !public_url.is_loopback(),
        }
    }

    fn put_on(self, headers: &mut HeaderMap) {
        let mut add = |name: HeaderName, value: &'static str| {
            if !headers.contains_key(&name) {
                headers.insert(name, HeaderValue::from_static(value));
            }
        };
        add(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        // For browsers that do not know `frame-ancestors`.
        add(header::X_FRAME_OPTIONS, "DENY");
        add(header::REFERRER_POLICY, "same-origin");
        add(header::PERMISSIONS_POLICY, PERMISSIONS_POLICY);
        add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        add(header::CROSS_ORIGIN_OPENER_POLICY, "same-origin");
        add(header::CACHE_CONTROL, "no-store");
        if self.strict_transport {
            add(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT_SECURITY);
        }
    }
}

/// The middleware: `App::app_data(Data::new(SecurityHeaders::new(…))).wrap(from_fn(put))`.
pub async fn put<B: MessageBody + 'static>(
    policy: Data<SecurityHeaders>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let result = next.call(request).await;
    super::on_every_answer(result, |head| policy.put_on(head.headers_mut()))
}

#[cfg(test)]
mod tests {
    use actix_web::middleware::from_fn;
    use actix_web::{App, HttpResponse, test, web};

    use super::*;

    async fn headers_at(public_url: &str, path: &str) -> HeaderMap {
        let policy = SecurityHeaders::new(&PublicUrl::parse(public_url).unwrap());
        let asset = || async {
            HttpResponse::Ok()
                .insert_header((header::CACHE_CONTROL, "max-age=9"))
                .finish()
        };
        let app = test::init_service(
            App::new()
                .app_data(Data::new(policy))
                .wrap(from_fn(put))
                .route("/asset", web::get().to(asset)),
        )
        .await;
        let request = test::TestRequest::get().uri(path).to_request();
        test::call_service(&app, request).await.headers().clone()
    }

    #[actix_web::test]
    async fn every_answer_is_closed_to_scripts_frames_and_caches() {
        let headers = headers_at("https://sms.example.com", "/missing").await;
        let policy = headers
            .get(header::CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap();
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(
            headers.get(header::X_CONTENT_TYPE_OPTIONS).unwrap(),
            "nosniff"
        );
        assert!(headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
    }

    #[actix_web::test]
    async fn a_handler_may_let_its_answer_be_kept() {
        let headers = headers_at("http://127.0.0.1:8080", "/asset").await;
        assert_eq!(headers.get_all(header::CACHE_CONTROL).count(), 1);
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "max-age=9");
    }

    #[actix_web::test]
    async fn localhost_and_plain_http_are_not_bound_to_https() {
        for url in [
            "https://localhost",
            "http://sms.example.com",
            "https://127.0.0.1:8443",
        ] {
            let headers = headers_at(url, "/").await;
            assert!(
                !headers.contains_key(header::STRICT_TRANSPORT_SECURITY),
                "{url}"
            );
        }
    }
}
