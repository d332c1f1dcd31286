//! OAuth 2.0 with Zoho Accounts: consent, exchange, refresh, revoke.
//!
//! Zoho reports most token errors with HTTP 200; a reply is good only when it has an `access_token`
//! and no `error`. The adapter turns the others into the 400 which the `oauth2` crate expects.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse,
    BasicTokenType,
};
use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret,
    CsrfToken, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::{Client, Request, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::error::{Message, Retry};
use super::region::Region;
use super::transport::{self, TransportError};

/// What we ask to see: reading only, and only what rules and reminders need. (Zoho Books API v3,
/// *OAuth*, scopes of the endpoints we call.)
pub const SCOPES: [&str; 8] = [
    "ZohoBooks.settings.READ",
    "ZohoBooks.contacts.READ",
    "ZohoBooks.invoices.READ",
    "ZohoBooks.customerpayments.READ",
    "ZohoBooks.bills.READ",
    "ZohoBooks.purchaseorders.READ",
    "ZohoBooks.vendorpayments.READ",
    "ZohoBooks.expenses.READ",
];

/// How long to leave the token endpoint alone after `Access Denied`: ten tokens per ten minutes.
/// (Zoho Accounts, *OAuth token limits*.)
pub const THROTTLE_PAUSE: Duration = Duration::from_secs(600);

/// Zoho's documented life of an access token, used when a reply says nothing or says more.
const ACCESS_LIFE: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(15);
const BODY_LIMIT: usize = 64 * 1024;

/// Where to call: a data centre's hosts, or a sandbox in place of every host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    region: Region,
    accounts_base: String,
    api_base: String,
    is_sandbox: bool,
}

impl Endpoints {
    /// The hosts of `region`; `sandbox`, when set, replaces them all.
    pub fn new(region: Region, sandbox: Option<&Url>) -> Self {
        let sandbox = sandbox.map(|base| base.as_str().trim_end_matches('/').to_owned());
        Self {
            region,
            is_sandbox: sandbox.is_some(),
            accounts_base: sandbox
                .clone()
                .unwrap_or_else(|| region.accounts_base().to_owned()),
            api_base: sandbox.unwrap_or_else(|| region.api_base().to_owned()),
        }
    }

    /// The data centre.
    pub const fn region(&self) -> Region {
        self.region
    }

    /// The accounts server, without a trailing slash.
    pub fn accounts_base(&self) -> &str {
        &self.accounts_base
    }

    /// The API root, without a trailing slash and without `/books/v3`.
    pub fn api_base(&self) -> &str {
        &self.api_base
    }

    /// The API root to use after a reply that named `api_domain`: believed when it is in the table,
    /// else this region's own.
    fn checked_api_base(&self, api_domain: Option<&str>) -> String {
        let named = api_domain
            .filter(|_| !self.is_sandbox)
            .map(|d| (d, Region::from_api_domain(d)));
        match named {
            Some((_, Some(region))) => region.api_base().to_owned(),
            Some((domain, None)) => {
                tracing::warn!(
                    zoho.region = self.region.location(),
                    "Zoho named an unknown api_domain, \"{}\"; using {}",
                    Message::new(domain),
                    self.api_base,
                );
                self.api_base.clone()
            }
            None => self.api_base.clone(),
        }
    }
}

/// The data centre that a consent callback names: `accounts_server` must be in the table (or be the
/// sandbox), then `location`, then the one where consent began. A stranger is an error, never a
/// default: the client secret is sent there.
pub fn callback_region(
    accounts_server: Option<&str>,
    location: Option<&str>,
    began_at: Region,
    sandbox: Option<&Url>,
) -> Result<Region, OAuthError> {
    let is_sandbox = |server: &str| {
        sandbox
            .is_some_and(|base| base.as_str().trim_end_matches('/') == server.trim_end_matches('/'))
    };
    if let Some(server) = accounts_server.filter(|server| !is_sandbox(server)) {
        return Region::from_accounts_server(server).ok_or(OAuthError::UnknownServer);
    }
    match location {
        Some(location) => Region::from_location(location).ok_or(OAuthError::UnknownServer),
        None => Ok(began_at),
    }
}

