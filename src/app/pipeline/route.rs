//! Routing: fold the body, classify the event, claim the transition, ask the rules; one commit.
//!
//! Everything is worked out outside the transaction, which then checks the version of the document
//! and the number of the rule set, and starts over when one of them moved.

use std::sync::Arc;

use chrono::{DateTime, NaiveTime, TimeZone as _, Utc};

use super::decide::{EvaluationInput, Verdicts, whole};
use super::recipients::names_somebody;
use crate::app::recent::{AsOf, KeptDelivery, KeptEvent, RoutingContext, SeenDocument};
use crate::app::{App, AppError, job};
use crate::domain::day;
use crate::domain::decision::DecisionKind;
use crate::domain::delivery::DeliveryState;
use crate::domain::document::{Document, DocumentKind, ParsedDocument, Person, with_payment};
use crate::domain::event::{Body, Event, EventState, EventType};
use crate::domain::ids::{EventId, ReplayId, TenantId};
use crate::domain::phone::E164;
use crate::domain::states::{self, Calendar};
use crate::domain::tenant::Tenant;
use crate::domain::transition::{
    Classification, Known, Observation, Outcome, Told, classify, state_shown,
};
use crate::store::{
    AppliedCommit, ClassifiedEvent, DocumentCommit, KnownDocument, RouteCommit, RouteResult,
    TenantStore,
};
use crate::zoho::wire;

/// How often a decision starts over because something moved, before the job is tried again later.
const STARTS: usize = 20;

/// How many people of one document are remembered.
const MOST_PEOPLE: usize = 50;

/// How a replay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplayOutcome {
    Done,
    /// It was decided, but would send something else than was confirmed: nothing is sent.
    Changed,
    /// The event itself is not decided yet: the replay waits for it.
    EventWaits,
}

/// What is to be decided.
pub(in crate::app) struct Asked<'a> {
    pub(in crate::app) event: &'a Event,
    pub(in crate::app) body: Option<&'a Body>,
    /// The nil id when the event itself is routed.
    pub(in crate::app) replay: ReplayId,
    /// From when `send_within` runs.
    pub(in crate::app) wished_at: DateTime<Utc>,
}

impl App {
    /// Decides one event. Somebody else having done so is fine.
    pub async fn route_event(&self, tenant: TenantId, id: EventId) -> Result<(), AppError> {
        let store = self.tenant(tenant);
        let mut kept = self.caches.recent.take_event(id);
        let mut as_of = AsOf::Lately;
        for _ in 0..STARTS {
            let read = match kept.take() {
                Some(kept) => kept,
                None => match event_of(&store, id).await? {
                    Some(read) => Arc::new(read),
                    None => return Ok(()),
                },
            };
            if read.event.routed_at.is_some() {
                return Ok(());
            }
            let context = self.routing_context(&store, as_of).await?;
            let asked = Asked {
                event: &read.event,
                body: read.body.as_ref(),
                replay: ReplayId::nil(),
                wished_at: read.event.received_at,
            };
            let plan = self.plan(&store, &context, &asked).await?;
            if self.commit(&store, plan).await? {
                return Ok(());
            }
            as_of = AsOf::Now;
        }
        Err(AppError::Busy)
    }

    /// Decides an event again for a replay, with today's rules.
    pub async fn run_replay(
        &self,
        tenant: TenantId,
        id: ReplayId,
    ) -> Result<ReplayOutcome, AppError> {
        let store = self.tenant(tenant);
        for _ in 0..STARTS {
            let Some(replay) = store.replay(id).await? else {
                return Ok(ReplayOutcome::Done);
            };
            if replay.routed_at.is_some() {
                return Ok(ReplayOutcome::Done);
            }
            let Some(read) = event_of(&store, replay.event).await? else {
                return Ok(ReplayOutcome::Done);
            };
            if read.event.routed_at.is_none() {
                return Ok(ReplayOutcome::EventWaits);
            }
            let context = self.routing_context(&store, AsOf::Now).await?;
            let asked = Asked {
                event: &read.event,
                body: read.body.as_ref(),
                replay: replay.id,
                wished_at: replay.requested_at,
            };
            let mut plan = self.plan_wished(&store, &context, &asked).await?;
            let is_confirmed = replay
                .confirmed
                .as_ref()
                .is_none_or(|confirmed| plan.keep_confirmed(confirmed));
            if self.commit(&store, plan).await? {
                return Ok(if is_confirmed {
                    ReplayOutcome::Done
                } else {
                    ReplayOutcome::Changed
                });
            }
        }
        Err(AppError::Busy)
    }

