//! Requests that make no sense: each gets the envelope, none a 5xx, and none does anything.

use reqwest::{Body, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::shop::{Answer, Shop, checkout_body, confirm_body};
use crate::stage::Stage;

const CHECKOUT: &str = "/api/v1/payments/checkout";
const CONFIRM: &str = "/api/v1/payments/confirm";

/// Every route that reads a body.
const BODIES: [(Method, &str); 7] = [
    (Method::POST, CHECKOUT),
    (Method::POST, CONFIRM),
    (Method::POST, "/api/v1/products"),
    (Method::PATCH, "/api/v1/products/1"),
    (Method::POST, "/api/v1/products/1/stock-adjustments"),
    (Method::PUT, "/api/v1/users/1"),
    (Method::POST, "/api/v1/payments/order-0001/resolve"),
];

/// Sends bytes as they are, with the operators' key.
async fn send(shop: &Shop, method: &Method, path: &str, body: impl Into<Body>) -> Answer {
    let request = shop
        .request(method.clone(), path)
        .bearer_auth(&shop.api_key)
        .header("Content-Type", "application/json")
        .body(body);
    Answer::of(request).await
}

/// The body with one field replaced.
fn with(body: &Value, field: &str, value: Value) -> Value {
    let mut body = body.clone();
    body[field] = value;
    body
}

/// The body without one field.
fn without(body: &Value, field: &str) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().remove(field);
    body
}

pub(crate) async fn malformed_checkouts_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let good = checkout_body(1, &[(1, 1)]);
    let line = |product: Value, quantity: Value| {
        let lines = json!([{ "productId": product, "quantity": quantity }]);
        with(&good, "orderedProductList", lines)
    };
    let many: Vec<_> = (1..=101).map(|id| (id, 1)).collect();
    let mut bodies = vec![
        json!({}),
        json!([]),
        json!(null),
        json!("checkout"),
        without(&good, "userId"),
        without(&good, "orderedProductList"),
        with(&good, "orderedProductList", json!([])),
        with(&good, "orderedProductList", json!({})),
        with(&good, "orderedProductList", json!([{}])),
        with(&good, "orderedProductList", json!([null])),
        with(&good, "orderedProductList", json!([{ "productId": 1 }])),
        with(&good, "orderedProductList", json!([{ "quantity": 1 }])),
        checkout_body(1, &[(1, 1), (1, 2)]),
        checkout_body(1, &many),
    ];
    for id in odd_numbers() {
        bodies.push(with(&good, "userId", id.clone()));
        bodies.push(line(id.clone(), json!(1)));
        bodies.push(line(json!(1), id));
    }
    bodies.push(line(json!(1), json!(1_000)));
    for body in bodies {
        let error = shop.post(CHECKOUT, &body).await.refused(400, "E99001");
        assert_eq!(error["retryable"], json!(false), "{body}");
    }
    // The bounds themselves are fine: these fail for want of stock and of products only.
    shop.post(CHECKOUT, &line(json!(1), json!(999)))
        .await
        .refused(409, "E03013");
    shop.post(CHECKOUT, &checkout_body(1, &many[..100]))
        .await
        .refused(404, "E01003");
}

/// What is no id and no quantity.
fn odd_numbers() -> Vec<Value> {
    let huge: Value = serde_json::from_str("99999999999999999999999").unwrap();
    vec![
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        huge,
        json!("one"),
        json!(""),
        json!(null),
        json!(true),
        json!([1]),
        json!({ "id": 1 }),
    ]
}

