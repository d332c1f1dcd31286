//! The field names that we know of, per kind of document: Zoho's own top-level names and ours.
//!
//! Zoho's bodies grow and bear an organisation's custom fields (`cf_…`), so these lists refuse
//! mistyped names in templates and feed the editor; conditions may ask for any name.

use crate::domain::currency::Currency;
use crate::domain::document::DocumentKind;

/// Our own names beside Zoho's.
pub const OWN_FIELDS: &[&str] = &[
    "contact.email",
    "contact.first_name",
    "contact.last_name",
    "contact.mobile",
    "contact.name",
    "contact.phone",
    "label",
    "payment_link",
];

/// Zoho's top-level names of a kind, sorted; custom fields (`cf_…`) come on top.
pub fn known_fields(kind: DocumentKind) -> &'static [&'static str] {
    match kind {
        DocumentKind::Invoice => INVOICE,
        DocumentKind::CustomerPayment => CUSTOMER_PAYMENT,
        DocumentKind::Bill => BILL,
        DocumentKind::PurchaseOrder => PURCHASE_ORDER,
        DocumentKind::VendorPayment => VENDOR_PAYMENT,
        DocumentKind::Expense => EXPENSE,
    }
}

/// Whether a top-level or own name is known for a kind of document.
pub fn is_known(kind: DocumentKind, name: &str) -> bool {
    known_fields(kind).binary_search(&name).is_ok()
        || OWN_FIELDS.contains(&name)
        || (name.len() > 3 && name.starts_with("cf_"))
}

#[rustfmt::skip] // one name per line would be a page
/// Names of amounts of money, sorted, at the top and in lists alike.
const MONEY: &[&str] = &[
    "adjustment", "amount", "amount_applied", "amount_refunded", "amount_withheld", "balance",
    "balance_amount", "bank_charges", "bcy_adjustment", "bcy_discount_total", "bcy_rate",
    "bcy_shipping_charge", "bcy_sub_total", "bcy_tax_total", "bcy_total", "credits_applied",
    "discount_amount", "discount_total", "item_total", "item_total_inclusive_of_tax",
    "payment_discount", "payment_made", "price", "purchase_rate", "rate", "roundoff_value",
    "sales_rate", "shipping_charge", "shipping_charge_exclusive_of_tax",
    "shipping_charge_inclusive_of_tax", "shipping_charge_tax", "sub_total",
    "sub_total_exclusive_of_discount", "sub_total_inclusive_of_tax", "tax_amount",
    "tax_amount_withheld", "tax_total", "total", "total_retention_amount",
    "total_taxable_amount", "unprocessed_payment_amount", "unused_amount",
    "unused_credits_payable_amount", "unused_credits_receivable_amount",
    "unused_retainer_payments", "vendor_credits_applied", "write_off_amount",
];

/// Whether a name, plain or dotted, is that of an amount of money.
pub fn is_money(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    MONEY.contains(&last)
}

/// The places that an amount is written with; `None` for what is no money. Two where the currency is
/// not known. What begins with `bcy_` is in the organisation's own currency, which bodies do not name.
pub fn money_places(name: &str, currency: Option<Currency>) -> Option<u32> {
    is_money(name).then(|| match currency {
        Some(currency) if !is_base(name) => currency.places(),
        _ => 2,
    })
}

/// Whether an amount is in the organisation's own currency rather than the document's.
pub fn is_base(name: &str) -> bool {
    name.rsplit('.')
        .next()
        .is_some_and(|last| last.starts_with("bcy_"))
}

/// Whether a name is that of a price per unit, which may be finer than its currency.
pub fn is_price(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(
        last,
        "rate" | "bcy_rate" | "price" | "purchase_rate" | "sales_rate"
    )
}

/// Whether a value is written in lines of its own, as an address is; any other stands within one.
pub fn has_lines(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(
        last,
        "notes" | "terms" | "description" | "comments" | "address" | "street" | "street2"
    )
}

/// The known name that a mistyped one most likely means.
pub fn suggest(kind: DocumentKind, name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    if name.len() > 64 {
        return None;
    }
    if let Some(known) = by_number(kind, &name) {
        return Some(known);
    }
    // A third of the letters may be wrong, as in `custmer_name`.
    let most = (name.chars().count() / 3).clamp(1, 4);
    known_fields(kind)
        .iter()
        .chain(OWN_FIELDS)
        .map(|known| (distance(&name, known), *known))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, known)| known)
        .or_else(|| by_part(kind, &name))
}

/// `invoice_no` means `invoice_number`, though `invoice_id` is nearer.
fn by_number(kind: DocumentKind, name: &str) -> Option<&'static str> {
    let stem = ["_no", "_nr", "_num"]
        .iter()
        .find_map(|end| name.strip_suffix(end))?;
    let number = format!("{stem}_number");
    known_fields(kind)
        .iter()
        .find(|known| **known == number)
        .copied()
}

