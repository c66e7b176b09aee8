//! What operators do, and that nobody else does.

use reqwest::Method;
use serde_json::{Value, json};

use crate::shop::{Answer, Shop};
use crate::stage::Stage;

const PRODUCTS: &str = "/api/v1/products";

fn product() -> Value {
    json!({ "name": "머그컵", "description": "하얀 머그컵", "price": 12_000, "stock": 7, "sellerId": 2 })
}

fn operator_requests() -> [(Method, &'static str, Value); 20] {
    [
        (Method::POST, PRODUCTS, product()),
        (Method::PATCH, "/api/v1/products/1", json!({ "price": 1 })),
        (
            Method::POST,
            "/api/v1/products/1/stock-adjustments",
            json!({ "delta": -9, "reason": "훔침" }),
        ),
        (
            Method::PUT,
            "/api/v1/users/1",
            json!({ "username": "나그네", "email": "me@shop.example" }),
        ),
        (
            Method::POST,
            "/api/v1/webhooks/endpoints",
            json!({ "url": "https://thief.example.com/" }),
        ),
        (Method::GET, "/api/v1/webhooks/endpoints", json!({})),
        (Method::GET, "/api/v1/webhooks/endpoints/ep_1", json!({})),
        (
            Method::PATCH,
            "/api/v1/webhooks/endpoints/ep_1",
            json!({ "url": "https://thief.example.com/" }),
        ),
        (Method::DELETE, "/api/v1/webhooks/endpoints/ep_1", json!({})),
        (
            Method::POST,
            "/api/v1/webhooks/endpoints/ep_1/rotate-secret",
            json!({}),
        ),
        (
            Method::POST,
            "/api/v1/webhooks/endpoints/ep_1/test",
            json!({}),
        ),
        (Method::GET, "/api/v1/webhooks/deliveries", json!({})),
        (
            Method::POST,
            "/api/v1/webhooks/deliveries/dlv_1/resend",
            json!({}),
        ),
        (Method::GET, "/api/v1/webhooks/toss", json!({})),
        (
            Method::POST,
            "/api/v1/webhooks/toss/whtrans_1/redrive",
            json!({}),
        ),
        (
            Method::POST,
            "/api/v1/payments/order-0001/cancel",
            json!({ "cancelReason": "훔침" }),
        ),
        (
            Method::POST,
            "/api/v1/payments/order-0001/recover",
            json!({}),
        ),
        (
            Method::POST,
            "/api/v1/payments/order-0001/resolve",
            json!({ "to": "DONE", "reason": "공짜" }),
        ),
        (Method::GET, "/api/v1/payments", json!({})),
        (
            Method::GET,
            "/api/v1/payments/order-0001/history",
            json!({}),
        ),
    ]
}

pub(crate) async fn operator_routes_need_the_key(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let wrong = [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer wrong".to_owned()),
        Some(format!("Basic {}", shop.api_key)),
        Some(shop.api_key.clone()),
        Some(format!("Bearer {}x", shop.api_key)),
    ];
    for (method, path, body) in operator_requests() {
        for header in &wrong {
            let mut request = shop.request(method.clone(), path).json(&body);
            if let Some(header) = header {
                request = request.header("Authorization", header);
            }
            let answer = Answer::of(request).await;
            answer.refused(401, "E99003");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    let listed = shop.get(PRODUCTS).await.data();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&listed[0]["price"], &listed[0]["stock"]),
        (&json!(50_000), &json!(59))
    );
}

pub(crate) async fn a_product_is_created_changed_and_listed(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let made = shop
        .operate(Method::POST, PRODUCTS, &product())
        .await
        .data();
    let id = made["productId"].as_i64().unwrap();
    let mut expected = product();
    expected["productId"] = json!(id);
    assert_eq!(made, expected);

    let path = format!("{PRODUCTS}/{id}");
    let order = shop.check_out(1, &[(id, 1)]).await;
    let patch = json!({ "name": "큰 머그컵", "price": 15_000 });
    let changed = shop.operate(Method::PATCH, &path, &patch).await.data();
    expected["name"] = json!("큰 머그컵");
    expected["price"] = json!(15_000);
    assert_eq!(changed, expected);
    assert_eq!(shop.get(&path).await.data(), expected);
    // What was checked out keeps its price.
    let key = shop.authenticate(&order);
    assert_eq!(
        shop.confirm(&order, &key).await.data()["amount"],
        json!(12_000)
    );
    assert_eq!(shop.check_out(1, &[(id, 1)]).await.amount, 15_000);

    let page = shop.get(&format!("{PRODUCTS}?after=1&size=1")).await.data();
    assert_eq!(page.as_array().map(Vec::len), Some(1));
    assert_eq!(page[0]["productId"], json!(2));
    shop.operate(Method::PATCH, "/api/v1/products/999", &patch)
        .await
        .refused(404, "E01003");
    shop.get("/api/v1/products/999")
        .await
        .refused(404, "E01003");
}

async fn refuse(shop: &Shop, method: Method, path: &str, change: (&str, Value), code: &str) {
    let mut body = product();
    body[change.0] = change.1;
    let answer = shop.operate(method, path, &body).await;
    let error = answer.refused(400, code);
    assert_eq!(error["retryable"], json!(false), "{body}");
}

pub(crate) async fn impossible_products_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    for price in [json!(0), json!(-1), json!(1.5), json!(1e30)] {
        refuse(
            &shop,
            Method::POST,
            PRODUCTS,
            ("price", price.clone()),
            "E01004",
        )
        .await;
        refuse(
            &shop,
            Method::PATCH,
            "/api/v1/products/1",
            ("price", price),
            "E01004",
        )
        .await;
    }
    refuse(
        &shop,
        Method::POST,
        PRODUCTS,
        ("stock", json!(-1)),
        "E01001",
    )
    .await;
    for change in [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("x".repeat(101))),
        ("name", json!(5)),
        ("description", json!("x".repeat(2_001))),
        ("price", json!("12000won")),
        ("price", json!(null)),
        ("stock", json!(1.5)),
        ("stock", json!(i64::MAX)),
        ("sellerId", json!(0)),
    ] {
        refuse(&shop, Method::POST, PRODUCTS, change, "E99001").await;
    }
    let listed = shop.get(PRODUCTS).await.data();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
}

