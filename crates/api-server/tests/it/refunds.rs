//! Money goes back: in part, whole, at once, and through every answer that is lost.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use toss_sandbox::engine::Method as Means;
use toss_sandbox::{Effect, Endpoint};

use crate::shop::{Answer, Order, Shop};
use crate::stage::Stage;

fn path(order: &Order) -> String {
    format!("/api/v1/payments/{}/cancel", order.id)
}

async fn cancel(shop: &Shop, order: &Order, body: Value) -> Answer {
    shop.operate(Method::POST, &path(order), &body).await
}

async fn cancel_under(shop: &Shop, order: &Order, key: &str, body: &Value) -> Answer {
    let request = shop.request(Method::POST, &path(order));
    let request = request.bearer_auth(&shop.api_key);
    Answer::of(request.header("Idempotency-Key", key).json(body)).await
}

fn part(amount: u64) -> Value {
    json!({ "cancelReason": "고객 변심", "cancelAmount": amount })
}

fn all() -> Value {
    json!({ "cancelReason": "고객 변심" })
}

/// Three of product 1 and two of product 2, paid: 210 000 won.
async fn paid(shop: &Shop) -> Order {
    let order = shop.check_out(1, &[(1, 3), (2, 2)]).await;
    let key = shop.authenticate(&order);
    shop.confirm(&order, &key).await.data();
    order
}

pub(crate) async fn parts_and_then_the_rest_leave_nothing(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = paid(&shop).await;
    for (amount, left) in [(10_000, 200_000), (20_000, 180_000)] {
        let payment = cancel(&shop, &order, part(amount)).await.data();
        assert_eq!(payment["status"], json!("PARTIAL_CANCELED"));
        assert_eq!(payment["balanceAmount"], json!(left));
        assert_eq!(stage.booked(&order.id).net, left);
    }
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (56, 57));
    // One piece of the second product, by name.
    let mut named = part(30_000);
    named["restock"] = json!([{ "productId": 2, "quantity": 1 }]);
    cancel(&shop, &order, named).await.data();
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (56, 58));

    let payment = cancel(&shop, &order, all()).await.data();
    assert_eq!(payment["status"], json!("CANCELED"));
    assert_eq!(payment["balanceAmount"], json!(0));
    let cancels: Vec<_> = payment["cancels"].as_array().unwrap().iter().collect();
    let amounts: Vec<_> = cancels
        .iter()
        .map(|cancel| cancel["amount"].clone())
        .collect();
    assert_eq!(amounts, [10_000, 20_000, 30_000, 150_000]);
    assert!(cancels.iter().all(|cancel| cancel["reason"] == "고객 변심"));
    assert_eq!(stage.booked(&order.id).net, 0);
    crate::until("all pieces are back", async || {
        (shop.stock(1).await, shop.stock(2).await) == (59, 59)
    })
    .await;
    assert_eq!(shop.read(&order).await, payment);
    cancel(&shop, &order, all()).await.refused(409, "E03020");
}

pub(crate) async fn twenty_cancels_at_once_give_back_no_more_than_was_paid(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = paid(&shop).await;
    let answers = join_all((0..20).map(|_| cancel(&shop, &order, part(50_000)))).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(done.len(), 4);
    for answer in refused {
        let error = answer.refused(400, "E03021");
        assert_eq!(error["details"]["balanceAmount"], json!(10_000));
    }
    assert_eq!(stage.booked(&order.id).net, 10_000);
    assert_eq!(shop.read(&order).await["balanceAmount"], json!(10_000));
}