/// A client registered at Zoho's API console.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    pub client_id: String,
    pub client_secret: SecretString,
}

/// A right to call the API until it expires.
#[derive(Debug, Clone)]
pub struct Access {
    /// The access token.
    pub token: SecretString,
    /// The API root that goes with it, already checked against the table.
    pub api_base: String,
    /// How long the token lives from now; at most an hour.
    pub expires_in: Duration,
}

/// What an exchanged code yields.
#[derive(Debug, Clone)]
pub struct Grant {
    pub access: Access,
    /// Keep it sealed; Zoho shows it once and lets a user have 20.
    pub refresh_token: SecretString,
    /// The scopes of [`SCOPES`] that the reply does not list; empty when it lists none at all.
    pub missing_scopes: Vec<&'static str>,
}

/// A token that could not be had. (Zoho Books API v3, *OAuth*; HTTP 200 as seen in public issues.)
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthError {
    /// `invalid_code` for a refresh token: revoked, evicted by the 21st, or the password changed.
    #[error("the refresh token is no longer valid")]
    Reconnect,
    /// `invalid_code` for a code: used, older than two or three minutes, or of another data centre.
    #[error("the code is used up, too old, or of another data centre")]
    CodeExpired,
    /// `invalid_client`: wrong data centre, wrong client id, or the client is not enabled there.
    #[error("the client is unknown in the data centre {}", .0.location())]
    WrongRegion(Region),
    /// `invalid_client_secret`: wrong, or the data centre has a secret of its own.
    #[error("the client secret is wrong for the data centre {}", .0.location())]
    WrongSecret(Region),
    /// `invalid_redirect_uri`.
    #[error("the redirect address is not the registered one")]
    WrongRedirect,
    /// `Access Denied`: too many tokens asked for; the connection itself is fine.
    #[error("too many tokens were asked for")]
    Throttled {
        /// How long to leave the endpoint alone.
        pause: Duration,
    },
    /// The exchange brought no refresh token.
    #[error("Zoho sent no refresh token")]
    NoRefreshToken,
    /// `access_denied` at the callback: the person pressed *Reject*.
    #[error("consent was refused")]
    Declined,
    /// The callback named a server outside the table.
    #[error("the callback named an unknown accounts server")]
    UnknownServer,
    /// Any other `error`.
    #[error("refused: {0}")]
    Refused(Message),
    #[error("Zoho Accounts failed with HTTP {0}")]
    Server(u16),
    #[error("Zoho Accounts did not answer in time")]
    Timeout,
    #[error("Zoho Accounts cannot be reached")]
    Unreachable(#[source] Arc<reqwest::Error>),
    /// Not what the documentation promises.
    #[error("an answer that makes no sense: {0}")]
    Garbage(Message),
}

impl OAuthError {
    /// Reads the callback's `error`.
    pub fn from_callback(error: &str) -> Self {
        match error {
            "access_denied" => Self::Declined,
            other => Self::Refused(Message::new(other)),
        }
    }

    /// What a clerk is told.
    pub fn sentence(&self) -> String {
        match self {
            Self::Reconnect => {
                "Zoho Books no longer accepts our access: it was revoked, replaced, or \
                the user's password changed. Connect Zoho Books again."
                    .to_owned()
            }
            Self::CodeExpired => "Zoho's code is used up or too old, or belongs to another data \
                centre. Start again; a code lives only a few minutes."
                .to_owned(),
            Self::WrongRegion(region) => format!(
                "Zoho does not know this client in the data centre {} ({}). Choose the data centre of \
                your organisation, check the client ID, and enable the client for that data centre.",
                region.words(),
                region.accounts_host(),
            ),
            Self::WrongSecret(region) => format!(
                "The client secret is wrong for the data centre {} ({}). A data centre may have a \
                secret of its own; copy it from Zoho's API console.",
                region.words(),
                region.accounts_host(),
            ),
            Self::WrongRedirect => "The redirect address is not the one registered in Zoho's API \
                console. Copy it there exactly as shown here."
                .to_owned(),
            Self::Throttled { pause } => format!(
                "Zoho gives out no more tokens for a while. We try again in {} minutes; nothing is \
                lost.",
                pause.as_secs().div_ceil(60)
            ),
            Self::NoRefreshToken => {
                "Zoho granted access only for an hour. Connect Zoho Books again \
                and accept the request for offline access."
                    .to_owned()
            }
            Self::Declined => "The request was rejected in Zoho. Nothing was connected.".to_owned(),
            Self::UnknownServer => {
                "The answer named a Zoho server that we do not know, so we sent \
                nothing there. Start again from this page."
                    .to_owned()
            }
            Self::Refused(message) => format!("Zoho refused: {message}"),
            Self::Server(_) => "Zoho has a problem of its own. We try again soon.".to_owned(),
            Self::Timeout => "Zoho did not answer in time. We try again soon.".to_owned(),
            Self::Unreachable(_) => "Zoho cannot be reached. We try again soon.".to_owned(),
            Self::Garbage(_) => {
                "Zoho sent an answer that we do not understand. We try again soon.".to_owned()
            }
        }
    }

    /// When to try again.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { pause } => Retry::After(*pause),
            Self::Server(_) | Self::Timeout | Self::Unreachable(_) | Self::Garbage(_) => {
                Retry::Backoff
            }
            _ => Retry::Never,
        }
    }

    /// Whether only a new consent or other settings help, so the connection must be paused.
    pub fn needs_person(&self) -> bool {
        self.retry() == Retry::Never
    }
}

