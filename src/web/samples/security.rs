//! Samples of Team, API tokens, the security log, invitations and the end of a company.

use uuid::Uuid;

use super::{HOSTILE, Sample, ago, chrome, form, hostile_chrome, push};
use crate::app::deletion::Holdings;
use crate::domain::ids::{ApiTokenId, InvitationId, UserId};
use crate::domain::page::{Cursor, Page};
use crate::domain::user::Role;
use crate::web::areas::security::page::{
    DeletionPage, LogLine, SecurityLogPage, TokenLine, TokensPage,
};
use crate::web::areas::security::words::{Difference, Told};
use crate::web::areas::team::page::{
    Guest, InvitationGonePage, InvitationLine, InvitationPage, MemberLine, RemovalPage, TeamPage,
};
use crate::web::chrome::{Chrome, Section};
use crate::web::form::FormState;
use crate::web::ui::chips::Query;

pub(super) fn add(to: &mut Vec<Sample>) {
    team(to);
    invitations(to);
    tokens(to);
    log(to);
    deletion(to);
}

fn member(number: u128, name: &str, email: &str, role: Role) -> MemberLine {
    MemberLine {
        id: UserId::from_uuid(Uuid::from_u128(number)),
        name: name.into(),
        email: email.into(),
        role,
        seen_at: (number != 3).then(|| ago(i64::try_from(number).unwrap_or(1) * 7)),
        has_second_factor: number == 1,
        is_you: number == 1,
    }
}

fn invitation(number: u128, email: &str, is_over: bool) -> InvitationLine {
    InvitationLine {
        id: InvitationId::from_uuid(Uuid::from_u128(number)),
        email: email.into(),
        role: Role::Editor,
        invited_by: "ada@northwind.example".into(),
        expires_at: if is_over { ago(3000) } else { ago(-9000) },
        is_over,
    }
}

fn team(to: &mut Vec<Sample>) {
    let viewer = |section| Chrome {
        role: Role::Viewer,
        ..chrome(section)
    };
    let ada = || member(1, "Ada Lindqvist", "ada@northwind.example", Role::Owner);
    let empty = || form(&[("role", "viewer")]);
    let page = |chrome, members, invitations, form| TeamPage {
        chrome,
        members,
        invitations,
        form,
    };
    push(
        to,
        "team-one",
        &page(chrome(Section::Team), vec![ada()], Vec::new(), empty()),
    );
    let many = vec![
        ada(),
        member(2, "Ben Okafor", "ben@northwind.example", Role::Editor),
        member(3, "Chiara Rossi", "chiara@northwind.example", Role::Viewer),
    ];
    let waiting = vec![
        invitation(8, "dora@northwind.example", false),
        invitation(9, "emil@northwind.example", true),
    ];
    push(
        to,
        "team-many",
        &page(
            chrome(Section::Team),
            many.clone(),
            waiting.clone(),
            empty(),
        ),
    );
    push(
        to,
        "team-viewer",
        &page(viewer(Section::Team), many, waiting, empty()),
    );
    let mut wrong = form(&[("email", HOSTILE), ("role", "owner")]);
    wrong.refuse("email", "Type an e-mail address such as ann@example.com.");
    push(
        to,
        "team-hostile",
        &page(
            hostile_chrome(Section::Team),
            vec![member(2, HOSTILE, HOSTILE, Role::Admin)],
            vec![InvitationLine {
                invited_by: HOSTILE.into(),
                ..invitation(8, HOSTILE, false)
            }],
            wrong,
        ),
    );
    let removal = |member, is_last_owner| RemovalPage {
        chrome: chrome(Section::Team),
        member,
        is_last_owner,
    };
    let ben = member(2, "Ben Okafor", "ben@northwind.example", Role::Editor);
    push(to, "team-removal", &removal(ben, false));
    push(to, "team-leave", &removal(ada(), false));
    push(to, "team-leave-last-owner", &removal(ada(), true));
    let hostile = member(2, HOSTILE, HOSTILE, Role::Owner);
    push(to, "team-removal-hostile", &removal(hostile, false));
}

fn invitations(to: &mut Vec<Sample>) {
    let page = |guest, form| InvitationPage {
        csrf: "csrf-token".into(),
        path: "/invitations/kKq3".into(),
        company: "Northwind Paper".into(),
        invited_by: "ada@northwind.example".into(),
        email: "dora@northwind.example".into(),
        role: Role::Editor,
        until: "19 May".into(),
        guest,
        form,
    };
    let sign_in = "/sign-in?next=/invitations/kKq3".to_owned();
    push(to, "invitation-new", &page(Guest::New, FormState::new()));
    let mut short = form(&[("name", "Dora Novak")]);
    short.refuse("password", "Use at least 10 characters.");
    push(to, "invitation-refused", &page(Guest::New, short));
    push(
        to,
        "invitation-accept",
        &page(Guest::Invited, FormState::new()),
    );
    push(
        to,
        "invitation-sign-in",
        &page(Guest::HasAccount(sign_in), FormState::new()),
    );
    push(
        to,
        "invitation-hostile",
        &InvitationPage {
            company: HOSTILE.into(),
            invited_by: HOSTILE.into(),
            email: HOSTILE.into(),
            ..page(Guest::SomebodyElse(HOSTILE.into()), FormState::new())
        },
    );
    push(to, "invitation-gone", &InvitationGonePage);
}

