//! Which faults hit what, and when.

use super::*;
use crate::fault::Target;

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn inject(book: &mut FaultBook, fault: Fault) {
    book.inject(NOW, fault.into());
}

fn fault(effect: Effect, times: Option<u32>) -> Fault {
    Fault {
        target: Target::default(),
        effect,
        times,
    }
}

#[test]
fn a_delay_combines_with_the_first_other_effect() {
    let mut book = FaultBook::new(1);
    inject(&mut book, fault(Effect::WrongAmount, Some(1)));
    inject(
        &mut book,
        fault(
            Effect::Delay {
                min_ms: 5,
                max_ms: 9,
            },
            None,
        ),
    );
    inject(&mut book, fault(Effect::ApproveThenReset, Some(1)));
    let first = book.strike(NOW, Endpoint::Confirm, None);
    assert_eq!(
        (first.delays, first.effect),
        (vec![(5, 9)], Some(Effect::WrongAmount))
    );
    let second = book.strike(NOW, Endpoint::Confirm, None);
    assert_eq!(second.effect, Some(Effect::ApproveThenReset));
    assert_eq!(book.strike(NOW, Endpoint::Confirm, None).effect, None);
    assert_eq!(book.active()[0].hits, 3);
}

#[test]
fn a_target_limits_a_fault_to_its_endpoint_and_order() {
    let mut book = FaultBook::new(1);
    let target = Target {
        endpoint: Some(Endpoint::Cancel),
        order_id: Some("order-1".to_owned()),
    };
    inject(
        &mut book,
        Fault {
            target,
            effect: Effect::WrongAmount,
            times: None,
        },
    );
    assert!(
        book.strike(NOW, Endpoint::Confirm, Some("order-1"))
            .effect
            .is_none()
    );
    assert!(
        book.strike(NOW, Endpoint::Cancel, Some("order-2"))
            .effect
            .is_none()
    );
    assert!(book.strike(NOW, Endpoint::Cancel, None).effect.is_none());
    assert!(
        book.strike(NOW, Endpoint::Cancel, Some("order-1"))
            .effect
            .is_some()
    );
}

#[test]
fn the_book_is_bounded() {
    let mut book = FaultBook::new(1);
    for _ in 0..=FAULTS_MAX {
        inject(&mut book, fault(Effect::WrongAmount, None));
    }
    assert_eq!(book.active().len(), FAULTS_MAX);
}

#[test]
fn a_fault_reads_and_writes_the_documented_json() {
    let text = r#"{"target":{"endpoint":"confirm"},"effect":{"type":"delay","minMs":1,"maxMs":2},"times":3}"#;
    let fault: Fault = serde_json::from_str(text).unwrap();
    assert_eq!(
        fault.effect,
        Effect::Delay {
            min_ms: 1,
            max_ms: 2
        }
    );
    assert_eq!(serde_json::to_string(&fault).unwrap(), text);
    let html: Fault =
        serde_json::from_str(r#"{"effect":{"type":"html502","executed":true}}"#).unwrap();
    assert_eq!(html.effect, Effect::Html502 { executed: true });
}

fn rule(text: &str) -> Rule {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_rule_is_in_force_in_its_windows_alone() {
    let mut book = FaultBook::new(1);
    let text = r#"{"effect":{"type":"resetWithoutApproval"},"afterMs":10,"forMs":5,"everyMs":100}"#;
    book.inject(NOW, rule(text));
    let on = |ms| NOW + chrono::TimeDelta::milliseconds(ms);
    let mut hit = |ms| book.strike(on(ms), Endpoint::Get, None).effect.is_some();
    let seen: Vec<_> = [9, 10, 14, 15, 109, 110, 115]
        .into_iter()
        .map(&mut hit)
        .collect();
    assert_eq!(seen, [false, true, true, false, false, true, false]);
    let mut book = FaultBook::new(1);
    book.inject(NOW, rule(r#"{"effect":{"type":"wrongAmount"},"forMs":5}"#));
    assert!(book.strike(on(5), Endpoint::Get, None).effect.is_none());
    assert!(book.active().is_empty(), "it is over and gone");
}

#[test]
fn a_chance_is_met_about_as_often_as_it_says() {
    let mut book = FaultBook::new(1);
    book.inject(
        NOW,
        rule(r#"{"effect":{"type":"halfBody"},"chancePercent":25.0}"#),
    );
    let hits = (0..1_000)
        .filter(|_| book.strike(NOW, Endpoint::Get, None).effect.is_some())
        .count();
    assert!((200..300).contains(&hits), "{hits}");
}

#[test]
fn a_rate_limit_lets_so_many_through_per_minute() {
    let mut book = FaultBook::new(1);
    book.inject(
        NOW,
        rule(r#"{"effect":{"type":"rateLimit","perMinute":2}}"#),
    );
    let mut refused = |second| {
        let now = NOW + chrono::TimeDelta::seconds(second);
        book.strike(now, Endpoint::Get, None).effect.is_some()
    };
    let seen: Vec<_> = [0, 1, 2, 59, 60].into_iter().map(&mut refused).collect();
    assert_eq!(seen, [false, false, true, true, false]);
}

#[test]
fn a_heavy_tail_is_mostly_short_and_sometimes_long() {
    let mut book = FaultBook::new(1);
    let mut drawn: Vec<_> = (0..1_000).map(|_| book.tail(10, 5_000)).collect();
    drawn.sort_unstable();
    assert!(
        drawn[500] < 25 && drawn[990] > 200,
        "{} {}",
        drawn[500],
        drawn[990]
    );
    assert!(drawn[0] >= 10 && drawn[999] <= 5_000);
}

#[test]
fn faults_of_webhooks_leave_calls_alone_and_the_other_way_round() {
    let mut book = FaultBook::new(1);
    book.inject(
        NOW,
        rule(r#"{"effect":{"type":"loseWebhook"},"target":{"orderId":"a"}}"#),
    );
    book.inject(
        NOW,
        rule(r#"{"effect":{"type":"repeatWebhook","copies":2}}"#),
    );
    book.inject(NOW, rule(r#"{"effect":{"type":"wrongAmount"}}"#));
    assert_eq!(
        book.strike(NOW, Endpoint::Get, Some("a")).effect,
        Some(Effect::WrongAmount)
    );
    let struck = book.strike_webhook(NOW, Some("b"));
    assert!(!struck.lost && struck.copies == 2);
    assert!(book.strike_webhook(NOW, Some("a")).lost);
    let id = book.active()[0].id;
    assert!(book.end(id) && !book.end(id));
    assert!(!book.strike_webhook(NOW, Some("a")).lost);
}
