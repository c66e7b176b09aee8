//! What Toss tells by webhook: hints, whoever wrote them.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use toss_sandbox::engine::Method as Means;

use crate::shop::{Answer, Order, Shop};
use crate::stage::Stage;

const PATH: &str = "/api/v1/webhooks/toss";
const ID: &str = "tosspayments-webhook-transmission-id";

/// An order that waits for its deposit, and its payment key.
async fn waiting(stage: &Stage, shop: &Shop) -> (Order, String) {
    let order = shop.check_out(1, &[(1, 1)]).await;
    let means = Means::VirtualAccount {
        bank_code: "20".to_owned(),
        customer_name: "김토스".to_owned(),
    };
    let key = stage
        .sandbox
        .authenticate_with(&order.id, "주문", order.amount, means);
    shop.confirm(&order, &key).await.data();
    (order, key)
}

/// Toss's event about a payment in this status.
fn event(order: &Order, key: &str, status: &str) -> Value {
    json!({
        "eventType": "PAYMENT_STATUS_CHANGED",
        "createdAt": "2026-11-24T09:00:00.000000",
        "data": {
            "orderId": order.id, "paymentKey": key, "status": status,
            "totalAmount": order.amount, "balanceAmount": order.amount, "currency": "KRW",
        },
    })
}

async fn tell(shop: &Shop, id: &str, event: &Value) -> Answer {
    Answer::of(shop.request(Method::POST, PATH).header(ID, id).json(event)).await
}

/// The stored webhooks in this state.
async fn stored(shop: &Shop, state: &str) -> Vec<Value> {
    let path = format!("{PATH}?state={state}&size=100");
    let page = shop.operate(Method::GET, &path, &json!({})).await.data();
    page["items"].as_array().unwrap().clone()
}

async fn until_done(shop: &Shop, count: usize) {
    crate::until("all webhooks are done", async || {
        stored(shop, "DONE").await.len() == count
    })
    .await;
}

pub(crate) async fn a_deposit_is_booked_when_toss_tells_of_it(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = waiting(stage, &shop).await;
    stage.sandbox.deposit(&key).unwrap();
    let callback = json!({
        "createdAt": "2026-11-24T09:00:00.000000", "secret": "whatever",
        "status": "DONE", "orderId": order.id,
    });
    let receipt = tell(&shop, "whtrans_deposit", &callback).await.data();
    assert_eq!(receipt["stored"], json!(true));
    let paid = shop.eventually(&order, "DONE").await;
    assert!(paid["approvedAt"].is_string());
    until_done(&shop, 1).await;
    let done = stored(&shop, "DONE").await;
    assert_eq!(done[0]["eventType"], json!("DEPOSIT_CALLBACK"));
    assert_eq!(done[0]["note"], json!("the payment was looked at"));
}

pub(crate) async fn a_forged_webhook_changes_nothing(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = waiting(stage, &shop).await;
    let before = shop.read(&order).await;
    tell(&shop, "forged-1", &event(&order, &key, "DONE"))
        .await
        .data();
    tell(&shop, "forged-2", &event(&order, "made-up", "DONE"))
        .await
        .data();
    let nobody = Order {
        id: "order-of-nobody".to_owned(),
        ..shop.check_out(1, &[(1, 1)]).await
    };
    tell(&shop, "forged-3", &event(&nobody, &key, "DONE"))
        .await
        .data();
    let (paid, paid_key) = shop.sell(1).await;
    let sold = shop.read(&paid).await;
    tell(&shop, "forged-4", &event(&paid, &paid_key, "CANCELED"))
        .await
        .data();
    until_done(&shop, 4).await;
    assert_eq!(shop.read(&order).await, before);
    assert_eq!(shop.read(&paid).await, sold);
    let notes: Vec<_> = stored(&shop, "DONE").await;
    let notes: Vec<_> = notes.iter().map(|entry| entry["note"].clone()).collect();
    assert_eq!(
        notes,
        [
            "Toss shows nothing new",
            "Toss shows nothing new",
            "no such order",
            "Toss shows nothing new",
        ]
    );
    // Nobody asks Toss about an order that is not ours.
    assert_eq!(stage.calls(&nobody.id).len(), 0);
}

pub(crate) async fn the_same_event_fifty_times_at_once_changes_the_payment_once(stage: &Stage) {
    let (shop, other) = (stage.open(&[]).await, stage.open(&[]).await);
    let (order, key) = waiting(stage, &shop).await;
    stage.sandbox.deposit(&key).unwrap();
    let told = event(&order, &key, "DONE");
    let answers = join_all((0..50).map(|n| {
        let shop = if n % 2 == 0 { &shop } else { &other };
        // Half of them under one id, half under ids of their own.
        let id = if n < 25 { 0 } else { n };
        let told = &told;
        async move { tell(shop, &format!("whtrans_{id}"), told).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    shop.eventually(&order, "DONE").await;
    until_done(&shop, 26).await;
    assert_eq!(stage.booked(&order.id).net, order.amount);
    let paid = shop.read(&order).await;
    assert_eq!(paid["balanceAmount"], json!(order.amount));
    assert_eq!(shop.stock(1).await, 58);
}

pub(crate) async fn a_webhook_waits_until_toss_answers(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = waiting(stage, &shop).await;
    stage.sandbox.deposit(&key).unwrap();
    stage.close_bank().await;
    tell(&shop, "whtrans_late", &event(&order, &key, "DONE"))
        .await
        .data();
    crate::until("it was tried", async || {
        let waiting = stored(&shop, "RECEIVED").await;
        waiting
            .first()
            .is_some_and(|entry| entry["tries"] != json!(0))
    })
    .await;
    assert_eq!(stored(&shop, "DEAD").await.len(), 0);
    let redrive = format!("{PATH}/whtrans_late/redrive");
    let not_dead = shop.operate(Method::POST, &redrive, &json!({})).await;
    not_dead.refused(404, "E99004");
    stage.reopen_bank().await;
    shop.eventually(&order, "DONE").await;
    until_done(&shop, 1).await;
}

pub(crate) async fn what_is_no_event_is_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    for body in ["", "[]", "null", "\"text\"", "{", "\u{0}"] {
        let request = shop.request(Method::POST, PATH).body(body);
        Answer::of(request).await.refused(400, "E99001");
    }
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
    let request = shop.request(Method::POST, PATH).body(huge);
    Answer::of(request).await.refused(413, "E99006");
    let page = format!("{PATH}?state=LOST");
    let wrong = shop.operate(Method::GET, &page, &json!({})).await;
    wrong.refused(400, "E99001");
    // An event of tomorrow is stored, and leads to nothing.
    let odd = json!({ "eventType": "SOMETHING_NEW", "data": {} });
    tell(&shop, "whtrans_odd", &odd).await.data();
    until_done(&shop, 1).await;
}
