//! What is recorded of payments, as operators read it.

use reqwest::Method;
use serde_json::{Value, json};

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
