//! The checks of `POST …/Messages.json`, in Twilio's order and with Twilio's codes.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::account::{Account, AccountKind, AccountStatus, Service, is_sid, random_sid};
use super::address::{Reach, reach};
use super::error::Refusal;
use super::message::Message;

/// What a trial account's texts begin with.
const TRIAL_PREFIX: &str = "Sent from your Twilio trial account - ";
const BODY_LIMIT: usize = 1_600;

/// A decoded form; names are case-sensitive.
#[derive(Debug, Clone, Default)]
pub(super) struct Form(pub(super) Vec<(String, String)>);

impl Form {
    /// The pairs of a form body. Any other type of body has none, as at Twilio: a JSON body is
    /// answered with what is missing.
    pub(super) fn from_body(content_type: &str, body: &[u8]) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Self::default();
        }
        Self(form_urlencoded::parse(body).into_owned().collect())
    }

    /// The first value, if it is not blank.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let given = |(key, value): &&(String, String)| key == name && !value.trim().is_empty();
        self.0.iter().find(given).map(|(_, value)| value.as_str())
    }

    /// The pairs that a message does not show under a name of its own.
    fn others(&self) -> Vec<(String, String)> {
        let shown = [
            "To",
            "From",
            "Body",
            "MessagingServiceSid",
            "StatusCallback",
        ];
        self.0
            .iter()
            .filter(|(name, _)| !shown.contains(&name.as_str()))
            .cloned()
            .collect()
    }

    /// Every value, blank ones left out.
    fn all(&self, name: &str) -> Vec<&str> {
        let given = |(key, value): &&(String, String)| key == name && !value.trim().is_empty();
        self.0
            .iter()
            .filter(given)
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// What the checks need to know besides the account.
pub(super) struct Surroundings<'a> {
    pub(super) now: DateTime<Utc>,
    pub(super) refuse_callbacks: bool,
    pub(super) smart_encoding: bool,
    /// Whether this recipient has opted out of this account.
    pub(super) opted_out: &'a dyn Fn(&str) -> bool,
}

/// The message that the form asks for, or the refusal.
pub(super) fn message(
    account: &Account,
    form: &Form,
    around: &Surroundings<'_>,
) -> Result<Message, Refusal> {
    if account.status != AccountStatus::Active {
        return Err(Refusal::new(403, 20005, "Account is not active"));
    }
    let to = form
        .get("To")
        .ok_or_else(|| Refusal::bad(21604, "A 'To' phone number is required."))?;
    let from = form.get("From");
    let service_sid = form.get("MessagingServiceSid");
    if from.is_none() && service_sid.is_none() {
        return Err(Refusal::bad(21603, "A 'From' phone number is required."));
    }
    let media: Vec<&str> = form.all("MediaUrl");
    let mut body = text(account, form, !media.is_empty())?;
    if around.smart_encoding || form.get("SmartEncoded") == Some("true") {
        body = smart_encoded(&body);
    }
    check_media(&media)?;
    check_recipient(to)?;
    let service = service_sid.map(|sid| service(account, sid)).transpose()?;
    if let Some(from) = from {
        check_sender(account, service, from, to)?;
    }
    check_validity(form)?;
    let status_callback = callback(form, service, around.refuse_callbacks)?;
    if account.kind == AccountKind::Trial && !account.verified.iter().any(|number| number == to) {
        let message = format!(
            "The number {to} is unverified. Trial accounts cannot send messages to unverified numbers"
        );
        return Err(Refusal::bad(21608, message));
    }
    if (around.opted_out)(to) {
        return Err(opted_out(to));
    }
    let sid = random_sid(if media.is_empty() { "SM" } else { "MM" });
    Ok(Message {
        sid,
        account_sid: account.sid.clone(),
        to: to.to_owned(),
        from: from.map(str::to_owned),
        body,
        status: if service.is_some() {
            "accepted"
        } else {
            "queued"
        }
        .to_owned(),
        error_code: None,
        messaging_service_sid: service.map(|service| service.sid.clone()),
        status_callback,
        num_media: media.len(),
        date_created: around.now,
        date_updated: around.now,
        date_sent: None,
        params: form.others(),
    })
}

