//! A made-up document of each kind: what the editor's preview is filled in with.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::domain::currency::Currency;
use crate::domain::document::{DocumentKind, Person};
use crate::domain::rule::{Facts, OWN_FIELDS, is_known, known_fields};
use crate::render::Template;
use crate::web::areas::rules::page::TemplateName;
use crate::web::form::FormState;
use crate::web::ui::field::Choice;
use crate::web::ui::phone::Length;
use crate::web::ui::time::Moment;

/// What conditions mostly ask about, whatever the document.
const USUAL: [&str; 22] = [
    "total",
    "balance",
    "amount",
    "status",
    "currency_code",
    "customer_name",
    "vendor_name",
    "due_date",
    "date",
    "invoice_number",
    "bill_number",
    "purchaseorder_number",
    "payment_number",
    "payment_mode",
    "reference_number",
    "payment_terms_label",
    "salesperson_name",
    "label",
    "contact.name",
    "contact.mobile",
    "contact.email",
    "payment_link",
];

/// As long as Zoho's links are: nobody should learn what a message costs from the bill.
const LINK: &str = "https://zohosecurepay.com/books/zillum/secure?CInvoiceID=2-\
                    00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff001122\
                    33445566778899aabbccddeeff00112233445566778899aabbccddeeff0011223344556";

/// The choices of a condition's field: the usual ones, all others of the kind, and those that the
/// rule has already.
pub(in crate::web) fn fields(kind: DocumentKind, form: &FormState) -> Vec<Choice> {
    let mut names: Vec<String> = USUAL.iter().map(|n| (*n).to_owned()).collect();
    let others = known_fields(kind).iter().chain(OWN_FIELDS);
    // A formatted field repeats a plain one as text, which compares badly.
    names.extend(
        others
            .filter(|n| !n.ends_with("_formatted"))
            .map(|n| (*n).to_owned()),
    );
    for row in 0..crate::web::areas::rules::form::rows(form) {
        names.push(form.value(&format!("condition.{row}.field")).to_owned());
    }
    let mut choices: Vec<Choice> = Vec::with_capacity(names.len());
    for name in names {
        if !name.is_empty() && choices.iter().all(|c| c.value != name) {
            choices.push(Choice::new(name.clone(), name));
        }
    }
    choices
}

const CUSTOMER: &str = "Bowman & Co";

/// Several, so that a table of them shows what it looks like.
fn items() -> Value {
    let item = |name: &str, description: &str, quantity: u32, unit: &str, rate: f64| {
        json!({
            "name": name, "description": description, "quantity": quantity, "unit": unit, "rate": rate,
            "item_total": f64::from(quantity) * rate,
        })
    };
    json!([
        item("Copy paper A4", "80 g, white, 500 sheets", 20, "box", 45.00),
        item("Envelopes C5", "", 12, "pack", 14.50),
        item("Delivery to your door", "Monday to Friday", 1, "", 60.45),
    ])
}

/// A document that could be.
#[derive(Debug, Clone)]
pub(in crate::web) struct Sample {
    kind: DocumentKind,
    fields: Map<String, Value>,
    person: Person,
    currency: Option<Currency>,
    today: chrono::NaiveDate,
    /// The longest name among the tenant's customers, where it is longer than the made-up one.
    longest: Option<String>,
}

