use http::{HeaderMap, HeaderValue};

use crate::telemetry::trace::{Ids, Parent, TRACEPARENT, TRACESTATE, Trace, parse};

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const PARENT: Parent = Parent {
    trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
    span_id: 0x00f0_67aa_0ba9_02b7,
    sampled: true,
};

#[test]
fn traceparent_is_read_strictly() {
    let unsampled = Parent { sampled: false, ..PARENT };
    let cases: &[(&str, Option<Parent>)] = &[
        (GOOD, Some(PARENT)),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", Some(unsampled)),
        // Unknown flags say nothing about the known one.
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe", Some(unsampled)),
        // Later versions may be longer, after a dash.
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", Some(PARENT)),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", Some(PARENT)),
        ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what", None),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", None),
        ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", None),
        (" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        ("é0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
        ("", None),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text), *expected, "{text}");
    }
}

#[test]
fn an_outsiders_trace_is_replaced_and_its_state_removed() {
    let mut headers = headers(&[("traceparent", GOOD), ("tracestate", "a=1")]);
    let trace = Trace::with_ids(&headers, false, &mut Ids::new([1, 2, 3, 4]));
    assert_ne!(trace.context.trace_id, PARENT.trace_id);
    assert_eq!((trace.context.parent_id, trace.context.sampled), (None, true));
    trace.write(&mut headers);
    assert_eq!(headers[TRACEPARENT], trace.parent);
    assert!(!headers.contains_key(TRACESTATE));
}

#[test]
fn an_outsider_cannot_switch_tracing_off() {
    let off = headers(&[("traceparent", &GOOD.replace("-01", "-00"))]);
    assert!(Trace::with_ids(&off, false, &mut Ids::new([1, 2, 3, 4])).context.sampled);
}

#[test]
fn a_trusted_callers_trace_goes_on_with_our_span() {
    let mut headers = headers(&[("traceparent", GOOD), ("tracestate", "a=1, b@v=2")]);
    let trace = Trace::with_ids(&headers, true, &mut Ids::new([1, 2, 3, 4]));
    assert_eq!(trace.context.trace_id, PARENT.trace_id);
    assert_eq!(trace.context.parent_id, Some(PARENT.span_id));
    assert_ne!(trace.context.span_id, PARENT.span_id);
    trace.write(&mut headers);
    let sent = parse(headers[TRACEPARENT].to_str().unwrap()).unwrap();
    assert_eq!((sent.trace_id, sent.span_id), (PARENT.trace_id, trace.context.span_id));
    assert_eq!(headers[TRACESTATE], "a=1,b@v=2");
}

#[test]
fn two_traceparents_are_none() {
    let headers = headers(&[("traceparent", GOOD), ("traceparent", GOOD)]);
    assert_eq!(Trace::with_ids(&headers, true, &mut Ids::new([1; 4])).context.parent_id, None);
}

#[test]
fn invalid_state_is_dropped_and_the_trace_goes_on() {
    let many: String = (0..33).map(|n| format!("k{n}=v,")).collect();
    let long = format!("a={}", "x".repeat(600));
    for state in ["A=1", "a", "=1", "a=", "a=1,a=2", "a=b=c", ",", &many, &long] {
        let headers = headers(&[("traceparent", GOOD), ("tracestate", state)]);
        let trace = Trace::with_ids(&headers, true, &mut Ids::new([1; 4]));
        assert_eq!(trace.state, None, "{state}");
        assert_eq!(trace.context.trace_id, PARENT.trace_id);
    }
}

#[test]
fn identifiers_do_not_repeat_and_are_never_zero() {
    let mut ids = Ids::new([0; 4]);
    let mut seen: Vec<u64> = (0..100_000).map(|_| ids.span_id()).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 100_000);
    assert!(!seen.contains(&0));
    let (one, other) = (Trace::of(&HeaderMap::new(), false), Trace::of(&HeaderMap::new(), false));
    assert_ne!(one.context.trace_id, other.context.trace_id);
}

#[test]
fn the_generator_gives_the_published_sequence() {
    // First values of xoshiro256++ for the state 1, 2, 3, 4, by its reference implementation.
    let mut ids = Ids::new([1, 2, 3, 4]);
    let drawn = [ids.span_id(), ids.span_id(), ids.span_id()];
    assert_eq!(drawn, [41_943_041, 58_720_359, 3_588_806_011_781_223]);
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}