impl From<TransportError> for OAuthError {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Timeout => Self::Timeout,
            TransportError::Unreachable(source) => Self::Unreachable(source),
            TransportError::TooLong(_) => Self::Garbage(Message::new(&error.to_string())),
        }
    }
}

/// Zoho Accounts over the shared HTTP client, which must not follow redirects.
#[derive(Debug, Clone)]
pub struct ZohoOAuth {
    http: Client,
    timeout: Duration,
}

impl ZohoOAuth {
    /// Over `http`, with 15 seconds per request.
    pub fn new(http: Client) -> Self {
        Self {
            http,
            timeout: TIMEOUT,
        }
    }

    /// The same with another time-out.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The address of the consent page. Scopes are comma-separated; `offline` and `consent` make Zoho
    /// send a refresh token every time.
    pub fn authorise_url(
        endpoints: &Endpoints,
        client_id: &str,
        redirect_uri: &Url,
        state: &str,
    ) -> Result<Url, OAuthError> {
        let oauth = ZohoClient::new(ClientId::new(client_id.to_owned()))
            .set_auth_uri(parsed(endpoints, "/oauth/v2/auth").map(AuthUrl::from_url)?)
            .set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
        let (url, _) = oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scope(Scope::new(SCOPES.join(",")))
            .add_extra_param("access_type", "offline")
            .add_extra_param("prompt", "consent")
            .url();
        Ok(url)
    }

    /// Exchanges a code. `redirect_uri` is the one of the consent page, or `None` for a code that was
    /// generated by a self client.
    pub async fn exchange(
        &self,
        endpoints: &Endpoints,
        credentials: &ClientCredentials,
        code: &SecretString,
        redirect_uri: Option<&Url>,
    ) -> Result<Grant, OAuthError> {
        let mut oauth = client(endpoints, credentials)?;
        if let Some(redirect_uri) = redirect_uri {
            oauth = oauth.set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
        }
        let reply = oauth
            .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
            .request_async(&self.door())
            .await
            .map_err(|error| classify(error, endpoints.region, OAuthError::CodeExpired))?;
        let refresh_token = reply
            .refresh_token
            .as_ref()
            .map(|token| token.secret().as_str())
            .filter(|token| !token.is_empty())
            .ok_or(OAuthError::NoRefreshToken)?;
        Ok(Grant {
            refresh_token: SecretString::from(refresh_token),
            missing_scopes: reply.missing_scopes(),
            access: reply.into_access(endpoints),
        })
    }

