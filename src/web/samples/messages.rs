//! Samples of Groups, Senders, and Brand and e-mail.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, form, hostile_chrome, now, push};
use crate::domain::address::{Email, Phone};
use crate::domain::bank_details::{BankDetails, CurrencyDetails};
use crate::domain::brand_settings::{BrandSettings, LogoImage};
use crate::domain::group::{Group, Member};
use crate::domain::ids::{BankDetailsId, GroupId, MemberId, SenderId, UserId};
use crate::domain::phone::CountryCode;
use crate::domain::sender::{SenderAddress, SenderProfile};
use crate::domain::sender_dns::{DnsNeeds, DnsRecord, DnsState, records};
use crate::domain::transport::TransportName;
use crate::domain::user::Role;
use crate::web::areas::brand::page::{Bank, BrandPage};
use crate::web::areas::groups::page::{DeleteGroupPage, GroupPage, GroupsPage, MemberPage};
use crate::web::areas::senders::page::{SenderPage, SendersPage};
use crate::web::chrome::{Chrome, Section};
use crate::web::form::FormState;
use crate::web::ui::field::Choice;

pub(super) fn add(to: &mut Vec<Sample>) {
    groups(to);
    senders(to);
    brand(to);
}

fn groups(to: &mut Vec<Sample>) {
    let list = |groups| GroupsPage {
        chrome: chrome(Section::Groups),
        groups,
        form: FormState::new(),
    };
    push(to, "groups-empty", &list(Vec::new()));
    push(to, "groups-many", &list(some_groups()));
    let viewer = GroupsPage {
        chrome: as_viewer(Section::Groups),
        ..list(some_groups())
    };
    push(to, "groups-viewer", &viewer);
    let one = |group: Group| GroupPage {
        chrome: chrome(Section::Groups),
        group,
        team: vec![Choice::new(
            UserId::from_uuid(Uuid::from_u128(9)).to_string(),
            "Grace Okafor, grace@northwind.example",
        )],
        form: FormState::new(),
        name: form(&[("group_name", "Finance")]),
    };
    for (name, group) in ["group-many", "group-one", "group-empty"]
        .into_iter()
        .zip(some_groups())
    {
        push(to, name, &one(group));
    }
    let mut wrong = form(&[("name", "Bo"), ("phone", "12"), ("email", "bo")]);
    wrong.refuse("phone", "This number has too few digits for its country.");
    wrong.refuse(
        "email",
        "This is no e-mail address; type one such as ann@example.com.",
    );
    for group in some_groups().into_iter().take(1) {
        let refused = GroupPage {
            form: wrong.clone(),
            ..one(group.clone())
        };
        push(to, "group-refused", &refused);
        let viewer = GroupPage {
            chrome: as_viewer(Section::Groups),
            ..one(group.clone())
        };
        push(to, "group-viewer", &viewer);
        let asked = DeleteGroupPage {
            chrome: chrome(Section::Groups),
            group: group.clone(),
            form: FormState::new(),
        };
        push(to, "group-delete", &asked);
        let person = MemberPage {
            chrome: chrome(Section::Groups),
            member: member_id(1),
            name: "Ann Lee".into(),
            form: form(&[("name", "Ann Lee"), ("phone", "+447700900123")]),
            group: group.clone(),
        };
        push(to, "group-member", &person);
        let mut hostile = group;
        hostile.name = HOSTILE.into();
        for member in &mut hostile.members {
            member.name = HOSTILE.into();
        }
        let page = GroupPage {
            chrome: hostile_chrome(Section::Groups),
            team: vec![Choice::new(HOSTILE, HOSTILE)],
            form: form(&[("name", HOSTILE), ("phone", HOSTILE)]),
            name: form(&[("group_name", HOSTILE)]),
            ..one(hostile.clone())
        };
        push(to, "group-hostile", &page);
        push(to, "groups-hostile", &list(vec![hostile]));
    }
}

fn as_viewer(section: Section) -> Chrome {
    Chrome {
        role: Role::Viewer,
        ..chrome(section)
    }
}

fn member_id(n: u128) -> MemberId {
    MemberId::from_uuid(Uuid::from_u128(n))
}

fn member(n: u128, name: &str, phone: &str, email: &str) -> Member {
    Member {
        id: member_id(n),
        user: None,
        name: name.into(),
        phone: Phone::from_stored(phone),
        email: Email::parse(email).ok(),
        is_on: true,
    }
}

fn some_groups() -> Vec<Group> {
    let group = |n: u128, name: &str, members| Group {
        id: GroupId::from_uuid(Uuid::from_u128(n)),
        name: name.into(),
        members,
        created_at: ago(9000),
    };
    let of_team = Member {
        user: Some(UserId::from_uuid(Uuid::from_u128(3))),
        ..member(3, "Ada Lindqvist", "", "ada@northwind.example")
    };
    let off = Member {
        is_on: false,
        ..member(4, "山田 太郎", "+819012345678", "yamada@northwind.example")
    };
    vec![
        group(
            1,
            "Finance",
            vec![
                member(1, "Ann Lee", "+447700900123", "ann.lee@northwind.example"),
                member(
                    2,
                    "Benjamin Wolfeschlegelsteinhausen",
                    "",
                    "ben@northwind.example",
                ),
                of_team,
                off,
                member(5, "Cy", "+16175550123", ""),
            ],
        ),
        group(
            2,
            "Approvers",
            vec![member(6, "Dora Quist", "+4915112345678", "")],
        ),
        group(3, "Collections", Vec::new()),
    ]
}

