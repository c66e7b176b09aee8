//! What each fault does to the books and to the answer.

use serde_json::json;

use super::{Bench, ORDER, code, confirm, keyed, read};
use crate::{
    engine::{Content, Delivery},
    fault::Effect,
};

#[test]
fn an_injected_decline_aborts_the_payment_and_another_error_leaves_it() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    bench.inject(Effect::Error {
        code: "PROVIDER_ERROR".to_owned(),
    });
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (400, "PROVIDER_ERROR")
    );
    assert_eq!(bench.get(&key).1["status"], "IN_PROGRESS");
    bench.inject(Effect::Error {
        code: "REJECT_CARD_PAYMENT".to_owned(),
    });
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (403, "REJECT_CARD_PAYMENT")
    );
    let (_, payment) = bench.get(&key);
    assert_eq!(payment["status"], "ABORTED");
    assert_eq!(payment["failure"]["code"], "REJECT_CARD_PAYMENT");
    assert_eq!(
        code(&bench.confirm(&key, ORDER, 1_000)),
        (400, "ALREADY_PROCESSED_PAYMENT")
    );
}

#[test]
fn a_fault_after_the_work_loses_the_answer_and_keeps_the_approval() {
    type Check = fn(&Delivery) -> bool;
    let html: Check = |delivery| matches!(delivery, Delivery::Answer(answer) if answer.status == 502 && answer.content == Content::Html);
    let error: Check =
        |delivery| matches!(delivery, Delivery::Answer(answer) if answer.status == 500);
    let wrong: Check = |delivery| matches!(delivery, Delivery::Answer(answer) if answer.body.contains("\"totalAmount\":1001"));
    let cases: [(Effect, Check); 5] = [
        (Effect::ApproveThenSilence, |delivery| {
            *delivery == Delivery::Silence
        }),
        (Effect::ApproveThenReset, |delivery| {
            *delivery == Delivery::Reset
        }),
        (Effect::Html502 { executed: true }, html),
        (
            Effect::ApproveThenError {
                code: "SOMETHING_NEW".to_owned(),
            },
            error,
        ),
        (Effect::WrongAmount, wrong),
    ];
    for (effect, check) in cases {
        let mut bench = Bench::new();
        let key = bench.authenticate(ORDER, 1_000);
        bench.inject(effect.clone());
        let delivery = bench.deliver(confirm(&key, ORDER, 1_000));
        assert!(check(&delivery), "{effect:?}: {delivery:?}");
        assert_eq!(bench.get(&key).1["status"], "DONE", "{effect:?}");
        assert_eq!(bench.get(&key).1["totalAmount"], 1_000);
    }
}

#[test]
fn a_fault_before_the_work_leaves_the_payment_and_the_key_unused() {
    let effects = [
        Effect::SilenceWithoutApproval,
        Effect::ResetWithoutApproval,
        Effect::Html502 { executed: false },
    ];
    for effect in effects {
        let mut bench = Bench::new();
        let key = bench.authenticate(ORDER, 1_000);
        bench.inject(effect);
        bench.deliver(keyed(confirm(&key, ORDER, 1_000), "k1"));
        assert_eq!(bench.get(&key).1["status"], "IN_PROGRESS");
        assert_eq!(
            bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")).status,
            200
        );
    }
}

#[test]
fn an_answer_lost_on_its_way_is_replayed_under_the_same_key() {
    let mut bench = Bench::new();
    let key = bench.authenticate(ORDER, 1_000);
    bench.inject(Effect::ApproveThenReset);
    assert_eq!(
        bench.deliver(keyed(confirm(&key, ORDER, 1_000), "k1")),
        Delivery::Reset
    );
    let replay = read(&bench.send(keyed(confirm(&key, ORDER, 1_000), "k1")));
    assert_eq!((replay.0, &replay.1["status"]), (200, &json!("DONE")));
    bench.inject(Effect::ApproveThenSilence);
    let lost = bench.deliver(keyed(confirm(&key, ORDER, 1_000), "k1"));
    assert_eq!(
        lost,
        Delivery::Silence,
        "the way back can fail for a replay too"
    );
}
