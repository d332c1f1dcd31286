//! One call of the API: who calls, what it may do, what it brings.
//!
//! The ability is part of a handler's signature (`Call<EditRules>`), so no handler can forget to ask; and
//! the body is read only after the token was, so a stranger learns nothing from it.

use std::marker::PhantomData;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::{StatusCode, header};
use actix_web::web::{BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures::StreamExt as _;
use futures::future::{FutureExt as _, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::refusal::{Refusal, bad_query, invalid, not_found};
use crate::app::tokens::{TokenFound, TokenGrant};
use crate::app::{App, AppError, FieldProblem};
use crate::domain::actor::Actor;
use crate::domain::ids::TenantId;
use crate::domain::page::Cursor;
use crate::domain::user::{Ability, Role};
use crate::web::extract::ability::Needs;
use crate::web::extract::client_addr::ClientAddr;
use crate::web::on_main;
use crate::web::problem::Problem;

/// The longest body, in bytes; a rule's template alone may have 16 KB.
const MAX_BODY: usize = 256 * 1024;

/// A body must be here after this long.
const BODY_TIME: Duration = Duration::from_secs(10);

/// Rows of a page, unless `limit` says otherwise.
const PAGE: u64 = 50;

const MAX_PAGE: u64 = 100;

/// A request whose token was found good for `A`.
pub(super) struct Call<A> {
    app: Data<App>,
    grant: TokenGrant,
    request: HttpRequest,
    payload: Payload,
    ability: PhantomData<A>,
}

impl<A: Needs> FromRequest for Call<A> {
    type Error = Refusal;
    type Future = LocalBoxFuture<'static, Result<Self, Refusal>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let app = request.app_data::<Data<App>>().cloned();
            let app = app.ok_or_else(|| Refusal::from(AppError::Busy))?;
            let token = bearer(&request).ok_or_else(|| {
                unauthorised("Bearer", "give a token: `Authorization: Bearer mlc_…`")
            })?;
            let found = on_main(&app, |app| async move { app.token_grant(&token).await }).await?;
            let refused = |why| unauthorised("Bearer error=\"invalid_token\"", why);
            let grant = match found {
                Some(TokenFound::Good(grant)) => grant,
                Some(TokenFound::MakerGone) => {
                    let why = "the token has ended: whoever made it is no longer in the company's \
                               team. Ask an owner or admin for a new one";
                    return Err(refused(why).into());
                }
                None => return Err(refused("the token is unknown or revoked").into()),
            };
            if !grant.reach().may(A::ABILITY) {
                return Err(forbidden(&grant, A::ABILITY.needs()).into());
            }
            Ok(Self {
                app,
                grant,
                request,
                payload,
                ability: PhantomData,
            })
        }
        .boxed_local()
    }
}

impl<A> Call<A> {
    /// Who calls, for the history.
    pub(super) fn actor(&self) -> Actor {
        let name = match self.grant.name.as_str() {
            "" => format!("API token {}", self.grant.id),
            name => format!("API token “{name}”"),
        };
        Actor::named(name).at(ClientAddr::of(&self.request))
    }

    /// Whether the caller has an ability besides the one that the handler needs.
    pub(super) fn may(&self, ability: Ability) -> bool {
        self.grant.reach().may(ability)
    }

    /// Runs a use case for the caller's tenant.
    pub(super) async fn run<T, F, Fut>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(App, TenantId) -> Fut,
        Fut: Future<Output = Result<T, AppError>> + Send + 'static,
    {
        let tenant = self.grant.tenant;
        Ok(on_main(&self.app, move |app| work(app, tenant)).await?)
    }

    /// The id in the address; one that cannot be read leads nowhere either.
    pub(super) fn id<T: std::str::FromStr>(&self, what: &'static str) -> Result<T, Refusal> {
        let text = self.request.match_info().get("id").unwrap_or_default();
        text.parse().map_err(|_| not_found(what).into())
    }

    /// A header's text; `None` when it is absent.
    pub(super) fn header(&self, name: &'static str) -> Result<Option<String>, Refusal> {
        let Some(value) = self.request.headers().get(name) else {
            return Ok(None);
        };
        if let Ok(text) = value.to_str() {
            return Ok(Some(text.to_owned()));
        }
        let problem = FieldProblem::new(name, "expected visible ASCII characters");
        Err(invalid(vec![problem]).into())
    }

