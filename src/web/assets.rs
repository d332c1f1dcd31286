//! Static files, served from the binary.
//!
//! Their address bears a digest of what they hold, so a browser may keep them for a year and
//! still sees a new release at once. A wrong version is answered too, but must not be kept.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use actix_web::{HttpResponse, web};

/// One file of `static/`.
#[derive(Debug, Clone, Copy)]
struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const ASSETS: [Asset; 5] = [
    Asset {
        name: "app.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/app.css"),
    },
    Asset {
        name: "ui.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../static/ui.css"),
    },
    Asset {
        name: "app.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/app.js"),
    },
    Asset {
        name: "editor.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../static/editor.js"),
    },
    Asset {
        name: "favicon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("../../static/favicon.svg"),
    },
];

/// FNV-1a over all files: a version, not a protection.
const VERSION: u64 = {
    let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
    let mut file = 0;
    while file < ASSETS.len() {
        let bytes = ASSETS[file].bytes;
        let mut at = 0;
        while at < bytes.len() {
            digest = (digest ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            at += 1;
        }
        file += 1;
    }
    digest
};

/// The address of a static file, as pages write it: `/static/{version}/app.css`.
pub fn url(name: &str) -> String {
    format!("/static/{VERSION:016x}/{name}")
}

/// The type and bytes of a static file; `None` when there is none of that name.
pub fn find(name: &str) -> Option<(&'static str, &'static [u8])> {
    ASSETS
        .iter()
        .find(|a| a.name == name)
        .map(|a| (a.content_type, a.bytes))
}

/// Joins `GET /static/{version}/{name}` and `GET /favicon.ico` to the application.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/static/{version}/{name}", web::get().to(file))
        .route("/favicon.ico", web::get().to(favicon));
}

async fn file(path: web::Path<(String, String)>) -> HttpResponse {
    let (version, name) = path.into_inner();
    let fresh = version == format!("{VERSION:016x}");
    answer(
        &name,
        if fresh {
            "public, max-age=31536000, immutable"
        } else {
            "no-cache"
        },
    )
}

async fn favicon() -> HttpResponse {
    answer("favicon.svg", "public, max-age=86400")
}

fn answer(name: &str, cache: &'static str) -> HttpResponse {
    match find(name) {
        Some((content_type, bytes)) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, content_type))
            .insert_header((CACHE_CONTROL, cache))
            .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
            .body(bytes),
        None => HttpResponse::NotFound()
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::dev::ServiceResponse;
    use actix_web::http::StatusCode;
    use actix_web::http::header::HeaderName;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, test};

    use super::*;

    fn header(answer: &ServiceResponse, name: HeaderName) -> &str {
        answer.headers().get(name).unwrap().to_str().unwrap()
    }

    #[actix_web::test]
    async fn a_file_of_this_version_may_be_kept_for_a_year() {
        let app = init_service(App::new().configure(routes)).await;
        let answer = call_service(&app, TestRequest::get().uri(&url("app.css")).to_request()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, CONTENT_TYPE), "text/css; charset=utf-8");
        assert!(header(&answer, CACHE_CONTROL).contains("immutable"));
        assert!(test::read_body(answer).await.starts_with(b"/* Tokens"));
    }

    #[actix_web::test]
    async fn an_old_version_is_answered_but_not_kept() {
        let app = init_service(App::new().configure(routes)).await;
        let request = TestRequest::get().uri("/static/0/app.js").to_request();
        let answer = call_service(&app, request).await;
        assert_eq!(header(&answer, CACHE_CONTROL), "no-cache");
    }

    #[actix_web::test]
    async fn a_name_that_is_no_file_is_not_found() {
        let app = init_service(App::new().configure(routes)).await;
        for uri in ["/static/0/Cargo.toml", "/static/0/..%2f..%2fCargo.toml"] {
            let answer = call_service(&app, TestRequest::get().uri(uri).to_request()).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{uri}");
        }
    }

    #[::core::prelude::v1::test]
    fn nothing_is_fetched_from_another_host() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("http:") && !text.contains("https:"),
                "{}",
                asset.name
            );
            assert!(
                !text.contains("@import") && !text.contains("url("),
                "{}",
                asset.name
            );
        }
    }

    /// A token of `app.css`: `light` is its first value, dark its second.
    fn token(css: &str, name: &str, light: bool) -> f64 {
        let mark = format!("--{name}: #");
        let mut values = css
            .match_indices(&mark)
            .map(|(at, _)| &css[at + mark.len()..][..6]);
        let hex = if light { values.next() } else { values.nth(1) }.unwrap();
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
    }

    #[::core::prelude::v1::test]
    fn every_colour_of_text_is_readable_on_both_grounds() {
        let css = std::str::from_utf8(find("app.css").unwrap().1).unwrap();
        for light in [true, false] {
            let contrast = |one: &str, other: &str| {
                let (a, b) = (token(css, one, light), token(css, other, light));
                (a.max(b) + 0.05) / (a.min(b) + 0.05)
            };
            for text in ["ink", "muted", "ok", "waiting", "needs", "failed", "accent"] {
                for ground in ["ground", "surface"] {
                    let ratio = contrast(text, ground);
                    assert!(
                        ratio >= 5.5,
                        "{text} on {ground}, light {light}: {ratio:.2}"
                    );
                }
            }
            assert!(contrast("on-accent", "accent") >= 5.5);
        }
    }
}
