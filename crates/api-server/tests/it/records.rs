//! What is recorded of payments, as operators read it.

use reqwest::Method;
use serde_json::{Value, json};

use toss_sandbox::{Effect, Endpoint};

use crate::shop::{Answer, Order, Shop};
use crate::stage::Stage;

const LIST: &str = "/api/v1/payments";

async fn ask(shop: &Shop, path: &str) -> Answer {
    Answer::of(shop.request(Method::GET, path).bearer_auth(&shop.api_key)).await
}

async fn list(shop: &Shop, query: &str) -> Value {
    ask(shop, &format!("{LIST}?{query}")).await.data()
}

fn ids(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| item["orderId"].as_str().unwrap())
        .collect()
}

/// Everything that this query lists, page by page.
async fn walk(shop: &Shop, query: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut page = list(shop, query).await;
    loop {
        all.extend(ids(&page).into_iter().map(ToOwned::to_owned));
        let Some(cursor) = page["nextCursor"].as_str() else {
            assert_eq!(page["nextCursor"], Value::Null);
            return all;
        };
        page = list(shop, &format!("{query}&cursor={cursor}")).await;
    }
}

async fn check_out(shop: &Shop, user_id: i64, orders: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..orders {
        ids.push(shop.check_out(user_id, &[(1, 1)]).await.id);
    }
    ids.reverse();
    ids
}

pub(crate) async fn payments_are_listed_newest_first(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let empty = ask(&shop, LIST).await.data();
    assert_eq!(empty, json!({ "items": [], "nextCursor": null }));

    let (paid, key) = shop.sell(1).await;
    let ready = shop.check_out(2, &[(1, 2), (2, 1)]).await;
    let page = ask(&shop, LIST).await.data();
    assert_eq!(ids(&page), [&ready.id, &paid.id]);
    assert_eq!(page["nextCursor"], Value::Null);

    let alone = shop.read(&paid).await;
    let item = &page["items"][1];
    for same in [
        "orderId",
        "orderName",
        "status",
        "totalAmount",
        "balanceAmount",
        "currency",
        "paymentKey",
        "method",
        "createdAt",
        "approvedAt",
    ] {
        assert_eq!(item[same], alone[same], "{same}");
        assert_ne!(item[same], Value::Null, "{same}");
    }
    assert_eq!(item["userId"], json!(1));
    assert_eq!(item["paymentKey"], json!(key));
    assert!(item["updatedAt"].as_str() >= item["createdAt"].as_str());
    let fresh = page["items"][0].as_object().unwrap();
    for absent in ["paymentKey", "method", "approvedAt"] {
        assert!(!fresh.contains_key(absent), "{absent}");
    }
}

pub(crate) async fn a_list_is_filtered_and_odd_filters_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let mut expected = check_out(&shop, 2, 3).await;
    let (paid, _) = shop.sell(1).await;
    let created = |item: &Value| item["createdAt"].as_str().unwrap().to_owned();

    assert_eq!(ids(&list(&shop, "status=DONE").await), [&paid.id]);
    assert_eq!(ids(&list(&shop, "status=READY").await), expected);
    assert_eq!(ids(&list(&shop, "userId=1").await), [&paid.id]);
    assert_eq!(walk(&shop, "userId=2&status=READY&size=1").await, expected);
    let none = list(&shop, "userId=2&status=DONE").await;
    assert_eq!(none, json!({ "items": [], "nextCursor": null }));

    // From the second order on, and up to right before the paid one.
    let all = list(&shop, "").await;
    let (from, to) = (created(&all["items"][2]), created(&all["items"][0]));
    expected.truncate(2);
    assert_eq!(
        ids(&list(&shop, &format!("from={from}&to={to}")).await),
        expected
    );
    let in_seoul = "from=2026-01-01T00:00:00+09:00&to=2026-01-02T00:00:00%2B09:00";
    assert!(ids(&list(&shop, in_seoul).await).is_empty());

    for query in [
        "status=done",
        "status=",
        "userId=0",
        "userId=me",
        "from=yesterday",
        "to=2026-11-24",
        "size=0",
        "size=101",
        "size=-1",
        "size=many",
        "cursor=",
        "cursor=next",
        "cursor=00",
        "cursor=%ff",
    ] {
        let answer = ask(&shop, &format!("{LIST}?{query}")).await;
        answer.refused(400, "E99001");
    }
}

pub(crate) async fn paging_meets_every_order_once_while_others_are_made(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let orders = check_out(&shop, 1, 7).await;
    let first = list(&shop, "size=3").await;
    assert_eq!(ids(&first), orders[..3]);
    // More orders, and one that was listed is paid.
    check_out(&shop, 1, 2).await;
    let listed = Order {
        id: orders[1].clone(),
        user_id: 1,
        amount: 50_000,
        customer_key: String::new(),
    };
    let key = shop.authenticate(&listed);
    shop.confirm(&listed, &key).await.data();
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = list(&shop, &format!("size=3&cursor={cursor}")).await;
    assert_eq!(ids(&second), orders[3..6]);
    let cursor = second["nextCursor"].as_str().unwrap();
    let third = list(&shop, &format!("size=3&cursor={cursor}")).await;
    assert_eq!(
        (ids(&third), &third["nextCursor"]),
        (vec![orders[6].as_str()], &Value::Null)
    );

    // A page that ends with the last order has none behind it.
    let (ten, all) = (list(&shop, "size=9").await, walk(&shop, "size=4").await);
    assert_eq!(
        (ten["nextCursor"].clone(), ids(&ten)),
        (Value::Null, all.iter().map(String::as_str).collect())
    );
}

