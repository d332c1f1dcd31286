//! The service's own mail, over SMTP to a real server.

use chrono::TimeDelta;
use linkify::LinkFinder;
use ml_connector::app::mail::{Mail, MailContent};
use ml_connector::config::mail::{MailConfig, SmtpConfig, SmtpTls};
use ml_connector::mail::{Mailer, NotSent, Outgoing};
use ml_connector::sandbox::samples::Standing;
use ml_connector::store::{Due, DueCursor, MailOutcome};
use ml_connector::twilio;
use ml_connector::zoho::webhook::SIGNATURE_HEADER;

use crate::harness::TestApp;
use crate::harness::company::{PASSWORD, invoice};
use crate::harness::process::Service;
use crate::harness::smtp::{Fault, ReceivedMail as Received, SmtpServer};
use crate::harness::visitor::Visitor;

fn mail(once: &str) -> Mail {
    Mail {
        tenant: None,
        to: "ann@example.com".to_owned(),
        kind: "reset",
        once: once.to_owned(),
        content: MailContent {
            subject: "Set a new password – größer".to_owned(),
            text: "Hello,\n.\n..dots and <b>tags</b>\n".to_owned(),
        },
    }
}

async fn state(app: &TestApp, state: &str) -> i64 {
    app.rows(&format!("mails WHERE state = '{state}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_out_once_and_is_forgotten() {
    let app = TestApp::spawn().await;
    let mut mail = mail("one");
    let link = app.running.app.public_url().join("/reset/abc");
    mail.content.text += &["\nSet it here:\n", &link, "\n"].concat();
    app.app().mail(mail.clone()).await.unwrap();
    app.app().mail(mail).await.unwrap();
    let [mail] = app.mails().await.try_into().unwrap();
    assert_eq!(mail.to, "ann@example.com");
    assert_eq!(mail.from, "sms@example.com");
    assert_eq!(mail.subject, "Set a new password – größer");
    assert!(
        mail.text.contains("\n.\n..dots and <b>tags</b>\n"),
        "{}",
        mail.text
    );
    assert_eq!(mail.link(), link);
    assert!(
        mail.html.contains(&format!("<a href=\"{link}\"")),
        "{}",
        mail.html
    );
    assert!(!mail.html.contains("<b>"), "{}", mail.html);
    assert_eq!(mail.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!(mail.header("Date"), Some("Mon, 23 Nov 2026 10:00:00 +0000"));
    assert_eq!(state(&app, "sent").await, 1);
    assert_eq!(app.rows("mails WHERE length(sealed) > 0").await, 0);

    app.advance(TimeDelta::days(29));
    assert_eq!(app.app().prune_mails().await.unwrap(), 0);
    app.advance(TimeDelta::days(2));
    assert_eq!(app.app().prune_mails().await.unwrap(), 1);
    assert_eq!(app.mails().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_tried_again_until_the_server_takes_it() {
    let app = TestApp::spawn().await;
    app.smtp.fail(&[Fault::Busy, Fault::HangUpInLetter]);
    app.app().mail(mail("one")).await.unwrap();
    assert!(app.mails().await.is_empty());
    assert_eq!(state(&app, "waiting").await, 1);
    app.advance(TimeDelta::seconds(50));
    assert!(app.mails().await.is_empty());
    assert_eq!(
        app.rows("mails WHERE tries = 1").await,
        1,
        "not before its time"
    );
    app.advance(TimeDelta::seconds(15));
    assert!(app.mails().await.is_empty());
    assert_eq!(app.rows("mails WHERE tries = 2").await, 1);
    app.advance(TimeDelta::minutes(5));
    assert_eq!(app.mails().await.len(), 1);
    assert_eq!(state(&app, "sent").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_taken_before_the_line_broke_comes_again_under_the_same_id() {
    let app = TestApp::spawn().await;
    app.smtp.fail(&[Fault::HangUpAfterLetter]);
    app.app().mail(mail("one")).await.unwrap();
    assert_eq!(app.mails().await.len(), 1);
    app.advance(TimeDelta::minutes(2));
    let [first, second] = app.mails().await.try_into().unwrap();
    let id = first.header("Message-ID").unwrap();
    assert!(id.ends_with("@example.com>"), "{id}");
    assert_eq!(second.header("Message-ID"), Some(id));
    assert_eq!(second.header("Date"), first.header("Date"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_mail_fails_with_the_reason_and_is_not_tried_again() {
    let app = TestApp::spawn().await;
    app.smtp.fail(&[Fault::NoSuchUser]);
    app.app().mail(mail("one")).await.unwrap();
    assert!(app.mails().await.is_empty());
    let failed = "mails WHERE state = 'failed' AND reason LIKE '%5.1.1 no such user here%' \
                  AND length(sealed) = 0";
    assert_eq!(app.rows(failed).await, 1);
    app.advance(TimeDelta::hours(30));
    assert!(app.mails().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_takes_for_a_day_fails() {
    let app = TestApp::spawn().await;
    app.smtp.fail(&[Fault::Busy; 100]);
    app.app().mail(mail("one")).await.unwrap();
    for _ in 0..23 {
        app.mails().await;
        app.advance(TimeDelta::hours(1));
    }
    assert_eq!(state(&app, "waiting").await, 1);
    for _ in 0..2 {
        app.mails().await;
        app.advance(TimeDelta::hours(1));
    }
    let failed = "mails WHERE state = 'failed' AND reason LIKE 'not within 24 hours: %'";
    assert_eq!(app.rows(failed).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_hand_a_mail_over_once() {
    let Some([one, other]) = TestApp::pair().await else {
        return;
    };
    for number in 0..20 {
        one.app().mail(mail(&number.to_string())).await.unwrap();
    }
    tokio::join!(one.run_due_jobs(), other.run_due_jobs());
    assert_eq!(one.mails().await.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_worker_died_comes_back() {
    let app = TestApp::spawn().await;
    app.app().mail(mail("one")).await.unwrap();
    let now = app.now();
    let platform = app.app().store().platform();
    let due = platform.due(now, &mut DueCursor::default(), 10).await;
    let [Due::Mail(None, id)] = due.unwrap()[..] else {
        panic!("one letter is due");
    };
    let until = now + TimeDelta::minutes(3);
    let claimed = platform.claim_mail(id, until, now).await.unwrap().unwrap();
    assert!(app.mails().await.is_empty(), "somebody has it");
    app.advance(TimeDelta::minutes(4));
    assert_eq!(app.mails().await.len(), 1);
    let late = MailOutcome::Failed("late".to_owned());
    let settled = platform
        .settle_mail(id, claimed.tries, late, app.now())
        .await;
    assert!(!settled.unwrap(), "who was overtaken settles nothing");
    assert_eq!(state(&app, "sent").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_shows_a_mail_only_where_only_this_machine_reaches_us() {
    let app = TestApp::spawn_in_real_time().await;
    let service = Service::new(app.sandbox.base_url()).await;
    let checked = |variables: &[(&str, &str)]| {
        let mut command = service.command(&["check"]);
        for (name, value) in variables {
            command.env(name, value);
        }
        let output = command.output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|l| l.contains("  Mail: "));
        line.unwrap_or_default().to_owned()
    };
    drop(service.run(&["migrate"], ""));
    let here = checked(&[("PUBLIC_URL", "http://127.0.0.1:8080")]);
    assert!(here.contains("written to the log"), "{here}");
    let public = checked(&[("PUBLIC_URL", "https://sms.example.com")]);
    assert!(public.contains("no e-mails leave"), "{public}");
    let bound = checked(&[("BIND", "0.0.0.0:8080")]);
    assert!(bound.contains("no e-mails leave"), "{bound}");

    let smtp = SmtpServer::start().await;
    let from = ("MAIL_FROM", "sms@example.com");
    let good = checked(&[("SMTP_URL", &smtp.url()), from]);
    assert!(good.contains("127.0.0.1 takes e-mails"), "{good}");
    let wrong = checked(&[("SMTP_URL", "smtp://127.0.0.1:1"), from]);
    assert!(
        wrong.starts_with("WRONG") && wrong.contains("refused"),
        "{wrong}"
    );
    assert!(!smtp.commands().iter().any(|c| c == "MAIL"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_keep_a_line_private_is_told_nothing() {
    let smtp = SmtpServer::start().await;
    let config = MailConfig {
        smtp: Some(SmtpConfig {
            host: "127.0.0.1".to_owned(),
            port: smtp.port(),
            tls: SmtpTls::StartTls,
            credentials: Some(("me".to_owned(), "hush".to_owned().into())),
        }),
        from: Some("sms@example.com".parse().unwrap()),
    };
    let mailer = Mailer::new(&config, true).unwrap();
    assert!(mailer.can_send() && !mailer.is_log());
    assert!(mailer.probe().await.unwrap_err().contains("STARTTLS"));
    let mail = Outgoing {
        id: uuid::Uuid::nil(),
        to: "ann@example.com",
        subject: "Hello",
        text: "Hello",
        at: "2026-11-23T10:00:00Z".parse().unwrap(),
        origin: "https://sms.example.com",
    };
    let sent = mailer.send(&mail).await;
    assert!(matches!(sent, Err(NotSent::Temporary(_))), "{sent:?}");
    let commands = smtp.commands();
    assert!(
        commands.iter().all(|c| c == "EHLO" || c == "QUIT"),
        "{commands:?}"
    );
}

/// What a mail program would make links of, beside the addresses of ours.
fn foreign_links(text: &str, ours: &str) -> Vec<String> {
    let mut finder = LinkFinder::new();
    finder.url_must_have_scheme(false).url_can_be_iri(false);
    let links = finder.links(text).map(|l| l.as_str().to_owned());
    links.filter(|l| !l.starts_with(ours)).collect()
}

/// How the subjects of ours begin.
const SUBJECTS: [&str; 10] = [
    "Confirm your address for ml-connector",
    "Confirm your new address for ml-connector",
    "Your address for ml-connector is to change",
    "You are invited to the team of “",
    "Twilio refuses our access for “",
    "Requests from Zoho Books are refused for “",
    "Nothing from Zoho Books for two working days at “",
    "Yesterday: ",
    "A reply from ",
    "A company of yours was deleted: “",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_strangers_type_is_no_link_in_any_of_our_mails() {
    const NAME: &str = "Co” … https://evil.example/login www.evil.example ann@evil.example \
                        =?utf-8?q?=68ttps:?= evil.example/x mailto:x \u{202e}“";
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Visitor::signed_in(&app, &acme.email, PASSWORD).await;
    // An earlier version, or the database itself, may hold what forms refuse today.
    for set in ["UPDATE tenants SET name =", "UPDATE users SET name ="] {
        app.database.run(&format!("{set} '{NAME}'")).await;
    }
    app.database
        .run("UPDATE users SET email = 'owner@evil.example'")
        .await;

    let door = Visitor::stranger(&app);
    let form = door.get("/sign-up").await;
    let typed = [
        ("email", "new@harbour.example"),
        ("password", "seven mellow anvils"),
        ("company", "Evil.example Www2.evil.example"),
        ("country", "GB"),
        ("zone", "Europe/London"),
        ("currency", "GBP"),
    ];
    let asked = door.submit(&form, "/sign-up", &typed).await;
    assert!(
        asked.text().contains("Check your e-mail"),
        "{}",
        asked.text()
    );
    let team = ann.get("/t/acme/team").await;
    let guest = [("email", "ben@guest.example"), ("role", "editor")];
    ann.submit(&team, "/t/acme/team/invitations", &guest).await;
    let page = ann.get("/account/email").await;
    let other = [("email", "ann@evil.example"), ("password", PASSWORD)];
    ann.submit(&page, "/account/email", &other).await;

    acme.rule("invoice.sent", "Hello").await;
    acme.told("", &invoice(1, Standing::Sent, app.now())).await;
    app.run_due_jobs().await;
    let contact = acme.messages()[0].to.clone();
    acme.hears(&contact, &format!("Hi\n\nhttps://sms.example/\n{NAME}"))
        .await;
    for _ in 0..5 {
        let call = app.http.post(&acme.hook_url).body("{}");
        let call = call.header("content-type", "application/json");
        call.header(SIGNATURE_HEADER, "0".repeat(64))
            .send()
            .await
            .unwrap();
    }
    acme.connect_untried(&"0".repeat(32)).await;
    app.app().check(acme.id, twilio::PROVIDER).await.unwrap();
    app.app().tell_owners().await.unwrap();
    for hours in [27, 48] {
        app.advance(TimeDelta::hours(hours));
        app.app().tell_owners().await.unwrap();
        app.run_due_jobs().await;
    }
    let page = ann.get("/t/acme/deletion/new").await;
    let sure = [("name", NAME), ("password", PASSWORD)];
    let gone = ann.submit(&page, "/t/acme/deletion", &sure).await;
    assert!(gone.text().contains("is deleted"), "{}", gone.text());

    let mails: Vec<Received> = app.mails().await;
    let ours = app.running.app.public_url().origin();
    for begins in SUBJECTS {
        let found = mails.iter().filter(|l| l.subject.starts_with(begins));
        assert!(found.count() > 0, "no mail about “{begins}”");
    }
    for mail in mails {
        let subject = &mail.subject;
        let is_ours = SUBJECTS.iter().any(|begins| subject.starts_with(begins));
        assert!(is_ours, "{subject}");
        let html = scraper::Html::parse_document(&mail.html);
        let read = html.root_element().text().collect::<Vec<_>>().join(" ");
        for part in [subject, &mail.text, &read] {
            assert_eq!(foreign_links(part, &ours), Vec::<String>::new(), "{part}");
            assert!(!part.contains("=?") && !part.contains('\u{202e}'), "{part}");
        }
        let links = scraper::Selector::parse("[href], [src]").unwrap();
        for link in html.select(&links) {
            let to = link.attr("href").unwrap_or_default();
            assert!(to.starts_with(&format!("{ours}/")), "{to}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_echoes_our_password_is_not_quoted() {
    let app = TestApp::spawn().await;
    app.smtp.fail(&[Fault::Echo]);
    app.app().mail(mail("one")).await.unwrap();
    assert!(app.mails().await.is_empty());
    let failed = "mails WHERE state = 'failed' AND reason LIKE '%(hidden)%(hidden)%'";
    assert_eq!(app.rows(failed).await, 1);
    let told = format!(
        "mails WHERE reason LIKE '%{}%'",
        crate::harness::smtp::PASSWORD
    );
    assert_eq!(app.rows(&told).await, 0);
}