pub(crate) async fn malformed_confirms_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let good = confirm_body(&order, &key);
    let mut bodies = vec![json!({}), json!([good.clone()])];
    for field in ["userId", "orderId", "amount", "paymentKey"] {
        bodies.push(without(&good, field));
        for odd in [json!(null), json!(""), json!([]), json!({}), json!(true)] {
            bodies.push(with(&good, field, odd));
        }
    }
    for amount in odd_numbers() {
        bodies.push(with(&good, "amount", amount.clone()));
        bodies.push(with(&good, "userId", amount));
    }
    for amount in [
        "50000.5", "50000.01", "-50000", "50,000", " 50000", "0x10", "1e400", "NaN",
    ] {
        bodies.push(with(&good, "amount", json!(amount)));
    }
    for id in [
        "short",
        "한글한글한글",
        "with space in it",
        "a/b/c/d/e/f",
        &"x".repeat(65),
    ] {
        bodies.push(with(&good, "orderId", json!(id)));
    }
    for bad_key in ["with space", "new\nline", "키", &"k".repeat(201)] {
        bodies.push(with(&good, "paymentKey", json!(bad_key)));
    }
    for body in bodies {
        shop.post(CONFIRM, &body).await.refused(400, "E99001");
    }
    for path in [
        "nonsense",
        "%00",
        "%ff%fe",
        &"x".repeat(300),
        "한글",
        "..%2f..%2fetc",
    ] {
        let answer = shop.get(&format!("/api/v1/payments/{path}")).await;
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.status
        );
        answer.envelope();
    }
    assert!(stage.sandbox.calls().is_empty(), "Toss was asked");
    assert_eq!(shop.status(&order).await, "READY");
    shop.confirm(&order, &key).await.data();
}

pub(crate) async fn malformed_requests_of_operators_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let stock = "/api/v1/products/1/stock-adjustments";
    let good = json!({ "delta": 1, "reason": "재고 조사" });
    let mut bodies = vec![without(&good, "delta"), without(&good, "reason")];
    for odd in [json!(0), json!(1.5), json!("1"), json!(null), json!(1e300)] {
        bodies.push(with(&good, "delta", odd));
    }
    for odd in [
        json!(""),
        json!("   "),
        json!("x".repeat(201)),
        json!(7),
        json!(null),
    ] {
        bodies.push(with(&good, "reason", odd));
    }
    for body in bodies {
        shop.operate(Method::POST, stock, &body)
            .await
            .refused(400, "E99001");
    }
    for id in ["0", "-1", "one", "99999999999999999999", "1.0"] {
        let profile = json!({ "username": "박새롬", "email": "new@shop.example" });
        let path = format!("/api/v1/users/{id}");
        shop.operate(Method::PUT, &path, &profile)
            .await
            .refused(400, "E99001");
        shop.get(&format!("/api/v1/products/{id}"))
            .await
            .refused(404, "E01003");
    }
    for query in [
        "size=0",
        "size=101",
        "size=-1",
        "size=many",
        "after=0",
        "after=x",
        "size=%ff",
    ] {
        shop.get(&format!("/api/v1/products?{query}"))
            .await
            .refused(400, "E99001");
    }
    assert_eq!(shop.stock(1).await, 59);
}

pub(crate) async fn broken_bodies_are_refused_everywhere(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let deep = "[".repeat(60_000);
    let deep_field = format!("{{\"amount\":{}", "{\"a\":".repeat(10_000));
    let broken: [&[u8]; 9] = [
        b"",
        b"{",
        b"{\"userId\":",
        b"userId=1&amount=2",
        b"{\"userId\":1}}",
        b"\xff\xfe\x00",
        b"{\"userId\":1,\"name\":\"\xff\",\"orderId\":\"\xc3\x28\",\"username\":\"\xff\",\"reason\":\"\xff\"}",
        deep.as_bytes(),
        deep_field.as_bytes(),
    ];
    for (method, path) in &BODIES {
        for body in broken {
            send(&shop, method, path, body.to_vec())
                .await
                .refused(400, "E99001");
        }
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/xml",
            "nonsense",
        ] {
            let request = shop
                .request(method.clone(), path)
                .bearer_auth(&shop.api_key)
                .header("Content-Type", kind)
                .body("{}");
            Answer::of(request).await.refused(400, "E99001");
        }
        // One byte above the limit; at the limit the body is read, and makes no sense.
        let padded = |bytes: usize| format!("{{}}{}", " ".repeat(bytes - 2));
        send(&shop, method, path, padded(65_537))
            .await
            .refused(413, "E99006");
        let at_limit = send(&shop, method, path, padded(65_536)).await;
        assert_ne!(at_limit.status, 413, "{path}");
        chunked_flood(&shop, method, path).await;
    }
    assert_eq!(shop.stock(1).await, 59);
}