pub(crate) async fn the_same_cancel_many_times_gives_back_once(stage: &Stage) {
    let (shop, other) = (stage.open(&[]).await, stage.open(&[]).await);
    let order = paid(&shop).await;
    let body = part(50_000);
    let answers = join_all((0..10).map(|n| {
        let shop = if n % 2 == 0 { &shop } else { &other };
        cancel_under(shop, &order, "refund-1", &body)
    }))
    .await;
    let first = answers[0].data();
    assert!(answers.iter().all(|answer| answer.data() == first));
    let replayed = answers.iter().filter(|answer| answer.is_replayed());
    assert_eq!(replayed.count(), 9);
    assert_eq!(stage.booked(&order.id).net, 160_000);

    cancel_under(&shop, &order, "refund-2", &part(60_000))
        .await
        .data();
    // The first answer, not the present state.
    let again = cancel_under(&shop, &order, "refund-1", &body).await;
    assert!(again.is_replayed());
    assert_eq!(again.data(), first);
    let reused = cancel_under(&shop, &order, "refund-1", &part(1)).await;
    reused.refused(422, "E03018");
    let bad = cancel_under(&shop, &order, &"k".repeat(256), &body).await;
    bad.refused(400, "E99001");
    assert_eq!(stage.booked(&order.id).net, 100_000);
}

fn mishaps() -> Vec<Effect> {
    let code = |code: &str| code.to_owned();
    vec![
        Effect::SilenceWithoutApproval,
        Effect::ApproveThenSilence,
        Effect::ResetWithoutApproval,
        Effect::ApproveThenReset,
        Effect::Html502 { executed: false },
        Effect::Html502 { executed: true },
        Effect::Error {
            code: code("IDEMPOTENT_REQUEST_PROCESSING"),
        },
        Effect::Error {
            code: code("PROVIDER_ERROR"),
        },
        Effect::Error {
            code: code("FAILED_REFUND_PROCESS"),
        },
        Effect::Error {
            code: code("A_CODE_OF_TOMORROW"),
        },
        Effect::ApproveThenError {
            code: code("PROVIDER_ERROR"),
        },
        Effect::ApproveThenError {
            code: code("FAILED_PARTIAL_REFUND"),
        },
    ]
}

pub(crate) async fn lost_and_unclear_answers_to_a_cancel_are_cleared_up(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let product = shop.offer(30_000, 100).await;
    join_all(mishaps().into_iter().map(async |effect| {
        let order = shop.check_out(1, &[(product, 2)]).await;
        let key = shop.authenticate(&order);
        shop.confirm(&order, &key).await.data();
        stage.fail_once(Endpoint::Cancel, &order.id, effect.clone());
        let answer = cancel_under(&shop, &order, "refund", &part(20_000)).await;
        // A look may settle it at once.
        if answer.status != 200 {
            answer.refused(503, "E03009");
        }
        let payment = shop.eventually(&order, "PARTIAL_CANCELED").await;
        assert_eq!(payment["balanceAmount"], json!(40_000), "{effect:?}");
        let again = cancel_under(&shop, &order, "refund", &part(20_000)).await;
        assert!(again.is_replayed(), "{effect:?}");
        assert_eq!(again.data()["balanceAmount"], json!(40_000));
        assert_eq!(stage.booked(&order.id).net, 40_000, "{effect:?}");
        cancel(&shop, &order, all()).await.data();
        assert_eq!(stage.booked(&order.id).net, 0, "{effect:?}");
    }))
    .await;
    crate::until("all pieces are back", async || {
        shop.stock(product).await == 100
    })
    .await;
}