fn token(number: u128, name: &str, is_over: bool) -> TokenLine {
    TokenLine {
        id: ApiTokenId::from_uuid(Uuid::from_u128(number)),
        name: name.into(),
        role: if number == 1 {
            Role::Admin
        } else {
            Role::Viewer
        },
        reach: (number != 4).then_some(Role::Viewer),
        is_of_operator: number == 2,
        created_by: "ada@northwind.example".into(),
        created_at: ago(90_000),
        used_at: (number == 1).then(|| ago(4)),
        expires_at: (number != 1).then(|| if is_over { ago(60) } else { ago(-60_000) }),
        is_over,
    }
}

fn tokens(to: &mut Vec<Sample>) {
    let page = |chrome, tokens, made, form| TokensPage {
        chrome,
        tokens,
        made,
        form,
    };
    let empty = || form(&[("role", "viewer"), ("days", "90")]);
    push(
        to,
        "tokens-empty",
        &page(chrome(Section::Settings), Vec::new(), None, empty()),
    );
    let made = (
        "Month-end export".to_owned(),
        "mlc_shown-only-now".to_owned(),
    );
    let many = vec![
        token(1, "Month-end export", false),
        token(2, "Dashboard in the lobby", false),
        token(3, "Trial of the reporting tool", true),
        token(4, "Left behind", false),
    ];
    push(
        to,
        "tokens-many",
        &page(chrome(Section::Settings), many, Some(made), empty()),
    );
    let mut wrong = form(&[("name", HOSTILE), ("role", "owner"), ("days", "7")]);
    wrong.refuse("days", "Choose how long it is good for.");
    push(
        to,
        "tokens-hostile",
        &page(
            hostile_chrome(Section::Settings),
            vec![TokenLine {
                created_by: HOSTILE.into(),
                ..token(2, HOSTILE, false)
            }],
            None,
            wrong,
        ),
    );
}

fn line(minutes: i64, who: &str, sentence: &str, changes: Vec<Difference>) -> LogLine {
    LogLine {
        at: ago(minutes),
        who: who.into(),
        address: if who == "the operator" {
            String::new()
        } else {
            "192.0.2.17".into()
        },
        told: Told {
            sentence: sentence.into(),
            changes,
        },
    }
}

fn change(what: &str, old: &str, new: &str) -> Difference {
    Difference {
        what: what.into(),
        old: Some(old.into()),
        new: Some(new.into()),
    }
}

fn log(to: &mut Vec<Sample>) {
    let page = |chrome: Chrome, rows, query, people: &[&str]| SecurityLogPage {
        chrome,
        entries: Page {
            older: Some(Cursor::Before(Uuid::from_u128(1))),
            ..Page::whole(rows)
        },
        query,
        people: people.iter().map(|p| (*p).to_owned()).collect(),
    };
    let query = || Query::new("/t/northwind/security-log");
    push(
        to,
        "security-log-empty",
        &page(
            chrome(Section::Settings),
            Vec::new(),
            query().set("kind", "team"),
            &[],
        ),
    );
    let (ada, ben) = ("ada@northwind.example", "ben@northwind.example");
    let rows = vec![
        line(4, ben, "Signed in", Vec::new()),
        line(
            31,
            ada,
            "Changed the rule “Big invoices”",
            vec![
                change(
                    "conditions",
                    "total is at least 1000",
                    "total is at least 2000",
                ),
                change(
                    "text",
                    "Hello {{ contact.first_name }}",
                    "Dear {{ contact.first_name }}",
                ),
            ],
        ),
        line(
            50,
            ada,
            "Changed the connection to Twilio, with a new auth token",
            Vec::new(),
        ),
        line(
            800,
            ada,
            "Changed the role of ben@northwind.example",
            vec![change("role", "Viewer", "Editor")],
        ),
        line(
            2000,
            "the operator",
            "Suspended the company: March is not paid",
            Vec::new(),
        ),
    ];
    push(
        to,
        "security-log-many",
        &page(
            chrome(Section::Settings),
            rows,
            query().set("kind", ""),
            &[ada, ben],
        ),
    );
    let hostile = LogLine {
        address: HOSTILE.into(),
        ..line(4, HOSTILE, HOSTILE, vec![change(HOSTILE, HOSTILE, HOSTILE)])
    };
    push(
        to,
        "security-log-hostile",
        &page(
            hostile_chrome(Section::Settings),
            vec![hostile],
            query().set("who", HOSTILE),
            &[HOSTILE],
        ),
    );
}

fn deletion(to: &mut Vec<Sample>) {
    let page = |chrome, holdings, form| DeletionPage {
        chrome,
        holdings,
        form,
    };
    let holdings = Holdings {
        events: 100_000,
        deliveries: 48_231,
        rules: 7,
        members: 3,
        tokens: 1,
        suppressions: 12,
    };
    push(
        to,
        "deletion",
        &page(chrome(Section::Settings), holdings, FormState::new()),
    );
    let mut wrong = form(&[("name", HOSTILE)]);
    wrong.refuse(
        "name",
        "This is not the company's name. Type it as it stands here.",
    );
    wrong.refuse("password", "This is not your password.");
    push(
        to,
        "deletion-hostile",
        &page(
            hostile_chrome(Section::Settings),
            Holdings::default(),
            wrong,
        ),
    );
}
