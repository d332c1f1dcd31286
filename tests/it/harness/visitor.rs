//! A person with cookies and forms and without scripts.

use std::cell::RefCell;
use std::collections::BTreeMap;

use reqwest::{Method, StatusCode, header};

use super::TestApp;
use super::page::Page;

/// Somebody at the dashboard.
pub(crate) struct Visitor<'a> {
    http: &'a reqwest::Client,
    /// Where the service is: `http://127.0.0.1:8080`.
    origin: String,
    cookies: RefCell<BTreeMap<String, String>>,
    /// What a proxy says of where they are.
    address: Option<&'static str>,
}

impl<'a> Visitor<'a> {
    /// A person at the door.
    pub(crate) fn stranger(app: &'a TestApp) -> Self {
        Self::from_afar(&app.http, app.url(""))
    }

    /// A person at the door of a service that is no [`TestApp`].
    pub(crate) fn from_afar(http: &'a reqwest::Client, origin: String) -> Self {
        Self {
            http,
            origin,
            cookies: RefCell::default(),
            address: None,
        }
    }

    /// The same person, at an address of their own behind a proxy on this machine.
    pub(crate) fn at_address(self, address: &'static str) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// A person who has signed in by the form.
    pub(crate) async fn signed_in(app: &'a TestApp, email: &str, password: &str) -> Self {
        let visitor = Self::stranger(app);
        visitor.sign_in(email, password).await;
        visitor
    }

    /// Signs in by the form.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) {
        let door = self.get("/sign-in").await;
        let fields = [("email", email), ("password", password)];
        let inside = self.submit(&door, "/sign-in", &fields).await;
        assert_eq!(inside.status, StatusCode::OK, "{}", inside.text());
        assert!(!inside.path.starts_with("/sign-in"), "{}", inside.text());
    }

    /// The same browser, led to another process.
    pub(crate) fn at<'b>(&self, app: &'b TestApp) -> Visitor<'b> {
        Visitor {
            http: &app.http,
            origin: app.url(""),
            cookies: self.cookies.clone(),
            address: self.address,
        }
    }

    /// What the browser keeps under a name.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) async fn get(&self, path: &str) -> Page {
        self.go(Method::GET, path, None).await
    }

    /// Sends the form of a page: its hidden fields, and what is typed. The form is found by where it
    /// goes to.
    pub(crate) async fn submit(&self, page: &Page, action: &str, typed: &[(&str, &str)]) -> Page {
        let hidden = page.hidden(action);
        let hidden = hidden.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let fields: Vec<_> = hidden.chain(typed.iter().copied()).collect();
        self.post(action, &fields).await
    }

    /// Sends fields that no form holds together.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let fields = fields
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.go(Method::POST, path, Some(fields.collect())).await
    }

    /// Sends the form of a page with a file in its field `file`, as browsers do.
    pub(crate) async fn upload(&self, page: &Page, action: &str, file: &[u8]) -> Page {
        const BOUNDARY: &str = "----boundary7MA4YWxkTrZu0gW";
        let mut body = Vec::new();
        for (name, value) in page.hidden(action) {
            let part = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend(part.into_bytes());
        }
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"logo.png\"\r\n\
             Content-Type: image/png\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(file);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let call = self.http.post(format!("{}{action}", self.origin));
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let call = self.dressed(call).header(header::CONTENT_TYPE, kind);
        let answer = call.body(body).send().await.unwrap();
        self.keep(&answer);
        let to = answer.headers().get(header::LOCATION);
        match to.map(|to| to.to_str().unwrap().to_owned()) {
            Some(to) => self.get(&to).await,
            None => Page::of(answer).await,
        }
    }

    /// One request, with what is kept but without following where it leads.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        fields: &[(&str, &str)],
    ) -> reqwest::Response {
        let mut call = self
            .http
            .request(method.clone(), format!("{}{path}", self.origin));
        call = self.dressed(call);
        if method == Method::POST {
            call = call.form(fields);
        }
        let answer = call.send().await.unwrap();
        self.keep(&answer);
        answer
    }

    /// The token that every form of this person's pages bears.
    pub(crate) async fn token(&self, page: &str) -> String {
        let page = self.get(page).await;
        let hidden = page.hidden("/sign-out").into_iter();
        let mut tokens = hidden.filter(|(name, _)| name == "csrf");
        tokens.next().expect("a form with a token").1
    }

    /// Follows redirects as browsers do: with what the first answer set, and by GET.
    async fn go(
        &self,
        mut method: Method,
        path: &str,
        mut fields: Option<Vec<(String, String)>>,
    ) -> Page {
        let mut path = path.to_owned();
        for _ in 0..5 {
            let mut call = self.http.request(method, format!("{}{path}", self.origin));
            call = self.dressed(call);
            if let Some(fields) = fields.take() {
                call = call.form(&fields);
            }
            let answer = call.send().await.unwrap();
            self.keep(&answer);
            let to = answer.headers().get(header::LOCATION);
            let Some(to) = to.map(|to| to.to_str().unwrap().to_owned()) else {
                return Page::of(answer).await;
            };
            (method, path) = (Method::GET, to);
        }
        panic!("the redirects never end: {path}");
    }

    fn dressed(&self, call: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let call = call.header(header::COOKIE, self.kept());
        match self.address {
            Some(address) => call.header("X-Forwarded-For", address),
            None => call,
        }
    }

    fn kept(&self) -> String {
        let cookies = self.cookies.borrow();
        let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        pairs.join("; ")
    }

    fn keep(&self, answer: &reqwest::Response) {
        let mut cookies = self.cookies.borrow_mut();
        for set in answer.headers().get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if value.is_empty() {
                cookies.remove(name);
            } else {
                cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
