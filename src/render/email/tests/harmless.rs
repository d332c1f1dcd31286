//! What a clerk writes, and what comes of it.

use super::*;

/// A line for each element, so that a difference can be read.
fn in_lines(html: &str) -> String {
    html.replace("><", ">\n<")
}

#[test]
fn the_ready_texts_look_as_they_did() {
    for ready in &READY_EMAILS {
        let kind = ready.event_type.document();
        let fields = sample(kind);
        let template = parsed(&ready.source(), kind);
        let email = template.render(&facts(&fields, &ada()), &around()).unwrap();
        let words = format!("{}\n\n{}", email.subject, email.text);
        insta::assert_snapshot!(format!("{}.text", ready.key), words);
        if ready.key == "invoice-sent" {
            insta::assert_snapshot!("invoice-sent.html", in_lines(&email.html));
        }
        assert_eq!(EmailTemplate::warnings(&ready.source()), [""; 0]);
        assert!(size_warning(&email).is_none());
    }
}

#[test]
fn markdown_is_read_and_lines_stay_lines() {
    let email = rendered(
        "# Hello {{ contact.first_name }}\n\none\ntwo *three* **four** ~~five~~ `six`\n\n\
         3. a\n4. b\n   - c\n\n> quoted\n\nwords\n---\n\n| x | y |\n|---|--:|\n| 1 | 2 |",
        &invoice(json!({})),
    );
    assert_eq!(
        words_of(&email),
        "Hello Ada one two three four five six a b c quoted words x y 1 2"
    );
    for html in [
        "<h1 dir=\"auto\"",
        "one<br>two <em>three</em> <strong>four</strong> <s>five</s> <code>six</code>",
        "<ol start=\"3\"",
        "<ul",
        "<blockquote",
        "<hr",
        "<th scope=\"col\">x</th><th scope=\"col\" class=\"figures\" align=\"right\">y</th>",
    ] {
        assert!(email.html.contains(html), "{html} is not in {}", email.html);
    }
    let (text, _) = email.text.split_once("\n\n-- \n").unwrap();
    assert_eq!(
        text,
        "Hello Ada\n\none\ntwo three four five six\n\n3. a\n4. b\n   - c\n\n> quoted\n\nwords\n\n-----\n\n\
         x | y\n1 | 2"
    );
}

#[test]
fn a_page_loads_nothing_and_names_its_language() {
    let email = rendered("Hi", &invoice(json!({})));
    for remote in [
        "src=",
        "url(",
        "@import",
        "<link",
        "<script",
        "fonts.google",
    ] {
        assert!(!email.html.contains(remote), "{remote}");
    }
    assert!(
        email
            .html
            .starts_with("<!doctype html><html lang=\"en\" dir=\"ltr\"")
    );
    assert!(
        email
            .html
            .contains("<meta name=\"color-scheme\" content=\"light dark\"")
    );
    let hebrew = Surroundings {
        language: "he",
        ..around()
    };
    let template = parsed(&source("שלום"), DocumentKind::Invoice);
    let fields = invoice(json!({}));
    let email = template.render(&facts(&fields, &ada()), &hebrew).unwrap();
    assert!(email.html.contains("<html lang=\"he\" dir=\"rtl\""));
}

#[test]
fn the_footer_says_who_writes_and_why() {
    let stop = Url::parse("https://sms.example.com/stop/x?a=1&b=2").unwrap();
    let full = Surroundings {
        stop_link: Some(&stop),
        ..around()
    };
    let fields = invoice(json!({}));
    let template = parsed(&source("Hi"), DocumentKind::Invoice);
    let email = template.render(&facts(&fields, &ada()), &full).unwrap();
    assert!(email.text.ends_with(
        "-- \nNorthwind Paper\n12 Mill Lane\nLeeds LS1 4AP\nAnswers go to billing@northwind.example\n\
         You get this because Northwind Paper does business with you.\n\
         Stop reminders here: https://sms.example.com/stop/x?a=1&b=2\n"
    ));
    assert_eq!(links_of(&email.html), [stop.as_str()]);
    assert!(!rendered("Hi", &fields).html.contains("Stop reminders"));
}

#[test]
fn a_logo_stands_in_for_the_name() {
    let brand = Brand {
        logo: Some(Logo {
            url: "https://sms.example.com/logos/ab12".to_owned(),
            width: 180,
            height: 44,
            alt: "\"Northwind\" <b>".to_owned(),
        }),
        accent: Accent::of("#284b8f".parse().unwrap()).unwrap(),
        ..BRAND.clone()
    };
    let fields = invoice(json!({}));
    let template = parsed(&source("[[pay button]]"), DocumentKind::Invoice);
    let around = Surroundings {
        brand: &brand,
        ..around()
    };
    let email = template.render(&facts(&fields, &ada()), &around).unwrap();
    let page = Html::parse_document(&email.html);
    let logo = Selector::parse("img").unwrap();
    let logo = page.select(&logo).next().unwrap();
    assert_eq!(logo.attr("alt"), Some("\"Northwind\" <b>"));
    assert_eq!(
        (logo.attr("width"), logo.attr("height")),
        (Some("180"), Some("44"))
    );
    assert!(email.html.contains("bgcolor=\"#284b8f\"") && !email.html.contains("#0b6b5b"));
}

