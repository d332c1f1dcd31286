//! Made-up documents as Zoho sends them, of any length.

use serde_json::{Map, Value, json};

/// An invoice with so many items.
pub(crate) fn invoice(customer: &str, currency: &str, items: usize) -> Map<String, Value> {
    let names = [
        ("A4 paper, 80 gsm", "box", 20.0, 35.0),
        ("Envelopes C5, window", "pack", 12.0, 8.25),
        ("Binding, thermal, with printed cover", "pcs", 250.0, 1.125),
        ("Delivery", "", 1.0, 49.0),
    ];
    let lines = (0..items).map(|index| {
        let (name, unit, quantity, rate) = names[index % names.len()];
        json!({
            "name": name, "unit": unit, "quantity": quantity, "rate": rate,
            "item_total": quantity * rate, "item_order": index + 1, "sku": "",
            "description": if index % 3 == 0 { "FSC-certified, made in Leeds" } else { "" },
        })
    });
    let body = json!({
        "invoice_number": "INV-00417", "reference_number": "PO-7781", "status": "sent",
        "customer_name": customer, "currency_code": currency, "date": "2026-11-17",
        "due_date": "2026-12-02", "sub_total": 12_345.5, "discount_total": 345.5,
        "discount_type": "entity_level", "shipping_charge": 49, "tax_total": 2400,
        "taxes": [{"tax_name": "VAT (20%)", "tax_amount": 2400.0}], "adjustment": 0.0,
        "total": 14_449.0, "payment_made": 449.0, "credits_applied": 0, "balance": 14_000.0,
        "invoice_url": "https://zohosecurepay.com/books/northwind/secure?CInvoiceID=2-0011223344556677 ",
        "line_items": lines.collect::<Vec<_>>(), "notes": "Thanks for your business.",
        "is_inclusive_tax": false,
    });
    match body {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
