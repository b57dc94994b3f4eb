use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Error, Failed, Pattern, Redactor, Settings};

fn redactor() -> Redactor {
    Redactor::new(&Settings { key: [7; 32], patterns: Vec::new() }).expect("no patterns")
}

fn with_pattern(name: &str, regex: &str) -> Result<Redactor, Error> {
    Redactor::new(&Settings { key: [7; 32], patterns: vec![Pattern { name: name.to_owned(), regex: regex.to_owned() }] })
}

/// The text with every suffix replaced by `*`.
fn masked(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        out.push('[');
        rest = after;
        if let Some((inner, after)) = after.split_once(']')
            && let Some((name, suffix)) = inner.rsplit_once('-')
            && suffix.len() == 4
        {
            out.push_str(name);
            out.push(']');
            rest = after;
        }
    }
    out + rest
}

#[track_caller]
fn becomes(given: &str, expected: &str) {
    let redacted = redactor().redact(given).expect("settles");
    assert_eq!(masked(&redacted), expected, "{given}");
    assert_eq!(redactor().redact(&redacted).expect("settles"), redacted, "twice: {given}");
}

#[track_caller]
fn stays(text: &str) {
    assert_eq!(redactor().redact(text).expect("settles"), text);
}

#[test]
fn mail_addresses_go() {
    becomes("Write to jane.doe+spam@mail.example.co.uk, please.", "Write to [EMAIL], please.");
    becomes("<mailto:a_b@x-y.org>", "<mailto:[EMAIL]>");
    becomes("'o'brien@example.com'", "'[EMAIL]'");
    becomes("jürgen@müller.de und 01711234567@web.de", "[EMAIL] und [EMAIL]");
    becomes("IRS\u{2019}s\u{a0}phishing@irs.gov\u{3002}x=1&mail=j@d.com&y", "IRS\u{2019}s\u{a0}[EMAIL]\u{3002}x=1&mail=[EMAIL]&y");
    becomes("a@b.io@c.io", "[EMAIL]@c.io");
    for text in ["@handle says hi", "user@localhost", "npm i left-pad@1.3.0", "5 @ 3.50 each", "a@b", "x @ y.com"] {
        stays(text);
    }
}

#[test]
fn phone_numbers_go() {
    for number in [
        "+49 170 1234567",
        "+49 (0)170 / 123 45 67",
        "+1-415-555-2671",
        "+14155552671",
        "(415) 555-2671",
        "415-555-2671",
        "415.555.2671",
        "1-800-555-1234",
        "0171 1234567",
        "0171/1234567",
        "030 123 45 67",
        "020 7946 0958",
        "06 12 34 56 78",
        "01.23.45.67.89",
        "07911123456",
        "0049 171 1234567",
        "00491711234567",
        "+44\u{a0}20\u{a0}7946\u{a0}0958",
        "+49 170\u{2011}1234567",
    ] {
        becomes(&format!("My number is {number}, thanks"), "My number is [PHONE], thanks");
        becomes(&format!("{number}\n"), "[PHONE]\n");
        becomes(&format!("\"{number}\""), "\"[PHONE]\"");
    }
    becomes("call 5552671 now", "call [PHONE] now");
    becomes("Phone: 4155552671", "Phone: [PHONE]");
    becomes("Tel.: 89 1234567", "Tel.: [PHONE]");
    becomes("+49 170 1234567 and 12345678", "[PHONE] and 12345678");
    becomes("Tel: 555 2671, 555 2672", "Tel: [PHONE], [PHONE]");
    becomes("Tel: )00500465 I61 <65 615005000 6150026 :66666666", "Tel: )[PHONE] I61 <[PHONE] 6150026 :66666666");
    becomes("415-555-2671/415-555-2672", "[PHONE]/[PHONE]");
    becomes("415-555-2671,415-555-2672", "[PHONE],[PHONE]");
    becomes("1.310.825.2974Fax 1.310.206.9844", "[PHONE]Fax [PHONE]");
    becomes("415-555-2671 415-555-2672", "[PHONE] [PHONE]");
}

#[test]
fn cards_and_ibans_go_by_their_check_digits() {
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "378282246310005",
        "3782 822463 10005",
        "6011000990139424",
    ] {
        becomes(&format!("card {card}."), "card [CARD].");
    }
    becomes("CC4111111111111111", "CC[CARD]");
    stays("4111111111111112");
    stays("order 1234567890123456");
    for iban in [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "gb82west12345698765432",
        "NL91ABNA0417164300",
        "NO93 8601 1117 947",
    ] {
        becomes(&format!("IBAN {iban}, BIC"), "IBAN [IBAN], BIC");
    }
    stays("DE88370400440532013000");
}

