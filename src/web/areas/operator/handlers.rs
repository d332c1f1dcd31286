//! The operator's pages. For everybody else they are not there.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use crate::app::AppError;
use crate::app::operator::GONE_AFTER;
use crate::app::operator::{BrakeStatus as Status, BreakerState, Depth};
use crate::app::operator::{BrakedConnection, Process, TenantSummary};
use crate::domain::clock;
use crate::domain::delivery::Channel;
use crate::domain::ids::TenantId;
use crate::domain::page::Cursor;
use crate::web::areas::error::PageError;
use crate::web::areas::flash::Told;
use crate::web::areas::operator::page::{
    BacklogLine, BrakeLine, ProcessLine, QueuePage, Standing, Standings, TenantPage, TenantRow,
    TenantsPage, WorkersPage,
};
use crate::web::areas::rules::form::sentence;
use crate::web::chrome::Place;
use crate::web::extract::csrf_form::{CsrfForm, Extracting, Form};
use crate::web::extract::signed_in::SignedIn;
use crate::web::extract::tenant::redirect;
use crate::web::form::FormState;
use crate::web::ui::time::Moment;
use crate::web::ui::tone::Tone;

/// Tenants of one page.
const PAGE: u64 = 50;

/// The operator at an address.
pub(in crate::web) struct Operator {
    who: SignedIn,
    request: HttpRequest,
}

impl Operator {
    fn of(who: SignedIn, request: HttpRequest) -> Result<Self, PageError> {
        if who.session.user.is_operator {
            Ok(Self { who, request })
        } else {
            Err(PageError::NotFound)
        }
    }

    fn tenant(&self) -> Result<TenantId, PageError> {
        let text = self.request.match_info().query("tenant");
        text.parse().map_err(|_| PageError::NotFound)
    }

    /// A field of the address's query.
    fn query(&self, name: &str) -> String {
        let mut pairs = form_urlencoded::parse(self.request.query_string().as_bytes());
        let found = pairs.find(|(n, _)| n == name);
        found.map_or_else(String::new, |(_, v)| {
            v.replace('\0', "").trim().chars().take(100).collect()
        })
    }
}

impl FromRequest for Operator {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Self::of(SignedIn::of(&request).await?, request) })
    }
}

/// A form of the operator.
pub(in crate::web) struct OperatorForm {
    operator: Operator,
    form: Form,
}

impl FromRequest for OperatorForm {
    type Error = PageError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            // Before the form is read: whoever is no operator learns nothing from its refusal.
            let operator = Operator::of(SignedIn::of(&request).await?, request.clone())?;
            let CsrfForm { form, .. } = CsrfForm::from_request(&request, &mut payload).await?;
            Ok(Self { operator, form })
        })
    }
}

/// `GET /operator`.
pub(in crate::web) async fn tenants(operator: Operator) -> Result<HttpResponse, PageError> {
    let cursor = Cursor::parse(&operator.query("at")).ok_or(PageError::NotFound)?;
    let search = operator.query("search");
    let wanted = search.clone();
    let found = operator
        .who
        .ask(move |app| async move { app.tenant_summaries(&wanted, cursor, PAGE).await })
        .await?;
    let page = TenantsPage {
        chrome: operator.who.chrome(&operator.request, Place::Operator),
        search,
        tenants: found.map(row),
    };
    operator.who.page(&operator.request, StatusCode::OK, &page)
}

/// `GET /operator/tenants/{tenant}`.
pub(in crate::web) async fn tenant(operator: Operator) -> Result<HttpResponse, PageError> {
    tenant_page(&operator, StatusCode::OK, FormState::new()).await
}

/// `POST /operator/tenants/{tenant}/suspension`.
pub(in crate::web) async fn suspend(posted: OperatorForm) -> Result<HttpResponse, PageError> {
    let OperatorForm { operator, form } = posted;
    let tenant = operator.tenant()?;
    let (actor, reason) = (
        operator.who.actor(&operator.request),
        form.get("reason").to_owned(),
    );
    let done = operator
        .who
        .ask(move |app| async move { app.suspend_tenant(tenant, &reason, &actor).await })
        .await;
    match done {
        Ok(_) => Ok(redirect_to(&operator, tenant, Told::TenantSuspended)),
        Err(PageError::App(AppError::Invalid(problems))) => {
            let mut state = form.state(&[]);
            for problem in problems {
                state.refuse(problem.field, sentence(&problem.message));
            }
            tenant_page(&operator, StatusCode::UNPROCESSABLE_ENTITY, state).await
        }
        Err(error) => Err(error),
    }
}

/// `POST /operator/tenants/{tenant}/reinstatement`.
pub(in crate::web) async fn reinstate(posted: OperatorForm) -> Result<HttpResponse, PageError> {
    let OperatorForm { operator, .. } = posted;
    let tenant = operator.tenant()?;
    let actor = operator.who.actor(&operator.request);
    operator
        .who
        .ask(move |app| async move { app.reinstate_tenant(tenant, &actor).await })
        .await?;
    Ok(redirect_to(&operator, tenant, Told::TenantReinstated))
}