const MAILS: TransportName = TransportName::named("mails");

fn senders(to: &mut Vec<Sample>) {
    let transports = || vec![Choice::new("texts", "SMS"), Choice::new("mails", "E-mails")];
    let list = |senders| SendersPage {
        chrome: chrome(Section::Connections),
        senders,
        transports: transports(),
        is_sandboxed: false,
        parties: vec!["Bowman & Co".into(), "Molly Johnson".into(), HOSTILE.into()],
        form: FormState::new(),
    };
    push(to, "senders-empty", &list(Vec::new()));
    push(to, "senders-many", &list(some_senders()));
    let mut wrong = form(&[("address", "billing"), ("countries", "Narnia")]);
    wrong.refuse(
        "address",
        "Is no e-mail address; type one such as ann@example.com.",
    );
    wrong.refuse(
        "countries",
        "Not a country code; type two letters such as US, GB or IN.",
    );
    let refused = SendersPage {
        form: wrong,
        ..list(some_senders())
    };
    push(to, "senders-refused", &refused);
    let one = |sender: SenderProfile, dns| SenderPage {
        chrome: chrome(Section::Connections),
        form: form(&[
            ("address", sender.address.as_str()),
            ("name", &sender.name),
            ("countries", "GB, IE"),
        ]),
        sender,
        is_sandboxed: false,
        own_address: "ada@northwind.example".into(),
        dns,
        has_looked: false,
        parties: Vec::new(),
        ready: None,
        usual_pace: Some(10),
        look: FormState::new(),
        refused: FormState::new(),
    };
    let names = ["sender-number", "sender-tested", "sender-untested"];
    for (name, sender) in names.into_iter().zip(some_senders()) {
        let dns = match sender.address {
            SenderAddress::Text(_) => Vec::new(),
            SenderAddress::Email(_) => dns(false),
        };
        push(to, name, &one(sender, dns));
    }
    for sender in some_senders().into_iter().skip(2).take(1) {
        let mut refused = FormState::new();
        refused.refuse_all(
            "Twilio does not know the sender's domain yet. Verify it in its Console first.",
        );
        let looked = SenderPage {
            has_looked: true,
            look: form(&[("digits", "1234")]),
            refused,
            ..one(sender.clone(), dns(true))
        };
        push(to, "sender-looked", &looked);
        let hostile = SenderProfile {
            name: HOSTILE.into(),
            customers: vec![HOSTILE.into()],
            ..sender
        };
        let mut records = dns(true);
        for record in &mut records {
            record.state = DnsState::Other(HOSTILE.into());
        }
        let page = SenderPage {
            chrome: hostile_chrome(Section::Connections),
            own_address: HOSTILE.into(),
            look: form(&[("digits", HOSTILE)]),
            ..one(hostile.clone(), records)
        };
        push(to, "sender-hostile", &page);
        push(to, "senders-hostile", &list(vec![hostile]));
    }
}

fn some_senders() -> Vec<SenderProfile> {
    let sender = |n: u128, address: &str, name: &str| SenderProfile {
        id: SenderId::from_uuid(Uuid::from_u128(n)),
        transport: MAILS,
        // A text that is no address is the name of a company.
        address: SenderAddress::from_stored(address).unwrap_or(SenderAddress::Text(
            crate::domain::rule::Sender::From("ACME".into()),
        )),
        name: name.into(),
        is_default: false,
        countries: Vec::new(),
        customers: Vec::new(),
        segments_per_second: None,
        tested_at: None,
        created_at: ago(9000),
    };
    let number = SenderProfile {
        is_default: true,
        ..sender(1, "+447700900100", "")
    };
    let tested = SenderProfile {
        is_default: true,
        segments_per_second: None,
        tested_at: Some(ago(3000)),
        ..sender(2, "billing@northwind.example", "Northwind Billing")
    };
    let countries = ["GB", "IE"];
    let untested = SenderProfile {
        countries: countries
            .iter()
            .filter_map(|code| CountryCode::parse(code).ok())
            .collect(),
        customers: vec!["460000000026049".into(), "460000000026050".into()],
        ..sender(
            3,
            "accounts.receivable@books.northwind.example",
            "Northwind Paper UK",
        )
    };
    vec![number, tested, untested, sender(4, "NORTHWIND", "")]
}