#[test]
fn keys_tokens_and_passwords_go() {
    let cases = [
        ("use sk-proj-abcDEF1234567890abcdef now", "use [KEY] now"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[KEY]"),
        ("github_pat_11ABCDEFG0123456789_abcdefghij", "[KEY]"),
        ("AKIAIOSFODNN7EXAMPLE", "[KEY]"),
        ("AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY", "[KEY]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "[KEY]"),
        ("Authorization: Bearer abc.def-123456789", "Authorization: Bearer [KEY]"),
        ("authorization: basic dXNlcjpwYXNzd29yZA1=", "authorization: basic [KEY]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- tail", "[KEY] tail"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE cut off", "[KEY]"),
        (
            "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=k3yK3yK3yK3yK3yK3yK3yK3y=;EntityPath=e",
            "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey=[KEY];EntityPath=e",
        ),
        ("AccountName=x;AccountKey=abcdefghijklmnop1234567890+/==;", "AccountName=x;AccountKey=[KEY];"),
        (
            "https://x.blob.core.windows.net/c?sv=2024&sig=aB3%2Fd5678901234567890%3D&se=1",
            "https://x.blob.core.windows.net/c?sv=2024&sig=[KEY]&se=1",
        ),
        ("AZURE_OPENAI_API_KEY='0123456789abcdef0123456789abcdef'", "AZURE_OPENAI_API_KEY='[KEY]'"),
        ("password=hunter", "password=[KEY]"),
        ("password: hunter2!", "password: [KEY]"),
        ("postgres://admin:s3cr3t@db.internal:5432/x", "postgres://[KEY]@db.internal:5432/x"),
    ];
    for (given, expected) in cases {
        becomes(given, expected);
    }
    for text in [
        "the password: required field",
        "token: 128",
        "max_tokens=4096",
        "task-force-of-many-people-2024",
        "Bearer of bad news",
        "sk-",
        "secret: none",
    ] {
        stays(text);
    }
}

#[test]
fn addresses_of_machines_go() {
    becomes("from 192.168.1.100:8080 to 10.0.0.1/24", "from [IP]:8080 to [IP]/24");
    becomes("http://203.0.113.7/x", "http://[IP]/x");
    becomes("[2001:db8::1]:443 and fe80::1ff:fe23:4567:890a.", "[[IP]]:443 and [IP].");
    becomes("2001:0db8:85a3:0000:0000:8a2e:0370:7334", "[IP]");
    for text in ["v1.2.3.4", "version 1.2.3.4", "Chrome/120.0.6099.109", "std::fmt::Display", "at 12:30:45", "a::b", "1.2.3.4.5"] {
        stays(text);
    }
}

#[test]
fn ordinary_numbers_stay() {
    for text in [
        "In 2024, 1,234,567 people paid $1,234.56 or 1.234,56 EUR on 2026-05-04 at 08:00:00.",
        "04.05.2026 10:30, 05/04/2026, 01-02-2026 10 20 30, 2026/05/04",
        "Between 1990 and 2000 it rose by 12.5 % from 100 000 to 1 000 000.",
        "Order 10482, ticket #88123, invoice INV-2024-00123, ISBN 978-3-16-148410-0",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736 uuid 550e8400-e29b-41d4-a716-446655440000",
        "epoch 1777881600 and 1777881600000 and 1777881600000000",
        "0.1234567890, 3.14159265358979, 1e-10, 0x1234567890",
        "gpt-4o-2024-08-06 and claude-3-5-sonnet-20241022, rustc 1.95.0",
        "call me on 2026-05-04",
        "they call it the War of 1876-1877",
        "https://example.com/items/0123456789?page=2",
        "Physica B, Volume 280, pp. 474-478 (2000), clap-4951025187477080523, clap6956710458361304122",
        "### 1.2.2.2 Answer, 1.2.2.3. Next",
        "a 16:9 screen of 1920x1080, 5 kg, 7-10 days, rooms 101-105",
    ] {
        stays(text);
    }
}

#[test]
fn a_swapped_number_has_another_suffix_and_an_equal_one_the_same() {
    let redact = |text: &str| redactor().redact(text).expect("settles").into_owned();
    assert_eq!(redact("+49 170 1234567"), redact("0049-170-1234567"));
    assert_ne!(redact("+49 170 1234567"), redact("+49 170 1234576"));
    assert_eq!(redact("Jane@Example.com"), redact("jane@example.com"));
    assert_eq!(redact("DE89 3704 0044 0532 0130 00"), redact("DE89370400440532013000"));
    let other = Redactor::new(&Settings { key: [8; 32], patterns: Vec::new() }).expect("no patterns");
    assert_ne!(redact("+49 170 1234567"), other.redact("+49 170 1234567").expect("settles"));
}

#[test]
fn patterns_of_ones_own_go_and_do_not_eat_placeholders() {
    let redactor = with_pattern("STAFF_ID", r"\bE\d{4}\b|\d{4}").expect("fits");
    let once = redactor.redact("E1234 mailed jane@example.com on 2024").expect("settles").into_owned();
    assert_eq!(masked(&once), "[STAFF_ID] mailed [EMAIL] on [STAFF_ID]");
    assert_eq!(redactor.redact(&once).expect("settles"), once);
    let greedy = with_pattern("ALL", "(?s)secret.*end").expect("fits");
    assert_eq!(masked(&greedy.redact("a secret jane@example.com end b").expect("settles")), "a [ALL] b");
    assert!(matches!(with_pattern("lower", "x"), Err(Error::Name(_))));
    assert!(matches!(with_pattern("X", "("), Err(Error::Regex { .. })));
    assert!(matches!(with_pattern("X", "x*"), Err(Error::Empty(_))));
}

#[test]
fn a_text_in_which_each_placeholder_uncovers_the_next_match_is_hidden_whole() {
    let redactor = with_pattern("STAFF", r"\bE\d+").expect("fits");
    assert_eq!(masked(&redactor.redact("E1E2E3 is here").expect("settles")), "[STAFF][STAFF][STAFF] is here");
    let given = format!("über {} end", "E1".repeat(20));
    let whole = redactor.redact_with_spans(&given).expect("settles");
    assert_eq!(masked(&whole.text), "[STAFF]");
    assert_eq!(whole.given_span(0..3), 0..given.chars().count());
    assert_eq!(redactor.redact(&whole.text).expect("settles"), whole.text);
}

#[test]
fn json_is_redacted_after_unescaping_keys_and_numbers_too() {
    let given = r#"{"to":"jane\u0040example.com","jane@example.com":[4111111111111111,1.50,"4111 1111\u00201111 1111"],
        "phone":4155552671,"api_key":"plain","password":"x","n":null,"deep":{"Telephone":"5552671"},"year":2024,"path":"a\/b"}"#;
    let redacted = redactor().redact_json(given).expect("JSON");
    let shown = masked(&redacted);
    let expected = r#"{"to":"[EMAIL]","[EMAIL]":["[CARD]",1.50,"[CARD]"],
        "phone":"[PHONE]","api_key":"[KEY]","password":"[KEY]","n":null,"deep":{"Telephone":"[PHONE]"},"year":2024,"path":"a\/b"}"#;
    assert_eq!(shown, expected);
    assert_eq!(redactor().redact_json(&redacted).expect("JSON"), redacted);
    for broken in ["\"\\ud800\"", "{\"a", "\"\\x\""] {
        assert_eq!(redactor().redact_json(broken), Err(Failed::NotJson), "{broken}");
    }
}

#[test]
fn what_stands_under_a_secret_name_goes_in_lists_as_numbers_and_in_json_within_json() {
    let given = r#"{"passwords":0,"db_password":["a", true, "b",[7],"c"],"x":"c","pwd":12,"token":3,"token":[1234567890123456],"y":[{"password":1},"d"]}"#;
    let redacted = redactor().redact_json(given).expect("JSON");
    let expected = r#"{"passwords":0,"db_password":["[KEY]", true, "[KEY]",["[KEY]"],"[KEY]"],"x":"c","pwd":"[KEY]","token":3,"token":["[KEY]"],"y":[{"password":"[KEY]"},"d"]}"#;
    assert_eq!(masked(&redacted), expected);
    assert_eq!(redactor().redact_json(&redacted).expect("JSON"), redacted);

    let once = serde_json::json!({"password": "hunter22"}).to_string();
    let twice = serde_json::json!({"arguments": once}).to_string();
    let thrice = serde_json::json!({"call": twice}).to_string();
    for text in [once, twice, thrice] {
        let redacted = redactor().redact(&text).expect("settles").into_owned();
        assert!(!redacted.contains("hunter22"), "{redacted}");
        assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "still JSON: {redacted}");
    }
}

