//! A small local server for this room's tests: it remembers what it was asked and answers as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use url::Url;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
    pub(super) authorization: Option<String>,
    pub(super) raw_query: String,
}

impl Seen {
    /// A value of the query or the form.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .chain(&self.form)
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// What to answer.
#[derive(Debug, Clone)]
pub(super) struct Say {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) after: Duration,
}

/// Answers `body` with `status`.
pub(super) fn say(status: u16, body: impl Into<String>) -> Say {
    Say {
        status,
        body: body.into(),
        headers: Vec::new(),
        after: Duration::ZERO,
    }
}

impl Say {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

type Script = Arc<dyn Fn(&Seen) -> Say + Send + Sync>;

/// The running server; it stops when dropped.
pub(super) struct TestServer {
    pub(super) base: Url,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl TestServer {
    /// Starts on a free port of 127.0.0.1.
    pub(super) fn start(script: impl Fn(&Seen) -> Say + Send + Sync + 'static) -> Self {
        let script: Script = Arc::new(script);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let remembered = Arc::clone(&seen);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(web::Data::from(Arc::clone(&remembered)))
                .app_data(web::Data::new(Arc::clone(&script)))
                .default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = server.addrs()[0];
        Self {
            base: Url::parse(&format!("http://{address}")).unwrap(),
            seen,
            task: tokio::spawn(server.run()),
        }
    }

    /// Always the same answer.
    pub(super) fn saying(say: Say) -> Self {
        Self::start(move |_| say.clone())
    }

    /// All requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: HttpRequest,
    body: web::Bytes,
    seen: web::Data<Mutex<Vec<Seen>>>,
    script: web::Data<Script>,
) -> HttpResponse {
    let pairs = |bytes: &[u8]| {
        form_urlencoded::parse(bytes)
            .into_owned()
            .collect::<Vec<_>>()
    };
    let this = Seen {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: pairs(request.query_string().as_bytes()),
        form: pairs(&body),
        authorization: request
            .headers()
            .get("authorization")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        raw_query: request.query_string().to_owned(),
    };
    seen.lock().unwrap().push(this.clone());
    let say = script(&this);
    tokio::time::sleep(say.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(say.status).unwrap());
    for (name, value) in say.headers {
        response.insert_header((name, value));
    }
    response
        .content_type("application/json;charset=UTF-8")
        .body(say.body)
}

/// A client as the product builds it: no redirects.
pub(super) fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
}
