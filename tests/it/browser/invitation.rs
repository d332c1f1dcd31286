//! An owner invites, somebody new comes by the e-mail, and is in the team.

use crate::harness::TestApp;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_invited_comes_in_by_the_mail_with_the_role_they_were_given() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let person = Person::arrive(&app).await;
    person.sign_in(&acme.email, PASSWORD).await;
    person.browser.click(".rail a", "Team").await;
    person.write("email", "bob@acme.example").await;
    person.choose("form.sheet [name=role]", "editor").await;
    person.press("Send invitation").await;
    person.reads("The invitation is on its way.").await;
    person.sign_out().await;

    person.open_mail_to("bob@acme.example").await;
    person.is_at("Join Acme").await;
    person.write("name", "Bob").await;
    person.write("password", "a rather long sentence").await;
    person.press("Make account and join").await;
    person.reads("Welcome to the team.").await;
    person.browser.click(".rail a", "Team").await;
    person.is_at("Team").await;
    let rows = person
        .browser
        .texts("main table:first-of-type tbody tr")
        .await;
    let bob = rows.iter().find(|r| r.contains("bob@acme.example"));
    assert!(bob.expect("Bob in the team").contains("Editor"), "{rows:?}");
    person.reads("An owner can invite people").await;

    // The link was for once.
    person.sign_out().await;
    person.open_mail_to("bob@acme.example").await;
    let heading = person.read("h1").await;
    assert_ne!(heading, "Join Acme");
    person.leave().await;
}