#[test]
fn the_button_leads_to_zohos_page_while_money_is_owed() {
    let button = |changes: Value| links_of(&rendered("[[pay button]]", &invoice(changes)).html);
    assert_eq!(button(json!({})), [LINK]);
    for changes in [
        json!({"balance": 0}),
        json!({"balance": "0.00"}),
        json!({"balance": -5}),
        json!({"status": "paid"}),
        json!({"status": "Void"}),
        json!({"invoice_url": ""}),
        json!({"invoice_url": "http://zohosecurepay.com/x"}),
        json!({"invoice_url": "https://evil.example/zohosecurepay.com"}),
        json!({"invoice_url": "javascript:alert(1)"}),
    ] {
        assert_eq!(button(changes.clone()), [""; 0], "{changes}");
    }
    let fields = invoice(json!({"invoice_url": "https://pay.acme.example/1"}));
    let own = ["pay.acme.example".to_owned()];
    let template = parsed(&source("[[pay button]]"), DocumentKind::Invoice);
    let around = Surroundings {
        pay_hosts: &own,
        ..around()
    };
    let email = template.render(&facts(&fields, &ada()), &around).unwrap();
    assert_eq!(links_of(&email.html), ["https://pay.acme.example/1"]);
    assert!(
        email
            .text
            .starts_with("View and pay: https://pay.acme.example/1\n")
    );
}

#[test]
fn links_lead_where_the_clerk_typed_or_to_the_payment_page() {
    let email = rendered(
        "[Pay]({{ payment_link }}), [here]({{ invoice_url|trim }}) or {{ payment_link }}. \
         [Terms](https://аpple.com/a?b=1&c=2) <ada@example.com> [call](tel:+447700900123)",
        &invoice(json!({})),
    );
    assert_eq!(
        links_of(&email.html),
        [
            LINK,
            LINK,
            LINK,
            "https://xn--pple-43d.com/a?b=1&c=2",
            "mailto:ada@example.com",
            "tel:+447700900123",
        ]
    );
    assert!(email.text.starts_with(&format!(
        "Pay: {LINK} , here: {LINK} or {LINK} . Terms: https://xn--pple-43d.com/a?b=1&c=2 \
         ada@example.com call: tel:+447700900123\n"
    )));
}

#[test]
fn bank_details_are_those_of_the_documents_currency() {
    let details: BTreeMap<String, String> = [
        ("USD", "ABA 021000021\n**Acct** 12 < 34"),
        ("EUR", "IBAN DE89"),
    ]
    .map(|(code, text)| (code.to_owned(), text.to_owned()))
    .into();
    let around = Surroundings {
        bank_details: &details,
        ..around()
    };
    let template = parsed(&source("[[bank details]]"), DocumentKind::Invoice);
    let of = |code: &str| {
        let fields = invoice(json!({"currency_code": code}));
        template.render(&facts(&fields, &ada()), &around).unwrap()
    };
    assert!(
        of("USD")
            .text
            .starts_with("ABA 021000021\n**Acct** 12 < 34\n\n-- ")
    );
    assert!(
        of("USD")
            .html
            .contains("ABA 021000021<br>**Acct** 12 &lt; 34</div>")
    );
    assert_eq!(words_of(&of("EUR")), "IBAN DE89");
    assert_eq!(words_of(&of("GBP")), "");
    assert_eq!(words_of(&of("nonsense")), "");
}

#[test]
fn a_block_stands_where_it_is_placed_and_is_words_elsewhere() {
    let fields = invoice(json!({}));
    let email = rendered(
        "{% if total > 1 %}[[details]]{% else %}[[items]]{% endif %}\n\n```\n[[totals]]\n```\n\n{{ notes }}",
        &invoice(json!({"notes": "[[signature]]"})),
    );
    let words = words_of(&email);
    assert!(words.contains("Amount due $135.00"), "{words}");
    assert!(
        words.contains("[[totals]]") && words.contains("[[signature]]"),
        "{words}"
    );
    assert!(!words.contains("Access Point"), "{words}");
    // Nothing is left of what does not exist.
    for body in ["[[bank details]]", "[[pay button]]"] {
        let fields = invoice(json!({"invoice_url": "", "line_items": []}));
        assert_eq!(words_of(&rendered(body, &fields)), "");
    }
    assert!(words_of(&rendered("[[signature]]", &fields)).contains("Kind regards"));
}