    /// What deciding an event for a replay would write: one that was not understood is routed as new.
    pub(in crate::app) async fn plan_wished(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        asked: &Asked<'_>,
    ) -> Result<Plan, AppError> {
        let is_new = asked.event.routed_at.is_none();
        if is_new || asked.event.state == EventState::Unrecognised {
            self.plan(store, context, asked).await
        } else {
            self.plan_again(store, context, asked).await
        }
    }

    /// Commits a plan and wakes the senders; `false` when it must be made anew.
    async fn commit(&self, store: &TenantStore, plan: Plan) -> Result<bool, AppError> {
        let Plan { commit, document } = plan;
        let (tenant, now) = (store.tenant_id(), commit.routed_at);
        let queued: Vec<_> = commit
            .deliveries
            .iter()
            .filter(|d| d.state == DeliveryState::Queued)
            .map(|d| store.as_queued(d, now))
            .collect();
        match store.commit_route(commit).await? {
            RouteResult::Committed => {
                let wishes = queued.iter().map(|d| job::deliver(tenant, d.id, now));
                let wishes = wishes.collect();
                for delivery in queued {
                    let document = document.clone();
                    let kept = KeptDelivery { delivery, document };
                    self.caches.recent.keep_delivery(kept);
                }
                self.wake(wishes).await;
                Ok(true)
            }
            RouteResult::Gone => Ok(true),
            RouteResult::Stale => Ok(false),
        }
    }

    /// What routing an event as new would write.
    async fn plan(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        asked: &Asked<'_>,
    ) -> Result<Plan, AppError> {
        let now = self.now();
        let (tenant, event, replay) = (&context.tenant, asked.event, asked.replay);
        let parsed = match read(event, asked.body) {
            Ok(parsed) => parsed.with_days(tenant.date_format),
            Err(why) => {
                let commit = unrecognised(event, replay, tenant, why, now);
                return Ok(Plan {
                    commit,
                    document: None,
                });
            }
        };
        let (row, remembered) = tokio::try_join!(
            async {
                let known = store.document(event.connection, parsed.kind, &parsed.id);
                Ok(known.await?)
            },
            remembered(store, context, event, &parsed)
        )?;
        let known = row.as_ref().and_then(|r| r.known.as_ref());
        let seen = Observation {
            event: event.id,
            parsed: &parsed,
            typed: event.path_type,
            label: &event.label,
            received_at: event.received_at,
            calendar: Calendar::at(event.received_at, tenant.zone),
            applied: row.as_ref().map_or(&[], |r| &r.applied),
            dated_at: dated_at(tenant, &parsed),
        };
        let classification = classify(known, &seen);
        let is_changed = classification.document.is_some();
        let (state, last_event) = match (&classification.document, known) {
            (Some(state), _) => (state.clone(), event.id),
            (None, Some(known)) => (known.document.clone(), known.last_event),
            (None, None) => (state_shown(&parsed, event.received_at, 0), event.id),
        };
        let document = state.with_applied(seen.applied).into_owned();
        let verdicts = match (&classification.outcome, classification.event_type) {
            (Outcome::Tell, Some(event_type)) => self.decide(&EvaluationInput {
                context,
                event,
                replay,
                event_type,
                passed_over: &classification.passed_over,
                document: &document,
                parsed: &parsed,
                remembered: &remembered,
                wished_at: asked.wished_at,
                now,
            }),
            (outcome, _) => {
                let (kind, reason) = words(outcome, &parsed);
                Verdicts::whole(whole(event.id, replay, kind, reason, now))
            }
        };
        let applied = if is_changed {
            applied(store, event, &parsed, &state).await?
        } else {
            Vec::new()
        };
        let commit = RouteCommit {
            event: event.id,
            replay,
            connection: event.connection,
            routed_at: now,
            rule_set: tenant.rule_set,
            classified: Some(classified(&classification, &parsed, &verdicts)),
            document: Some(document_commit(row.as_ref(), classification, &parsed)),
            applied,
            decisions: verdicts.decisions,
            deliveries: verdicts.deliveries,
        };
        // The commit raises the version, whatever it writes.
        let version = row.map_or(0, |r| r.version) + 1;
        Ok(Plan {
            commit,
            document: Some(SeenDocument {
                version,
                document,
                last_event,
            }),
        })
    }

