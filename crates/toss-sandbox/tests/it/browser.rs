//! The way of a buyer: script, window, return.

use reqwest::Response;
use serde_json::{Value, json};

use crate::bench::{Bench, read};

fn body(bench: &Bench) -> Value {
    json!({
        "clientKey": bench.sandbox.client_key(),
        "customerKey": "@@ANONYMOUS",
        "method": "CARD",
        "amount": { "currency": "KRW", "value": 210_000 },
        "orderId": "order-0001",
        "orderName": "<b>티셔츠</b> 외 1건",
        "successUrl": "http://shop.test/success",
        "failUrl": "http://shop.test/fail",
    })
}

async fn open(bench: &Bench) -> String {
    let request = bench
        .client
        .post(bench.url("/sandbox/windows"))
        .json(&body(bench));
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let (status, opened) = read(response).await;
    assert_eq!(status, 201);
    opened["path"].as_str().unwrap().to_owned()
}

async fn press(bench: &Bench, path: &str, form: &str) -> Response {
    let request = bench.client.post(bench.url(path)).body(form.to_owned());
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await
        .unwrap()
}

fn location(response: &Response) -> String {
    assert_eq!(response.status(), 303);
    response.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_script_offers_tosss_global() {
    let bench = Bench::start().await;
    let response = bench
        .client
        .get(bench.url("/v2/standard"))
        .send()
        .await
        .unwrap();
    assert!(
        response.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/javascript")
    );
    let script = response.text().await.unwrap();
    for part in [
        "window.TossPayments",
        "@@ANONYMOUS",
        "requestPayment",
        "currentScript",
    ] {
        assert!(script.contains(part), "{part}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_may_open_a_window() {
    let bench = Bench::start().await;
    let request = bench
        .client
        .request(reqwest::Method::OPTIONS, bench.url("/sandbox/windows"));
    let response = request
        .header("origin", "http://shop.test")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(
        response.headers()["access-control-allow-headers"],
        "content-type"
    );
}

#[tokio::test]
async fn a_buyer_pays_and_the_shop_confirms() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    let response = bench.client.get(bench.url(&path)).send().await.unwrap();
    assert!(response.headers().contains_key("content-security-policy"));
    let page = response.text().await.unwrap();
    for part in [
        "id=pay",
        "id=cancel",
        "id=decline",
        "210,000원",
        "&lt;b&gt;티셔츠&lt;/b&gt;",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let address = location(&press(&bench, &path, "action=pay&method=easy_pay").await);
    let query = address
        .strip_prefix("http://shop.test/success?paymentType=NORMAL&")
        .unwrap();
    let key = query
        .strip_prefix("orderId=order-0001&paymentKey=")
        .unwrap();
    let key = key.strip_suffix("&amount=210000").unwrap();
    let (status, payment) = read(
        bench
            .confirm(key, "order-0001", 210_000)
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        (status, &payment["easyPay"]["provider"]),
        (200, &json!("토스페이"))
    );
    let receipt = payment["receipt"]["url"].as_str().unwrap();
    let receipt = bench.client.get(receipt).send().await.unwrap();
    assert_eq!(receipt.status(), 200);
    assert_eq!(press(&bench, &path, "action=pay").await.status(), 410);
    assert_eq!(
        bench
            .client
            .get(bench.url(&path))
            .send()
            .await
            .unwrap()
            .status(),
        410
    );
}

#[tokio::test]
async fn a_buyer_closes_the_window_or_is_declined() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    let address = location(&press(&bench, &path, "action=cancel").await);
    assert!(address.starts_with("http://shop.test/fail?code=PAY_PROCESS_CANCELED&message="));
    assert!(!address.contains("orderId"));
    let path = open(&bench).await;
    let form = "action=decline&code=REJECT_CARD_COMPANY";
    let address = location(&press(&bench, &format!("{path}?lang=en"), form).await);
    assert_eq!(
        address,
        "http://shop.test/fail?code=REJECT_CARD_COMPANY&message=issuer%20declined&orderId=order-0001"
    );
}

#[tokio::test]
async fn the_window_speaks_english_on_request() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    let by_query = bench.client.get(bench.url(&format!("{path}?lang=en")));
    let by_header = bench
        .client
        .get(bench.url(&path))
        .header("accept-language", "en-GB");
    for request in [by_query, by_header] {
        let page = request.send().await.unwrap().text().await.unwrap();
        assert!(page.contains("lang=en") && page.contains(">Pay<"));
    }
}

#[tokio::test]
async fn nonsense_from_a_browser_is_refused_in_its_own_terms() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    for form in [
        "",
        "action=steal",
        "action=pay&issuer=99",
        "action=decline&code=a%0d%0ab",
    ] {
        assert_eq!(press(&bench, &path, form).await.status(), 400, "{form}");
    }
    assert_eq!(
        press(&bench, "/sandbox/window/none", "action=pay")
            .await
            .status(),
        410
    );
    let none = bench
        .client
        .get(bench.url("/sandbox/window/none"))
        .send()
        .await
        .unwrap();
    assert_eq!(none.status(), 404);
    let mut evil = body(&bench);
    evil["successUrl"] = json!("javascript:alert(1)");
    let request = bench.client.post(bench.url("/sandbox/windows")).json(&evil);
    let (status, answer) = read(request.send().await.unwrap()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("INVALID_REQUEST")));
    let garbage = bench.client.post(bench.url("/sandbox/windows")).body("{");
    assert_eq!(garbage.send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn every_method_has_its_window() {
    let bench = Bench::start().await;
    let cases = [
        ("TRANSFER", "action=pay&method=transfer&bank=88", "계좌이체"),
        (
            "MOBILE_PHONE",
            "action=pay&method=mobile_phone&phone=010-1234-5678",
            "휴대폰",
        ),
        (
            "CULTURE_GIFT_CERTIFICATE",
            "action=pay&method=culture",
            "문화상품권",
        ),
        (
            "BOOK_GIFT_CERTIFICATE",
            "action=pay&method=book",
            "도서문화상품권",
        ),
        (
            "GAME_GIFT_CERTIFICATE",
            "action=pay&method=game",
            "게임문화상품권",
        ),
        (
            "VIRTUAL_ACCOUNT",
            "action=pay&method=virtual_account&bank=06",
            "가상계좌",
        ),
    ];
    for (nth, (method, form, name)) in cases.into_iter().enumerate() {
        let mut asked = body(&bench);
        let order = format!("order-{nth:04}");
        asked["method"] = json!(method);
        asked["orderId"] = json!(order);
        let request = bench
            .client
            .post(bench.url("/sandbox/windows"))
            .json(&asked);
        let (_, opened) = read(request.send().await.unwrap()).await;
        let path = opened["path"].as_str().unwrap();
        let page = bench.client.get(bench.url(path)).send().await.unwrap();
        assert!(page.text().await.unwrap().contains(name), "{method}");
        let address = location(&press(&bench, path, form).await);
        let key = address
            .split("paymentKey=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap();
        let confirm = bench.confirm(key, &order, 210_000).send().await.unwrap();
        let (status, paid) = read(confirm).await;
        assert_eq!((status, &paid["method"]), (200, &json!(name)));
    }
    let bad = press(
        &bench,
        "/sandbox/window/none",
        "action=pay&method=mobile_phone&phone=1",
    )
    .await;
    assert_eq!(bad.status(), 400);
}

#[tokio::test]
async fn a_page_may_ask_for_the_outcome_from_anywhere() {
    let bench = Bench::start().await;
    let path = open(&bench).await.replace("/window/", "/windows/");
    let response = bench.client.get(bench.url(&path)).send().await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    assert_eq!(read(response).await.1["state"], "open");
    let none = bench
        .client
        .get(bench.url("/sandbox/windows/none"))
        .send()
        .await
        .unwrap();
    assert_eq!(none.status(), 404);
}

#[tokio::test]
async fn a_window_that_is_left_open_says_when_it_lapses_and_can_be_come_back_to() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    let left = press(&bench, &path, "action=leave").await;
    assert_eq!(left.status(), 200);
    let left = left.text().await.unwrap();
    for part in ["id=left", "id=return", "(KST)"] {
        assert!(left.contains(part), "{part} in {left}");
    }
    let again = bench.client.get(bench.url(&path)).send().await.unwrap();
    assert_eq!(again.status(), 200);
    let address = location(&press(&bench, &path, "action=pay").await);
    assert!(address.starts_with("http://shop.test/success?"));
    assert_eq!(press(&bench, &path, "action=leave").await.status(), 410);
}

#[tokio::test]
async fn a_buyer_types_a_card_and_may_correct_it() {
    let bench = Bench::start().await;
    let path = open(&bench).await;
    for (form, code) in [
        (
            "card_number=941000&card_expiry=12/99",
            "INVALID_CARD_NUMBER",
        ),
        ("card_number=&card_expiry=12/99", "INVALID_CARD_NUMBER"),
        ("card_number=9410001234567890", "INVALID_CARD_EXPIRATION"),
        (
            "card_number=9410001234567890&card_expiry=12/25",
            "INVALID_CARD_EXPIRATION",
        ),
        (
            "card_number=9410001234567890&card_expiry=13/99",
            "INVALID_CARD_EXPIRATION",
        ),
    ] {
        let refused = press(&bench, &path, &format!("action=pay&{form}")).await;
        assert_eq!(refused.status(), 400, "{form}");
        let shown = refused.text().await.unwrap();
        assert!(
            shown.contains("id=refused") && shown.contains(code),
            "{form}"
        );
        assert!(shown.contains("id=pay"), "the window is still there");
    }
    let form = "action=pay&issuer=41&card_number=4111-2222%203333-4444&card_expiry=12/99";
    let address = location(&press(&bench, &path, form).await);
    let key = address.split("paymentKey=").nth(1).unwrap();
    let key = key.split('&').next().unwrap();
    let confirm = bench.confirm(key, "order-0001", 210_000);
    let (status, paid) = read(confirm.send().await.unwrap()).await;
    assert_eq!(
        (status, &paid["card"]["number"], &paid["card"]["issuerCode"]),
        (200, &json!("41112222****444*"), &json!("41"))
    );
    let path = open(&bench).await;
    // What the buyer does not pay with is not looked at.
    let form = "action=pay&method=easy_pay&card_number=1&card_expiry=";
    assert_eq!(press(&bench, &path, form).await.status(), 303);
}