/// `Body`, or the filled content template; empty only beside media.
fn text(account: &Account, form: &Form, has_media: bool) -> Result<String, Refusal> {
    let content_sid = form.get("ContentSid");
    let variables = form.get("ContentVariables");
    let body = match (content_sid, form.get("Body")) {
        (Some(sid), _) => content(account, sid, variables)?,
        (None, _) if variables.is_some() => {
            return Err(Refusal::bad(
                21654,
                "ContentSid required with ContentVariables",
            ));
        }
        (None, Some(body)) => body.to_owned(),
        (None, None) if has_media => String::new(),
        (None, None) => return Err(Refusal::bad(21602, "Message body is required.")),
    };
    if body.chars().count() > BODY_LIMIT {
        let message = "The concatenated message body exceeds the 1600 character limit.";
        return Err(Refusal::bad(21617, message));
    }
    Ok(match account.kind {
        AccountKind::Trial => format!("{TRIAL_PREFIX}{body}"),
        AccountKind::Full => body,
    })
}

/// What Smart Encoding makes of a text, as far as it is known (facts 9): a no-break space becomes two
/// blanks. What a bullet becomes is not known, so the stand-in takes something that nobody expects.
pub(super) fn smart_encoded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\u{a0}' => plain.push_str("  "),
            '\u{202f}' => plain.push(' '),
            '\u{2018}' | '\u{2019}' => plain.push('\''),
            '\u{201c}' | '\u{201d}' => plain.push('"'),
            '\u{2013}' | '\u{2014}' => plain.push('-'),
            '\u{2026}' => plain.push_str("..."),
            '\u{201a}' => plain.push(','),
            '\u{bd}' => plain.push_str("1/2"),
            '\u{3002}' => plain.push('.'),
            '\u{ff01}'..='\u{ff5e}' => {
                plain.extend(char::from_u32(u32::from(letter) - 0xfee0));
            }
            '\u{2022}' => plain.push('*'),
            other => plain.push(other),
        }
    }
    plain
}

fn content(account: &Account, sid: &str, variables: Option<&str>) -> Result<String, Refusal> {
    let template = account
        .contents
        .get(sid)
        .ok_or_else(|| Refusal::bad(21655, format!("The ContentSid {sid} is invalid")))?;
    let values: Value = match variables {
        None => Value::Null,
        Some(text) => serde_json::from_str(text)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Refusal::bad(21656, "The ContentVariables parameter is invalid."))?,
    };
    let mut filled = template.clone();
    for (name, value) in values.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        filled = filled.replace(&format!("{{{{{name}}}}}"), &value);
    }
    Ok(filled)
}

fn check_media(media: &[&str]) -> Result<(), Refusal> {
    if media.len() > 10 {
        return Err(Refusal::bad(
            21623,
            "Number of media files exceeds allowed limit",
        ));
    }
    match media.iter().find(|url| reach(url) == Reach::Refused) {
        Some(url) => Err(Refusal::bad(21620, format!("Invalid media URL: {url}"))),
        None => Ok(()),
    }
}

/// The shape of the recipient, and the magic ones (facts 2.5).
fn check_recipient(to: &str) -> Result<(), Refusal> {
    let number = to.split_once(':').map_or(to, |(_, number)| number);
    let channel = to
        .split_once(':')
        .is_none_or(|(channel, _)| is_channel(channel));
    if !channel || !is_e164(number) {
        return Err(Refusal::bad(
            21211,
            format!("Invalid 'To' Phone Number: {to}"),
        ));
    }
    match number {
        "+15005550001" => Err(Refusal::bad(
            21211,
            format!("Invalid 'To' Phone Number: {to}"),
        )),
        "+15005550002" => Err(Refusal::bad(
            21612,
            format!(
                "The message cannot be sent with the current combination of 'To' ({to}) and/or 'From' parameters"
            ),
        )),
        "+15005550003" => Err(Refusal::bad(
            21408,
            format!(
                "Permission to send an SMS has not been enabled for the region indicated by the 'To' number: {to}"
            ),
        )),
        "+15005550004" => Err(opted_out(to)),
        "+15005550009" => Err(Refusal::bad(
            21614,
            format!("'To' number is not a valid mobile number: {to}"),
        )),
        _ => Ok(()),
    }
}