    /// What deciding a classified event once more would write: it folds no document and claims
    /// nothing; a loser or a baseline is decided as if it were the first, because a person asked.
    async fn plan_again(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        asked: &Asked<'_>,
    ) -> Result<Plan, AppError> {
        let now = self.now();
        let (event, replay) = (asked.event, asked.replay);
        let mut document = None;
        let verdicts = match (read(event, asked.body), event.event_type) {
            (Ok(parsed), Some(event_type)) if event_type.document() == parsed.kind => {
                let parsed = parsed.with_days(context.tenant.date_format);
                let remembered = remembered(store, context, event, &parsed).await?;
                let row = store.document(event.connection, parsed.kind, &parsed.id);
                let row = row.await?;
                let today = row.as_ref().and_then(KnownDocument::current);
                let today = today.unwrap_or_else(|| state_shown(&parsed, event.received_at, 0));
                let known = row.as_ref().and_then(|r| r.known.as_ref());
                let verdicts = self.decide(&EvaluationInput {
                    context,
                    event,
                    replay,
                    event_type,
                    passed_over: &passed_over(known, event.id),
                    document: &today,
                    parsed: &parsed,
                    remembered: &remembered,
                    wished_at: asked.wished_at,
                    now,
                });
                document = row.as_ref().map(|r| SeenDocument {
                    version: r.version,
                    document: today,
                    last_event: known.map_or(event.id, |k| k.last_event),
                });
                verdicts
            }
            (read, _) => {
                let (kind, reason) = match read {
                    Ok(_) => (
                        DecisionKind::NothingNew,
                        "this body shows nothing that a rule could tell".to_owned(),
                    ),
                    Err(why) => (DecisionKind::Unrecognised, why),
                };
                Verdicts::whole(whole(event.id, replay, kind, reason, now))
            }
        };
        let commit = RouteCommit {
            event: event.id,
            replay,
            connection: event.connection,
            routed_at: now,
            rule_set: context.tenant.rule_set,
            classified: None,
            document: None,
            applied: Vec::new(),
            decisions: verdicts.decisions,
            deliveries: verdicts.deliveries,
        };
        Ok(Plan { commit, document })
    }
}

/// What routing would write, and the document as its messages will find it.
pub(in crate::app) struct Plan {
    pub(in crate::app) commit: RouteCommit,
    pub(in crate::app) document: Option<SeenDocument>,
}

/// Steps that an event passed over when it was routed, the latest first.
fn passed_over(known: Option<&Known>, event: EventId) -> Vec<EventType> {
    let claims = known.map_or(&[][..], |k| &k.claims);
    let own = claims
        .iter()
        .filter(|c| c.event == event && c.told == Told::PassedOver);
    let mut types: Vec<EventType> = own.map(|c| c.event_type).collect();
    types.sort_unstable_by(|a, b| b.cmp(a));
    types
}

