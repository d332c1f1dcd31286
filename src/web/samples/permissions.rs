//! Samples of Permissions.

use super::{HOSTILE, Sample, ago, chrome, hostile_chrome, push};
use crate::domain::delivery::Channel;
use crate::domain::page::Page;
use crate::domain::permission::Basis;
use crate::web::areas::permissions::page::{PermissionRow, PermissionsPage};
use crate::web::chrome::Section;
use crate::web::form::FormState;

pub(super) fn add(to: &mut Vec<Sample>) {
    push(to, "permissions-empty", &list(Vec::new()));
    let one = rows().into_iter().take(1).collect();
    push(to, "permissions-one", &list(one));
    push(to, "permissions-many", &list(rows()));
    let not_found = PermissionsPage {
        text: "Okafor".into(),
        ..list(Vec::new())
    };
    push(to, "permissions-not-found", &not_found);
    let mut form = FormState::new().with("csv", "address,basis\nann,given");
    form.refuse("csv", "Nothing was taken in; see what is wrong below.");
    let refused = PermissionsPage {
        form,
        bad_lines: vec!["Line 2, address: this number has letters.".into()],
        ..list(rows())
    };
    push(to, "permissions-refused", &refused);
    let mut hostile = rows();
    for row in &mut hostile {
        row.address = Some(HOSTILE.into());
        row.source = HOSTILE.into();
        row.by = Some(HOSTILE.into());
    }
    let mut form = FormState::new()
        .with("address", HOSTILE)
        .with("source", HOSTILE);
    form.refuse("address", HOSTILE);
    let hostile = PermissionsPage {
        chrome: hostile_chrome(Section::Suppressions),
        attested: Some((HOSTILE.into(), ago(900))),
        text: HOSTILE.into(),
        form,
        bad_lines: vec![HOSTILE.into()],
        ..list(hostile)
    };
    push(to, "permissions-hostile", &hostile);
}

fn list(rows: Vec<PermissionRow>) -> PermissionsPage {
    PermissionsPage {
        chrome: chrome(Section::Suppressions),
        rows: Page::whole(rows),
        attested: Some(("Ada Okafor".into(), ago(9000))),
        text: String::new(),
        form: FormState::new(),
        bad_lines: Vec::new(),
    }
}

fn rows() -> Vec<PermissionRow> {
    let row = |channel, address: &str, basis, source: &str, by: &str| PermissionRow {
        at: ago(300),
        channel,
        address: (!address.is_empty()).then(|| address.to_owned()),
        basis,
        source: source.to_owned(),
        by: (!by.is_empty()).then(|| by.to_owned()),
    };
    vec![
        row(
            Channel::Sms,
            "+16175550123",
            Basis::Contract,
            "Invoice INV-000012",
            "",
        ),
        row(
            Channel::Email,
            "ann@bowman.example",
            Basis::Asked,
            "On the phone",
            "Jo",
        ),
        row(Channel::Email, "", Basis::Given, "Order form, 12 May", "Jo"),
    ]
}