impl Sample {
    /// The sample of a kind, in the tenant's currency, due soon.
    ///
    /// `longest` is the longest name among the tenant's customers: the preview counts with it.
    pub(in crate::web) fn of(
        kind: DocumentKind,
        currency: &str,
        moment: Moment,
        longest: Option<&str>,
    ) -> Self {
        let is_longer = |name: &&str| name.chars().count() > CUSTOMER.chars().count();
        let longest = longest.filter(is_longer);
        let name = longest.unwrap_or(CUSTOMER);
        let today = moment.now.with_timezone(&moment.zone).date_naive();
        let (day, due) = (today.to_string(), (today + TimeDelta::days(14)).to_string());
        let all = json!({
            "invoice_number": "INV-00003", "bill_number": "BILL-00012",
            "purchaseorder_number": "PO-00007", "payment_number": "41",
            "customer_name": name, "vendor_name": longest.unwrap_or("Molly Johnson"),
            "company_name": name, "invoice_url": LINK, "line_items": items(),
            "sub_total": 1134.45, "taxes": [{ "tax_name": "VAT (19%)", "tax_amount": 215.55 }],
            "tax_total": 215.55, "total": 1350.00, "balance": 1350.00, "amount": 450.00,
            "invoices": [
                { "invoice_number": "INV-00003", "invoice_amount": 1350.00, "date": day, "amount_applied": 350.00 },
                { "invoice_number": "INV-00002", "invoice_amount": 100.00, "date": day, "amount_applied": 100.00 },
            ],
            "bills": [
                { "bill_number": "BILL-00012", "total": 300.00, "date": day, "amount_applied": 300.00 },
                { "bill_number": "BILL-00011", "total": 150.00, "date": day, "amount_applied": 150.00 },
            ],
            "currency_code": currency, "status": "sent",
            "date": day, "due_date": due, "payment_mode": "Bank transfer",
            "reference_number": "REF-19", "payment_terms_label": "Net 15",
            "description": "Paper and envelopes", "account_name": "Office supplies",
            "paid_through_account_name": "Main account",
            "salesperson_name": "Ada Lindqvist", "notes": "Thank you",
        });
        let fields = match all {
            Value::Object(all) => all.into_iter().filter(|(n, _)| is_known(kind, n)).collect(),
            _ => Map::new(),
        };
        Self {
            kind,
            fields,
            person: Person {
                first_name: Some("Benjamin".to_owned()),
                last_name: Some("George".to_owned()),
                email: Some("benjamin@example.com".to_owned()),
                phone: Some("+44 20 7946 0123".to_owned()),
                mobile: Some("+44 7700 900123".to_owned()),
                ..Person::default()
            },
            currency: Currency::parse(currency).ok(),
            today,
            longest: longest.map(str::to_owned),
        }
    }

    /// The text filled in; where it does not compile yet, as it was typed.
    pub(in crate::web) fn preview(&self, source: &str) -> (String, Length) {
        let text = self.filled(source).unwrap_or_else(|| source.to_owned());
        let length = Length::of(&text);
        (text, length)
    }

