//! From checkout to a paid order, and the claims that are refused on the way.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use toss_sandbox::engine::Method;

use crate::shop::{Answer, Order, Shop, checkout_body, confirm_body};
use crate::stage::Stage;

const CHECKOUT: &str = "/api/v1/payments/checkout";
const CONFIRM: &str = "/api/v1/payments/confirm";

pub(crate) async fn a_confirmed_order_is_paid_and_its_stock_is_taken(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let wish = json!({
        "userId": 1,
        "orderedProductList": [{"productId": 1, "quantity": 3}, {"productId": 2, "quantity": 2}],
    });
    let made = shop.post(CHECKOUT, &wish).await.data();
    assert_eq!(made["totalAmount"], json!(210_000));
    assert_eq!(
        (&made["status"], &made["currency"]),
        (&json!("READY"), &json!("KRW"))
    );
    for field in ["orderId", "orderName", "customerKey", "expiresAt"] {
        assert!(made[field].is_string(), "{field} in {made}");
    }
    let order = Order::of(1, &made);
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (59, 59));

    let key = shop.authenticate(&order);
    let paid = shop.confirm(&order, &key).await.data();
    assert_eq!(paid["status"], json!("DONE"));
    assert_eq!(paid["orderId"], json!(order.id));
    assert_eq!(paid["amount"], json!(210_000));
    assert_eq!(paid["paymentKey"], json!(key));
    assert_eq!(paid["method"], json!("카드"));
    assert!(
        paid["approvedAt"].is_string() && paid["receiptUrl"].is_string(),
        "{paid}"
    );
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (56, 57));
    let booked = stage.booked(&order.id);
    assert_eq!((booked.approvals, booked.net), (1, 210_000));

    let read = shop.read(&order).await;
    assert_eq!(
        (&read["status"], &read["balanceAmount"]),
        (&json!("DONE"), &json!(210_000))
    );
    assert_eq!(read["approvedAt"], paid["approvedAt"]);
    assert_eq!(read["orders"].as_array().map(Vec::len), Some(2));
    assert_eq!(read["cancels"], json!([]));
    assert!(!read.to_string().contains(&order.customer_key), "{read}");
}

async fn is_untouched(shop: &Shop, order: &Order) {
    assert_eq!(shop.status(order).await, "READY");
    assert_eq!(shop.stock(1).await, 59);
}

pub(crate) async fn a_wrong_user_or_amount_is_refused_without_asking_toss(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let right = confirm_body(&order, &key);
    let with = |field: &str, value: Value| {
        let mut body = right.clone();
        body[field] = value;
        body
    };
    for (body, status, code) in [
        (with("userId", json!(2)), 400, "E03004"),
        (with("userId", json!(777)), 400, "E03004"),
        (with("amount", json!(49_999)), 400, "E03006"),
        (with("amount", json!(50_001)), 400, "E03006"),
        (with("amount", json!("50001.00")), 400, "E03006"),
        (with("orderId", json!("no-such-order")), 404, "E03001"),
    ] {
        let error = shop.post(CONFIRM, &body).await.refused(status, code);
        assert_eq!(error["retryable"], json!(false));
        is_untouched(&shop, &order).await;
    }
    assert!(stage.sandbox.calls().is_empty(), "Toss was asked");
    // The amount may be written in any form of the same number.
    let paid = shop.post(CONFIRM, &with("amount", json!("50000.00"))).await;
    assert_eq!(paid.data()["status"], json!("DONE"));
    assert_eq!(shop.stock(1).await, 58);
}

pub(crate) async fn a_wrong_payment_key_leaves_the_order_payable(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let other = shop.check_out(2, &[(1, 1)]).await;
    let (key, others_key) = (shop.authenticate(&order), shop.authenticate(&other));
    for wrong in ["tgen_made_up_by_somebody", &others_key] {
        shop.confirm(&order, wrong).await.refused(400, "E03005");
        is_untouched(&shop, &order).await;
    }
    // A window that was opened for less than the order costs.
    let cheap = shop.sandbox.authenticate(&order.id, 100);
    shop.confirm(&order, &cheap).await.refused(400, "E03005");
    is_untouched(&shop, &order).await;
    assert_eq!(stage.approved_orders(), 0);

    for (order, key) in [(&order, &key), (&other, &others_key)] {
        assert_eq!(
            shop.confirm(order, key).await.data()["status"],
            json!("DONE")
        );
        assert_eq!(stage.booked(&order.id).approvals, 1);
    }
    assert_eq!(shop.stock(1).await, 57);
}

pub(crate) async fn a_paid_order_refuses_another_payment_key(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = shop.sell(1).await;
    let second = shop.authenticate(&order);
    let asked = stage.calls(&order.id).len();
    shop.confirm(&order, &second).await.refused(400, "E03005");
    assert_eq!(stage.calls(&order.id).len(), asked);
    assert_eq!(shop.read(&order).await["paymentKey"], json!(key));
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
}

async fn check_out_under(shop: &Shop, key: &str, body: &Value) -> Answer {
    let request = shop.request(reqwest::Method::POST, CHECKOUT).json(body);
    Answer::of(request.header("Idempotency-Key", key)).await
}

