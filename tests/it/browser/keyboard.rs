//! Without a mouse, and for whoever listens to the page instead of seeing it.

use thirtyfour::Key;

use crate::harness::TestApp;
use crate::harness::browser::Screen;
use crate::harness::company::PASSWORD;
use crate::harness::person::Person;

const MENU: &str = "details.menu > summary";

impl Person<'_> {
    async fn sees_menu(&self, is_open: bool) {
        let look = "return document.querySelector('details.menu').open;";
        self.browser
            .until(&format!("the menu open: {is_open}"), async || {
                (self.browser.script::<bool>(look).await == is_open).then_some(())
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_closes_with_esc_which_gives_the_focus_back_and_with_a_click_elsewhere() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    let screen = Screen {
        is_phone: true,
        is_dark: false,
    };
    ann.browser.look_as(screen).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;

    ann.browser.click_first(MENU).await;
    ann.sees_menu(true).await;
    ann.browser.key(Key::Tab).await;
    ann.browser.has_focus(".menu-sheet a").await;
    ann.browser.key(Key::Escape).await;
    ann.sees_menu(false).await;
    ann.browser.has_focus(MENU).await;

    ann.browser.key(Key::Enter).await;
    ann.sees_menu(true).await;
    ann.browser.click_first(".bar").await;
    ann.sees_menu(false).await;
    ann.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_takes_the_focus_and_leads_to_its_fields() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    ann.sign_in(&acme.email, "not the password").await;
    ann.reads("The e-mail or the password is wrong").await;
    ann.browser.has_focus("[role=alert]").await;

    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    ann.open(&format!("/t/{}/rules/new", acme.slug)).await;
    ann.write("template", "Hello").await;
    // The browser would ask for a name by itself.
    let () = ann
        .browser
        .script("document.querySelector('main form[method=post]').noValidate = true;")
        .await;
    ann.press("Save rule").await;
    ann.reads("One field needs another look.").await;
    ann.browser.has_focus("[role=alert]").await;
    ann.browser.key(Key::Tab).await;
    ann.browser.has_focus("[role=alert] a").await;
    ann.browser.key(Key::Enter).await;
    ann.browser.has_focus("[name=name]").await;
    ann.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_leads_past_the_menus() {
    let app = TestApp::spawn().await;
    let acme = app.company("Acme").await;
    let ann = Person::arrive(&app).await;
    ann.open("/sign-in").await;
    skips(&ann).await;
    ann.sign_in(&acme.email, PASSWORD).await;
    ann.is_at("Overview").await;
    skips(&ann).await;
    ann.open("/account").await;
    skips(&ann).await;
    ann.leave().await;
}

async fn skips(ann: &Person<'_>) {
    ann.browser.key(Key::Tab).await;
    ann.browser.has_focus("a.skip").await;
    ann.browser.key(Key::Enter).await;
    ann.browser.has_focus("main").await;
}