/// What a payment leaves open of its invoices, where that is news.
async fn applied(
    store: &TenantStore,
    event: &Event,
    payment: &ParsedDocument,
    state: &Document,
) -> Result<Vec<AppliedCommit>, AppError> {
    let has_moved = states::has_moved_money(state);
    let at = state.modified_at.unwrap_or(event.received_at);
    // Asked at the same time, they are read together.
    let rows = payment.applications.iter().map(|line| {
        let row = store.document(event.connection, DocumentKind::Invoice, &line.invoice);
        async move { row.await.map(|row| (line, row)) }
    });
    let mut commits = Vec::new();
    for (line, row) in futures::future::try_join_all(rows).await? {
        let known = row.as_ref().map_or(&[][..], |r| &r.applied);
        let balance = has_moved.then_some(line.balance);
        let Some(applied) = with_payment(known, &payment.id, balance, at) else {
            continue;
        };
        commits.push(AppliedCommit {
            id: line.invoice.clone(),
            version: row.map_or(0, |r| r.version),
            applied,
        });
    }
    commits.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    commits.dedup_by(|a, b| a.id == b.id);
    Ok(commits)
}

/// An event and its body, as they are stored.
pub(in crate::app) async fn event_of(
    store: &TenantStore,
    id: EventId,
) -> Result<Option<KeptEvent>, AppError> {
    let read = store.whole_event(id).await?;
    Ok(read.map(|(event, body)| KeptEvent { event, body }))
}

pub(in crate::app) fn read(event: &Event, body: Option<&Body>) -> Result<ParsedDocument, String> {
    let Some(body) = body else {
        return Err("the body is no longer kept".to_owned());
    };
    let content_type = (!body.content_type.is_empty()).then_some(body.content_type.as_str());
    wire::read(&body.bytes, content_type, event.path_type).map_err(|e| e.to_string())
}

/// People remembered for the document's customer or vendor, as far as it leaves that to us: those whom it
/// names by their ids alone, or, where its kind names nobody, all of them.
pub(in crate::app) async fn remembered(
    store: &TenantStore,
    context: &RoutingContext,
    event: &Event,
    parsed: &ParsedDocument,
) -> Result<Vec<Person>, AppError> {
    let by_nature = parsed.kind.names_nobody() && parsed.persons.is_empty();
    let Some(party) = &parsed.party else {
        return Ok(Vec::new());
    };
    let asks_nothing = !by_nature && parsed.person_ids.is_empty();
    if asks_nothing || names_somebody(parsed, &context.tenant) {
        return Ok(Vec::new());
    }
    let mut people = store.people(event.connection, &party.id).await?;
    if !parsed.person_ids.is_empty() {
        people.retain(|p| parsed.person_ids.contains(&p.id));
    }
    Ok(people)
}

/// Where messages go instead, while the tenant is in rehearsal and an owner's number is known.
pub(in crate::app) async fn rehearsal_to(
    store: &TenantStore,
    tenant: &Tenant,
) -> Result<Option<E164>, AppError> {
    if tenant.is_rehearsal {
        Ok(store.rehearsal_number().await?)
    } else {
        Ok(None)
    }
}

/// Midnight of the document's date in the tenant's zone.
fn dated_at(tenant: &Tenant, parsed: &ParsedDocument) -> Option<DateTime<Utc>> {
    let midnight = parsed.date?.and_time(NaiveTime::MIN);
    tenant
        .zone
        .from_local_datetime(&midnight)
        .earliest()
        .map(|t| t.with_timezone(&Utc))
}

/// An outcome that asks no rule, in words.
fn words(outcome: &Outcome, parsed: &ParsedDocument) -> (DecisionKind, String) {
    let name = parsed.number.as_deref().unwrap_or(&parsed.id);
    match outcome {
        Outcome::AlreadyHandled { by, told } => {
            let how = match told {
                Told::AsItself => "",
                Told::PassedOver => " (passed over: told as a later step)",
                Told::Baseline => " (known from the first time we saw it)",
            };
            (
                DecisionKind::AlreadyHandled,
                format!("already handled by {by}{how}"),
            )
        }
        Outcome::Baseline => (
            DecisionKind::Baseline,
            format!(
                "first time we see {name}, nothing assumed: {}",
                why_old(parsed)
            ),
        ),
        Outcome::NothingNew(why) => (DecisionKind::NothingNew, why.clone()),
        Outcome::Contradiction(why) => (DecisionKind::Contradiction, why.clone()),
        Outcome::Tell => (DecisionKind::NothingNew, "nothing to tell".to_owned()),
    }
}

