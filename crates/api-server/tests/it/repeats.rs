//! The same confirm more than once: one approval, one stock change, one answer.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use toss_sandbox::{Effect, Endpoint};

use crate::shop::{Answer, Order, Shop, confirm_body};
use crate::stage::{Stage, UNHURRIED};

pub(crate) async fn a_repeated_confirm_gets_the_first_answer(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let first = shop.confirm(&order, &key).await;
    assert!(!first.is_replayed());
    let asked = stage.calls(&order.id).len();
    for _ in 0..3 {
        let again = shop.confirm(&order, &key).await;
        assert!(again.is_replayed());
        assert_eq!(again.data(), first.data());
    }
    assert_eq!(stage.calls(&order.id).len(), asked, "Toss was asked again");
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
}

/// Every answer is the paid order or "still running", and one of them is the paid order.
fn agree(answers: &[Answer]) {
    let mut paid = Vec::new();
    for answer in answers {
        if answer.status == 200 {
            paid.push(answer.data());
        } else {
            answer.refused(409, "E03017");
        }
    }
    assert!(!paid.is_empty());
    assert!(paid.iter().all(|data| *data == paid[0]));
    assert_eq!(paid[0]["status"], json!("DONE"));
}

async fn confirm_at_once(shops: &[&Shop], order: &Order, key: &str) -> Vec<Answer> {
    let requests = (0..32).map(|number| shops[number % shops.len()].confirm(order, key));
    join_all(requests).await
}

pub(crate) async fn many_identical_confirms_make_one_approval(stage: &Stage) {
    let shop = stage.open(&UNHURRIED).await;
    for _ in 0..5 {
        let order = shop.check_out(1, &[(1, 2)]).await;
        let key = shop.authenticate(&order);
        let before = shop.stock(1).await;
        agree(&confirm_at_once(&[&shop], &order, &key).await);
        assert_eq!(stage.booked(&order.id).approvals, 1);
        assert_eq!(stage.calls(&order.id).len(), 1);
        assert_eq!(shop.stock(1).await, before - 2);
        assert!(shop.confirm(&order, &key).await.is_replayed());
    }
}

pub(crate) async fn two_servers_with_one_database_make_one_approval(stage: &Stage) {
    let (one, two) = (stage.open(&UNHURRIED).await, stage.open(&UNHURRIED).await);
    for _ in 0..5 {
        let order = one.check_out(1, &[(1, 2)]).await;
        let key = one.authenticate(&order);
        let before = one.stock(1).await;
        agree(&confirm_at_once(&[&one, &two], &order, &key).await);
        assert_eq!(stage.booked(&order.id).approvals, 1);
        assert_eq!(stage.calls(&order.id).len(), 1);
        assert_eq!(two.stock(1).await, before - 2);
        assert!(two.confirm(&order, &key).await.is_replayed());
    }
}

pub(crate) async fn different_payment_keys_at_once_make_one_approval(stage: &Stage) {
    let (one, two) = (stage.open(&UNHURRIED).await, stage.open(&UNHURRIED).await);
    for _ in 0..5 {
        let order = one.check_out(1, &[(1, 1)]).await;
        // A buyer with two windows open pays in both.
        let keys = [one.authenticate(&order), one.authenticate(&order)];
        let before = one.stock(1).await;
        let requests = (0..16).map(|number| {
            let shop = [&one, &two][number % 2];
            shop.confirm(&order, &keys[(number / 2) % 2])
        });
        let mut paid = 0;
        for answer in join_all(requests).await {
            match answer.status {
                200 => paid += 1,
                400 => drop(answer.refused(400, "E03005")),
                _ => drop(answer.refused(409, "E03017")),
            }
        }
        assert!(paid > 0);
        let booked = stage.booked(&order.id);
        assert_eq!((booked.approvals, booked.net), (1, order.amount));
        assert_eq!(one.stock(1).await, before - 1);
    }
}

pub(crate) async fn a_confirm_that_takes_too_long_is_answered_before_it_ends(stage: &Stage) {
    let shop = stage
        .open(&[
            "--confirm-wait=200ms",
            "--toss-timeout=20s",
            "--confirm-lease=30s",
        ])
        .await;
    stage.slow_confirms(Duration::from_secs(1));
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let error = shop.confirm(&order, &key).await.refused(503, "E03009");
    assert_eq!(error["retryable"], json!(true));
    // The browser asks again while the first confirm still runs.
    let error = shop.confirm(&order, &key).await.refused(409, "E03017");
    assert_eq!(error["retryable"], json!(true));
    shop.eventually(&order, "DONE").await;
    assert!(shop.confirm(&order, &key).await.is_replayed());
    assert_eq!(stage.calls(&order.id).len(), 1);
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
}

async fn confirm_without_waiting(shop: &Shop, order: &Order, payment_key: &str) -> Answer {
    let request = shop.request(Method::POST, "/api/v1/payments/confirm");
    let request = request.header("Prefer", "respond-async, wait=10");
    Answer::of(request.json(&confirm_body(order, payment_key))).await
}

pub(crate) async fn a_confirm_that_nobody_waits_for_goes_on_by_itself(stage: &Stage) {
    let shop = stage.open(&UNHURRIED).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.slow_confirms_of(&order.id, Duration::from_secs(2));
    for _ in 0..2 {
        let answer = confirm_without_waiting(&shop, &order, &key).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
        let body: Value = serde_json::from_str(&answer.text).unwrap();
        let data = json!({ "orderId": order.id, "status": "IN_PROGRESS" });
        assert_eq!(body, json!({ "data": data }));
        assert_eq!(answer.header("preference-applied"), Some("respond-async"));
        let location = answer.header("location").unwrap();
        let there = shop.get(location).await.data();
        assert_eq!(there["status"], json!("IN_PROGRESS"));
    }
    shop.eventually(&order, "DONE").await;
    let again = confirm_without_waiting(&shop, &order, &key).await;
    assert!(again.is_replayed());
    assert_eq!(again.data()["status"], json!("DONE"));
    assert_eq!(again.header("preference-applied"), None);
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );

    // A decline comes too late to be the answer, and is the next one's.
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let code = "REJECT_CARD_COMPANY".to_owned();
    stage.fail_once(Endpoint::Confirm, &order.id, Effect::Error { code });
    let answer = confirm_without_waiting(&shop, &order, &key).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    shop.eventually(&order, "FAILED").await;
    let again = confirm_without_waiting(&shop, &order, &key).await;
    again.refused(402, "E03010");
}

pub(crate) async fn a_confirm_that_nobody_waits_for_is_refused_before_it_begins(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let other = |change: fn(&mut Order)| {
        let mut other = order.clone();
        change(&mut other);
        other
    };
    for (wrong, status, code) in [
        (
            other(|order| order.id = "no-such-order".into()),
            404,
            "E03001",
        ),
        (other(|order| order.user_id = 2), 400, "E03004"),
        (other(|order| order.amount += 1), 400, "E03006"),
        (other(|order| order.amount = 0), 400, "E99001"),
    ] {
        let answer = confirm_without_waiting(&shop, &wrong, &key).await;
        answer.refused(status, code);
    }
    assert_eq!(shop.status(&order).await, "READY");
    assert!(stage.calls(&order.id).is_empty(), "Toss was asked");
    let (paid, _) = shop.sell(1).await;
    let other_key = shop.authenticate(&paid);
    let answer = confirm_without_waiting(&shop, &paid, &other_key).await;
    answer.refused(400, "E03005");
}