fn dns(is_looked: bool) -> Vec<DnsRecord> {
    const NEEDS: DnsNeeds = DnsNeeds {
        under: "mail.example",
        selectors: &["s1", "s2"],
        returns: "em",
    };
    let digits = if is_looked { "1234" } else { "" };
    let states = [
        DnsState::Missing,
        DnsState::Found("s1.domainkey.u1234567.wl123.mail.example".into()),
        DnsState::Other("s2.somebody-else.example".into()),
        DnsState::Unasked,
        DnsState::Missing,
    ];
    let all = records("books.northwind.example", &NEEDS, digits).into_iter();
    all.zip(states)
        .map(|((record, _), state)| DnsRecord {
            state: if is_looked { state } else { record.state },
            ..record
        })
        .collect()
}

fn brand(to: &mut Vec<Sample>) {
    let reader = UserId::from_uuid(Uuid::from_u128(1));
    let bank = Bank {
        accounts: Vec::new(),
        reader,
        has_second_factor: true,
        can_mail: true,
        currencies: vec![
            Choice::new("EUR", "EUR, Euro"),
            Choice::new("USD", "USD, US dollar"),
        ],
        form: form(&[("currency", "EUR")]),
        refused: FormState::new(),
    };
    let empty = BrandPage {
        chrome: chrome(Section::Settings),
        brand: BrandSettings::default(),
        form: FormState::new(),
        logo: FormState::new(),
        bank: Bank {
            has_second_factor: false,
            ..bank.clone()
        },
    };
    push(to, "brand-empty", &empty);
    let settings = BrandSettings {
        name: "Northwind".into(),
        logo: Some(LogoImage {
            hash: "0a".repeat(32),
            width: 480,
            height: 96,
        }),
        accent: "#003366".parse().ok(),
        postal_address: "Northwind Paper GmbH\nHafenstraße 12\n20457 Hamburg".into(),
        footer: "HRB 12345 Hamburg · VAT DE123456789".into(),
        signature: "Kind regards,\n**Accounts at Northwind**".into(),
    };
    let typed = form(&[
        ("name", "Northwind"),
        ("accent", "#003366"),
        ("postal_address", &settings.postal_address),
        ("footer", &settings.footer),
        ("signature", &settings.signature),
    ]);
    let full = BrandPage {
        brand: settings,
        form: typed.clone(),
        bank: Bank {
            accounts: accounts(reader),
            ..bank.clone()
        },
        ..empty.clone()
    };
    push(to, "brand-full", &full);
    let mut light = typed;
    light.refuse(
        "accent",
        "Is too light for the white text of a button: their contrast is 1.5 to 1, and 4.5 is the least; \
         take a darker one, such as #8a6e00.",
    );
    let mut logo = FormState::new();
    logo.refuse(
        "file",
        "This is no PNG or JPEG picture; save it as one of these.",
    );
    let refused = BrandPage {
        form: light,
        logo,
        ..full.clone()
    };
    push(to, "brand-refused", &refused);
    let viewer = BrandPage {
        chrome: as_viewer(Section::Settings),
        ..full.clone()
    };
    push(to, "brand-viewer", &viewer);
    let mut hostile = accounts(reader);
    for account in &mut hostile {
        for details in [&mut account.in_force, &mut account.waiting]
            .into_iter()
            .flatten()
        {
            details.text = HOSTILE.into();
            details.asked_by_name = HOSTILE.into();
            details.agreed_by_name = HOSTILE.into();
        }
    }
    let page = BrandPage {
        chrome: hostile_chrome(Section::Settings),
        form: form(&[
            ("name", HOSTILE),
            ("accent", HOSTILE),
            ("signature", HOSTILE),
        ]),
        bank: Bank {
            accounts: hostile,
            can_mail: false,
            form: form(&[("text", HOSTILE)]),
            ..bank
        },
        ..full
    };
    push(to, "brand-hostile", &page);
}

fn accounts(reader: UserId) -> Vec<CurrencyDetails> {
    let details = |n: u128, currency: &str, text: &str, in_force_at, asked_by| BankDetails {
        id: BankDetailsId::from_uuid(Uuid::from_u128(n)),
        currency: currency.into(),
        text: text.into(),
        asked_by,
        asked_by_name: "grace@northwind.example".into(),
        asked_at: ago(120),
        in_force_at,
        agreed_by_name: "ada@northwind.example".into(),
    };
    let grace = UserId::from_uuid(Uuid::from_u128(2));
    let soon = now() + TimeDelta::hours(22);
    let waiting = |details: BankDetails| {
        Some(BankDetails {
            agreed_by_name: String::new(),
            ..details
        })
    };
    let old = "Northwind Paper GmbH\nIBAN DE02 1203 0000 0000 2020 51\nBIC BYLADEM1001";
    let new = "Northwind Paper GmbH\nIBAN DE02 5001 0517 5407 3249 31\nBIC INGDDEFF";
    vec![
        CurrencyDetails {
            currency: "EUR".into(),
            in_force: Some(details(1, "EUR", old, ago(90_000), grace)),
            waiting: waiting(details(2, "EUR", new, soon, grace)),
        },
        CurrencyDetails {
            currency: "USD".into(),
            in_force: None,
            waiting: waiting(details(
                3,
                "USD",
                "Routing 021000021\nAccount 123456789",
                soon,
                reader,
            )),
        },
    ]
}
