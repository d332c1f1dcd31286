//! Samples of the pages before and outside a tenant.

use super::{HOSTILE, Sample, account_chrome, ago, form, hostile_account_chrome, push};
use crate::web::areas::account::page::{
    NewCompanyPage, NewInstancePage, SignInPage, TenantLine, TenantsPage,
};
use crate::web::areas::account::profile::{
    AccountPage, EmailPage, FactorLine, FactorOffPage, FactorPage, FactorView, PasswordPage,
    RecoveryCodesPage, SessionLine,
};
use crate::web::areas::entrance::page::{
    ConfirmPage, NewPasswordPage, NotePage, ResetPage, SecondStepPage, SignUpPage,
};
use crate::web::chrome::{AccountChrome, Flash, FlashKind, Place};
use crate::web::form::FormState;
use crate::web::ui::qr;

pub(super) fn add(to: &mut Vec<Sample>) {
    outside(to);
    door(to);
    own(to);
}

fn outside(to: &mut Vec<Sample>) {
    let sign_in = |form: FormState, flash: Option<Flash>| SignInPage {
        csrf: "csrf-token".into(),
        form,
        next: "/t/northwind/history".into(),
        flash,
        can_sign_up: true,
    };
    push(to, "sign-in", &sign_in(FormState::new(), None));
    let mut wrong = form(&[("email", HOSTILE)]);
    wrong.refuse_all("The e-mail or the password is wrong.");
    let signed_out = Flash {
        kind: FlashKind::Done,
        sentence: "You are signed out.".into(),
    };
    push(to, "sign-in-hostile", &sign_in(wrong, Some(signed_out)));
    let new_instance = |form: FormState| NewInstancePage {
        csrf: "csrf-token".into(),
        form,
    };
    push(
        to,
        "new-instance",
        &new_instance(form(&[
            ("country", "DE"),
            ("zone", "Europe/Berlin"),
            ("currency", "EUR"),
        ])),
    );
    let mut weak = form(&[
        ("code", "7KQ2-M9XA-4TRB-W0ZC"),
        ("company", "Northwind Paper"),
        ("country", "DE"),
        ("zone", "Europe/Berlin"),
        ("currency", "EUR"),
        ("email", "ada@northwind.example"),
    ]);
    weak.refuse("password", "Use at least 10 characters.");
    push(to, "new-instance-refused", &new_instance(weak));
    let mut refused = form(&[("company", HOSTILE), ("country", "DE")]);
    refused.refuse(
        "code",
        "This is not the code that serve printed when it started.",
    );
    refused.refuse("password", "Use at least 10 characters.");
    push(to, "new-instance-hostile", &new_instance(refused));
    let tenants = |tenants, is_operator| TenantsPage {
        chrome: AccountChrome {
            is_operator,
            ..account_chrome(Place::Companies)
        },
        tenants,
        can_make: is_operator,
    };
    let line = |name: &str, role: &str, needs_you| TenantLine {
        name: name.into(),
        slug: "northwind".into(),
        role: role.into(),
        needs_you,
    };
    push(to, "tenants-empty", &tenants(Vec::new(), true));
    push(
        to,
        "tenants-many",
        &tenants(
            vec![
                line("Northwind Paper", "Owner", 2),
                line("Harbour Light Trading", "Editor", 0),
                line("Sato Shokai", "Operator", 1),
            ],
            true,
        ),
    );
    push(
        to,
        "tenants-hostile",
        &TenantsPage {
            chrome: hostile_account_chrome(Place::Companies),
            tenants: vec![line(HOSTILE, HOSTILE, 1)],
            can_make: true,
        },
    );
    let new_company = |chrome, form| NewCompanyPage { chrome, form };
    let empty = form(&[
        ("country", "DE"),
        ("zone", "Europe/Berlin"),
        ("currency", "EUR"),
    ]);
    push(
        to,
        "new-company",
        &new_company(account_chrome(Place::Companies), empty),
    );
    let mut wrong = form(&[("company", HOSTILE)]);
    wrong.refuse(
        "company",
        "Type the company's name, at most 100 characters.",
    );
    push(
        to,
        "new-company-hostile",
        &new_company(hostile_account_chrome(Place::Companies), wrong),
    );
}