    /// The query, each name at most once; unknown names are refused, since a filter that is
    /// misspelt would otherwise answer with everything.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let mut map = Map::new();
        for (name, value) in form_urlencoded::parse(self.request.query_string().as_bytes()) {
            let again = map.insert(name.to_string(), Value::String(value.into_owned()));
            if again.is_some() {
                let problem = FieldProblem::new(short(&name), "is given twice");
                return Err(bad_query(vec![problem]).into());
            }
        }
        typed(map).map_err(|problems| bad_query(problems).into())
    }

    /// The body as a JSON object.
    pub(super) async fn object(&mut self) -> Result<Map<String, Value>, Refusal> {
        self.check_content_type()?;
        let bytes = tokio::time::timeout(BODY_TIME, self.bytes())
            .await
            .map_err(|_| {
                Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "slow-body",
                    "The body took too long",
                    format!("it must be here within {} seconds", BODY_TIME.as_secs()),
                )
            })??;
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            let title = "The body is not JSON";
            let detail = error.to_string();
            Problem::new(StatusCode::BAD_REQUEST, "malformed-json", title, detail)
        })?;
        match value {
            Value::Object(map) => Ok(map),
            _ => Err(invalid(vec![FieldProblem::new("", "expected a JSON object")]).into()),
        }
    }

    /// The body as a struct whose fields are all optional and known by name.
    pub(super) async fn body<T: DeserializeOwned>(&mut self) -> Result<T, Refusal> {
        let map = self.object().await?;
        typed(map).map_err(|problems| invalid(problems).into())
    }

    /// The same, where there may be none.
    pub(super) async fn optional_body<T: DeserializeOwned + Default>(
        &mut self,
    ) -> Result<T, Refusal> {
        let headers = self.request.headers();
        let length = headers.get(header::CONTENT_LENGTH);
        let is_empty = length.is_none_or(|l| l.as_bytes() == b"0")
            && !headers.contains_key(header::TRANSFER_ENCODING);
        if is_empty {
            return Ok(T::default());
        }
        self.body().await
    }

    fn check_content_type(&self) -> Result<(), Refusal> {
        let headers = self.request.headers();
        let text = headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok());
        let is_json = text
            .and_then(|t| t.parse::<mime::Mime>().ok())
            .is_some_and(|m| m.essence_str() == "application/json");
        if is_json && !headers.contains_key(header::CONTENT_ENCODING) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not-json",
            "The body must be JSON",
            "send `Content-Type: application/json`, not compressed",
        )
        .into())
    }

    async fn bytes(&mut self) -> Result<BytesMut, Problem> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = self.payload.next().await {
            let chunk = chunk.map_err(|error| {
                let title = "The body could not be read";
                let detail = error.to_string();
                Problem::new(StatusCode::BAD_REQUEST, "broken-body", title, detail)
            })?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body-too-large",
                    "The body is too large",
                    format!("at most {MAX_BODY} bytes are taken"),
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

/// Reads a filter's word, or notes what is wrong with it.
pub(super) fn word<T>(
    field: &'static str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    problems: &mut Vec<FieldProblem>,
) -> Option<T> {
    let text = text?;
    let parsed = parse(text);
    if parsed.is_none() {
        problems.push(FieldProblem::new(field, "is not a word that is known here"));
    }
    parsed
}

/// Where a page begins and how long it is.
pub(super) fn page(
    cursor: Option<&str>,
    limit: Option<&str>,
    problems: &mut Vec<FieldProblem>,
) -> (Cursor, u64) {
    let begin = Cursor::parse(cursor.unwrap_or_default());
    if begin.is_none() {
        let message = "give the `next` of the page before, unchanged";
        problems.push(FieldProblem::new("cursor", message));
    }
    let rows = limit.map_or(Some(PAGE), |text| text.parse().ok());
    let rows = rows.filter(|rows| (1..=MAX_PAGE).contains(rows));
    if rows.is_none() {
        let message = format!("expected a number from 1 to {MAX_PAGE}");
        problems.push(FieldProblem::new("limit", message));
    }
    (begin.unwrap_or(Cursor::Newest), rows.unwrap_or(PAGE))
}

/// An object as a struct. When it does not fit, each field is tried alone, so that every wrong one
/// is named. What serde says of a *value* is not repeated: it may be a secret.
pub(super) fn typed<T: DeserializeOwned>(map: Map<String, Value>) -> Result<T, Vec<FieldProblem>> {
    let whole = match serde_json::from_value(Value::Object(map.clone())) {
        Ok(typed) => return Ok(typed),
        Err(error) => error,
    };
    let mut problems = Vec::new();
    for (field, value) in map.into_iter().take(100) {
        let alone = Value::Object(Map::from_iter([(field.clone(), value)]));
        if let Err(error) = serde_json::from_value::<T>(alone) {
            problems.push(FieldProblem::new(short(&field), expected(&error)));
        }
    }
    if problems.is_empty() {
        problems.push(FieldProblem::new("", expected(&whole)));
    }
    Err(problems)
}

/// "invalid type: integer `5`, expected a string" becomes "expected a string".
fn expected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let wanted = text.rsplit_once(", expected ").map(|(_, wanted)| wanted);
    match (text.starts_with("unknown field"), wanted) {
        (true, Some(wanted)) => format!("is not a field here; expected {wanted}"),
        (false, Some(wanted)) => format!("expected {wanted}"),
        (_, None) => "is not as expected".to_owned(),
    }
}

fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn bearer(request: &HttpRequest) -> Option<String> {
    let value = request
        .headers()
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn unauthorised(challenge: &'static str, detail: &'static str) -> Problem {
    let title = "A valid token is needed";
    Problem::new(StatusCode::UNAUTHORIZED, "no-token", title, detail).with_challenge(challenge)
}

/// The least that lacks is told: the token's own role, or that of whoever made it.
fn forbidden(grant: &TokenGrant, need: Role) -> Problem {
    let detail = match grant.maker_role {
        Some(maker) if maker < grant.role => format!(
            "the token was made as {}, but whoever made it is {maker} today, and it may do no \
             more; this needs {need}",
            grant.role
        ),
        _ => format!("the token is of role {}; this needs {need}", grant.role),
    };
    let title = "The token's role may not do this";
    Problem::new(StatusCode::FORBIDDEN, "role", title, detail)
}
