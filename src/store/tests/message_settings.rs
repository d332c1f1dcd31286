//! Senders, groups, brand and bank details: what may stand beside what, and that each edit counts at once.

use super::*;
use crate::domain::bank_details::{BankDetails, WAITS, in_force, pending};
use crate::domain::brand_settings::{BrandSettings, LogoImage};
use crate::domain::group::{Group, Member};
use crate::domain::ids::{BankDetailsId, GroupId, MemberId, SenderId};
use crate::domain::phone::{CountryCode, Phone};
use crate::domain::sender::{SenderAddress, SenderProfile};
use crate::domain::transport::TransportName;

const MAILS: TransportName = TransportName::named("mails");

fn actor() -> Actor {
    Actor::named("amy")
}

fn sender(address: &str) -> SenderProfile {
    SenderProfile {
        id: SenderId::new(now()),
        transport: MAILS,
        address: SenderAddress::from_stored(address).unwrap(),
        name: "Bowman & Co".to_owned(),
        is_default: false,
        countries: vec![CountryCode::parse("GB").unwrap()],
        customers: vec!["460000000026049".to_owned()],
        segments_per_second: None,
        tested_at: None,
        created_at: now(),
    }
}

fn member(name: &str, email: &str) -> Member {
    Member {
        id: MemberId::new(now()),
        user: None,
        name: name.to_owned(),
        phone: Phone::from_stored(TO),
        email: crate::domain::address::Email::parse(email).ok(),
        is_on: true,
    }
}

fn group(name: &str, members: Vec<Member>) -> Group {
    Group {
        id: GroupId::new(now()),
        name: name.to_owned(),
        members,
        created_at: now(),
    }
}

impl House {
    async fn number_of_rule_set(&self) -> i64 {
        self.tenant.tenant().await.unwrap().unwrap().rule_set
    }

    async fn add(&self, sender: &SenderProfile) -> MessageEdit {
        let added = self.tenant.add_sender(sender.clone(), actor(), now());
        added.await.unwrap()
    }

    async fn change(&self, sender: SenderProfile) -> MessageEdit {
        let changed = self.tenant.change_sender(sender, actor(), now());
        changed.await.unwrap()
    }

    async fn read_sender(&self, id: SenderId) -> SenderProfile {
        self.tenant.sender(id).await.unwrap().unwrap()
    }

    async fn bank(&self, edit: BankDetailsEdit, by: &str, at: DateTime<Utc>) -> MessageEdit {
        let change = self
            .tenant
            .change_bank_details(edit, vec![], Actor::named(by), at);
        change.await.unwrap()
    }

    fn asked(text: &str, by: UserId, at: DateTime<Utc>) -> BankDetails {
        BankDetails {
            id: BankDetailsId::new(at),
            currency: "EUR".to_owned(),
            text: text.to_owned(),
            asked_by: by,
            asked_by_name: "amy@bowman.example".to_owned(),
            asked_at: at,
            in_force_at: at + WAITS,
            agreed_by_name: String::new(),
        }
    }
}

#[tokio::test]
async fn one_sender_of_a_transport_is_the_default_and_the_first_is_so_by_itself() {
    let house = House::open().await;
    let (one, two) = (sender("a@bowman.example"), sender("b@bowman.example"));
    let before = house.number_of_rule_set().await;
    assert_eq!(house.add(&one).await, MessageEdit::Done);
    assert!(house.number_of_rule_set().await > before);
    assert_eq!(house.add(&two).await, MessageEdit::Done);
    let again = sender("B@Bowman.example");
    assert_eq!(house.add(&again).await, MessageEdit::Taken);
    let first = SenderProfile {
        is_default: true,
        ..one.clone()
    };
    assert_eq!(house.read_sender(one.id).await, first);
    assert_eq!(house.read_sender(two.id).await, two);
    let second = SenderProfile {
        is_default: true,
        ..two.clone()
    };
    assert_eq!(house.change(second).await, MessageEdit::Done);
    assert!(!house.read_sender(one.id).await.is_default);
    let delete = |id| house.tenant.delete_sender(id, actor(), now());
    assert_eq!(delete(two.id).await.unwrap(), MessageEdit::Taken);
    assert_eq!(delete(one.id).await.unwrap(), MessageEdit::Done);
    assert_eq!(delete(two.id).await.unwrap(), MessageEdit::Done);
    assert_eq!(delete(two.id).await.unwrap(), MessageEdit::Gone);
}

