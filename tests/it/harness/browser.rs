//! A real browser, driven as a person would: it finds things by what they say and waits as long as a
//! patient person does.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use thirtyfour::prelude::*;

/// How long a person waits for something that should come by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// The wait between two glances.
const GLANCE: Duration = Duration::from_millis(100);

/// Nothing is fetched that the page does not ask for, and no graphics card is needed.
const FLAGS: [&str; 8] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1280,900",
];

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) is_phone: bool,
    pub(crate) is_dark: bool,
}

/// A browser with a profile of its own; it ends with this value. The order of the fields is the
/// order of their end: the browser, its driver, their folder.
pub(crate) struct Browser {
    driver: WebDriver,
    _process: DriverProcess,
    _folder: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let process = DriverProcess::start(folder.path());
        let mut wishes = DesiredCapabilities::chrome();
        for flag in FLAGS {
            wishes.add_arg(flag).unwrap();
        }
        let profile = folder.path().join("profile");
        wishes
            .add_arg(&format!("--user-data-dir={}", profile.display()))
            .unwrap();
        let driver = WebDriver::builder(format!("http://127.0.0.1:{}", process.port), wishes)
            .client(ml_connector::http::client().unwrap())
            .await
            .unwrap();
        Self {
            driver,
            _process: process,
            _folder: folder,
        }
    }

    /// Closes it in good order.
    pub(crate) async fn close(self) {
        self.driver.clone().quit().await.unwrap();
    }

    pub(crate) async fn visit(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    pub(crate) async fn reload(&self) {
        self.driver.refresh().await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.driver.current_url().await.unwrap().to_string()
    }

    /// Types into the field of that name.
    pub(crate) async fn fill(&self, name: &str, text: &str) {
        let field = self.find(&format!("[name='{name}']")).await;
        field.send_keys(text).await.unwrap();
    }

    /// Empties the field of that name.
    pub(crate) async fn clear(&self, name: &str) {
        let field = self.find(&format!("[name='{name}']")).await;
        field.clear().await.unwrap();
    }

    /// Chooses one of a list by what is posted for it.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        let list = self.find(selector).await;
        // An option without a value posts its words.
        let such = format!(".//option[@value='{value}' or (not(@value) and .='{value}')]");
        let option = list.find(By::XPath(such)).await;
        option.unwrap().click().await.unwrap();
    }

    /// Clicks what a selector finds and whose text is `words`.
    pub(crate) async fn click(&self, selector: &str, words: &str) {
        self.until(&format!("{words:?} can be clicked"), async || {
            let found = self.named(selector, words).await?;
            found.click().await.ok()
        })
        .await;
    }

    /// Clicks the first thing that a selector finds.
    pub(crate) async fn click_first(&self, selector: &str) {
        self.until(&format!("{selector} can be clicked"), async || {
            self.driver
                .find(By::Css(selector))
                .await
                .ok()?
                .click()
                .await
                .ok()
        })
        .await;
    }

    /// Presses a key, wherever the focus is.
    pub(crate) async fn key(&self, key: Key) {
        let pressed = self.driver.action_chain().key_down(key.clone()).key_up(key);
        pressed.perform().await.unwrap();
    }

    /// Whether the focus is on what a selector finds first, or comes there.
    pub(crate) async fn has_focus(&self, selector: &str) {
        let look =
            format!("return document.activeElement === document.querySelector({selector:?});");
        self.until(&format!("the focus on {selector}"), async || {
            self.script::<bool>(&look).await.then_some(())
        })
        .await;
    }

    /// Forgets who is signed in, as a browser does that was never here.
    pub(crate) async fn forget(&self) {
        self.driver.delete_all_cookies().await.unwrap();
    }

    /// Two quick clicks, as impatient people do.
    pub(crate) async fn double_click(&self, selector: &str, words: &str) {
        let found = self
            .until(words, async || self.named(selector, words).await)
            .await;
        let twice = self.driver.action_chain().double_click_element(&found);
        twice.perform().await.unwrap();
    }

    async fn named(&self, selector: &str, words: &str) -> Option<WebElement> {
        let all = self.driver.find_all(By::Css(selector)).await.ok()?;
        for element in all {
            // One that was replaced meanwhile is not the one.
            if element.text().await.is_ok_and(|text| text.trim() == words) {
                return Some(element);
            }
        }
        None
    }

    async fn find(&self, selector: &str) -> WebElement {
        self.until(selector, async || {
            self.driver.find(By::Css(selector)).await.ok()
        })
        .await
    }

    /// The text that can be seen in everything that a selector finds. A page that changes under the
    /// reader's eyes is read again.
    pub(crate) async fn texts(&self, selector: &str) -> Vec<String> {
        self.until(selector, async || {
            let mut texts = Vec::new();
            for element in self.driver.find_all(By::Css(selector)).await.ok()? {
                texts.push(element.text().await.ok()?);
            }
            Some(texts)
        })
        .await
    }

    /// What can be read in a frame.
    pub(crate) async fn text_within(&self, frame: &str) -> String {
        self.find(frame).await.enter_frame().await.unwrap();
        let body = self.driver.find(By::Tag("body")).await.unwrap();
        let text = body.text().await.unwrap();
        self.driver.enter_default_frame().await.unwrap();
        text
    }

    /// What a script says about the page.
    pub(crate) async fn script<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let said = self.driver.execute(script, Vec::new()).await.unwrap();
        said.convert().unwrap()
    }

    /// What a script says that answers later, by its last argument.
    pub(crate) async fn later<T: serde::de::DeserializeOwned>(&self, script: &str) -> T {
        let said = self.driver.execute_async(script, Vec::new()).await.unwrap();
        said.convert().unwrap()
    }

    /// Shows pages as on a screen of that size, in light or dark.
    pub(crate) async fn look_as(&self, screen: Screen) {
        let (width, height) = if screen.is_phone {
            (390, 844)
        } else {
            (1280, 900)
        };
        let metrics = serde_json::json!({
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen.is_phone,
        });
        self.tool("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let scheme = if screen.is_dark { "dark" } else { "light" };
        let media = serde_json::json!({
            "features": [{ "name": "prefers-color-scheme", "value": scheme }],
        });
        self.tool("Emulation.setEmulatedMedia", media).await;
    }

    /// Uses one of the browser's own tools for developers; what it answers.
    pub(crate) async fn tool(&self, command: &str, with: serde_json::Value) -> serde_json::Value {
        self.driver.cdp().send_raw(command, with).await.unwrap()
    }

    /// Looks until there is something to see, for as long as a person would.
    pub(crate) async fn until<T>(&self, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            if Instant::now() >= end {
                let url = self.url().await;
                let page = self.driver.find(By::Tag("body")).await.unwrap();
                panic!(
                    "not seen: {what}, at {url}:\n{}",
                    page.text().await.unwrap()
                );
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// The program between the test and the browser.
struct DriverProcess {
    child: Child,
    port: u16,
}

impl DriverProcess {
    /// Starts it on a port that it chooses and prints.
    fn start(home: &std::path::Path) -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", home)
            .env("TMPDIR", home)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver (tests/run installs it)");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                let port = line.split_once("started successfully on port ")?.1;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, port }
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
