//! A small faithful stand-in for Zoho Books and Twilio, over real HTTP.
//!
//! Part of the product: `demo`, `sandbox` and the tests run it. Both providers share one base
//! address on loopback; state is in memory and bounded; nothing is ever sent but callbacks to
//! this machine. `/_sandbox/…` orders faults and shows what was received, and
//! [`SandboxHandle::twilio`] and [`SandboxHandle::zoho`] do the same without HTTP.

mod control;
mod line;
mod log;
pub mod samples;
pub mod twilio;
pub mod zoho;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpServer, web};
use chrono::TimeDelta;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use uuid::Uuid;

pub use self::log::LoggedRequest;

use self::control::ControlToken;
use self::twilio::{CallbackPlan, Credentials, NewAccount, NewService, Settings, Twilio};
use self::zoho::{NewZohoAccount, Zoho, ZohoCredentials};
use crate::domain::clock::SharedClock;

/// The number that the demo's account sends from.
pub const DEMO_NUMBER: &str = "+15005550006";
/// The organisation of the demo's Zoho user, as in Zoho's own samples.
pub const DEMO_ORGANIZATION: &str = "10234695";

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where it listens: loopback only, port 0 for any free one.
    pub bind: SocketAddr,
    /// Its clock, also for tokens and the `Date` header.
    pub clock: SharedClock,
    /// Posts callbacks. It should not follow redirects.
    pub http: reqwest::Client,
    /// The control endpoint's token; random when left out.
    pub control_token: Option<String>,
    /// Messages kept; the oldest are forgotten.
    pub message_cap: usize,
    /// Requests and callbacks kept in each log.
    pub log_cap: usize,
    /// Server threads.
    pub workers: usize,
    /// Callbacks posted at once.
    pub callbacks_at_once: usize,
    /// How messages go on, until told otherwise.
    pub callbacks: CallbackPlan,
    /// Twilio's settings, until told otherwise.
    pub twilio: Settings,
}

impl SandboxConfig {
    /// A sandbox on any free port of 127.0.0.1.
    pub fn new(clock: SharedClock, http: reqwest::Client) -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            clock,
            http,
            control_token: None,
            message_cap: 200_000,
            log_cap: 10_000,
            workers: 2,
            callbacks_at_once: 64,
            callbacks: CallbackPlan::default(),
            twilio: Settings::default(),
        }
    }
}

/// Why a sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// It would be reachable from elsewhere.
    #[error("the sandbox listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("the sandbox cannot listen on {address}")]
    Bind {
        /// Where it should have listened.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
}

/// An order to the sandbox that cannot be followed, with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadOrder(String);

impl From<String> for BadOrder {
    fn from(reason: String) -> Self {
        Self(reason)
    }
}

impl From<&str> for BadOrder {
    fn from(reason: &str) -> Self {
        Self(reason.to_owned())
    }
}

/// The stand-in for both providers.
#[derive(Debug)]
pub struct Sandbox;

impl Sandbox {
    /// Starts a sandbox on the present tokio runtime, which then posts its callbacks.
    ///
    /// # Errors
    /// When the address is not loopback or cannot be bound.
    pub async fn start(config: SandboxConfig) -> Result<SandboxHandle, SandboxError> {
        let bind = config.bind;
        if !bind.ip().is_loopback() {
            return Err(SandboxError::NotLoopback(bind));
        }
        let failed = |source| SandboxError::Bind {
            address: bind,
            source,
        };
        // Tokio's listener sets SO_REUSEADDR, so a port can be taken again at once.
        let listener = tokio::net::TcpListener::bind(bind).await.map_err(failed)?;
        let listener = listener.into_std().map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;

        let twilio = Twilio::new(&config, Handle::current());
        let zoho = Zoho::new(&config);
        let control_token = config
            .control_token
            .unwrap_or_else(|| format!("sbx_{}", Uuid::new_v4().simple()));
        let shared_twilio = web::Data::new(twilio.clone());
        let shared_zoho = web::Data::new(zoho.clone());
        let token = web::Data::new(ControlToken(control_token.clone()));
        let reset = web::Data::new(Reset {
            twilio: twilio.clone(),
            zoho: zoho.clone(),
        });
        let clock = config.clock;
        let server = HttpServer::new(move || {
            App::new()
                .app_data(shared_twilio.clone())
                .app_data(shared_zoho.clone())
                .app_data(token.clone())
                .app_data(reset.clone())
                .app_data(web::Data::new(clock.clone()))
                .app_data(web::PayloadConfig::new(64 << 20))
                .wrap(from_fn(dated))
                .configure(control::mount)
                .configure(Zoho::mount)
                .configure(twilio::routes::mount)
        })
        .on_connect(line::keep)
        .workers(config.workers.max(1))
        .disable_signals()
        .shutdown_timeout(1)
        .listen(listener)
        .map_err(failed)?
        .run();
        let handle = server.handle();
        let task = tokio::spawn(server);
        Ok(SandboxHandle {
            base_url: format!("http://{address}"),
            address,
            control_token,
            twilio,
            zoho,
            server: handle,
            task: Some(task),
        })
    }
}

