use super::{Comparison, Name, Unknown, parse};

fn holds(text: &str) -> Result<bool, Unknown> {
    parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake:?}")).evaluate(&|name| match name {
        Name::Value => Some(0.71),
        Name::N => Some(412.0),
        Name::BadN => Some(0.0),
        Name::Baseline => Some(0.908),
        Name::Delta => Some(-0.198),
        Name::Z => Some(-13.1),
        Name::Age => Some(601.0),
        Name::Min => Some(0.0),
        Name::Stddev => Some(f64::NAN),
        _ => None,
    })
}

#[test]
fn conditions_have_the_truth_that_their_text_says() {
    for (text, truth) in [
        ("value < 0.82 or (z < -4 and delta <= -0.03)", true),
        ("value < 71%", false),
        ("value <= 71%", true),
        ("not value < 0.5 and n >= 30", true),
        ("not (value < 0.5 and n >= 30)", true),
        ("value - baseline == -0.198 or bad_n != 0", (0.71 - 0.908) == -0.198),
        ("age > 10m", true),
        ("age > 1h30m", false),
        ("1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 7 - 2 - 1 == 4 and 8 / 4 / 2 == 1", true),
        ("-value < -0.7 and --value > 0.7", true),
        ("1e3 == 1000 and 1.5E-1 == 0.15 and .5 == 0.5", true),
        ("n / bad_n > 1000000", true),
    ] {
        assert_eq!(holds(text), Ok(truth), "{text}");
    }
}

#[test]
fn unknown_decides_only_where_nothing_else_does_and_in_any_order() {
    for (text, truth) in [
        ("p95 > 1 or value < 0.8", Ok(true)),
        ("value < 0.8 or p95 > 1", Ok(true)),
        ("p95 > 1 and value > 0.8", Ok(false)),
        ("p95 > 1 and value < 0.8", Err(Unknown::Missing(Name::P95))),
        ("not p95 > 1", Err(Unknown::Missing(Name::P95))),
        ("stddev > 1", Err(Unknown::NotANumber)),
        ("bad_n / min > 1 or value > 1", Err(Unknown::NotANumber)),
    ] {
        assert_eq!(holds(text), truth, "{text}");
    }
}

#[test]
fn a_mistake_points_at_its_own_bytes() {
    for (text, wrong, message) in [
        ("valu < 0.8", "valu", "`valu` is not a name (did you mean `value`?)"),
        ("value <", "", "the end does not belong here"),
        ("value", "value", "`value` is a number"),
        ("value < 0.8 and n", "n", "`n` is a number"),
        ("(value < 0.8) + 1 > 2", "(value < 0.8)", "`(value < 0.8)` is a condition"),
        ("0 < value < 1", "<", "`<` compares a comparison"),
        ("value = 1", "=", "`=` is not part of the language"),
        ("value < 10q", "10q", "`10q` is not a number"),
        ("value < 1 n", "n", "`n` does not belong here"),
        ("(value < 1", "", "the end stands where a parenthesis is still open"),
        ("", "", "the end does not belong here"),
        ("value < ü", "ü", "`ü` is not a name"),
    ] {
        let mistake = parse(text).unwrap_err();
        assert_eq!(text.get(mistake.offset..mistake.offset + mistake.len), Some(wrong), "{text}");
        assert_eq!(mistake.message, message, "{text}");
    }
    let second = parse("0 < value < 1").unwrap_err();
    assert_eq!(second.offset, 10);
}

#[test]
fn endless_expressions_are_refused_not_followed() {
    assert!(parse(&format!("{}value < 1{}", "(".repeat(500), ")".repeat(500))).unwrap_err().message.contains("nested"));
    assert!(parse(&format!("{}value < 1", "not ".repeat(200))).is_err());
    assert!(parse(&format!("{}1 < value", "-".repeat(500))).is_err());
    assert!(parse(&"value < 1 and ".repeat(1_000)).unwrap_err().message.contains("bytes long"));
    let long = "é".repeat(999) + "xé" + &"é".repeat(10);
    let mistake = parse(&long).unwrap_err();
    assert_eq!(long.get(mistake.offset..mistake.offset + mistake.len), Some("é"));
}

#[test]
fn a_score_without_a_floor_on_the_effect_is_found_wherever_it_hides() {
    for (text, unfloored) in [
        ("z < -4", Some(Name::Z)),
        ("z < -4 and n > 100", Some(Name::Z)),
        ("z < -4 and delta < -0.03", None),
        ("value < 0.8 or z < -4", Some(Name::Z)),
        ("(value < 0.8 or z < -4) and delta_pct < -3%", None),
        ("z < -4 and (delta < -0.03 or n > 100)", Some(Name::Z)),
        ("p < 0.001 and value > 0.1", None),
        ("not (z > -4)", Some(Name::Z)),
        ("value < 0.8", None),
    ] {
        assert_eq!(parse(text).unwrap().without_effect_floor(), unfloored, "{text}");
    }
}

#[test]
fn the_limit_of_the_mail_is_the_first_comparison_of_the_value() {
    assert_eq!(parse("n > 3 and value < 82%").unwrap().limit(), Some((Name::Value, Comparison::Less, 0.82)));
    assert_eq!(parse("z < -4 and delta <= -0.03").unwrap().limit(), Some((Name::Delta, Comparison::LessOrEqual, -0.03)));
    assert_eq!(parse("z < -4").unwrap().limit(), None);
}