#[test]
fn excerpts_are_unescaped_redacted_and_cut_in_that_order() {
    let given = br#"{"to":"jane\u0040example.com","x":"a\nb", broken"#;
    assert_eq!(masked(&redactor().excerpt(given, 4_096).expect("settles")), "{\"to\":\"[EMAIL]\",\"x\":\"a\nb\", broken");
    let mut long = vec![b'x'; 8_180];
    long.extend_from_slice(b" 4111 1111 1111 1111 and more");
    let excerpt = redactor().excerpt(&long, 4_096).expect("settles");
    assert!(excerpt.len() <= 4_096 && !excerpt.contains("4111"));
    assert_eq!(redactor().excerpt(b"\xff\xfe", 10).expect("settles"), "\u{fffd}\u{fffd}");
}

#[test]
fn spans_map_back_to_the_given_text_in_code_points() {
    let given = "Ärger: jane@example.com rief +49 170 1234567 an. Ende.";
    let redacted = redactor();
    let redacted = redacted.redact_with_spans(given).expect("settles");
    let points: Vec<char> = redacted.text.chars().collect();
    let given_points: Vec<char> = given.chars().collect();
    let place = |needle: &str| {
        let needle: Vec<char> = needle.chars().collect();
        let at = points.windows(needle.len()).position(|window| window == needle).expect("there");
        at..at + needle.len()
    };
    let back = |needle: &str| given_points[redacted.given_span(place(needle))].iter().collect::<String>();
    assert_eq!(back("Ärger"), "Ärger");
    assert_eq!(back("rief"), "rief");
    assert_eq!(back("Ende."), "Ende.");
    assert_eq!(back("[EMAIL-"), "jane@example.com");
    assert_eq!(back(": [EMAIL"), ": jane@example.com");
    assert_eq!(redacted.given_span(0..points.len()), 0..given_points.len());
}