/// A running sandbox; dropping it stops the server.
#[derive(Debug)]
pub struct SandboxHandle {
    base_url: String,
    address: SocketAddr,
    control_token: String,
    twilio: Twilio,
    zoho: Zoho,
    server: ServerHandle,
    task: Option<JoinHandle<io::Result<()>>>,
}

impl SandboxHandle {
    /// `http://127.0.0.1:port`, without a slash at the end: stands for every provider host.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bearer token of `/_sandbox/…`.
    pub fn control_token(&self) -> &str {
        &self.control_token
    }

    /// Twilio's side.
    pub fn twilio(&self) -> &Twilio {
        &self.twilio
    }

    /// Zoho's side.
    pub fn zoho(&self) -> &Zoho {
        &self.zoho
    }

    /// Forgets everything on both sides.
    pub fn reset(&self) {
        self.twilio.reset();
        self.zoho.reset();
    }

    /// Registers an account with a number and a service, and a Zoho client with an organisation,
    /// each with credentials that work at once.
    ///
    /// # Errors
    /// None with the fixed values used here; the type is that of the two registrations.
    pub fn seed_demo(&self) -> Result<DemoCredentials, BadOrder> {
        let service = NewService {
            friendly_name: Some("Reminders".to_owned()),
            senders: vec![DEMO_NUMBER.to_owned()],
            ..NewService::default()
        };
        let account = NewAccount {
            friendly_name: Some("Demo account".to_owned()),
            numbers: vec![DEMO_NUMBER.to_owned(), format!("whatsapp:{DEMO_NUMBER}")],
            services: vec![service],
            api_keys: vec![twilio::NewKey::default()],
            ..NewAccount::default()
        };
        let mut organization = serde_json::Map::new();
        organization.insert("organization_id".to_owned(), DEMO_ORGANIZATION.into());
        let zoho = NewZohoAccount {
            organizations: vec![organization],
            auto_consent: true,
            ..NewZohoAccount::default()
        };
        Ok(DemoCredentials {
            twilio: self.twilio.register(account)?,
            zoho: self.zoho.register(zoho)?,
        })
    }

    /// Stops the server and the callbacks, and waits until both have ended.
    pub async fn stop(mut self) {
        self.twilio.stop();
        self.server.stop(true).await;
        if let Some(task) = self.task.take() {
            // It ended because we asked.
            let _ = task.await;
        }
        self.twilio.idle().await;
    }
}

impl Drop for SandboxHandle {
    fn drop(&mut self) {
        self.twilio.stop();
        // The order is sent when the call is made; only waiting for its end needs the future.
        drop(self.server.stop(false));
    }
}

/// What [`SandboxHandle::seed_demo`] registered.
#[derive(Debug, Clone)]
pub struct DemoCredentials {
    /// Twilio's.
    pub twilio: Credentials,
    /// Zoho's.
    pub zoho: ZohoCredentials,
}

/// Both sides, for the control endpoint's reset.
struct Reset {
    twilio: Twilio,
    zoho: Zoho,
}

impl Reset {
    fn run(&self) {
        self.twilio.reset();
        self.zoho.reset();
    }
}

/// Dates each answer by the sandbox's clock, as clients correct their own by the `Date` header.
async fn dated(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let now = request
        .app_data::<web::Data<SharedClock>>()
        .map(|clock| clock.now());
    let skew = request
        .app_data::<web::Data<Twilio>>()
        .map(|twilio| twilio.settings().date_skew_s);
    let mut response = next.call(request).await?;
    if let Some(now) = now {
        let skew = TimeDelta::try_seconds(skew.unwrap_or_default()).unwrap_or_default();
        let date = (now + skew).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
        if let Ok(date) = header::HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests;
