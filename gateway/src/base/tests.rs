use std::time::Duration;

use super::code::Code;
use super::compile::{Compile, nearest};
use super::units::{Percent, Quota, Rate, SecretRef, Size, Span};

#[test]
fn units_read_back_what_they_print() {
    for text in ["5ms", "3s", "5m", "12h", "7d", "250us"] {
        assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
    }
    for text in ["512B", "64KiB", "1MiB", "2GiB"] {
        assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
    }
    assert_eq!("5/1m".parse::<Rate>().unwrap().period, Duration::from_secs(60));
    assert_eq!("1000000/month".parse::<Quota>().unwrap().to_string(), "1000000/month");
    assert_eq!("10%".parse::<Percent>().unwrap(), Percent(10));
}

#[test]
fn units_refuse_what_has_to_be_guessed() {
    let cases: &[(Result<(), String>, &str)] = &[
        ("3".parse::<Span>().map(drop), "no unit"),
        ("3 s".parse::<Span>().map(drop), "unknown unit"),
        ("-3s".parse::<Span>().map(drop), "does not start with a number"),
        ("99999999999999999999s".parse::<Span>().map(drop), "too large"),
        ("99999999999999d".parse::<Span>().map(drop), "too long"),
        ("64KB".parse::<Size>().map(drop), "unknown unit"),
        ("0/1s".parse::<Rate>().map(drop), "zero"),
        ("5".parse::<Rate>().map(drop), "100/1s"),
        ("5/fortnight".parse::<Quota>().map(drop), "hour, day or month"),
        ("101%".parse::<Percent>().map(drop), "0% to 100%"),
    ];
    for (result, part) in cases {
        let error = result.as_ref().unwrap_err();
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
}

#[test]
fn a_secret_written_in_place_is_refused_and_not_repeated() {
    let error = "hunter2".parse::<SecretRef>().unwrap_err();
    assert!(!error.contains("hunter2"));
}

#[test]
fn codes_are_unique_and_named_after_their_stage() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.as_str().starts_with(code.stage().as_str()), "{}", code.as_str());
        assert!(code.status().as_u16() >= 400);
    }
}

#[test]
fn an_unknown_name_is_reported_with_its_place_and_the_nearest_one() {
    let mut cx = Compile::new();
    cx.within("routes", |cx| {
        cx.within(3, |cx| {
            cx.unknown(14, "limit", "per-usr", ["per-user", "per-client"].into_iter());
        });
    });
    let problem = cx.into_problems().remove(0);
    assert_eq!(problem.place, vec!["routes".into(), 3.into()]);
    assert_eq!(problem.hint.as_deref(), Some("did you mean `per-user`?"));
}

#[test]
fn a_word_that_is_far_from_all_has_no_nearest() {
    assert_eq!(nearest("banana", ["per-user", "monthly"].into_iter()), None);
}