fn service<'a>(account: &'a Account, sid: &str) -> Result<&'a Service, Refusal> {
    if !is_sid("MG", sid) {
        return Err(Refusal::bad(21705, "The Messaging Service Sid is invalid"));
    }
    let service = account
        .services
        .iter()
        .find(|service| service.sid == sid)
        .ok_or_else(|| Refusal::bad(21701, "The Messaging Service does not exist"))?;
    if service.senders.is_empty() {
        return Err(Refusal::bad(
            21704,
            "The Messaging Service contains no phone numbers",
        ));
    }
    Ok(service)
}

/// The sender's shape, its magic, and that it belongs to the account and to the service's pool.
fn check_sender(
    account: &Account,
    service: Option<&Service>,
    from: &str,
    to: &str,
) -> Result<(), Refusal> {
    let not_owned = || {
        let message = format!(
            "The 'From' phone number {from} is not a valid, message-capable Twilio phone number for this account"
        );
        Refusal::bad(21606, message)
    };
    if from == to {
        return Err(if from.contains(':') {
            Refusal::bad(63031, "Channels message cannot have same From and To")
        } else {
            Refusal::bad(21211, "'To' and 'From' number cannot be the same")
        });
    }
    match from {
        "+15005550001" => {
            return Err(Refusal::bad(
                21212,
                format!("Invalid 'From' Phone Number: {from}"),
            ));
        }
        "+15005550007" => return Err(not_owned()),
        "+15005550008" => return Err(Refusal::bad(21611, "SMS queue is full.")),
        "+15005550006" if account.test_credentials => return Ok(()),
        _ if account.test_credentials => return Err(not_owned()),
        _ => {}
    }
    let (channel, plain) = from
        .split_once(':')
        .map_or((None, from), |(c, n)| (Some(c), n));
    if !is_sender(channel, plain) {
        return Err(Refusal::bad(
            21212,
            format!("Invalid 'From' Phone Number: {from}"),
        ));
    }
    if channel != to.split_once(':').map(|(channel, _)| channel) {
        return Err(Refusal::bad(
            21910,
            "'From' and 'To' must be of the same channel",
        ));
    }
    let owned = match service {
        Some(service) => service.senders.iter().any(|number| number == from),
        None => account.numbers.iter().any(|number| number == from),
    };
    match (owned, channel) {
        (true, _) => Ok(()),
        (false, Some(_)) => Err(Refusal::bad(
            63007,
            "Twilio could not find a Channel with the specified From address",
        )),
        (false, None) => Err(not_owned()),
    }
}

fn check_validity(form: &Form) -> Result<(), Refusal> {
    match form.get("ValidityPeriod").map(str::parse::<u32>) {
        None | Some(Ok(1..=36_000)) => Ok(()),
        Some(_) => Err(Refusal::bad(
            21624,
            "The ValidityPeriod must be between 1 and 36000 seconds",
        )),
    }
}

fn callback(
    form: &Form,
    service: Option<&Service>,
    refuse_all: bool,
) -> Result<Option<String>, Refusal> {
    let Some(url) = form.get("StatusCallback") else {
        return Ok(service.and_then(|service| service.status_callback.clone()));
    };
    if refuse_all || reach(url) == Reach::Refused {
        let message = format!("The StatusCallback URL {url} is not a valid URL.");
        return Err(Refusal::bad(21609, message));
    }
    Ok(Some(url.to_owned()))
}

fn opted_out(to: &str) -> Refusal {
    Refusal::bad(
        21610,
        format!("Attempt to send to unsubscribed recipient: {to}"),
    )
}

fn is_channel(channel: &str) -> bool {
    matches!(channel, "whatsapp" | "rcs" | "messenger")
}

fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0')
    })
}

/// A number, a short code, or an alphanumeric id (facts 6).
fn is_sender(channel: Option<&str>, plain: &str) -> bool {
    if let Some(channel) = channel {
        return is_channel(channel) && is_e164(plain);
    }
    let short_code =
        (3..=8).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit());
    let alphanumeric = plain.len() <= 11
        && plain.bytes().any(|byte| byte.is_ascii_alphabetic())
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b" -+_&".contains(&byte));
    is_e164(plain) || short_code || alphanumeric
}
