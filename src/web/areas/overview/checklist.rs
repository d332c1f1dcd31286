//! The checklist of a new tenant: its steps, and whether they are folded away.

use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::onboarding::{FirstHour, TransportStep};
use crate::config::web::PublicUrl;
use crate::domain::provider::ProviderWords;
use crate::domain::user::{Ability, Role};
use crate::web::areas::error::PageError;
use crate::web::areas::overview::page::ChecklistStep;
use crate::web::extract::ability::View;
use crate::web::extract::tenant::TenantForm;

/// Bears whether somebody folded the checklist away; it belongs to one tenant's path.
const CHECKLIST: &str = "mlc_checklist";

/// `POST /t/{tenant}/checklist`: folds the checklist away in this browser, or brings it back.
pub(in crate::web) async fn fold(posted: TenantForm<View>) -> Result<HttpResponse, PageError> {
    let TenantForm { request, form } = posted;
    let value = match form.get("folded") {
        "1" => "folded",
        "0" => "",
        _ => return Err(PageError::Unreadable),
    };
    let path = format!("/t/{}/", request.member.tenant.slug);
    let mut answer = request.redirect_to("/", None);
    let cookie = folding(value, path, request.who.app.public_url());
    answer
        .add_cookie(&cookie)
        .map_err(|_| PageError::Unreadable)?;
    Ok(answer)
}

fn folding(value: &'static str, path: String, url: &PublicUrl) -> Cookie<'static> {
    let lasts = if value.is_empty() {
        Duration::ZERO
    } else {
        Duration::days(365)
    };
    Cookie::build(CHECKLIST, value)
        .path(path)
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(url.is_https() || !url.is_loopback())
        .max_age(lasts)
        .finish()
}

/// Whether this browser folded the checklist away.
pub(in crate::web) fn is_folded(http: &HttpRequest) -> bool {
    http.cookie(CHECKLIST)
        .is_some_and(|c| c.value() == "folded")
}

/// The steps from nothing to the first delivered message, in order, as they stand.
pub(in crate::web) fn steps(
    hour: FirstHour,
    role: Role,
    provider: &ProviderWords,
) -> Vec<ChecklistStep> {
    let step = |title: &str, sentence: &str, words: &str, path: &str, needs: Ability, done| {
        let may = role.may(needs);
        let whose = if needs == Ability::EditRules {
            "An editor does this."
        } else {
            "An admin does this."
        };
        ChecklistStep {
            title: title.to_owned(),
            sentence: if may || done {
                sentence.to_owned()
            } else {
                format!("{sentence} {whose}")
            },
            button: may.then(|| (words.to_owned(), path.to_owned())),
            done,
        }
    };
    let ProviderWords { name, needed, .. } = provider;
    let connect = format!("Connect {name}");
    let (sentence, words) = if hour.transport == TransportStep::Untried {
        let sentence = format!(
            "The account is saved, but {name} has not accepted it yet. Check it, or enter it again."
        );
        (sentence, format!("Check {name}"))
    } else {
        let sentence = format!("It carries the messages; you need {needed}.");
        (sentence, connect.clone())
    };
    let mut steps = vec![step(
        &connect,
        &sentence,
        &words,
        &provider.section(),
        Ability::Connect,
        hour.transport == TransportStep::Accepted,
    )];
    if hour.is_rehearsal {
        steps.push(step(
            "Confirm your own number",
            "You rehearse: until you go live, every SMS goes to the owner's own number, and every e-mail to their address.",
            "Confirm a number",
            "/own-number",
            Ability::ConfirmNumber,
            hour.has_own_number,
        ));
    }
    if let Some(has_email_sender) = hour.has_email_sender {
        steps.push(step(
            "Add an address for e-mails",
            "A rule of yours sends e-mails. Say from which address, and send yourself a test.",
            "Go to Senders",
            "/senders",
            Ability::Connect,
            has_email_sender,
        ));
    }
    steps.extend([
        step(
            "Make the webhook in Zoho Books",
            "Copy the web address and the secret, and follow the steps in Zoho Books.",
            "Show the steps",
            "/connections/set-up",
            Ability::Connect,
            hour.is_knocked_at,
        ),
        step(
            "Hear the first request",
            if hour.is_knocked_at {
                "Zoho Books came, but was not believed. The list of requests says why."
            } else {
                "Change a document in Zoho Books, and watch its request arrive."
            },
            "Watch for it",
            "/connections/set-up#first-request",
            Ability::View,
            hour.is_heard,
        ),
        step(
            "Send a test event",
            "A made-up document takes the same way, and reaches nobody but you.",
            "Go to the test",
            "/connections/set-up#test",
            Ability::Connect,
            hour.is_tested,
        ),
        step(
            "Write the first rule",
            "Choose a ready one, such as an SMS or an e-mail to the contact when an invoice is sent.",
            "Write a rule",
            "/rules/new",
            Ability::EditRules,
            hour.has_rules,
        ),
        step(
            "See the first message delivered",
            "Send a test event once more, now that a rule is there, or wait for Zoho Books.",
            "Go to the test",
            "/connections/set-up#test",
            Ability::View,
            hour.is_delivered,
        ),
    ]);
    if hour.is_rehearsal {
        steps.push(step(
            "Go live",
            "Look at what would have been sent, then let messages go to contacts.",
            "Go live",
            "/go-live",
            Ability::GoLive,
            false,
        ));
    }
    steps
}