    /// What the preview counts with, in words; none where the text has neither link nor name.
    pub(in crate::web) fn counted_with(&self, source: &str) -> Option<String> {
        let link = ["payment_link", "invoice_url"]
            .iter()
            .any(|name| source.contains(name))
            .then(|| format!("a payment link of {} characters", LINK.len()));
        let named = ["customer_name", "vendor_name", "company_name"]
            .iter()
            .any(|name| source.contains(name));
        let name = self.longest.as_ref().filter(|_| named);
        let name = name.map(|name| format!("your longest customer name, “{name}”"));
        let parts: Vec<String> = [link, name].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("Counted with {}.", parts.join(" and ")))
    }

    /// The names that a text may use, with their values here. An amount and a date also stand with the
    /// filter that writes them as people do.
    pub(in crate::web) fn names(&self) -> Vec<TemplateName> {
        let single = self.fields.iter().filter(|(_, value)| !value.is_array());
        let own = single.flat_map(|(name, value)| {
            let filter = match value {
                Value::Number(_) => Some("money"),
                _ if name.ends_with("date") => Some("date"),
                _ => None,
            };
            let written = filter.map(|filter| format!("{name}|{filter}"));
            [Some(name.clone()), written].into_iter().flatten()
        });
        let names = own.chain(OWN_FIELDS.iter().map(|name| (*name).to_owned()));
        names
            .map(|name| TemplateName {
                sample: self
                    .filled(&format!("{{{{ {name} }}}}"))
                    .unwrap_or_default(),
                name,
            })
            .collect()
    }

    /// What the document is.
    pub(in crate::web) const fn kind(&self) -> DocumentKind {
        self.kind
    }

    fn filled(&self, source: &str) -> Option<String> {
        let template = Template::parse(source, self.kind).ok()?;
        template.render(&self.facts()).ok()
    }

    pub(in crate::web) fn facts(&self) -> Facts<'_> {
        Facts {
            fields: &self.fields,
            payment_link: Some(LINK),
            contact: Some(&self.person),
            label: Some("14d"),
            currency: self.currency,
            today: self.today,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(kind: DocumentKind) -> Sample {
        let moment = Moment {
            zone: chrono_tz::UTC,
            now: "2026-06-01T10:00:00Z".parse().unwrap(),
        };
        Sample::of(kind, "EUR", moment, None)
    }

    #[test]
    fn a_preview_counts_with_a_real_link_and_the_longest_name() {
        let moment = Moment {
            zone: chrono_tz::UTC,
            now: "2026-06-01T10:00:00Z".parse().unwrap(),
        };
        let longest = "Vereinigte Papier- und Schreibwarengesellschaft Nord mbH & Co. KG";
        let of = |name| Sample::of(DocumentKind::Invoice, "EUR", moment, name);
        let source = "Hello {{ customer_name }}, pay {{ total }} here: {{ payment_link }}";
        let (text, length) = of(Some(longest)).preview(source);
        assert!(
            text.contains(longest) && length.characters > 200 + 65,
            "{text}"
        );
        assert_eq!(length.segments, 2);
        assert_eq!(
            of(Some(longest)).counted_with(source).unwrap(),
            format!(
                "Counted with a payment link of 200 characters and your longest customer name, \
                 “{longest}”."
            )
        );
        // A shorter name than ours hides nothing, and a text without either is counted as it is.
        assert!(
            of(Some("Li"))
                .preview(source)
                .0
                .starts_with("Hello Bowman & Co,")
        );
        assert_eq!(of(Some(longest)).counted_with("Hello"), None);
    }

    #[test]
    fn every_kind_has_a_number_or_an_amount_to_show() {
        for &kind in DocumentKind::ALL {
            let names = sample(kind).names();
            let given = |n: &str| names.iter().any(|t| t.name == n && !t.sample.is_empty());
            assert!(given("total") || given("amount"), "{kind}: {names:?}");
            assert!(given("contact.name"), "{kind}");
        }
    }

    #[test]
    fn amounts_and_dates_also_stand_as_people_write_them() {
        let names = sample(DocumentKind::Invoice).names();
        let of = |name: &str| {
            names
                .iter()
                .find(|t| t.name == name)
                .map(|t| t.sample.as_str())
        };
        assert_eq!(of("total|money"), Some("€1,350.00"));
        assert_eq!(of("due_date|date"), Some("15 Jun 2026"));
        assert_eq!(of("customer_name"), Some("Bowman & Co"));
        assert_eq!(of("customer_name|money"), None);
    }

    #[test]
    fn a_text_is_shown_filled_in_and_a_broken_one_as_typed() {
        let sample = sample(DocumentKind::Invoice);
        let (text, length) = sample.preview("Hello {{ contact.first_name }}: {{ invoice_number }}");
        assert_eq!(text, "Hello Benjamin: INV-00003");
        assert_eq!(length.segments, 1);
        assert_eq!(sample.preview("Hello {{ nam").0, "Hello {{ nam");
    }

    #[test]
    fn a_field_that_the_rule_has_stays_in_the_list() {
        let form = FormState::new().with("condition.0.field", "cf_colour");
        let choices = fields(DocumentKind::Invoice, &form);
        assert!(choices.iter().any(|c| c.value == "cf_colour"));
        assert_eq!(choices.iter().filter(|c| c.value == "total").count(), 1);
    }
}