/// `customer` means `customer_name`.
fn by_part(kind: DocumentKind, name: &str) -> Option<&'static str> {
    const USUAL: [&str; 4] = ["_name", "_number", "_date", "_id"];
    let known = known_fields(kind);
    let stem = name.split('_').next().filter(|stem| stem.len() >= 3)?;
    USUAL.iter().find_map(|end| {
        known
            .iter()
            .find(|k| k.strip_suffix(end) == Some(stem))
            .copied()
    })
}

/// Levenshtein's distance between two short names.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = corner + usize::from(from != *to);
            corner = row[j + 1];
            row[j + 1] = replaced.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[rustfmt::skip] // one name per line would be six hundred lines
const INVOICE: &[&str] = &[
    "account_id", "account_identifier", "account_name", "ach_payment_initiated", "ach_supported",
    "adjustment", "adjustment_account_id", "adjustment_account_name", "adjustment_description",
    "adjustment_formatted", "allow_partial_payments", "approver_id", "approvers_list",
    "attachment_name", "balance", "balance_formatted", "bcy_adjustment", "bcy_discount_total",
    "bcy_rounding_mode", "bcy_shipping_charge", "bcy_shipping_charge_tax", "bcy_sub_total",
    "bcy_tax_total", "bcy_total", "billing_address", "can_send_in_mail", "can_send_invoice_sms",
    "can_show_kit_return", "channel_invoice_id", "client_viewed_time",
    "client_viewed_time_formatted", "color_code", "computation_type", "contact_category",
    "contact_persons", "contact_persons_associated", "contact_persons_details", "created_by_id",
    "created_by_name", "created_date", "created_date_formatted", "created_time",
    "created_time_formatted", "credits_applied", "credits_applied_formatted",
    "credits_associated", "currency_code", "currency_formatter", "currency_id",
    "currency_name_formatted", "currency_symbol", "current_sub_status",
    "current_sub_status_formatted", "current_sub_status_id", "custom_field_hash", "custom_fields",
    "customer_custom_field_hash", "customer_custom_fields", "customer_default_billing_address",
    "customer_id", "customer_name", "date", "date_formatted", "debit_notes", "deliverychallans",
    "discount", "discount_account_id", "discount_account_name", "discount_amount",
    "discount_amount_formatted", "discount_applied_on_amount",
    "discount_applied_on_amount_formatted", "discount_percent", "discount_total",
    "discount_total_formatted", "discount_type", "documents", "due_date", "due_date_formatted",
    "early_payment_discount_amount", "early_payment_discount_amount_formatted",
    "early_payment_discount_due_days", "early_payment_discount_percentage", "ecomm_operator_id",
    "ecomm_operator_name", "email", "estimate_id", "exceptions", "exchange_invoices",
    "exchange_rate", "has_attachment", "in_process_payments", "includes_package_tracking_info",
    "inprocess_transaction_present", "invoice_id", "invoice_installments", "invoice_number",
    "invoice_source", "invoice_source_formatted", "invoice_url", "is_autobill_enabled",
    "is_backorder", "is_client_review_settings_enabled", "is_discount_before_tax",
    "is_early_payment_discount_applicable", "is_emailed", "is_inclusive_tax",
    "is_inventory_valuation_pending", "is_kit_partial_return", "is_last_child_invoice",
    "is_progress_invoice", "is_reverse_charge_applied", "is_viewed_by_client", "issued_date",
    "issued_date_formatted", "last_modified_by_id", "last_modified_time", "last_payment_date",
    "last_payment_date_formatted", "last_reminder_sent_date", "last_reminder_sent_date_formatted",
    "line_items", "location_id", "location_name", "lock_detail", "lock_details", "locked_actions",
    "merchant_id", "merchant_name", "next_reminder_date_formatted", "no_of_copies", "notes",
    "offline_created_date_with_time", "orientation", "page_height", "page_width",
    "payment_discount", "payment_discount_formatted", "payment_expected_date",
    "payment_expected_date_formatted", "payment_made", "payment_made_formatted",
    "payment_options", "payment_reminder_enabled", "payment_terms", "payment_terms_id",
    "payment_terms_label", "price_precision", "qr_code", "reader_offline_payment_initiated",
    "reason_for_debit_note", "reason_for_debit_note_formatted", "recurring_invoice_id",
    "reference_invoice", "reference_number", "reminders_sent", "reporting_tags_ef",
    "retention_items", "retention_override_preference", "reverse_charge_tax_total",
    "reverse_charge_tax_total_formatted", "rounding_mode", "roundoff_value",
    "roundoff_value_formatted", "sales_channel", "salesorder_id", "salesorder_number",
    "salesorders", "salesperson_id", "salesperson_name", "schedule_time",
    "schedule_time_formatted", "shipping_address", "shipping_bills", "shipping_charge",
    "shipping_charge_account_id", "shipping_charge_account_name",
    "shipping_charge_exclusive_of_tax", "shipping_charge_exclusive_of_tax_formatted",
    "shipping_charge_formatted", "shipping_charge_inclusive_of_tax",
    "shipping_charge_inclusive_of_tax_formatted", "shipping_charge_tax",
    "shipping_charge_tax_formatted", "shipping_charge_tax_id", "shipping_charge_tax_name",
    "shipping_charge_tax_percentage", "shipping_charge_tax_type", "shipping_charge_taxes",
    "show_convert_to_package", "show_convert_to_shipment", "show_no_of_copies", "status",
    "status_formatted", "stop_reminder_until_payment_expected_date", "sub_statuses", "sub_total",
    "sub_total_formatted", "sub_total_inclusive_of_tax", "sub_total_inclusive_of_tax_formatted",
    "subject_content", "submitted_by", "submitted_by_email", "submitted_by_name",
    "submitted_by_photo_url", "submitted_date", "submitted_date_formatted", "submitter_id",
    "supply_date", "supply_date_formatted", "tags", "tax_amount_withheld",
    "tax_amount_withheld_formatted", "tax_override_preference", "tax_reg_no", "tax_rounding",
    "tax_total", "tax_total_formatted", "tax_treatment", "taxes", "tds_calculation_type",
    "tds_override_preference", "tds_summary", "template_id", "template_name", "template_type",
    "template_type_formatted", "terms", "total", "total_formatted", "total_retention_amount",
    "total_retention_amount_formatted", "total_taxable_amount", "total_taxable_amount_formatted",
    "transaction_rounding_type", "type", "type_formatted", "unprocessed_payment_amount",
    "unprocessed_payment_amount_formatted", "unused_retainer_payments",
    "unused_retainer_payments_formatted", "write_off_amount", "write_off_amount_formatted",
    "zcrm_potential_id", "zcrm_potential_name",
];