/// Why a first body only sets where we start from.
fn why_old(parsed: &ParsedDocument) -> String {
    const SO: &str = "so this only sets where we start from";
    const HOW: &str = "In Zoho Books, choose “Default Payload” as the body of the webhook, or send \
                       dates as 2026-11-29";
    if parsed.created_time.is_some() || parsed.date.is_some() {
        return format!("it is older than 24 hours, {SO}");
    }
    let unread = ["created_time", "date"].iter().find_map(|field| {
        let text = parsed.fields.get(*field)?.as_str()?.trim();
        let text: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        (!text.is_empty()).then_some((*field, text))
    });
    match unread {
        None => format!(
            "it names neither its created_time nor its date, so we cannot tell how old it is, {SO}. \
             {HOW}"
        ),
        Some((field, text)) => match day::doubtful(&text) {
            Some((one, other)) => format!(
                "its {field} “{text}” may be {} or {}, so we cannot tell how old it is, {SO}. Choose in \
                 Settings which comes first, the day or the month",
                one.format("%-d %B %Y"),
                other.format("%-d %B %Y"),
            ),
            None => format!(
                "its {field} “{text}” could not be read as a date, so we cannot tell how old it is, \
                 {SO}. {HOW}"
            ),
        },
    }
}

fn classified(
    classification: &Classification,
    parsed: &ParsedDocument,
    verdicts: &Verdicts,
) -> ClassifiedEvent {
    let state = match classification.outcome {
        Outcome::Tell if verdicts.decisions.iter().any(|d| d.is_match) => EventState::Matched,
        Outcome::Tell => EventState::Unmatched,
        _ => EventState::Settled,
    };
    let party = parsed.party.as_ref();
    ClassifiedEvent {
        event_type: classification.event_type,
        state,
        kind: Some(parsed.kind),
        document_id: parsed.id.clone(),
        number: parsed.number.clone().unwrap_or_default(),
        party_id: party.map(|p| p.id.clone()).unwrap_or_default(),
        party_name: party.and_then(|p| p.name.clone()).unwrap_or_default(),
        amount: parsed.total,
        currency: parsed.currency.clone().unwrap_or_default(),
        rules_not_asked: verdicts.not_asked,
    }
}

fn document_commit(
    known: Option<&KnownDocument>,
    classification: Classification,
    parsed: &ParsedDocument,
) -> DocumentCommit {
    DocumentCommit {
        kind: parsed.kind,
        id: parsed.id.clone(),
        version: known.map_or(0, |k| k.version),
        state: classification.document,
        claims: classification.claims,
        party: parsed.party.as_ref().map(|p| p.id.clone()),
        people: parsed
            .persons
            .iter()
            .filter(|p| !p.id.is_empty())
            .take(MOST_PEOPLE)
            .cloned()
            .collect(),
    }
}

/// A signed body that we do not understand is kept, shown, and can be routed again after a fix.
fn unrecognised(
    event: &Event,
    replay: ReplayId,
    tenant: &Tenant,
    why: String,
    now: DateTime<Utc>,
) -> RouteCommit {
    RouteCommit {
        event: event.id,
        replay,
        connection: event.connection,
        routed_at: now,
        rule_set: tenant.rule_set,
        classified: Some(ClassifiedEvent {
            event_type: event.path_type,
            state: EventState::Unrecognised,
            kind: None,
            document_id: String::new(),
            number: String::new(),
            party_id: String::new(),
            party_name: String::new(),
            amount: None,
            currency: String::new(),
            rules_not_asked: 0,
        }),
        document: None,
        applied: Vec::new(),
        decisions: vec![whole(
            event.id,
            replay,
            DecisionKind::Unrecognised,
            why,
            now,
        )],
        deliveries: Vec::new(),
    }
}
