//! Words that read like advertising, which needs another permission than a business relation.

const WORDS: [&str; 18] = [
    "special offer",
    "limited time",
    "limited offer",
    "% off",
    "discount code",
    "promo code",
    "coupon",
    "voucher",
    "black friday",
    "cyber monday",
    "clearance",
    "best price",
    "free shipping",
    "buy now",
    "shop now",
    "order now",
    "new collection",
    "newsletter",
];

/// What to consider where a text reads like advertising, in words.
pub(super) fn warning(text: &str) -> Option<String> {
    let text = text.to_lowercase();
    let word = WORDS.into_iter().find(|word| text.contains(word))?;
    Some(format!(
        "“{word}” reads like advertising. Invoices, receipts and reminders may go to everybody you do \
         business with; advertising needs a permission of its own."
    ))
}
