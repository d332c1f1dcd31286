//! E-mails as a new user comes to them: by links, buttons and fields alone, each of which is counted.

use std::cell::{Cell, RefCell};

use ml_connector::domain::actor::Actor;
use ml_connector::domain::document::DocumentKind;
use ml_connector::domain::money::Amount;
use ml_connector::sandbox::samples::{Generator, Standing, Trader, Wish, to_body};
use ml_connector::sandbox::twilio::Email;

use crate::harness::TestApp;
use crate::harness::company::{Company, NUMBER, PASSWORD, invoice};
use crate::harness::person::Person;

/// How much of a person's patience the way may take: from signing in to two rules that write to people.
const MOST_CLICKS: usize = 16;
const MOST_FIELDS: usize = 12;

/// The people of Finance, as they are typed.
const FINANCE: &str = "Ann Lee, ann@acme.example\nBo Diaz <bo@acme.example>";

/// Somebody whose clicks and fields are counted.
struct Newcomer<'a> {
    ann: Person<'a>,
    clicks: Cell<usize>,
    fields: Cell<usize>,
    way: RefCell<Vec<String>>,
}

impl Newcomer<'_> {
    fn note(&self, count: &Cell<usize>, what: &str) {
        count.set(count.get() + 1);
        self.way.borrow_mut().push(what.to_owned());
    }

    async fn click(&self, selector: &str, words: &str) {
        self.note(&self.clicks, &format!("click {words}"));
        self.ann.browser.click(selector, words).await;
    }

    async fn press(&self, words: &str) {
        self.click("button", words).await;
    }

    async fn follow(&self, words: &str) {
        self.click("main a, aside a", words).await;
    }

    async fn write(&self, name: &str, text: &str) {
        self.note(&self.fields, &format!("type {name}"));
        self.ann.write(name, text).await;
    }

    async fn choose(&self, name: &str, value: &str) {
        self.note(&self.fields, &format!("choose {name}"));
        let field = format!("[name='{name}']");
        self.ann.browser.choose(&field, value).await;
    }

    async fn tick(&self, name: &str) {
        self.note(&self.fields, &format!("tick {name}"));
        let field = format!("[name='{name}']");
        self.ann.browser.click_first(&field).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_has_bills_told_to_finance_and_invoices_to_contacts() {
    let app = TestApp::spawn().await;
    let acme = Company::unconnected(&app, "Acme").await;
    let operator = Actor::named("tests");
    app.app().rehearse(acme.id, &operator).await.unwrap();
    let newcomer = Newcomer {
        ann: Person::arrive(&app).await,
        clicks: Cell::new(0),
        fields: Cell::new(0),
        way: RefCell::default(),
    };

    newcomer.ann.open("/sign-in").await;
    newcomer.connects(&acme).await;
    newcomer.has_big_bills_told_to_finance().await;
    newcomer.has_invoices_told_to_contacts().await;
    newcomer.goes_live().await;
    newcomer.was_patient();

    let emails = told_of(&acme, &bill(&app, 1, "1000.01")).await;
    let to: Vec<_> = emails.iter().map(|e| e.to.as_str()).collect();
    assert_eq!(to, ["ann@acme.example", "bo@acme.example"]);
    let subject = &emails[0].subject;
    assert!(emails.iter().all(|e| e.from == "billing@acme.example"));
    let shown = newcomer.reads_newest(2).await;
    assert!(shown.contains("1,000.01"), "{subject}: {shown}");

    let none = told_of(&acme, &bill(&app, 2, "999.99")).await;
    assert!(none.is_empty(), "{none:?}");
    newcomer.reads_newest(0).await;
    newcomer.ann.reads("999.99 is not more than").await;

    let emails = told_of(&acme, &invoice(1, Standing::Sent, app.now())).await;
    let contact = Trader::customer(4).email;
    assert_eq!(emails.len(), 1);
    assert_eq!(emails[0].to, contact);
    let html = &emails[0].html;
    assert!(html.contains("https://zohosecurepay.com/"), "no button");
    let shown = newcomer.reads_newest(1).await;
    for words in ["Due date", "Item", "Total", "View and pay"] {
        let [shown, words] = [&shown, words].map(str::to_lowercase);
        assert!(shown.contains(&words), "{words}: {shown}");
    }
    newcomer.ann.leave().await;
}

impl Newcomer<'_> {
    async fn connects(&self, acme: &Company<'_>) {
        self.write("email", &acme.email).await;
        self.write("password", PASSWORD).await;
        self.press("Sign in").await;
        self.follow("Connect Twilio").await;
        self.write("account_sid", &acme.account_sid).await;
        self.write("auth_token", &acme.auth_token).await;
        self.write("sender", NUMBER).await;
        self.press("Save account").await;
        self.ann.reads("Twilio accepts the account").await;
    }

    async fn has_big_bills_told_to_finance(&self) {
        self.click(".rail a", "Rules").await;
        self.follow("Write the first rule").await;
        self.follow("Bill created, to Finance").await;
        self.follow("Add the group Finance").await;
        self.write("people", FINANCE).await;
        self.press("Make the group").await;
        self.ann.reads("The group is made").await;
        self.follow("Add an address").await;
        self.write("address", "billing@acme.example").await;
        self.write("name", "Acme Billing").await;
        self.press("Add the sender").await;
        self.ann.reads("The sender is saved").await;
        self.choose("condition.0.field", "total").await;
        self.choose("condition.0.op", "gt").await;
        self.write("condition.0.value", "1,000").await;
        self.press("Save rule").await;
        self.ann.reads("The rule is saved").await;
        let sentence = self.ann.read(".rule-sentence").await;
        assert_eq!(
            sentence,
            "When a bill is created and total is more than 1,000.00 in the document’s currency, send an e-mail to \
             Finance from the default sender."
        );
    }

    async fn has_invoices_told_to_contacts(&self) {
        self.follow("New rule").await;
        self.follow("Invoice sent, by e-mail").await;
        self.press("Save rule").await;
        self.ann.reads("The rule is saved").await;
    }

    async fn goes_live(&self) {
        self.follow("Go live").await;
        self.tick("attested").await;
        self.press("Go live").await;
        self.ann.reads("You are live").await;
    }

    /// The way was as short as it may be.
    #[expect(
        clippy::print_stdout,
        reason = "whoever shortens the way reads how long it is"
    )]
    fn was_patient(&self) {
        let (clicks, fields) = (self.clicks.get(), self.fields.get());
        let way = self.way.borrow().join(", ");
        let told = format!("{clicks} clicks and {fields} fields: {way}");
        println!("{told}");
        assert!(clicks <= MOST_CLICKS && fields <= MOST_FIELDS, "{told}");
    }

    /// Opens the newest event of the history, which has so many messages; what the first one says in its frame.
    async fn reads_newest(&self, messages: usize) -> String {
        let browser = &self.ann.browser;
        browser.click(".rail a", "History").await;
        self.ann.is_at("History").await;
        browser.click_first("#history a.row-link").await;
        self.ann.reads("What Zoho Books sent").await;
        let heads = browser.texts(".delivery-head .badge").await;
        assert_eq!(heads.len(), messages, "{heads:?}");
        if messages == 0 {
            return String::new();
        }
        browser.text_within(".delivery .email iframe").await
    }
}

/// Zoho Books tells of a document; the e-mails that go out, by address.
async fn told_of(acme: &Company<'_>, body: &[u8]) -> Vec<Email> {
    let before = acme.emails().len();
    acme.told("", body).await;
    acme.app.run_due_jobs().await;
    let mut emails = acme.emails().split_off(before);
    emails.sort_by(|a, b| a.to.cmp(&b.to));
    emails
}

/// A bill that was entered just now.
fn bill(app: &TestApp, seed: u64, total: &str) -> Vec<u8> {
    let wish = Wish {
        standing: Some(Standing::Sent),
        total: Some(Amount::parse(total).unwrap()),
        ..Wish::default()
    };
    let document = Generator::seeded(seed).document(DocumentKind::Bill, &wish, app.now());
    to_body(&document, false)
}
