//! `traceparent`: what is formatted parses to the same, what is malformed is rejected, and nothing panics.

use activity::{SpanContext, SpanId, TraceId};
use proptest::prelude::*;

const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn round_trip(trace in 1..=u128::MAX, span in 1..=u64::MAX, flags in 0..4u8) {
        let context = SpanContext::new(TraceId::new(trace).unwrap(), SpanId::new(span).unwrap(), flags);
        let text = context.to_traceparent();
        prop_assert_eq!(text.len(), 55);
        prop_assert_eq!(SpanContext::parse_traceparent(&text), Ok(context));
        prop_assert_eq!(context.is_sampled(), flags & 1 == 1);
    }

    #[test]
    fn any_text_is_parsed_or_rejected(text in ".*") {
        let _ = SpanContext::parse_traceparent(&text);
    }

    #[test]
    fn a_changed_character_is_a_valid_digit_or_rejected(at in 0..55usize, with in any::<char>()) {
        let text: String = GOOD.chars().enumerate().map(|(i, c)| if i == at { with } else { c }).collect();
        if let Ok(context) = SpanContext::parse_traceparent(&text) {
            prop_assert!(with.is_ascii_digit() || ('a'..='f').contains(&with) || with == '-');
            prop_assert!(context.to_traceparent().starts_with("00-"));
        }
    }
}

#[test]
fn malformed_is_rejected() {
    let malformed = [
        "",
        "00",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
        "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01more",
        " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1é",
    ];
    for text in malformed {
        let error = SpanContext::parse_traceparent(text).expect_err(text).to_string();
        assert!(error.starts_with("invalid traceparent: "));
    }
}

#[test]
fn later_versions_are_read_as_far_as_they_are_known() {
    for text in [
        &GOOD.replacen("00", "01", 1),
        &format!("{}-more", GOOD.replacen("00", "cc", 1)),
    ] {
        let context = SpanContext::parse_traceparent(text).unwrap();
        assert_eq!(context.to_traceparent(), GOOD);
    }
}

#[test]
fn undefined_flags_are_not_passed_on() {
    let context = SpanContext::parse_traceparent(&GOOD.replace("-01", "-ff")).unwrap();
    assert_eq!(context.flags(), 3);
}

#[test]
fn random_contexts_differ_and_are_not_sampled() {
    let contexts: std::collections::HashSet<_> = (0..10_000).map(|_| SpanContext::random()).collect();
    assert_eq!(contexts.len(), 10_000);
    assert!(contexts.iter().all(|context| !context.is_sampled()));
}