/// `GET /operator/queue`.
pub(in crate::web) async fn queue(operator: Operator) -> Result<HttpResponse, PageError> {
    let report = operator
        .who
        .ask(|app| async move { app.queue_report().await })
        .await?;
    let page = QueuePage {
        chrome: operator.who.chrome(&operator.request, Place::Operator),
        back_end: report.back_end.to_owned(),
        lanes: report
            .total
            .map(|total| (standings(&total.fresh), standings(&total.retry))),
        busiest: report
            .busiest
            .into_iter()
            .map(|(depth, name)| {
                let mut both = depth.fresh;
                both.add(&depth.retry);
                let name = name.unwrap_or_else(|| "The service's own work".to_owned());
                (name, standings(&both))
            })
            .collect(),
        backlogs: report
            .backlogs
            .into_iter()
            .map(|b| BacklogLine {
                words: match b.table {
                    "events" => "Events to decide",
                    "replays" => "Events to decide again",
                    "deliveries" => "Messages to send or look after",
                    _ => "E-mails to send",
                },
                due: b.due,
                oldest: b.oldest,
            })
            .collect(),
    };
    operator.who.page(&operator.request, StatusCode::OK, &page)
}

/// `GET /operator/workers`.
pub(in crate::web) async fn workers(operator: Operator) -> Result<HttpResponse, PageError> {
    let report = operator
        .who
        .ask(|app| async move { app.workers_report().await })
        .await?;
    let chrome = operator.who.chrome(&operator.request, Place::Operator);
    let (now, moment) = (chrome.now, chrome.moment());
    let process = |p: Process| ProcessLine {
        is_gone: now - p.seen_at > GONE_AFTER,
        is_own: p.name == report.own,
        clock_off: (p.clock_ahead.abs() > clock::OFF).then(|| {
            let standing = clock::standing(p.clock_ahead);
            format!("Its clock is {standing} the database's")
        }),
        in_hand: p.in_hand.unsigned_abs(),
        name: p.name,
        does: p.does,
        version: p.version,
        started_at: p.started_at,
        seen_at: p.seen_at,
    };
    let (kind, version) = report.database;
    let page = WorkersPage {
        processes: report.processes.into_iter().map(process).collect(),
        orphaned: report.orphaned,
        database: format!("{kind} {version}"),
        back_end: report.back_end.to_owned(),
        queue_trouble: report.queue_trouble.map(|d| d.to_string()),
        braked: report
            .braked
            .into_iter()
            .map(|(connection, channel, status)| brake(connection, channel, &status, moment))
            .collect(),
        connections: report.connections as u64,
        chrome,
    };
    operator.who.page(&operator.request, StatusCode::OK, &page)
}

async fn tenant_page(
    operator: &Operator,
    status: StatusCode,
    form: FormState,
) -> Result<HttpResponse, PageError> {
    let tenant = operator.tenant()?;
    let found = operator
        .who
        .ask(move |app| async move { app.tenant_summary(tenant).await })
        .await?;
    let page = TenantPage {
        chrome: operator.who.chrome(&operator.request, Place::Operator),
        tenant: row(found),
        form,
    };
    operator.who.page(&operator.request, status, &page)
}

fn redirect_to(operator: &Operator, tenant: TenantId, told: Told) -> HttpResponse {
    let to = format!("/operator/tenants/{tenant}");
    redirect(&to, [told.cookie(operator.who.app.public_url())])
}

fn row(of: TenantSummary) -> TenantRow {
    let t = of.tenant;
    TenantRow {
        standing: if of.is_deleting {
            Standing::Deleting
        } else if t.is_suspended {
            Standing::Suspended(t.suspended_for)
        } else if t.is_rehearsal {
            Standing::Rehearsal
        } else {
            Standing::Active
        },
        id: t.id,
        name: t.name,
        slug: t.slug,
        owner: of.owner,
        members: of.members.unsigned_abs(),
        events: of.events.unsigned_abs(),
        messages: of.messages.unsigned_abs(),
        created_at: t.created_at,
    }
}

fn standings(of: &Depth) -> Standings {
    Standings {
        ready: of.ready as u64,
        delayed: of.delayed as u64,
        leased: of.leased as u64,
    }
}

/// The worst first: refused credentials hold everything, an open breaker and a pause end by themselves.
fn brake(of: BrakedConnection, channel: Channel, status: &Status, moment: Moment) -> BrakeLine {
    let paused = status.paused_until.max(of.pauses.of(channel));
    let paused = paused.filter(|until| *until > moment.now);
    let (tone, words) = match (of.is_broken, status.breaker, paused) {
        (true, ..) => (Tone::Failed, "Credentials refused".to_owned()),
        (_, BreakerState::Open { until }, _) => {
            (Tone::Held, format!("Shut until {}", moment.short(until)))
        }
        (_, BreakerState::HalfOpen, _) => (Tone::Held, "Trying single calls".to_owned()),
        (_, BreakerState::Closed, Some(until)) => {
            (Tone::Held, format!("Paused until {}", moment.short(until)))
        }
        (_, BreakerState::Closed, None) => (Tone::Ok, "Open".to_owned()),
    };
    BrakeLine {
        tenant: of.tenant,
        tenant_name: of.tenant_name,
        tone,
        words: format!("{words} ({})", channel.label()),
        in_flight: status.in_flight as u64,
    }
}