#[tokio::test]
async fn a_test_counts_for_the_address_that_was_tested() {
    let house = House::open().await;
    let one = sender("a@bowman.example");
    house.add(&one).await;
    let tested = |of: &SenderProfile| {
        let noted = house.tenant.note_tested_sender(of.clone(), actor(), now());
        async move { noted.await.unwrap() }
    };
    assert!(tested(&one).await);
    let named = SenderProfile {
        name: "Bowman".to_owned(),
        ..one.clone()
    };
    house.change(named).await;
    assert_eq!(house.read_sender(one.id).await.tested_at, Some(now()));
    let moved = SenderProfile {
        address: SenderAddress::email("other@bowman.example").unwrap(),
        ..one.clone()
    };
    house.change(moved).await;
    assert_eq!(house.read_sender(one.id).await.tested_at, None);
    assert!(!tested(&one).await, "a late answer about the old address");
}

#[tokio::test]
async fn the_people_of_a_group_keep_their_ids() {
    let house = House::open().await;
    let (ann, bo) = (member("Ann", "ann@x.example"), member("Bo", "bo@x.example"));
    let finance = group("Finance", vec![ann.clone(), bo.clone()]);
    let add = |group: &Group| house.tenant.add_group(group.clone(), actor(), now());
    assert_eq!(add(&finance).await.unwrap(), MessageEdit::Done);
    let other = group("Finance", vec![]);
    assert_eq!(add(&other).await.unwrap(), MessageEdit::Taken);
    let read = || async { house.tenant.group(finance.id).await.unwrap().unwrap() };
    assert_eq!(read().await, finance);
    let switch = |is_on| {
        let who = (finance.id, ann.id);
        house.tenant.switch_group_member(who, is_on, actor(), now())
    };
    assert_eq!(switch(false).await.unwrap(), MessageEdit::Done);
    assert!(!read().await.members[0].is_on);
    // Typed anew, without ids; one has another name.
    let typed = Member {
        name: "Ann Lee".to_owned(),
        ..member("Ann", "Ann@X.example")
    };
    let cy = member("Cy", "cy@x.example");
    let changed = Group {
        members: vec![typed, cy],
        ..finance.clone()
    };
    let done = house.tenant.change_group(changed, actor(), now()).await;
    assert_eq!(done.unwrap(), MessageEdit::Done);
    let now_in = read().await.members;
    assert_eq!(now_in.len(), 2);
    let ann_now = now_in.iter().find(|m| m.id == ann.id).unwrap();
    assert_eq!(ann_now.name, "Ann Lee");
    assert!(now_in.iter().all(|m| m.id != bo.id));
    let gone = house.tenant.delete_group(finance.id, actor(), now()).await;
    assert_eq!(gone.unwrap(), MessageEdit::Done);
    assert!(house.tenant.groups().await.unwrap().is_empty());
}