pub(crate) async fn the_same_checkout_again_is_the_same_order(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let body = checkout_body(1, &[(1, 1), (2, 1)]);
    let first = check_out_under(&shop, "cart-1", &body).await;
    let again = check_out_under(&shop, "cart-1", &body).await;
    assert!(!first.is_replayed() && again.is_replayed());
    assert_eq!(first.data(), again.data());
    // Another body under that key, also by one piece or by the order of its lines.
    for other in [
        checkout_body(1, &[(1, 2), (2, 1)]),
        checkout_body(1, &[(1, 1)]),
    ] {
        check_out_under(&shop, "cart-1", &other)
            .await
            .refused(422, "E03018");
    }
    // The key belongs to the user, and without a key every checkout is new.
    let theirs = check_out_under(&shop, "cart-1", &checkout_body(2, &[(1, 1), (2, 1)])).await;
    assert!(!theirs.is_replayed());
    assert_ne!(theirs.data()["orderId"], first.data()["orderId"]);
    assert_ne!(
        shop.check_out(1, &[(1, 1)]).await.id,
        shop.check_out(1, &[(1, 1)]).await.id
    );
    // The first answer again, whatever has become of the order and of the stock since.
    let order = Order::of(1, &first.data());
    shop.confirm(&order, &shop.authenticate(&order))
        .await
        .data();
    let late = check_out_under(&shop, "cart-1", &body).await;
    assert!(late.is_replayed());
    assert_eq!(late.data(), first.data());
}

pub(crate) async fn a_checkout_key_makes_one_order_however_many_come_at_once(stage: &Stage) {
    let shops = [stage.open(&[]).await, stage.open(&[]).await];
    let body = checkout_body(1, &[(1, 1)]);
    let requests = (0..16).map(|number| check_out_under(&shops[number % 2], "one-cart", &body));
    let answers = join_all(requests).await;
    let first = answers[0].data();
    assert!(answers.iter().all(|answer| answer.data() == first));
    let new = answers
        .iter()
        .filter(|answer| !answer.is_replayed())
        .count();
    assert_eq!(new, 1);
}

pub(crate) async fn an_order_that_cannot_be_filled_is_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let short = shop
        .post(CHECKOUT, &checkout_body(1, &[(2, 1), (1, 60)]))
        .await;
    let error = short.refused(409, "E03013");
    assert_eq!(error["details"]["productId"], json!(1));
    shop.post(CHECKOUT, &checkout_body(1, &[(999, 1)]))
        .await
        .refused(404, "E01003");
    shop.post(CHECKOUT, &checkout_body(999, &[(1, 1)]))
        .await
        .refused(404, "E02001");

    // Two orders, and pieces for one: the second one to be confirmed fails for good.
    let (one, two) = (
        shop.check_out(1, &[(1, 59)]).await,
        shop.check_out(2, &[(2, 1), (1, 1)]).await,
    );
    shop.confirm(&one, &shop.authenticate(&one)).await.data();
    let key = shop.authenticate(&two);
    for _ in 0..2 {
        let error = shop.confirm(&two, &key).await.refused(409, "E03013");
        assert_eq!(error["details"]["productId"], json!(1));
    }
    assert_eq!(shop.status(&two).await, "FAILED");
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (0, 59));
    assert!(stage.calls(&two.id).is_empty(), "Toss was asked");
}

pub(crate) async fn an_order_past_its_time_expires(stage: &Stage) {
    // Nobody looks for due payments here, so the confirm itself has to notice.
    let shop = stage
        .open(&["--payment-expiry=1s", "--recovery-interval=1h"])
        .await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    // The order was made before this line, so its second is over after this one.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let error = shop.confirm(&order, &key).await.refused(409, "E03002");
    assert_eq!(error["details"]["status"], json!("EXPIRED"));
    shop.close().await;

    let shop = stage.open(&["--payment-expiry=1s"]).await;
    shop.eventually(&order, "EXPIRED").await;
    let error = shop.confirm(&order, &key).await.refused(409, "E03002");
    assert_eq!(error["details"]["status"], json!("EXPIRED"));
    assert!(stage.sandbox.calls().is_empty(), "Toss was asked");
    assert_eq!(shop.stock(1).await, 59);
}

pub(crate) async fn a_virtual_account_waits_for_its_deposit(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let method = Method::VirtualAccount {
        bank_code: "20".to_owned(),
        customer_name: "한소문".to_owned(),
    };
    let key = stage
        .sandbox
        .authenticate_with(&order.id, "상품 1", order.amount, method);
    let answer = shop.confirm(&order, &key).await;
    let waits = answer.data();
    assert_eq!(waits["status"], json!("WAITING_FOR_DEPOSIT"));
    assert!(waits.get("approvedAt").is_none(), "{waits}");
    let account = &waits["virtualAccount"];
    assert_eq!(
        (&account["bankCode"], &account["customerName"]),
        (&json!("20"), &json!("한소문"))
    );
    assert!(account["accountNumber"].is_string() && account["dueDate"].is_string());
    assert_eq!(shop.stock(1).await, 58);
    let again = shop.confirm(&order, &key).await;
    assert!(again.is_replayed());
    assert_eq!(again.data(), waits);
    // Whoever knows the order id reads where to pay, but not who pays.
    let read = shop.read(&order).await;
    assert_eq!(read["status"], json!("WAITING_FOR_DEPOSIT"));
    assert_eq!(read["balanceAmount"], json!(0));
    assert_eq!(
        read["virtualAccount"]["accountNumber"],
        account["accountNumber"]
    );
    assert!(!read.to_string().contains("한소문"), "{read}");
}
