//! The prefilter: it may wake too much, never too little.

use super::*;

const CASES: &str = r#"
SecRule ARGS "@rx [a-z]{3}needle" "id:1,phase:2,pass"
SecRule ARGS "@rx [a-z]{3}needle" "id:2,phase:2,pass,t:lowercase"
SecRule ARGS "@rx [A-Z]{3}NEEDLE" "id:3,phase:2,pass"
SecRule ARGS "@rx [A-Z]{3}NEEDLE" "id:4,phase:2,pass,t:uppercase"
SecRule ARGS "@rx (?i)thread-[0-9]" "id:5,phase:2,pass"
SecRule ARGS "@rx (?i)thread-[0-9]" "id:6,phase:2,pass,t:lowercase"
SecRule ARGS "!@rx needle" "id:7,phase:2,pass,t:lowercase"
"#;

/// A long value is searched for texts once for all its cases; which operators may want one depends on the case.
#[test]
fn long_values_are_known_in_any_case() {
    let profile = profile(CASES);
    let filler = |part: &str| part.repeat(4_000 / part.len());
    for (value, expected) in [
        (filler("abc "), vec![7]),
        (filler("ABC ") + "abcneedle", vec![1, 2, 4]),
        (filler("ABC ") + "ABCNEEDLE", vec![2, 3, 4]),
        ("ABCNEEDLE".to_owned() + &filler("ABC "), vec![2, 3, 4]),
        (filler("Abc ") + "AbCnEeDlE thread-x", vec![2, 4]),
        (filler("abc ") + "ThReAd-1", vec![5, 6, 7]),
        (filler("ABC ") + "THREAD-1 NEEDL", vec![5, 6, 7]),
    ] {
        let body = format!("a={}", value.replace(' ', "+"));
        let tx = post(&profile, "application/x-www-form-urlencoded", &body);
        assert_eq!(tx.matched_rules(), expected, "{}", &value[value.len() - 24..]);
    }
}

/// What the thread knows of a value spares time, not work. (States of patterns are another thing: they are paid for
/// when they are made.)
#[test]
fn a_recalled_value_costs_what_it_cost_the_first_time() {
    let rules = r#"
        SecRule ARGS "@contains needless" "id:1,phase:2,pass"
        SecRule ARGS "@pm threads xneedl" "id:2,phase:2,pass,t:lowercase"
        SecRule ARGS "@endsWith needle+" "id:3,phase:2,pass,t:removeWhitespace"
    "#;
    let profile = profile(rules);
    for length in [5, 100, 1_000, 2_000, 2_048, 2_049, 5_000] {
        let value = "xneedl thread- Needle+".repeat(1 + length / 22);
        let body = format!("a={}", &value[..length]);
        let work = || post(&profile, "application/x-www-form-urlencoded", &body).work();
        let first = std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        work();
        assert_eq!(work(), first, "{length}");
    }
}

/// Patterns with lookaround and back-references wake, match and capture as others do.
#[test]
fn patterns_that_look_around_are_woken() {
    let rules = r#"
        SecRule ARGS "@rx (?<!un)safe" "id:1,phase:2,pass"
        SecRule ARGS "@rx (\w+)=\1\b" "id:2,phase:2,pass,capture,msg:'%{TX.0} %{TX.1}'"
        SecRule ARGS "@rxGlobal x(?=(\d))" "id:3,phase:2,pass,capture,msg:'%{TX.1}%{TX.3}%{TX.5}'"
        SecRule ARGS "!@rx ^(?!.*admin)" "id:4,phase:2,pass,t:lowercase"
    "#;
    let profile = profile(rules);
    for (value, expected, texts) in [
        ("unsafe", &[][..], &[][..]),
        ("unsafe safe", &[1], &[""]),
        ("id=1 or 12=12", &[2], &["12=12 12"]),
        ("1=12", &[], &[]),
        ("xx1x2-x3", &[3], &["123"]),
        ("the Admin", &[4], &[""]),
    ] {
        let target = format!("/?q={}", value.replace('=', "%3d").replace(' ', "+"));
        let tx = get(&profile, &target);
        assert_eq!((tx.matched_rules(), messages(&tx).as_slice()), (expected, texts), "{value}");
        let mut all = Transaction::exhaustive(profile.clone());
        all.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        all.head();
        all.body();
        assert_eq!(all.matched_rules(), expected, "{value}, asked everything");
    }
}
