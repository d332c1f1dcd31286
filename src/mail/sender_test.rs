//! What a test from a tenant's own e-mail address says.

use askama::Template;

use crate::domain::content::EmailContent;

#[derive(Template)]
#[template(path = "emails/sender_test.html")]
struct TestPage<'a> {
    paragraphs: &'a [String],
}

/// A test from this address; `None` where it cannot be written.
pub fn sender_test(address: &str) -> Option<EmailContent> {
    let paragraphs = [
        format!("This is a test from {address}."),
        "It arrived, so rules can send from there. If you found it among the spam, look at the DNS \
         records that the page of the sender lists."
            .to_owned(),
        "Nobody but you got it.".to_owned(),
    ];
    let page = TestPage {
        paragraphs: &paragraphs,
    };
    Some(EmailContent {
        subject: format!("Test from {address}"),
        html: page.render().ok()?,
        text: format!("{}\n", paragraphs.join("\n\n")),
        attachments: Vec::new(),
    })
}