#[rustfmt::skip] // one name per line would be six hundred lines
const CUSTOMER_PAYMENT: &[&str] = &[
    "amount", "amount_refunded", "bank_charges", "contact_persons", "created_time",
    "currency_code", "currency_symbol", "custom_fields", "customer_id", "customer_name", "date",
    "description", "email", "invoices", "last_modified_time", "location_id", "location_name",
    "payment_id", "payment_mode", "payment_number", "reference_number", "status", "tags",
    "unused_amount",
];

#[rustfmt::skip] // one name per line would be six hundred lines
const BILL: &[&str] = &[
    "adjustment", "adjustment_description", "adjustment_formatted", "allocated_landed_costs",
    "approver_id", "approvers_list", "attachment_name", "balance", "balance_formatted", "bill_id",
    "bill_number", "billing_address", "billing_address_id", "can_amend_transaction",
    "can_send_in_mail", "client_viewed_time", "client_viewed_time_formatted", "color_code",
    "comments", "contact_category", "created_by_id", "created_time", "credit_notes",
    "currency_code", "currency_id", "currency_name_formatted", "currency_symbol",
    "current_sub_status", "current_sub_status_formatted", "current_sub_status_id",
    "custom_field_hash", "custom_fields", "date", "date_formatted", "discount",
    "discount_account_id", "discount_account_name", "discount_amount",
    "discount_amount_formatted", "discount_type", "documents", "due_by_days", "due_date",
    "due_date_formatted", "due_days", "due_in_days", "entity_type", "exchange_rate", "invoices",
    "is_approval_required", "is_discount_before_tax", "is_inclusive_tax",
    "is_item_level_tax_calc", "is_line_item_invoiced", "is_portal_enabled",
    "is_reverse_charge_applied", "is_tally_bill", "is_uber_bill", "is_viewed_by_client",
    "journal_credits", "last_modified_id", "last_modified_time", "line_items", "notes",
    "open_purchaseorders_count", "orientation", "page_height", "page_width",
    "payment_expected_date", "payment_expected_date_formatted", "payment_made",
    "payment_made_formatted", "payment_terms", "payment_terms_label", "payments",
    "price_precision", "purchaseorder_ids", "purchaseorders", "recurring_bill_id",
    "reference_bill_id", "reference_id", "reference_number", "source", "status",
    "status_formatted", "sub_statuses", "sub_total", "sub_total_formatted",
    "sub_total_inclusive_of_tax", "sub_total_inclusive_of_tax_formatted", "subject_content",
    "submitted_by", "submitted_by_email", "submitted_by_name", "submitted_date",
    "submitted_date_formatted", "submitter_id", "tax_override", "tax_override_preference",
    "tax_rounding", "tax_total", "tax_total_formatted", "tax_treatment", "taxes", "template_id",
    "template_name", "template_type", "template_type_formatted", "terms", "total",
    "total_formatted", "track_discount_in_account", "unallocated_landed_costs",
    "unprocessed_payment_amount", "unprocessed_payment_amount_formatted",
    "unused_credits_payable_amount", "unused_credits_payable_amount_formatted", "vendor_credits",
    "vendor_credits_applied", "vendor_credits_applied_formatted", "vendor_id", "vendor_name",
];