/// Too large a body without a Content-Length to look at.
async fn chunked_flood(shop: &Shop, method: &Method, path: &str) {
    let address = shop.base_url.strip_prefix("http://").unwrap();
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(4_096));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        shop.api_key,
        chunk.repeat(17)
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 413", "{path}");
}

pub(crate) async fn unknown_paths_and_methods_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    for path in [
        "/nowhere",
        "/api",
        "/api/v1",
        "/api/v2/products",
        "/health",
        "/%ff",
    ] {
        let error = shop.get(path).await.refused(404, "E99004");
        assert_eq!(error["retryable"], json!(false));
        shop.post(path, &json!({})).await.refused(404, "E99004");
    }
    for (method, path, allowed) in [
        (Method::GET, CHECKOUT, "POST"),
        (Method::DELETE, CONFIRM, "POST"),
        (Method::POST, "/api/v1/payments", "GET"),
        (Method::POST, "/api/v1/payments/order-0001", "GET"),
        (Method::POST, "/api/v1/payments/order-0001/events", "GET"),
        (Method::POST, "/api/v1/payments/order-0001/history", "GET"),
        (Method::PUT, "/api/v1/products", "GET, POST"),
        (Method::DELETE, "/api/v1/products/1", "GET, PATCH"),
        (Method::GET, "/api/v1/users/1", "PUT"),
        (Method::POST, "/health/live", "GET"),
        (Method::POST, "/openapi.json", "GET"),
    ] {
        let answer = Answer::of(shop.request(method, path)).await;
        answer.refused(405, "E99005");
        let mut found: Vec<_> = answer
            .header("allow")
            .unwrap_or_else(|| panic!("{path} tells no methods"))
            .split(',')
            .map(str::trim)
            .collect();
        found.sort_unstable();
        assert_eq!(found.join(", "), allowed, "{path}");
    }
}

pub(crate) async fn bad_idempotency_keys_are_refused(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let body = checkout_body(1, &[(1, 1)]);
    let long = "k".repeat(256);
    let keys: [&[u8]; 5] = [
        b"",
        b"with space",
        "키".as_bytes(),
        b"tab\there",
        long.as_bytes(),
    ];
    for key in keys {
        let request = shop.request(Method::POST, CHECKOUT).json(&body);
        Answer::of(request.header("Idempotency-Key", key))
            .await
            .refused(400, "E99001");
    }
    let longest = shop.request(Method::POST, CHECKOUT).json(&body);
    Answer::of(longest.header("Idempotency-Key", &long[1..]))
        .await
        .data();
}

pub(crate) async fn messages_are_korean_or_english(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let said = async |language: Option<&str>| {
        let mut request = shop.request(Method::GET, "/api/v1/payments/no-such-order");
        if let Some(language) = language {
            request = request.header("Accept-Language", language);
        }
        let error = Answer::of(request).await.refused(404, "E03001");
        error["message"].as_str().unwrap().to_owned()
    };
    let korean = said(None).await;
    assert!(!korean.is_ascii(), "{korean}");
    assert_eq!(said(Some("ko-KR,ko;q=0.9,en;q=0.8")).await, korean);
    let english = said(Some("en")).await;
    assert!(english.is_ascii(), "{english}");
    assert_eq!(said(Some("en-GB,en;q=0.9")).await, english);
    // A client's own request id comes back, unless it could do harm in a log.
    let traced = shop.request(Method::GET, "/nowhere");
    let answer = Answer::of(traced.header("x-request-id", "client-7")).await;
    assert_eq!(answer.refused(404, "E99004")["traceId"], json!("client-7"));
    let forged = shop.request(Method::GET, "/nowhere");
    let answer = Answer::of(forged.header("x-request-id", "a b\"c")).await;
    assert_ne!(answer.envelope()["traceId"], json!("a b\"c"));
}
