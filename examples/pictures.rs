//! Takes a picture of every sample page, the whole height, on a phone and on a desk, light and dark:
//! `cargo run --example pictures -- /tmp/pictures`. A word after the folder takes only the pages whose
//! name contains it. Chromium and its driver must be installed, as for the browser tests.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "it ends at the first thing that does not work"
)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::{env, fs};

use actix_web::http::header::ContentType;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Path};
use actix_web::{App, HttpResponse, HttpServer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ml_connector::config::web::PublicUrl;
use ml_connector::web::assets;
use ml_connector::web::middleware::security_headers::{self, SecurityHeaders};
use ml_connector::web::samples;
use serde_json::json;

use browser::{Browser, Screen};

#[expect(dead_code, reason = "pictures need less of it than tests do")]
#[path = "../tests/it/harness/browser.rs"]
mod browser;

/// Each sample page by its name.
type Pages = BTreeMap<&'static str, String>;

#[tokio::main]
async fn main() {
    let mut arguments = env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("name the folder to write to"));
    let part = arguments.next().unwrap_or_default();
    fs::create_dir_all(&folder).unwrap();
    let pages = samples::all()
        .into_iter()
        .filter(|sample| sample.name.contains(&part))
        .map(|sample| (sample.name, sample.html.unwrap()))
        .collect();
    let pages: Arc<Pages> = Arc::new(pages);
    let address = serve(pages.clone());
    let browser = Browser::open().await;
    for (is_phone, is_dark) in [(false, false), (false, true), (true, false), (true, true)] {
        browser.look_as(Screen { is_phone, is_dark }).await;
        let size = if is_phone { "phone" } else { "desk" };
        let scheme = if is_dark { "dark" } else { "light" };
        for name in pages.keys() {
            browser.visit(&format!("{address}/{name}")).await;
            let picture = picture(&browser).await;
            fs::write(folder.join(format!("{name}-{size}-{scheme}.png")), picture).unwrap();
        }
    }
    browser.close().await;
}

/// Serves the pages as the service would, with its headers and static files; where.
fn serve(pages: Arc<Pages>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let headers = Data::new(SecurityHeaders::new(&PublicUrl::parse(&address).unwrap()));
    let pages = Data::from(pages);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(pages.clone())
            .app_data(headers.clone())
            .wrap(from_fn(security_headers::put))
            .configure(assets::routes)
            .route("/{name}", web::get().to(page))
    });
    let server = server.workers(1).disable_signals().listen(listener);
    tokio::spawn(server.unwrap().run());
    address
}

async fn page(pages: Data<Pages>, name: Path<String>) -> HttpResponse {
    match pages.get(name.as_str()) {
        Some(html) => HttpResponse::Ok()
            .content_type(ContentType::html())
            .body(html.clone()),
        None => HttpResponse::NotFound().finish(),
    }
}

/// The whole page that is shown, as a PNG.
async fn picture(browser: &Browser) -> Vec<u8> {
    let metrics = browser.tool("Page.getLayoutMetrics", json!({})).await;
    let mut clip = metrics["cssContentSize"].clone();
    clip["scale"] = json!(1);
    let wish = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
    let taken = browser.tool("Page.captureScreenshot", wish).await;
    STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
}