#[rustfmt::skip] // one name per line would be six hundred lines
const PURCHASE_ORDER: &[&str] = &[
    "attachment_name", "attention", "billing_address", "can_mark_as_bill", "can_mark_as_unbill",
    "can_send_in_mail", "contact_persons_associated", "created_by_id", "created_time",
    "crm_owner_id", "currency_code", "currency_id", "currency_symbol", "custom_fields", "date",
    "delivery_address", "delivery_customer_id", "delivery_date", "delivery_org_address_id",
    "discount", "discount_account_id", "documents", "exchange_rate", "expected_delivery_date",
    "is_discount_before_tax", "is_emailed", "is_inclusive_tax", "is_reverse_charge_applied",
    "last_modified_time", "line_items", "location_id", "location_name", "notes", "orientation",
    "page_height", "page_width", "price_precision", "pricebook_id", "pricebook_name",
    "purchaseorder_id", "purchaseorder_number", "reference_number", "ship_via", "ship_via_id",
    "status", "sub_total", "tags", "tax_total", "tax_treatment", "taxes", "template_id",
    "template_name", "template_type", "terms", "total", "vendor_id", "vendor_name",
];

#[rustfmt::skip] // one name per line would be six hundred lines
const VENDOR_PAYMENT: &[&str] = &[
    "ach_payment_status", "amount", "balance", "billing_address", "bills", "check_details",
    "comments", "created_time", "currency_code", "currency_id", "currency_symbol",
    "custom_fields", "date", "description", "documents", "exchange_rate", "is_ach_payment",
    "is_paid_via_print_check", "last_modified_time", "location_id", "location_name",
    "paid_through_account_id", "paid_through_account_name", "paid_through_account_type",
    "payment_id", "payment_mode", "payment_number", "reference_number", "tags",
    "tax_account_name", "tax_amount_withheld", "vendor_id", "vendor_name", "vendorpayment_refunds",
];

#[rustfmt::skip] // one name per line would be six hundred lines
const EXPENSE: &[&str] = &[
    "account_id", "account_name", "amount", "bcy_total", "created_time", "currency_code",
    "currency_id", "currency_symbol", "customer_id", "customer_name", "date", "description",
    "end_reading", "exchange_rate", "expense_id", "expense_item_id", "expense_receipt_name",
    "expense_receipt_type", "expense_type", "invoice_id", "invoice_number", "is_billable",
    "is_inclusive_tax", "is_itemized_expense", "is_personal", "last_modified_time", "line_item",
    "location_id", "location_name", "mileage_rate", "mileage_type", "paid_through_account_name",
    "project_id", "project_name", "reference_number", "start_reading", "status", "sub_total",
    "tags", "tax_amount", "tax_id", "tax_name", "tax_percentage", "total", "transaction_id",
    "transaction_type", "trip_id", "trip_number", "vendor_id", "vendor_name",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_so_that_they_can_be_searched() {
        for &kind in DocumentKind::ALL {
            assert!(known_fields(kind).is_sorted(), "{kind}");
            assert!(known_fields(kind).len() > 20);
        }
    }

    #[test]
    fn names_of_zoho_custom_fields_and_our_own_are_known() {
        assert!(is_known(DocumentKind::Invoice, "customer_name"));
        assert!(is_known(DocumentKind::Invoice, "cf_account_ref"));
        assert!(is_known(DocumentKind::Bill, "contact.name"));
        assert!(!is_known(DocumentKind::Invoice, "vendor_name"));
        assert!(!is_known(DocumentKind::Invoice, "cf_"));
    }

    #[test]
    fn a_mistyped_name_gets_the_likeliest_known_one() {
        let invoice = |name: &str| suggest(DocumentKind::Invoice, name);
        assert_eq!(invoice("custmer_name"), Some("customer_name"));
        assert_eq!(invoice("Total"), Some("total"));
        assert_eq!(invoice("customer"), Some("customer_name"));
        assert_eq!(invoice("invoice_no"), Some("invoice_number"));
        assert_eq!(invoice("contact.nane"), Some("contact.name"));
        assert_eq!(invoice("xyzzy"), None);
    }
}