pub(crate) async fn what_cannot_go_back_is_refused_and_moves_nothing(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let unpaid = shop.check_out(1, &[(1, 1)]).await;
    let error = cancel(&shop, &unpaid, all()).await.refused(409, "E03020");
    assert_eq!(error["details"]["status"], json!("READY"));
    let nobody = shop
        .operate(
            Method::POST,
            "/api/v1/payments/order-unknown/cancel",
            &all(),
        )
        .await;
    nobody.refused(404, "E03001");

    let order = paid(&shop).await;
    let error = cancel(&shop, &order, part(210_001))
        .await
        .refused(400, "E03021");
    assert_eq!(error["details"]["balanceAmount"], json!(210_000));
    let mut too_many = part(10_000);
    too_many["restock"] = json!([{ "productId": 1, "quantity": 4 }]);
    let error = cancel(&shop, &order, too_many).await.refused(400, "E99001");
    assert_eq!(error["details"]["productId"], json!(1));
    for body in [
        json!({}),
        json!({ "cancelReason": "" }),
        json!({ "cancelReason": "a", "cancelAmount": -1 }),
        json!({ "cancelReason": "a", "cancelAmount": 0.5 }),
        json!({ "cancelReason": "가".repeat(201) }),
        json!([]),
    ] {
        cancel(&shop, &order, body).await.refused(400, "E99001");
    }
    for (code, status, ours) in [
        ("EXCEED_MAX_REFUND_DUE", 409, "E03020"),
        ("NOT_CANCELABLE_AMOUNT", 400, "E03021"),
        ("INVALID_REFUND_ACCOUNT_INFO", 400, "E03022"),
        ("UNAUTHORIZED_KEY", 502, "E03019"),
    ] {
        let effect = Effect::Error {
            code: code.to_owned(),
        };
        stage.fail_once(Endpoint::Cancel, &order.id, effect);
        let error = cancel(&shop, &order, part(10_000))
            .await
            .refused(status, ours);
        assert_eq!(error["details"]["gatewayCode"], json!(code));
    }
    assert_eq!(stage.booked(&order.id).net, 210_000);
    assert_eq!(shop.read(&order).await["status"], json!("DONE"));
    cancel(&shop, &order, all()).await.data();
}

pub(crate) async fn a_virtual_account_s_money_goes_to_the_named_account(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let means = Means::VirtualAccount {
        bank_code: "20".to_owned(),
        customer_name: "김토스".to_owned(),
    };
    let key = stage
        .sandbox
        .authenticate_with(&order.id, "주문", order.amount, means);
    shop.confirm(&order, &key).await.data();
    cancel(&shop, &order, all()).await.refused(409, "E03020");
    stage.sandbox.deposit(&key).unwrap();
    shop.operate(
        Method::POST,
        &format!("/api/v1/payments/{}/recover", order.id),
        &json!({}),
    )
    .await
    .data();
    assert_eq!(shop.status(&order).await, "DONE");
    cancel(&shop, &order, all()).await.refused(400, "E03022");
    let mut body = all();
    body["refundReceiveAccount"] =
        json!({ "bank": "20", "accountNumber": "1002123456789", "holderName": "김토스" });
    let payment = cancel(&shop, &order, body).await.data();
    assert_eq!(payment["status"], json!("CANCELED"));
    assert!(!payment.to_string().contains("1002123456789"));
    assert_eq!(stage.booked(&order.id).net, 0);
}

pub(crate) async fn money_given_back_at_toss_is_booked_by_a_look(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = shop.sell(1).await;
    // Somebody cancels at Toss's own console.
    let client = crate::shop::http_client();
    let url = format!("{}/v1/payments/{key}/cancel", stage.bank_url);
    let request = client
        .post(url)
        .basic_auth(toss_sandbox::DEFAULT_SECRET_KEY, Some(""))
        .json(&json!({ "cancelReason": "콘솔에서 취소", "cancelAmount": 20_000 }));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    let recover = format!("/api/v1/payments/{}/recover", order.id);
    shop.operate(Method::POST, &recover, &json!({}))
        .await
        .data();
    let payment = shop.eventually(&order, "PARTIAL_CANCELED").await;
    assert_eq!(payment["balanceAmount"], json!(30_000));
    assert_eq!(payment["cancels"][0]["reason"], json!("콘솔에서 취소"));
    cancel(&shop, &order, all()).await.data();
    assert_eq!(stage.booked(&order.id).net, 0);
    assert_eq!(shop.stock(1).await, 59);
}
