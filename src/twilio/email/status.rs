//! How an e-mail fares: the statistics of the operation that sent it, which is that of one recipient.
//!
//! The surprise: `COMPLETED` says that Twilio has done its work, not that anything arrived; and of what did not,
//! Twilio tells neither a reason nor a code.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::domain::report::{Report, Status};

/// The words of an e-mail's state, and what they mean; also the names of the statistics. The last that is told
/// counts: an e-mail that was opened is counted as delivered as well.
const STATES: [(&str, Status); 8] = [
    ("scheduled", Status::Scheduled),
    ("queued", Status::Queued),
    ("sent", Status::Sent),
    ("canceled", Status::Canceled),
    ("failed", Status::Failed),
    ("undelivered", Status::Undelivered),
    ("delivered", Status::Delivered),
    // Nobody's opening is watched.
    ("opened", Status::Delivered),
];

/// An operation as it arrives.
#[derive(Debug, Deserialize)]
pub(super) struct OperationJson {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    stats: Value,
}

impl OperationJson {
    /// What it says of its only e-mail; nothing while it counts several, or none.
    pub(super) fn report(&self) -> Report {
        let word = self.status.as_str().unwrap_or("unknown").to_lowercase();
        let reached: Vec<(&str, Status)> = STATES
            .into_iter()
            .filter(|(name, _)| self.count(name) > 0)
            .collect();
        let recipients = ["total", "recipients"].map(|name| self.count(name));
        let recipients = recipients.into_iter().max().unwrap_or_default();
        // Some accounts are told no total. An e-mail that was opened counts twice.
        let ends = reached.iter().filter(|(name, _)| *name != "opened").count();
        let is_one = recipients == 1 || (recipients == 0 && ends <= 1);
        let last = reached
            .last()
            .filter(|(name, _)| is_one && self.count(name) == 1);
        Report {
            status: last.map(|(_, status)| *status),
            word: last.map_or(word, |(name, _)| (*name).to_owned()),
            error_code: 0,
            said: None,
            is_opt_out: false,
            limit: None,
            detail: json!({ "operation": self.status, "stats": self.stats }).to_string(),
        }
    }

    fn count(&self, name: &str) -> i64 {
        match &self.stats[name] {
            Value::Number(count) => count.as_i64().unwrap_or_default(),
            Value::String(count) => count.trim().parse().unwrap_or_default(),
            _ => 0,
        }
    }
}

/// The same of an e-mail that is known by its own name.
pub(super) fn report_of(word: &str) -> Report {
    let word = word.to_lowercase();
    let state = STATES.into_iter().find(|(name, _)| *name == word);
    Report {
        status: state.map(|(_, status)| status),
        error_code: 0,
        said: None,
        is_opt_out: false,
        limit: None,
        detail: json!({ "email": word }).to_string(),
        word,
    }
}

/// How it stands, for a clerk.
pub(super) fn explain(report: &Report, to: &str, reader: &str) -> String {
    let says = match report.word.as_str() {
        "sent" => "Handed to the recipient's mail server",
        "delivered" | "opened" => "The recipient's mail server took it",
        "failed" => {
            "Twilio could not send it, and tells no reason. Look at the message in the Twilio Console."
        }
        "undelivered" if !to.is_empty() => {
            return format!(
                "It did not arrive at {to}, and Twilio tells no reason: a full mailbox looks like a wrong \
                 address. Ask {reader} whether the address is right."
            );
        }
        "undelivered" => "It did not arrive, and Twilio tells no reason",
        "canceled" => "It was canceled at Twilio",
        "accepted" | "queued" | "scheduled" | "processing" | "completed" => {
            "Twilio has it and is sending it"
        }
        _ => "Twilio reported a status that we do not know",
    };
    says.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(word: &str, stats: &Value) -> Report {
        let json = json!({ "id": "comms_operation_1", "status": word, "stats": stats });
        serde_json::from_value::<OperationJson>(json)
            .unwrap()
            .report()
    }

    #[test]
    fn completed_is_not_delivered() {
        let none = report("COMPLETED", &json!({ "total": 1, "delivered": 0 }));
        assert_eq!((none.status, none.word.as_str()), (None, "completed"));
        let sent = report("COMPLETED", &json!({ "total": 1, "sent": 1 }));
        assert_eq!(sent.status, Some(Status::Sent));
    }

    #[test]
    fn each_statistic_has_its_meaning() {
        for (name, status) in STATES {
            let told = report("PROCESSING", &json!({ "total": 1, name: 1 }));
            assert_eq!((told.status, told.word.as_str()), (Some(status), name));
            assert_eq!(report_of(&name.to_uppercase()).status, Some(status));
        }
        // As some accounts see it, and without a total.
        for stats in [
            json!({ "recipients": 1, "delivered": "1" }),
            json!({ "delivered": 1 }),
            json!({ "delivered": 1, "opened": 1 }),
        ] {
            assert_eq!(report("COMPLETED", &stats).status, Some(Status::Delivered));
        }
        let opened = report(
            "COMPLETED",
            &json!({ "total": 1, "delivered": 1, "opened": 1 }),
        );
        assert_eq!(opened.status, Some(Status::Delivered));
    }

    #[test]
    fn statistics_of_several_or_of_none_tell_nothing() {
        for stats in [
            json!({ "total": 2, "delivered": 2 }),
            json!({ "total": 2, "delivered": 1, "undelivered": 1 }),
            json!({ "delivered": 1, "failed": 1 }),
            json!({ "total": 0 }),
            json!({}),
            Value::Null,
        ] {
            let told = report("COMPLETED", &stats);
            assert_eq!(
                (told.status, told.word.as_str()),
                (None, "completed"),
                "{stats}"
            );
        }
        assert_eq!(report_of("INBOUND").status, None);
    }

    #[test]
    fn what_did_not_arrive_is_told_with_what_to_do() {
        let report = report("COMPLETED", &json!({ "total": 1, "undelivered": 1 }));
        assert_eq!(
            explain(&report, "ann@example.net", "Bowman & Co"),
            "It did not arrive at ann@example.net, and Twilio tells no reason: a full mailbox looks like a \
             wrong address. Ask Bowman & Co whether the address is right."
        );
    }
}