#[test]
fn totals_say_how_the_balance_comes_about() {
    let fields = invoice(json!({
        "sub_total": 1000, "discount_total": 100, "discount_type": "entity_level",
        "shipping_charge": 20, "adjustment": -0.5, "adjustment_description": "Goodwill",
        "taxes": [{"tax_name": "VAT 20%", "tax_amount": 180}, {"tax_name": "City", "tax_amount": 9.25}],
        "total": 1108.75, "payment_made": 500, "credits_applied": 8.75, "balance": 600,
        "is_inclusive_tax": false
    }));
    let email = rendered("[[totals]]", &fields);
    let (totals, _) = email.text.split_once("\n\n-- ").unwrap();
    assert_eq!(
        totals,
        "Subtotal: $1,000.00\nDiscount: -$100.00\nShipping: $20.00\nVAT 20%: $180.00\nCity: $9.25\n\
         Goodwill: -$0.50\nTotal: $1,108.75\nPaid: -$500.00\nCredits applied: -$8.75\nBalance due: $600.00"
    );
    let inclusive = invoice(json!({
        "is_inclusive_tax": true, "taxes": [], "tax_total": "15.00", "discount_type": "item_level",
        "discount_total": 5
    }));
    let words = words_of(&rendered("[[totals]]", &inclusive));
    assert_eq!(words, "Subtotal $120.00 Includes Tax $15.00 Total $135.00");
}

#[test]
fn a_long_table_ends_with_how_many_more_there_are() {
    let item =
        json!({"name": "Paper", "quantity": 2.0, "unit": "box", "rate": 0.125, "item_total": 0.25});
    let fields = invoice(json!({"line_items": vec![item; 123]}));
    let email = rendered("[[items]]", &fields);
    let page = Html::parse_document(&email.html);
    let rows = Selector::parse(".data > tbody > tr > td:first-child").unwrap();
    let rows = page
        .select(&rows)
        .filter(|cell| cell.text().any(|t| t == "Paper"));
    assert_eq!(rows.count(), 100);
    assert!(words_of(&email).ends_with("and 23 more"));
    assert!(
        email
            .text
            .starts_with("- Paper: 2 box at 0.125 = 0.25 USD\n")
    );
    assert!(email.text.contains("\nand 23 more\n"));
}

#[test]
fn blank_fields_leave_no_hole() {
    let fields = invoice(json!({"notes": " ", "invoice_number": ""}));
    let email = rendered("{{ notes }}\n\n[[bank details]]", &fields);
    assert_eq!(email.subject, "Invoice");
    assert_eq!(email.text, "");
    let nothing = EmailSource {
        subject: "{{ notes }}".to_owned(),
        ..source("Hi")
    };
    let template = parsed(&nothing, DocumentKind::Invoice);
    let email = template.render(&facts(&fields, &ada()), &around()).unwrap();
    assert_eq!(email.subject, "Message from Northwind Paper");
}

#[test]
fn what_would_be_cut_is_warned_of() {
    let item = json!({"name": "x".repeat(200), "description": "y".repeat(900), "item_total": 1});
    let fields = invoice(json!({"line_items": vec![item; 123]}));
    let email = rendered("[[items]]\n\n[[items]]", &fields);
    let warning = size_warning(&email).unwrap();
    assert!(
        warning.contains("Gmail shows the first 100 KB"),
        "{warning}"
    );
}

#[test]
fn a_mistake_is_told_with_its_part_and_place() {
    let refused = |subject: &str, body: &str| {
        let source = EmailSource {
            subject: subject.to_owned(),
            preview: String::new(),
            body: body.to_owned(),
        };
        EmailTemplate::parse(&source, DocumentKind::Invoice)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(refused("", "x"), "subject: type a subject");
    assert!(
        refused("Hi {{ custmer_name }}", "x").starts_with("subject: unknown field `custmer_name`")
    );
    assert!(refused("Hi", "a\n{{ custmer_name }}").starts_with("text, line 2: unknown field"));
    assert!(refused("Hi", "a\n\n[[itms]]").contains("line 3, column 1: no block [[itms]]"));
    assert!(refused("Hi", "[x](javascript:alert(1))").contains("would not work"));
    assert!(refused("Hi", "${INVOICE.TOTAL}").contains("write {{ total }}"));
}

#[test]
fn a_rehearsal_is_marked_in_every_part_and_can_be_unmarked() {
    let email = Content::Email(rendered("Hello", &invoice(json!({}))));
    let mark = "[would go to Bowman & Co, ada@example.com] ";
    let marked = email.clone().with_mark(mark);
    let Content::Email(shown) = &marked else {
        unreachable!()
    };
    let page = Html::parse_document(&shown.html);
    let banner = Selector::parse("body [role=note]").unwrap();
    let banner: String = page.select(&banner).flat_map(|b| b.text()).collect();
    assert_eq!(banner, mark.trim_end());
    assert!(
        shown
            .text
            .starts_with("[would go to Bowman & Co, ada@example.com]\n\nHello")
    );
    assert_eq!(marked.without_mark(mark), Some(email));
}