#[tokio::test]
async fn all_that_messages_need_is_read_at_once_and_only_the_tenants() {
    let house = House::open().await;
    let (other, ..) = add_tenant(&house.store, "other").await;
    house.add(&sender("a@bowman.example")).await;
    let finance = group("Finance", vec![member("Ann", "ann@x.example")]);
    let added = house
        .tenant
        .add_group(finance.clone(), actor(), now())
        .await;
    added.unwrap();
    let brand = BrandSettings {
        name: "Bowman Books".to_owned(),
        accent: "#003366".parse().ok(),
        signature: "*Yours*".to_owned(),
        ..BrandSettings::default()
    };
    let saved = house.tenant.save_brand(brand.clone(), actor(), now()).await;
    assert_eq!(saved.unwrap(), MessageEdit::Done);
    let image = LogoImage {
        hash: "0a".repeat(32),
        width: 4,
        height: 2,
    };
    let logo = NewLogo {
        image: image.clone(),
        png: vec![1, 2, 3],
    };
    let saved = house.tenant.save_logo(Some(logo), actor(), now()).await;
    assert_eq!(saved.unwrap(), MessageEdit::Done);
    let asked = House::asked("IBAN 1", UserId::new(now()), now());
    house
        .bank(BankDetailsEdit::Ask(asked.clone()), "amy", now())
        .await;
    let all = house.tenant.message_settings().await.unwrap();
    assert_eq!(all.senders.len(), 1);
    assert_eq!(all.groups, [finance]);
    let whole = BrandSettings {
        logo: Some(image.clone()),
        ..brand
    };
    assert_eq!(all.brand, whole);
    assert_eq!(all.bank_details, [asked]);
    let png = house.store.platform().logo(&image.hash).await.unwrap();
    assert_eq!(png, Some(vec![1, 2, 3]));
    let theirs = house.store.tenant(other).message_settings().await.unwrap();
    assert_eq!(theirs, MessageSettings::default());
    // Without the logo its bytes are still there for e-mails that show it.
    house.tenant.save_logo(None, actor(), now()).await.unwrap();
    assert_eq!(house.tenant.brand().await.unwrap().logo, None);
    let png = house.store.platform().logo(&image.hash).await.unwrap();
    assert!(png.is_some());
}

#[tokio::test]
async fn bank_details_wait_for_a_day_or_for_a_second_owner() {
    let house = House::open().await;
    let (amy, ben) = (UserId::new(now()), UserId::new(now()));
    let first = House::asked("IBAN 1", amy, now());
    let ask = |details: &BankDetails| BankDetailsEdit::Ask(details.clone());
    assert_eq!(
        house.bank(ask(&first), "amy", now()).await,
        MessageEdit::Done
    );
    let second = House::asked("IBAN 2", ben, later(60));
    let taken = house.bank(ask(&second), "ben", later(60)).await;
    assert_eq!(taken, MessageEdit::Taken, "one waits already");
    let all = house.tenant.bank_details().await.unwrap();
    assert!(in_force(&all, "EUR", later(60)).is_none());
    assert!(in_force(&all, "EUR", now() + WAITS).is_some());
    // Who asked does not agree with themselves.
    let agree = |id, by| BankDetailsEdit::Agree(id, by);
    let own = house.bank(agree(first.id, amy), "amy", later(90)).await;
    assert_eq!(own, MessageEdit::Taken);
    let done = house.bank(agree(first.id, ben), "ben", later(90)).await;
    assert_eq!(done, MessageEdit::Done);
    let all = house.tenant.bank_details().await.unwrap();
    let text = in_force(&all, "EUR", later(90)).unwrap();
    assert_eq!(
        (text.text.as_str(), text.agreed_by_name.as_str()),
        ("IBAN 1", "ben")
    );
    // Another one is called off, and the old text stays.
    assert_eq!(
        house.bank(ask(&second), "ben", later(120)).await,
        MessageEdit::Done
    );
    let off = BankDetailsEdit::CallOff(second.id);
    assert_eq!(
        house.bank(off.clone(), "amy", later(130)).await,
        MessageEdit::Done
    );
    assert_eq!(house.bank(off, "amy", later(140)).await, MessageEdit::Gone);
    let all = house.tenant.bank_details().await.unwrap();
    assert!(pending(&all, "EUR", later(140)).is_none());
    assert_eq!(
        in_force(&all, "EUR", later(140) + WAITS).unwrap().text,
        "IBAN 1"
    );
    // What came into force by itself is nothing to be called off.
    let third = House::asked("", amy, later(200));
    house.bank(ask(&third), "amy", later(200)).await;
    let late = later(200) + WAITS;
    let off = house
        .bank(BankDetailsEdit::CallOff(third.id), "ben", late)
        .await;
    assert_eq!(off, MessageEdit::Gone);
    let all = house.tenant.bank_details().await.unwrap();
    assert!(in_force(&all, "EUR", late).is_none(), "taken away");
    let query =
        "SELECT COUNT(*) AS n FROM audit_entries WHERE tenant_id = $1 AND action LIKE 'bank%'";
    let row = house.tenant.db().one(query, vec![]).await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("n").unwrap(), 5);
}