#[test]
fn hashes_depend_on_key_domain_and_content() {
    let redactor = redactor();
    let hashes = BTreeSet::from([redactor.hash_user("a"), redactor.hash_user("b"), redactor.hash_text("a")]);
    assert_eq!((hashes.len(), redactor.hash_user("a").len()), (3, 32));
}

#[test]
fn hostile_text_costs_no_more_than_its_length() {
    let redactor = with_pattern("P", "zzz").expect("fits");
    for piece in [
        "@",
        "1:",
        "::",
        "sk-",
        "eyJ-",
        "[",
        "[]",
        "-----BEGIN ",
        "1 ",
        "1.",
        "a=",
        "password=",
        "+",
        "(",
        "bearer ",
        "//:@",
        "1.2.3.4 ",
    ] {
        let text = piece.repeat(20_000 / piece.len());
        redactor.redact(&text).expect("settles");
    }
}

const SECRETS: [&str; 10] = [
    "jane.doe@example.com",
    "+49 170 1234567",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "sk-proj-abcDEF1234567890abcdef",
    "192.168.17.45",
    "AKIAIOSFODNN7EXAMPLE",
    "415-555-2671",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "2001:db8::8a2e:370:7334",
];

proptest! {
    #[test]
    fn a_secret_between_any_words_is_gone(
        before in "[a-zäé .,;!?\"()\\n]{0,20}", after in "[ .,;!?\")\\n][a-zäé .,;!?\"()\\n]{0,20}", which in 0..SECRETS.len()
    ) {
        let given = format!("{before} {}{after}", SECRETS[which]);
        let redacted = redactor().redact(&given).expect("settles").into_owned();
        prop_assert!(!redacted.contains(SECRETS[which]), "{redacted}");
    }

    #[test]
    fn any_text_settles_and_twice_is_once(text in "([0-9 +()./:@=-]|[a-zA-Z]|eyJ|sk-|password|tel|\\[|\\]|[0-9a-f]{4}|-----BEGIN |é|\\\\){0,60}") {
        for redactor in [redactor(), with_pattern("P", "[0-9a-f]{3,}|[ -]+x").expect("fits")] {
            let once = redactor.redact(&text).expect("settles").into_owned();
            prop_assert_eq!(redactor.redact(&once).expect("settles"), once.clone());
            let json = serde_json::to_string(&text).expect("text");
            let back: String = serde_json::from_str(&redactor.redact_json(&json).expect("JSON")).expect("still JSON");
            prop_assert_eq!(back, once);
        }
    }

    #[test]
    fn any_span_maps_into_the_given_text(text in "([a-zé ]|jane@example\\.com|415-555-2671|\u{1f600}){0,20}", start in 0_usize..100, length in 0_usize..50) {
        let redactor = redactor();
        let redacted = redactor.redact_with_spans(&text).expect("settles");
        let (now, given) = (redacted.text.chars().count(), text.chars().count());
        let (start, end) = (start.min(now), (start + length).min(now));
        let span = redacted.given_span(start..end);
        prop_assert!(span.start <= span.end && span.end <= given, "{span:?}");
    }
}