async fn history(shop: &Shop, order: &Order, query: &str) -> Value {
    let path = format!("{LIST}/{}/history?{query}", order.id);
    ask(shop, &path).await.data()
}

/// What is said of each entry in one word.
fn told(history: &Value) -> Vec<String> {
    let entries = history["entries"].as_array().unwrap().iter();
    let word = |entry: &Value| {
        let kind = entry["type"].as_str().unwrap();
        let field = match kind {
            "transition" => "fact",
            "attempt" => "outcome",
            "transaction" => "kind",
            other => panic!("{other} is no entry"),
        };
        format!("{kind} {}", entry[field].as_str().unwrap_or("open"))
    };
    entries.map(word).collect()
}

pub(crate) async fn a_history_tells_a_payment_s_whole_life(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (order, key) = shop.sell(1).await;
    let life = history(&shop, &order, "").await;
    assert_eq!(life["orderId"], json!(order.id));
    assert!(life.get("problem").is_none() && life.get("at").is_none());
    let payment = &life["payment"];
    assert_eq!(
        (&payment["status"], &payment["fence"]),
        (&json!("DONE"), &json!(3))
    );
    for amount in ["totalAmount", "balanceAmount"] {
        assert_eq!(payment[amount], json!(order.amount), "{amount}");
    }
    let expected = [
        "transition CHECKED_OUT",
        "transition CLAIMED",
        "attempt APPROVED",
        "transition APPROVED",
        "transaction APPROVAL",
    ];
    assert_eq!(told(&life), expected);
    let entries = life["entries"].as_array().unwrap();
    let (claimed, attempt, moved) = (&entries[1], &entries[2], &entries[4]);
    assert_eq!(
        (&claimed["from"], &claimed["to"], &claimed["fence"]),
        (&json!("READY"), &json!("IN_PROGRESS"), &json!(2))
    );
    assert_eq!(entries[0]["from"], Value::Null);
    let idempotency_key = format!("{}:1", order.id);
    assert_eq!(attempt["idempotencyKey"], json!(idempotency_key));
    assert_eq!(
        (&attempt["purpose"], &attempt["amount"], &attempt["number"]),
        (&json!("CONFIRM"), &json!(order.amount), &json!(1))
    );
    assert!(attempt["finishedAt"].as_str() >= attempt["startedAt"].as_str());
    assert!(attempt["traceId"].is_string(), "{attempt}");
    assert_eq!(
        (&moved["amount"], &moved["fence"]),
        (&json!(order.amount), &json!(3))
    );
    assert!(moved["movedAt"].is_string() && moved["transactionKey"].is_string());
    // The key that money can be moved with is not shown.
    assert!(!life.to_string().contains(&key));
    let shown = attempt["paymentKey"].as_str().unwrap();
    assert!(key.starts_with(shown.split('…').next().unwrap()), "{shown}");

    let declined = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&declined);
    let code = "REJECT_CARD_COMPANY".to_owned();
    stage.fail_once(Endpoint::Confirm, &declined.id, Effect::Error { code });
    shop.confirm(&declined, &key).await.refused(402, "E03010");
    let life = history(&shop, &declined, "").await;
    let attempt = &life["entries"][2];
    assert_eq!(
        (&attempt["outcome"], &attempt["code"]),
        (&json!("REJECTED"), &json!("REJECT_CARD_COMPANY"))
    );
    assert!(attempt["message"].is_string());

    for path in ["no-such-order", "x"] {
        let path = format!("{LIST}/{path}/history");
        ask(&shop, &path).await.refused(404, "E03001");
    }
    for at in ["", "yesterday", "2026-11-24", "%ff"] {
        let path = format!("{LIST}/{}/history?at={at}", order.id);
        ask(&shop, &path).await.refused(400, "E99001");
    }
}

pub(crate) async fn a_history_rebuilds_the_payment_at_every_moment(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let lost = Effect::SilenceWithoutApproval;
    stage.fail_once(Endpoint::Confirm, &order.id, lost);
    shop.confirm(&order, &key).await;
    shop.eventually(&order, "DONE").await;

    let life = history(&shop, &order, "").await;
    let entries = life["entries"].as_array().unwrap();
    assert!(told(&life).contains(&"transition LOOK_STARTED".to_owned()));
    let mut balance = 0;
    let changes: Vec<_> = entries
        .iter()
        .filter(|entry| entry["type"] == "transition")
        .collect();
    for change in &changes {
        let fence = &change["fence"];
        let moved = entries
            .iter()
            .filter(|entry| entry["type"] == "transaction");
        let moved = moved.filter(|entry| entry["fence"] == *fence);
        balance += moved
            .map(|entry| entry["amount"].as_i64().unwrap())
            .sum::<i64>();
        let at = change["at"].as_str().unwrap();
        let then = history(&shop, &order, &format!("at={at}")).await;
        let payment = &then["payment"];
        assert_eq!(
            (
                &payment["status"],
                &payment["fence"],
                &payment["balanceAmount"]
            ),
            (&change["to"], fence, &json!(balance)),
            "{at}"
        );
        assert_eq!(then["at"], change["at"]);
    }
    assert_eq!(json!(balance), json!(order.amount));
    assert_eq!(json!(changes.len()), life["payment"]["fence"]);

    let before = history(&shop, &order, "at=2020-01-01T00:00:00%2B09:00").await;
    assert_eq!(
        (&before["payment"], &before["entries"]),
        (&Value::Null, &json!([]))
    );
}