    /// Fetches a new access token. The refresh token stays the same: Zoho sends no other.
    pub async fn refresh(
        &self,
        endpoints: &Endpoints,
        credentials: &ClientCredentials,
        refresh_token: &SecretString,
    ) -> Result<Access, OAuthError> {
        let refresh_token = RefreshToken::new(refresh_token.expose_secret().to_owned());
        let reply = client(endpoints, credentials)?
            .exchange_refresh_token(&refresh_token)
            .request_async(&self.door())
            .await
            .map_err(|error| classify(error, endpoints.region, OAuthError::Reconnect))?;
        Ok(reply.into_access(endpoints))
    }

    /// Revokes a refresh token. A token that Zoho no longer knows counts as revoked.
    ///
    /// Not through the `oauth2` crate: it insists on https, which a local sandbox has not.
    pub async fn revoke(
        &self,
        endpoints: &Endpoints,
        refresh_token: &SecretString,
    ) -> Result<(), OAuthError> {
        // In the query, as Zoho documents it; our errors never carry the address.
        let mut url = parsed(endpoints, "/oauth/v2/token/revoke")?;
        url.query_pairs_mut()
            .append_pair("token", refresh_token.expose_secret());
        let request = Request::new(reqwest::Method::POST, url);
        let answer = transport::send(&self.http, request, self.timeout, BODY_LIMIT).await?;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        match (body["error"].as_str(), answer.status) {
            (Some("invalid_code" | "invalid_token" | "invalid_grant"), _) => Ok(()),
            (Some(error), _) => Err(named(error, endpoints.region, OAuthError::Reconnect)),
            (None, status) if status.is_success() => Ok(()),
            (None, status) if status.is_server_error() => Err(OAuthError::Server(status.as_u16())),
            (None, StatusCode::TOO_MANY_REQUESTS) => Err(OAuthError::Throttled {
                pause: THROTTLE_PAUSE,
            }),
            (None, status) => Err(OAuthError::Garbage(Message::new(&format!("HTTP {status}")))),
        }
    }

    fn door(&self) -> Door<'_> {
        Door {
            http: &self.http,
            timeout: self.timeout,
        }
    }
}

type ZohoClient<HasAuthUrl = EndpointNotSet, HasTokenUrl = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    TokenReply,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    HasAuthUrl,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    HasTokenUrl,
>;

fn client(
    endpoints: &Endpoints,
    credentials: &ClientCredentials,
) -> Result<ZohoClient<EndpointNotSet, EndpointSet>, OAuthError> {
    Ok(
        ZohoClient::new(ClientId::new(credentials.client_id.clone()))
            .set_client_secret(ClientSecret::new(
                credentials.client_secret.expose_secret().to_owned(),
            ))
            // Zoho reads the client from the form, not from Basic authentication.
            .set_auth_type(AuthType::RequestBody)
            .set_token_uri(parsed(endpoints, "/oauth/v2/token").map(TokenUrl::from_url)?),
    )
}

fn parsed(endpoints: &Endpoints, path: &str) -> Result<Url, OAuthError> {
    Url::parse(&format!("{}{path}", endpoints.accounts_base))
        .map_err(|error| OAuthError::Garbage(Message::new(&error.to_string())))
}

/// A token reply. Our own type: the standard one insists on `token_type`, and Zoho adds `api_domain`.
#[derive(Debug, Serialize, Deserialize)]
struct TokenReply {
    access_token: AccessToken,
    #[serde(default = "bearer")]
    token_type: BasicTokenType,
    /// Seconds; milliseconds in old replies, which then have `expires_in_sec` too.
    expires_in: Option<u64>,
    expires_in_sec: Option<u64>,
    refresh_token: Option<RefreshToken>,
    api_domain: Option<String>,
    /// Separated by blanks or commas; not documented, so it may be absent.
    scope: Option<String>,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

impl TokenReply {
    fn missing_scopes(&self) -> Vec<&'static str> {
        let Some(granted) = self
            .scope
            .as_deref()
            .filter(|scope| !scope.trim().is_empty())
        else {
            return Vec::new();
        };
        let granted: Vec<&str> = granted.split([' ', ',']).collect();
        let covers = |wanted: &str| {
            let area = wanted.rsplit_once('.').map_or(wanted, |(area, _)| area);
            granted.iter().any(|scope| {
                scope.eq_ignore_ascii_case(wanted)
                    || scope.eq_ignore_ascii_case(&format!("{area}.ALL"))
                    || scope.eq_ignore_ascii_case("ZohoBooks.fullaccess.all")
            })
        };
        SCOPES
            .into_iter()
            .filter(|wanted| !covers(wanted))
            .collect()
    }

