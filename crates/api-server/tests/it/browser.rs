//! A buyer's ways through the demo shop in headless Chromium: shop, the sandbox's payment window,
//! and the page that confirms.
//!
//! With `SCREENSHOTS=DIRECTORY` (absolute, or from the workspace's root) the pictures of the
//! README are taken on the way.

mod visit;

use serde_json::Value;
use visit::{Screen, Visit};

pub(crate) use visit::{embedded_server, missing_program};

const SHIRT: u64 = 1;
const SHIRTS_AT_FIRST: u64 = 59;

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_through_shop_window_and_confirm() {
    let Some(visit) = Visit::start(Screen::Desktop).await else {
        return;
    };
    buy_two_shirts(&visit).await;
    visit.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_pays_on_a_phone() {
    let Some(visit) = Visit::start(Screen::Phone).await else {
        return;
    };
    buy_two_shirts(&visit).await;
    visit.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_who_closes_the_window_keeps_the_cart() {
    let Some(visit) = Visit::start(Screen::Desktop).await else {
        return;
    };
    visit.open("/").await;
    fill_cart(&visit).await;
    go_to_window(&visit).await;
    // "주문번호 01a2…": Toss sends no order id back with a closed window.
    let shown = visit.text(".order").await;
    let order_id = shown.split_whitespace().next_back().unwrap();
    visit.click("#cancel").await;

    visit.wait_for("body[data-page=fail]").await;
    assert!(visit.path().await.starts_with("/shop/fail"));
    assert_eq!(visit.text("#fail-code").await, "PAY_PROCESS_CANCELED");
    assert_eq!(payment(&visit, order_id).await["status"], "READY");
    assert_eq!(stock(&visit).await, SHIRTS_AT_FIRST);

    visit.click(".actions a.primary").await;
    visit.wait_for("#line-1").await;
    assert_eq!(visit.text("#cart-count").await, "2");
    assert_eq!(visit.text("#total").await, "100,000원");
    assert!(visit.ledger_is_empty());
    visit.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_buyer_is_told_why_and_pays_at_the_second_try() {
    let Some(visit) = Visit::start(Screen::Desktop).await else {
        return;
    };
    // Declined in the window, before anything was asked of the server.
    visit.open("/?lang=en").await;
    fill_cart(&visit).await;
    go_to_window(&visit).await;
    visit.click("#decline").await;
    visit.wait_for("body[data-page=fail]").await;
    assert_eq!(visit.text("#fail-code").await, "REJECT_CARD_COMPANY");
    assert_eq!(
        visit.text("#fail-title").await,
        "The payment did not go through"
    );

    // Declined when the server asks for approval.
    visit.click(".actions a.primary").await;
    go_to_window(&visit).await;
    visit.click("#later").await;
    visit.click("#decline").await;
    visit.wait_for("#result[data-status=FAILED]").await;
    let order_id = visit.text("#order-id").await;
    let declined = payment(&visit, &order_id).await;
    assert_eq!(declined["status"], "FAILED");
    assert_eq!(declined["failure"]["code"], "REJECT_CARD_COMPANY");
    assert_eq!(stock(&visit).await, SHIRTS_AT_FIRST, "the stock is back");

    // The cart is still there, and another try is another order.
    visit.click("#back").await;
    assert_eq!(visit.text("#cart-count").await, "2");
    go_to_window(&visit).await;
    visit.click("#pay").await;
    visit.wait_for("#result[data-status=DONE]").await;
    assert_ne!(visit.text("#order-id").await, order_id);
    assert_eq!(stock(&visit).await, SHIRTS_AT_FIRST - 2);
    // Chromium reports the refused confirm, whoever handles it.
    visit
        .end(&["/api/v1/payments/confirm", "status of 402"])
        .await;
}

/// From the catalogue to the receipt, and the receipt once more.
async fn buy_two_shirts(visit: &Visit) {
    visit.open("/").await;
    fill_cart(visit).await;
    assert_eq!(visit.text("#total").await, "100,000원");
    visit.assert_fits_the_screen().await;
    visit.take_screenshot("shop").await;

    go_to_window(visit).await;
    assert_eq!(visit.text("#amount").await, "100,000원");
    visit.assert_fits_the_screen().await;
    visit.take_screenshot("window").await;
    visit.click("#pay").await;

    visit.wait_for("#result[data-status=DONE]").await;
    assert!(visit.path().await.starts_with("/shop/success"));
    visit.wait_for("#order-lines:not([hidden]) li").await;
    visit.assert_fits_the_screen().await;
    visit.take_screenshot("receipt").await;
    let order_id = visit.text("#order-id").await;
    assert_paid_once(visit, &order_id).await;

    visit.reload().await;
    visit.wait_for("#result[data-status=DONE]").await;
    assert_eq!(visit.text("#order-id").await, order_id);
    assert_paid_once(visit, &order_id).await;

    visit.click("#back").await;
    visit.wait_for("#product-1 .add").await;
    assert_eq!(visit.text("#cart-count").await, "0", "the cart was paid");
}

async fn assert_paid_once(visit: &Visit, order_id: &str) {
    let payment = payment(visit, order_id).await;
    assert_eq!(payment["status"], "DONE");
    assert_eq!(payment["totalAmount"], 100_000);
    assert_eq!(payment["orders"][0]["quantity"], 2);
    assert_eq!(stock(visit).await, SHIRTS_AT_FIRST - 2);
    let bank = visit.ledger_row(order_id);
    assert_eq!((bank.approvals, bank.net), (1, 100_000));
    let receipt = payment["receiptUrl"].as_str().unwrap();
    assert!(visit.get(receipt).await.status().is_success());
}

async fn fill_cart(visit: &Visit) {
    visit.wait_for("#product-1 .add").await;
    visit.click("#product-1 .add").await;
    visit.click("#product-1 .add").await;
    assert_eq!(visit.text("#cart-count").await, "2");
}

async fn go_to_window(visit: &Visit) {
    visit.wait_for("#line-1").await;
    visit.click("#pay").await;
    visit.wait_for("#pay[name=action]").await;
    assert!(visit.path().await.starts_with("/sandbox/window/"));
}

async fn payment(visit: &Visit, order_id: &str) -> Value {
    data(visit, &format!("/api/v1/payments/{order_id}")).await
}

async fn stock(visit: &Visit) -> u64 {
    let product = data(visit, &format!("/api/v1/products/{SHIRT}")).await;
    product["stock"].as_u64().unwrap()
}

async fn data(visit: &Visit, path: &str) -> Value {
    let answer = visit.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.json::<Value>().await.unwrap()["data"].take()
}