/// Before anybody is signed in.
fn door(to: &mut Vec<Sample>) {
    let csrf = || "csrf-token".to_owned();
    let sign_up = |form| SignUpPage { csrf: csrf(), form };
    let chosen = form(&[("country", "US"), ("zone", "UTC"), ("currency", "USD")]);
    push(to, "sign-up", &sign_up(chosen));
    let mut refused = form(&[("company", HOSTILE), ("email", HOSTILE), ("country", "DE")]);
    refused.refuse("email", "Type an e-mail address such as ann@example.com.");
    refused.refuse(
        "password",
        "Too easy to guess; add another word or two, best uncommon ones.",
    );
    push(to, "sign-up-hostile", &sign_up(refused));
    let confirm = |what: &str| ConfirmPage {
        csrf: csrf(),
        title: "Confirm your address",
        sentence: "This makes an account for",
        what: what.into(),
        warning: "If it was not you who asked, close this page: nothing is made.",
        action: "/sign-up/x".into(),
        button: "Confirm and go in",
        password: Some(FormState::new()),
    };
    push(
        to,
        "confirm",
        &confirm("ada@northwind.example, Northwind Paper"),
    );
    push(to, "confirm-hostile", &confirm(HOSTILE));
    let note = NotePage {
        title: "Check your e-mail",
        sentences: vec![
            "We have written to the address that you gave. Open the link in the e-mail to finish; \
             it is good for 24 hours."
                .into(),
            "Nothing there after a few minutes? Look in the spam folder, then try again.".into(),
        ],
        button: Some(("Sign in", "/sign-in")),
    };
    push(to, "note", &note);
    let reset = |form| ResetPage { csrf: csrf(), form };
    push(to, "reset", &reset(FormState::new()));
    let mut refused = form(&[("email", HOSTILE)]);
    refused.refuse("email", "Type an e-mail address such as ann@example.com.");
    push(to, "reset-hostile", &reset(refused));
    let new_password = |form, email: &str| NewPasswordPage {
        csrf: csrf(),
        form,
        action: "/reset/x".into(),
        email: email.into(),
    };
    push(
        to,
        "new-password",
        &new_password(FormState::new(), "ada@northwind.example"),
    );
    let mut refused = FormState::new();
    refused.refuse("password", "Use at least 10 characters.");
    push(to, "new-password-hostile", &new_password(refused, HOSTILE));
    let step = |form, next: &str| SecondStepPage {
        csrf: csrf(),
        form,
        next: next.into(),
    };
    push(to, "second-step", &step(FormState::new(), ""));
    let mut refused = FormState::new();
    refused.refuse("code", "This code is wrong, or was used before.");
    push(to, "second-step-refused", &step(refused, "/t/northwind/"));
}

/// The pages of an account.
fn own(to: &mut Vec<Sample>) {
    let session = |number: u8, browser: &str, is_this| SessionLine {
        handle: hex::encode([number; 32]),
        browser: browser.into(),
        address: format!("198.51.100.{number}"),
        created_at: ago(i64::from(number) * 700),
        seen_at: ago(i64::from(number) * 30),
        is_this,
    };
    let account = |chrome: AccountChrome, factor, sessions| AccountPage {
        form: form(&[("name", chrome.user_name.as_str())]),
        chrome,
        factor,
        sessions,
    };
    let here = || session(0, "Firefox on Linux", true);
    let chrome = || account_chrome(Place::Account);
    push(
        to,
        "account-one",
        &account(chrome(), FactorLine::Off, vec![here()]),
    );
    let on = FactorLine::On {
        since: ago(60_000),
        codes_left: 1,
    };
    let many = vec![
        here(),
        session(1, "Safari on iPhone", false),
        session(9, "Chrome on Windows", false),
    ];
    push(to, "account-many", &account(chrome(), on, many));
    let hostile = || hostile_account_chrome(Place::Account);
    let odd = session(3, HOSTILE, false);
    push(
        to,
        "account-hostile",
        &account(hostile(), on, vec![here(), odd]),
    );
    let email = |chrome, form, can_mail| EmailPage {
        chrome,
        form,
        can_mail,
    };
    push(
        to,
        "account-email",
        &email(chrome(), FormState::new(), true),
    );
    push(
        to,
        "account-email-no-mail",
        &email(chrome(), FormState::new(), false),
    );
    let mut refused = form(&[("email", HOSTILE)]);
    refused.refuse("password", "This is not your password.");
    push(
        to,
        "account-email-hostile",
        &email(hostile(), refused, true),
    );
    let password = |form| PasswordPage {
        chrome: chrome(),
        form,
    };
    push(to, "account-password", &password(FormState::new()));
    let mut refused = FormState::new();
    refused.refuse("new_password", "Use at least 10 characters.");
    push(to, "account-password-refused", &password(refused));
    factor(to);
}

fn factor(to: &mut Vec<Sample>) {
    let page = |factor, form| FactorPage {
        chrome: account_chrome(Place::Account),
        form,
        factor,
    };
    let plain = FormState::new;
    push(to, "factor-off", &page(FactorView::Off, plain()));
    let pending = || FactorView::Pending {
        secret: "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ".into(),
        qr: qr::code(
            "otpauth://totp/ml-connector:ada%40northwind.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ml-connector",
            "The secret below as a QR code",
        ),
    };
    push(to, "factor-pending", &page(pending(), plain()));
    let mut refused = FormState::new();
    refused.refuse("code", "This is not the code that the app shows now.");
    push(to, "factor-pending-refused", &page(pending(), refused));
    let on = |codes_left| FactorView::On {
        since: ago(60_000),
        codes_left,
    };
    push(to, "factor-on", &page(on(9), plain()));
    push(to, "factor-on-empty", &page(on(0), plain()));
    let mut refused = FormState::new();
    refused.refuse("code", "This code was used before; wait for the next one.");
    let off = |form| FactorOffPage {
        chrome: account_chrome(Place::Account),
        form,
    };
    push(to, "factor-removal", &off(refused));
    let codes = |is_first| RecoveryCodesPage {
        chrome: account_chrome(Place::Account),
        codes: (0..10).map(|n| format!("7KQ2-M0XB-9RT{n}-4HVE")).collect(),
        is_first,
    };
    push(to, "recovery-codes", &codes(true));
    push(to, "recovery-codes-renewed", &codes(false));
}