    fn into_access(self, endpoints: &Endpoints) -> Access {
        Access {
            expires_in: self.expires_in().unwrap_or(ACCESS_LIFE),
            api_base: endpoints.checked_api_base(self.api_domain.as_deref()),
            token: SecretString::from(self.access_token.into_secret()),
        }
    }
}

impl TokenResponse for TokenReply {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        let seconds = self.expires_in_sec.or(self.expires_in)?;
        Some(Duration::from_secs(seconds).min(ACCESS_LIFE))
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// The shared client as the `oauth2` crate wants it (that crate's own adapter is for another
/// version of reqwest).
struct Door<'a> {
    http: &'a Client,
    timeout: Duration,
}

impl<'c> AsyncHttpClient<'c> for Door<'_> {
    type Error = OAuthError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OAuthError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let request = Request::try_from(request).map_err(TransportError::from)?;
            let answer = transport::send(self.http, request, self.timeout, BODY_LIMIT).await?;
            let status = judged_status(answer.status, &answer.body)?;
            let mut response = HttpResponse::new(answer.body.to_vec());
            *response.status_mut() = status;
            Ok(response)
        })
    }
}

/// The status that a faithful server would have sent: 200 with a token and no error, else 400.
fn judged_status(status: StatusCode, body: &[u8]) -> Result<StatusCode, OAuthError> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let has_token = body["access_token"]
        .as_str()
        .is_some_and(|token| !token.is_empty());
    if body["error"].is_string() {
        return Ok(StatusCode::BAD_REQUEST);
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS => Err(OAuthError::Throttled {
            pause: THROTTLE_PAUSE,
        }),
        status if status.is_server_error() => Err(OAuthError::Server(status.as_u16())),
        status if status.is_success() && has_token && body["error"].is_null() => Ok(StatusCode::OK),
        status => Err(OAuthError::Garbage(Message::new(&format!(
            "HTTP {} with neither token nor error",
            status.as_u16()
        )))),
    }
}

/// Names a failed request; `spent` is what `invalid_code` means for this kind of grant.
fn classify(
    error: RequestTokenError<OAuthError, BasicErrorResponse>,
    region: Region,
    spent: OAuthError,
) -> OAuthError {
    match error {
        RequestTokenError::ServerResponse(reply) => named(reply.error().as_ref(), region, spent),
        RequestTokenError::Request(error) => error,
        // The path says which field was wrong; the value, perhaps a token, stays out.
        RequestTokenError::Parse(error, _) => {
            OAuthError::Garbage(Message::new(&format!("unreadable field {}", error.path())))
        }
        RequestTokenError::Other(why) => OAuthError::Garbage(Message::new(&why)),
    }
}

fn named(error: &str, region: Region, spent: OAuthError) -> OAuthError {
    match error {
        "invalid_code" | "invalid_grant" | "invalid_token" => spent,
        "invalid_client" => OAuthError::WrongRegion(region),
        "invalid_client_secret" => OAuthError::WrongSecret(region),
        "invalid_redirect_uri" => OAuthError::WrongRedirect,
        "Access Denied" => OAuthError::Throttled {
            pause: THROTTLE_PAUSE,
        },
        other => OAuthError::Refused(Message::new(other)),
    }
}

#[cfg(test)]
#[path = "oauth_tests.rs"]
mod tests;
