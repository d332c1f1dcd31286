//! What a service asked of the stand-in for Twilio, held against Twilio's own descriptions.

use std::collections::BTreeMap;

use ml_connector::sandbox::LoggedRequest;
use ml_connector::sandbox::twilio::Twilio;

#[path = "../../../src/twilio/test_spec.rs"]
mod test_spec;

use test_spec::{Asked, Spec};

/// Checks every request when its test ends well.
pub(crate) struct Journal {
    pub(crate) twilio: Twilio,
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.operations();
        }
    }
}

impl Journal {
    /// How many requests there were of each operation; none where there are no descriptions.
    pub(crate) fn operations(&self) -> Option<BTreeMap<String, usize>> {
        let requests = self.twilio.requests();
        if requests.is_empty() {
            return Some(BTreeMap::new());
        }
        let spec = Spec::found()?;
        let mut counts = BTreeMap::new();
        for request in &requests {
            let operation = spec.check(&asked(request));
            *counts.entry(operation.unwrap()).or_default() += 1;
        }
        Some(counts)
    }
}

fn asked(request: &LoggedRequest) -> Asked<'_> {
    Asked {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        content_type: &request.content_type,
        body: &request.body,
    }
}

/// Says what is wrong with a request that is not described.
#[test]
fn a_request_that_is_not_described_is_found() {
    let Some(spec) = Spec::found() else { return };
    let account = format!("/2010-04-01/Accounts/AC{}", "0a".repeat(16));
    let check = |method, path: &str, content_type, body: &str| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        spec.check(&Asked {
            method,
            path,
            query,
            content_type,
            body,
        })
    };
    let form = |body| {
        let path = format!("{account}/Messages.json");
        check("POST", &path, "application/x-www-form-urlencoded", body)
    };
    let good =
        "To=%2B1&Body=x&From=%2B2&ValidityPeriod=60&StatusCallback=http%3A%2F%2Fa.example%2F";
    assert_eq!(form(good).unwrap(), "CreateMessage");
    for (bad, why) in [
        ("Body=x", "\"To\" is missing"),
        ("To=x&to=y", "to is not described"),
        ("To=x&To=y", "To stands twice"),
        ("To=x&ValidityPeriod=1.5", "ValidityPeriod is no"),
        ("To=x&ValidityPeriod=soon", "ValidityPeriod is"),
        ("To=x&StatusCallback=%2Fa", "StatusCallback is no uri"),
        ("To=x&ContentRetention=for+ever", "none of the choices"),
        ("To=x&MessagingServiceSid=MG1", "not within its bounds"),
    ] {
        let problem = form(bad).unwrap_err();
        assert!(problem.contains(why), "{bad}: {problem}");
    }
    let read = |below: &str| check("GET", &format!("{account}{below}"), "", "");
    assert_eq!(read("/Messages.json?PageSize=50").unwrap(), "ListMessage");
    for (bad, why) in [
        ("/Messages.json?PageSize=0", "not within its bounds"),
        ("/Messages.json?Since=x", "Since is not described"),
        ("/Calls.json", "no such path"),
        ("/Messages/SMx.json", "not within its bounds"),
        (
            "/Messages/XX0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a.json",
            "is no ^(SM|MM)",
        ),
    ] {
        let problem = read(bad).unwrap_err();
        assert!(problem.contains(why), "{bad}: {problem}");
    }
    let operation = |id: &str| check("GET", &format!("/v1/Emails/Operations/{id}"), "", "");
    let good = "comms_operation_01h9krwprkeee8fzqspvwy6nq8";
    assert_eq!(operation(good).unwrap(), "FetchEmailOperation");
    assert!(operation("comms_operation_91h9krwprkeee8fzqspvwy6nq8").is_err());
    let email = |body: &str| check("POST", "/v1/Emails", "application/json", body);
    let with = |more: &str| {
        let content = r#"{"subject":"s","html":"<p>"}"#;
        let to = r#"[{"address":"b@c.example"}]"#;
        format!(r#"{{"from":{{"address":"a@b.example"}},"to":{to},"content":{content}{more}}}"#)
    };
    assert_eq!(email(&with("")).unwrap(), "SendEmails");
    for (bad, why) in [
        (with(r#","replyTo":"x""#), "$.replyTo is not described"),
        (with(r#","tags":{"a":1}"#), "$.tags.a is no"),
        (with("").replace("b@c.example", "b@c, d@e"), "is no email"),
        (with("").replace("html", "text"), "lacks \"html\""),
    ] {
        let problem = email(&bad).unwrap_err();
        assert!(problem.contains(why), "{bad}: {problem}");
    }
    let put = check("PUT", "/v1/Emails", "application/json", "{}");
    assert!(put.unwrap_err().contains("no such method"));
}
