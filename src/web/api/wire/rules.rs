//! Rules: a definition, flat, with its switches beside it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ids::{RuleId, SenderId};
use crate::domain::rule::{self, Conditions, Recipient, RuleChannel, RuleSender, TemplateSource};

/// A rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rule {
    #[schema(value_type = String)]
    pub id: RuleId,
    /// Raised by every edit; decisions name the version that they were taken by.
    pub version: i64,
    pub enabled: bool,
    /// Rules are asked from the lowest up.
    pub position: i64,
    pub name: String,
    /// Such as `invoice.overdue`.
    pub event_type: &'static str,
    #[schema(value_type = ConditionsSchema)]
    pub conditions: Conditions,
    #[schema(value_type = String)]
    pub channel: RuleChannel,
    #[schema(value_type = RecipientSchema)]
    pub recipient: Recipient,
    #[schema(value_type = Option<SenderSchema>)]
    pub sender: Option<RuleSender>,
    /// Of e-mails.
    #[schema(value_type = Option<String>)]
    pub email_sender: Option<SenderId>,
    #[schema(value_type = TemplateSchema)]
    pub template: TemplateSource,
    /// Seconds after which the message is no longer worth sending.
    pub send_within: u32,
}

impl From<rule::Rule> for Rule {
    fn from(rule: rule::Rule) -> Self {
        let definition = rule.definition;
        Self {
            id: rule.id,
            version: rule.version,
            enabled: rule.enabled,
            position: rule.position,
            name: definition.name,
            event_type: definition.event_type.as_str(),
            conditions: definition.conditions,
            channel: definition.channel,
            recipient: definition.recipient,
            sender: definition.sender,
            email_sender: definition.email_sender,
            template: definition.template,
            send_within: definition.send_within,
        }
    }
}

/// What stands beside a definition.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {
    pub enabled: Option<bool>,
    pub position: Option<i64>,
}

/// A rule to be made.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewRule {
    /// 1 to 100 characters.
    pub name: String,
    /// Such as `invoice.overdue`.
    pub event_type: String,
    /// None: always.
    pub conditions: Option<ConditionsSchema>,
    /// `sms`, which is also the default, `email`, `both`, `sms_else_email` or `email_else_sms`.
    pub channel: Option<String>,
    pub recipient: RecipientSchema,
    /// Of SMS; the tenant's sender for the recipient when none.
    pub sender: Option<SenderSchema>,
    /// Of e-mails: the id of a sender; the tenant's sender for the recipient when none.
    pub email_sender: Option<String>,
    pub template: TemplateSchema,
    /// 60 to 2592000 seconds; a day by default.
    pub send_within: Option<u32>,
    /// On by default.
    pub enabled: Option<bool>,
    /// At the end by default.
    pub position: Option<i64>,
}

/// A change: every field that is given replaces the stored one as a whole.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RulePatch {
    pub name: Option<String>,
    pub event_type: Option<String>,
    pub conditions: Option<ConditionsSchema>,
    pub channel: Option<String>,
    pub recipient: Option<RecipientSchema>,
    pub sender: Option<SenderSchema>,
    pub email_sender: Option<String>,
    pub template: Option<TemplateSchema>,
    pub send_within: Option<u32>,
    pub enabled: Option<bool>,
    pub position: Option<i64>,
}

/// `all` of them or `any` of them must hold.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Conditions)]
pub enum ConditionsSchema {
    All { all: Vec<ConditionSchema> },
    Any { any: Vec<ConditionSchema> },
}

/// One condition.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Condition)]
pub struct ConditionSchema {
    /// One of Zoho's own top-level names, or `contact.…`, `label`, `payment_link`.
    pub field: String,
    /// One of `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `contains`, `starts_with`, `in`, `not_in`,
    /// `before`, `after`, `present`, `absent`.
    pub op: String,
    /// A text, a decimal as text, a day, or a list; nothing for `present` and `absent`.
    pub value: Option<serde_json::Value>,
}

/// Whom a message goes to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[schema(as = Recipient)]
pub enum RecipientSchema {
    /// People whom the document names: `first` who can be reached, `primary`, or `all`.
    Contact {
        who: Option<String>,
        /// Where it names nobody, the customer's primary contact as Zoho Books has it.
        else_customer: Option<bool>,
    },
    /// Always these numbers and e-mail addresses; `address` stands for a single one.
    Fixed { addresses: Vec<String> },
    /// The people of a group who are on.
    Group { group: String },
    /// Those who approve the document, and who submitted it.
    Approvers,
}

/// Whom a message comes from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Sender)]
pub enum SenderSchema {
    /// The id of a sender (`snd_…`).
    Kept(String),
    From {
        from: String,
    },
    MessagingService {
        messaging_service_sid: String,
    },
}

/// What a message says before it is filled in. A channel that the rule does not use may lack its part.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Template)]
pub struct TemplateSchema {
    /// Of an SMS.
    pub body: Option<String>,
    pub email: Option<EmailSchema>,
}

/// An e-mail before it is filled in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EmailTemplate)]
pub struct EmailSchema {
    pub subject: String,
    /// What lists of messages show behind the subject.
    pub preview: Option<String>,
    /// Markdown with fields, and blocks such as `[[details]]` on lines of their own.
    pub body: String,
}
