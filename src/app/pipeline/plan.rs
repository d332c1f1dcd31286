//! The plan of an event: all that routing it would write. Nothing here writes.

use chrono::{DateTime, Utc};

use super::assess::{Assessment, assess};
use super::context::{RoutingContext, RoutingInput};
use super::decide::Decided;
use super::evaluation_input::EvaluationInput;
use super::people::other_people;
use crate::app::sending::SeenDocument;
use crate::app::{App, AppError};
use crate::domain::decision::{Decision, DecisionKind};
use crate::domain::document::{Document, DocumentKind, ParsedDocument, with_payment};
use crate::domain::event::{Event, EventState};
use crate::domain::states;
use crate::domain::transition::{Classification, Outcome, with_claims};
use crate::store::{
    AppliedCommit, ClassifiedEvent, DocumentCommit, KnownDocument, RouteCommit, TenantStore,
};

/// How many people of one document are remembered.
const MOST_PEOPLE: usize = 50;

/// What routing would write, and the document as its messages will find it.
pub(super) struct Plan {
    pub(super) commit: RouteCommit,
    pub(super) document: Option<SeenDocument>,
}

/// What an event changes beside what is decided about it: nothing, when it is kept.
#[derive(Default)]
struct Folded {
    classified: Option<ClassifiedEvent>,
    document: Option<DocumentCommit>,
    applied: Vec<AppliedCommit>,
}

impl App {
    /// What routing an event would write.
    pub(super) async fn plan(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        input: &RoutingInput<'_>,
    ) -> Result<Plan, AppError> {
        let now = self.now();
        let event = &input.stored.event;
        let (decided, folded, document) = match input.stored.parse() {
            Ok(parsed) => {
                let parsed = parsed.with_days(context.tenant.date_format);
                self.plan_parsed(store, context, input, &parsed, now)
                    .await?
            }
            Err(why) => {
                let folded = Folded {
                    classified: input.is_folded().then(|| unrecognised(event)),
                    ..Folded::default()
                };
                let decision = Decision::whole(DecisionKind::Unrecognised, why);
                (Decided::whole(decision), folded, None)
            }
        };
        let commit = RouteCommit {
            event: event.id,
            replay: input.replay,
            connection: event.connection,
            routed_at: now,
            rule_set: context.tenant.rule_set,
            classified: folded.classified,
            document: folded.document,
            applied: folded.applied,
            decisions: decided.decisions,
            deliveries: decided.deliveries,
        };
        Ok(Plan { commit, document })
    }

    async fn plan_parsed(
        &self,
        store: &TenantStore,
        context: &RoutingContext,
        input: &RoutingInput<'_>,
        parsed: &ParsedDocument,
        now: DateTime<Utc>,
    ) -> Result<(Decided, Folded, Option<SeenDocument>), AppError> {
        let event = &input.stored.event;
        let (row, other_people) = tokio::try_join!(
            async {
                let known = store.document(event.connection, parsed.kind, &parsed.id);
                Ok(known.await?)
            },
            other_people(self, store, context, event, parsed)
        )?;
        let Assessment {
            asks,
            passed_over,
            document,
            last_event,
            version,
            classification,
        } = assess(context, input, parsed, row.as_ref());
        let decided = match asks {
            Ok(event_type) => self.decide(&EvaluationInput {
                context,
                event,
                replay: input.replay,
                event_type,
                passed_over: &passed_over,
                document: &document,
                parsed,
                other_people: &other_people,
                wished_at: input.wished_at,
                now,
            }),
            Err(unasked) => Decided::whole(Decision::whole(unasked.kind, unasked.reason)),
        };
        let folded = match classification {
            Some(classification) => Folded {
                classified: Some(classified(&classification, parsed, &decided)),
                applied: match &classification.document {
                    Some(payment) => applied(store, event, parsed, payment).await?,
                    None => Vec::new(),
                },
                document: Some(document_commit(row.as_ref(), classification, parsed)),
            },
            None => Folded::default(),
        };
        let document = version.map(|version| SeenDocument {
            version,
            document,
            last_event,
        });
        Ok((decided, folded, document))
    }
}

/// A signed body that we do not understand is kept, shown, and can be routed again after a fix.
fn unrecognised(event: &Event) -> ClassifiedEvent {
    ClassifiedEvent {
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
    }
}

fn classified(
    classification: &Classification,
    parsed: &ParsedDocument,
    decided: &Decided,
) -> ClassifiedEvent {
    let state = match classification.outcome {
        Outcome::Tell if decided.decisions.iter().any(|d| d.is_match) => EventState::Matched,
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
        rules_not_asked: decided.not_asked,
    }
}

/// What a payment leaves open of its invoices, where that is news.
async fn applied(
    store: &TenantStore,
    event: &Event,
    parsed: &ParsedDocument,
    payment: &Document,
) -> Result<Vec<AppliedCommit>, AppError> {
    let has_moved = states::has_moved_money(payment);
    let at = payment.modified_at.unwrap_or(event.received_at);
    // Asked at the same time, they are read together.
    let rows = parsed.applications.iter().map(|line| {
        let row = store.document(event.connection, DocumentKind::Invoice, &line.invoice);
        async move { row.await.map(|row| (line, row)) }
    });
    let mut commits = Vec::new();
    for (line, row) in futures::future::try_join_all(rows).await? {
        let known = row.as_ref().map_or(&[][..], |r| &r.applied);
        let balance = has_moved.then_some(line.balance);
        let Some(applied) = with_payment(known, &parsed.id, balance, at) else {
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

fn document_commit(
    known: Option<&KnownDocument>,
    classification: Classification,
    parsed: &ParsedDocument,
) -> DocumentCommit {
    let claimed = known
        .and_then(|k| k.known.as_ref())
        .map_or(&[][..], |k| &k.claims);
    DocumentCommit {
        kind: parsed.kind,
        id: parsed.id.clone(),
        version: known.map_or(0, |k| k.version),
        state: classification.document,
        claims: with_claims(claimed, &classification.claims),
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
