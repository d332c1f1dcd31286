//! Samples of the pages before and outside a tenant.

use super::{HOSTILE, Sample, account_chrome, form, hostile_account_chrome, push};
use crate::web::chrome::{AccountChrome, Flash, FlashKind, Place};
use crate::web::form::FormState;
use crate::web::pages::account::{SetUpPage, SignInPage, TenantLine, TenantsPage};
use crate::web::pages::settings::{countries, currencies, zones};

pub(super) fn add(to: &mut Vec<Sample>) {
    let sign_in = |form: FormState, flash: Option<Flash>| SignInPage {
        csrf: "csrf-token".into(),
        form,
        next: "/t/northwind/history".into(),
        flash,
    };
    push(to, "sign-in", &sign_in(FormState::new(), None));
    let mut wrong = form(&[("email", HOSTILE)]);
    wrong.refuse_all("E-mail and password do not fit together.");
    let signed_out = Flash {
        kind: FlashKind::Done,
        sentence: "You are signed out.".into(),
    };
    push(to, "sign-in-hostile", &sign_in(wrong, Some(signed_out)));
    let set_up = |form: FormState| SetUpPage {
        csrf: "csrf-token".into(),
        form,
        countries: countries(),
        zones: zones(),
        currencies: currencies(),
    };
    push(
        to,
        "set-up",
        &set_up(form(&[
            ("country", "DE"),
            ("zone", "Europe/Berlin"),
            ("currency", "EUR"),
        ])),
    );
    let mut refused = form(&[("company", HOSTILE), ("country", "DE")]);
    refused.refuse(
        "code",
        "This is not the code that serve printed when it started.",
    );
    refused.refuse("password", "Use at least 12 characters.");
    push(to, "set-up-hostile", &set_up(refused));
    let tenants = |tenants, is_operator| TenantsPage {
        chrome: AccountChrome {
            is_operator,
            ..account_chrome(Place::Companies)
        },
        tenants,
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
        },
    );
}