pub(crate) async fn a_stock_is_adjusted_but_never_below_zero(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let adjust = async |delta: i64| {
        let body = json!({ "delta": delta, "reason": "재고 조사" });
        shop.operate(Method::POST, "/api/v1/products/1/stock-adjustments", &body)
            .await
    };
    assert_eq!(adjust(-9).await.data()["stock"], json!(50));
    assert_eq!(adjust(5).await.data()["stock"], json!(55));
    for impossible in [-56, i64::MIN, i64::MAX] {
        adjust(impossible).await.refused(409, "E01002");
    }
    adjust(0).await.refused(400, "E99001");
    // What an order has taken is not there to be taken.
    shop.sell(1).await;
    adjust(-55).await.refused(409, "E01002");
    assert_eq!(adjust(-54).await.data()["stock"], json!(0));
    let unknown = json!({ "delta": 1, "reason": "재고 조사" });
    shop.operate(
        Method::POST,
        "/api/v1/products/999/stock-adjustments",
        &unknown,
    )
    .await
    .refused(404, "E01003");
}

pub(crate) async fn a_new_user_can_buy(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let profile = json!({ "username": "박새롬", "email": "new@shop.example" });
    let put = async |profile: &Value| shop.operate(Method::PUT, "/api/v1/users/42", profile).await;
    let made = put(&profile).await.data();
    assert_eq!(
        made,
        json!({ "userId": 42, "username": "박새롬", "email": "new@shop.example" })
    );
    let order = shop.check_out(42, &[(1, 1)]).await;
    // A changed profile is still the same customer at Toss.
    put(&json!({ "username": "박새롬", "email": "other@shop.example" }))
        .await
        .data();
    let next = shop.check_out(42, &[(1, 1)]).await;
    assert_eq!(order.customer_key, next.customer_key);
    assert_ne!(
        order.customer_key,
        shop.check_out(1, &[(1, 1)]).await.customer_key
    );
    shop.confirm(&order, &shop.authenticate(&order))
        .await
        .data();
    for bad in [
        json!({ "username": "", "email": "new@shop.example" }),
        json!({ "username": "박새롬", "email": "nowhere" }),
        json!({ "username": "박새롬" }),
        json!({ "username": "x".repeat(101), "email": "new@shop.example" }),
    ] {
        put(&bad).await.refused(400, "E99001");
    }
}
