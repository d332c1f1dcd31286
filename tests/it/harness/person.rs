//! Somebody at a real browser: opens pages, fills in what they are asked, presses what they read.

use super::TestApp;
use super::browser::Browser;

/// A person at a browser of their own.
pub(crate) struct Person<'a> {
    pub(crate) browser: Browser,
    app: &'a TestApp,
}

impl<'a> Person<'a> {
    pub(crate) async fn arrive(app: &'a TestApp) -> Self {
        let browser = Browser::open().await;
        Self { browser, app }
    }

    pub(crate) async fn open(&self, path: &str) {
        self.browser.visit(&self.app.url(path)).await;
    }

    /// Types over what stands in a field.
    pub(crate) async fn write(&self, name: &str, text: &str) {
        self.browser.clear(name).await;
        self.browser.fill(name, text).await;
    }

    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        self.browser.choose(selector, value).await;
    }

    pub(crate) async fn press(&self, words: &str) {
        self.browser.click("button", words).await;
    }

    pub(crate) async fn follow(&self, words: &str) {
        self.browser.click("a", words).await;
    }

    /// Waits until the page of that heading is there.
    pub(crate) async fn is_at(&self, heading: &str) {
        let look = async || (self.browser.texts("h1").await == [heading]).then_some(());
        self.browser
            .until(&format!("the page {heading:?}"), look)
            .await;
    }

    /// Waits until a text can be read somewhere.
    pub(crate) async fn reads(&self, words: &str) {
        let look = async || {
            let text = self.browser.texts("body").await.join("\n");
            text.contains(words).then_some(())
        };
        self.browser
            .until(&format!("the words {words:?}"), look)
            .await;
    }

    /// What a field holds.
    pub(crate) async fn read(&self, selector: &str) -> String {
        let texts = self.browser.texts(selector).await;
        texts
            .first()
            .cloned()
            .unwrap_or_else(|| panic!("no {selector}"))
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) {
        self.open("/sign-in").await;
        self.write("email", email).await;
        self.write("password", password).await;
        self.press("Sign in").await;
    }

    /// Leaves, so that the same browser is somebody else's.
    pub(crate) async fn sign_out(&self) {
        self.press("Sign out").await;
        self.reads("You are signed out.").await;
    }

    /// Opens the link of the newest e-mail to an address.
    pub(crate) async fn open_mail_to(&self, email: &str) {
        let mails = self.app.mails().await;
        let mail = mails.iter().rfind(|m| m.to == email).expect("an e-mail");
        self.browser.visit(mail.link()).await;
    }

    pub(crate) async fn leave(self) {
        self.browser.close().await;
    }
}
