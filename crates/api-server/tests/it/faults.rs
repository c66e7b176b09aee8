//! Toss declines, fails, falls silent or lies: the truth wins in the end, and nothing is charged
//! twice.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use toss_sandbox::{Call, Effect, Endpoint};

use crate::shop::{Order, Shop, confirm_body, http_client};
use crate::stage::Stage;

pub(crate) async fn declines_fail_the_order_and_return_its_stock(stage: &Stage) {
    let shop = stage.open(&[]).await;
    for code in [
        "REJECT_CARD_PAYMENT",
        "REJECT_CARD_COMPANY",
        "REJECT_ACCOUNT_PAYMENT",
        "EXCEED_MAX_DAILY_PAYMENT_COUNT",
        "INVALID_STOPPED_CARD",
        "INVALID_CARD_LOST_OR_STOLEN",
        "INVALID_PASSWORD",
        "FDS_ERROR",
        "PAY_PROCESS_ABORTED",
    ] {
        let order = shop.check_out(1, &[(1, 2), (2, 1)]).await;
        let key = shop.authenticate(&order);
        let declined = Effect::Error {
            code: code.to_owned(),
        };
        stage.fail_once(Endpoint::Confirm, &order.id, declined);
        // The buyer's second try with the same window gets the first answer, and Toss no call.
        let mut answers = Vec::new();
        for _ in 0..2 {
            let error = shop.confirm(&order, &key).await.refused(402, "E03010");
            assert_eq!(error["details"]["gatewayCode"], json!(code));
            let message = error["details"]["gatewayMessage"].as_str();
            assert!(message.is_some_and(|text| !text.is_empty()), "{error}");
            answers.push(error["details"].clone());
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!(stage.calls(&order.id).len(), 1, "{code}");
        let read = shop.read(&order).await;
        assert_eq!(
            (&read["status"], &read["failure"]["code"]),
            (&json!("FAILED"), &json!(code))
        );
        assert_eq!((shop.stock(1).await, shop.stock(2).await), (59, 59));
        // Another window cannot bring a failed order back.
        let other = shop.authenticate(&order);
        let error = shop.confirm(&order, &other).await.refused(409, "E03002");
        assert_eq!(error["details"]["status"], json!("FAILED"));
        assert_eq!(stage.booked(&order.id).approvals, 0);
    }
}

/// What is asked after the first confirm went wrong.
#[derive(Clone, Copy)]
enum Then {
    /// A look finds the payment approved.
    Look,
    /// A look finds it approvable, and the confirm is repeated under the same idempotency key.
    SameKey,
    /// … under a new one, since Toss would replay its error to the old one.
    NewKey,
}

fn error(code: &str) -> Effect {
    Effect::Error {
        code: code.to_owned(),
    }
}

fn approved_but(code: &str) -> Effect {
    Effect::ApproveThenError {
        code: code.to_owned(),
    }
}

fn mishaps() -> Vec<(Effect, Then)> {
    vec![
        (Effect::SilenceWithoutApproval, Then::SameKey),
        (Effect::ApproveThenSilence, Then::Look),
        (Effect::ResetWithoutApproval, Then::SameKey),
        (Effect::ApproveThenReset, Then::Look),
        (Effect::Html502 { executed: false }, Then::SameKey),
        (Effect::Html502 { executed: true }, Then::Look),
        (error("IDEMPOTENT_REQUEST_PROCESSING"), Then::SameKey),
        (error("PROVIDER_ERROR"), Then::NewKey),
        (error("CARD_PROCESSING_ERROR"), Then::NewKey),
        (error("FAILED_INTERNAL_SYSTEM_PROCESSING"), Then::NewKey),
        (error("FORBIDDEN_CONSECUTIVE_REQUEST"), Then::NewKey),
        (error("A_CODE_OF_TOMORROW"), Then::NewKey),
        (approved_but("PROVIDER_ERROR"), Then::Look),
        (approved_but("UNKNOWN_PAYMENT_ERROR"), Then::Look),
        (approved_but("A_CODE_OF_TOMORROW"), Then::Look),
    ]
}

pub(crate) async fn lost_and_unclear_answers_are_cleared_up(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let mishaps = mishaps();
    let orders = mishaps.len();
    join_all(
        mishaps
            .into_iter()
            .map(|(effect, then)| meet(stage, &shop, effect, then)),
    )
    .await;
    assert_eq!(stage.approved_orders(), orders);
    assert_eq!(shop.stock(1).await, 59 - i64::try_from(orders).unwrap());
}

/// One order whose first confirm meets a mishap.
async fn meet(stage: &Stage, shop: &Shop, effect: Effect, then: Then) {
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.fail_once(Endpoint::Confirm, &order.id, effect.clone());
    let error = shop.confirm(&order, &key).await.refused(503, "E03009");
    assert_eq!(error["retryable"], json!(true));
    // Nothing waits for the buyer, but an impatient one does no harm.
    let again = shop.confirm(&order, &key).await;
    assert!(
        matches!(again.status, 200 | 409 | 503),
        "{effect:?}: {}",
        again.text
    );

    let paid = shop.eventually(&order, "DONE").await;
    assert!(paid["approvedAt"].is_string(), "{paid}");
    let booked = stage.booked(&order.id);
    assert_eq!(
        (booked.approvals, booked.net),
        (1, order.amount),
        "{effect:?}"
    );
    let repeated = shop.confirm(&order, &key).await;
    assert!(repeated.is_replayed(), "{effect:?}");
    assert_eq!(repeated.data()["status"], json!("DONE"));
    keep_the_key_rules(&effect, then, &stage.calls(&order.id));
}

/// First a confirm, then looks; where Toss had not approved, at last a second confirm.
fn keep_the_key_rules(effect: &Effect, then: Then, calls: &[Call]) {
    let keys: Vec<_> = calls
        .iter()
        .filter(|call| call.endpoint == Endpoint::Confirm)
        .map(|call| call.idempotency_key.clone().unwrap())
        .collect();
    assert_eq!(calls[0].endpoint, Endpoint::Confirm, "{effect:?}");
    assert_eq!(calls[1].method, "GET", "{effect:?}: {calls:?}");
    match then {
        Then::Look => assert_eq!(keys.len(), 1, "{effect:?}"),
        Then::SameKey => {
            assert_eq!(keys.len(), 2, "{effect:?}");
            assert_eq!(keys[0], keys[1], "{effect:?}");
        }
        Then::NewKey => {
            assert_eq!(keys.len(), 2, "{effect:?}");
            assert_ne!(keys[0], keys[1], "{effect:?}");
        }
    }
}

/// Somebody else with the same secret key confirms at Toss.
async fn confirm_at_toss(stage: &Stage, order: &Order, key: &str) {
    let answer = http_client()
        .post(format!("{}/v1/payments/confirm", stage.bank_url))
        .basic_auth(stage.sandbox.secret_key(), Some(""))
        .json(&confirm_body(order, key))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

pub(crate) async fn a_payment_that_toss_has_already_processed_is_done(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    confirm_at_toss(stage, &order, &key).await;
    let paid = shop.confirm(&order, &key).await.data();
    assert_eq!(paid["status"], json!("DONE"));
    assert!(paid["approvedAt"].is_string());
    let endpoints: Vec<_> = stage
        .calls(&order.id)
        .iter()
        .map(|call| call.endpoint)
        .collect();
    let expected = [Endpoint::Confirm, Endpoint::Confirm, Endpoint::Get];
    assert_eq!(endpoints, expected, "the code alone is believed");
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
}

pub(crate) async fn a_wrong_amount_from_toss_is_given_back_and_quarantined(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.fail_once(Endpoint::Confirm, &order.id, Effect::WrongAmount);
    let error = shop.confirm(&order, &key).await.refused(409, "E03002");
    assert_eq!(error["details"]["status"], json!("QUARANTINED"));
    let read = shop.read(&order).await;
    assert_eq!(read["status"], json!("QUARANTINED"));
    assert_eq!(read["balanceAmount"], json!(0));
    let booked = stage.booked(&order.id);
    assert_eq!((booked.approvals, booked.net), (1, 0));
    // Neither key buys it now.
    for key in [key, shop.authenticate(&order)] {
        let refusal: Value = shop.confirm(&order, &key).await.envelope();
        assert!(
            matches!(refusal["code"].as_str(), Some("E03002" | "E03005")),
            "{refusal}"
        );
    }
    assert_eq!(stage.booked(&order.id).net, 0);
}

pub(crate) async fn refused_credentials_leave_the_order_payable(stage: &Stage) {
    let wrong = stage.open_with_wrong_key().await;
    let order = wrong.check_out(1, &[(1, 1)]).await;
    let key = wrong.authenticate(&order);
    for _ in 0..2 {
        let error = wrong.confirm(&order, &key).await.refused(502, "E03019");
        assert_eq!(error["retryable"], json!(false));
        assert_eq!(wrong.status(&order).await, "READY");
        assert_eq!(wrong.stock(1).await, 59);
    }
    wrong.close().await;

    let right = stage.open(&[]).await;
    assert_eq!(
        right.confirm(&order, &key).await.data()["status"],
        json!("DONE")
    );
    assert_eq!(
        (stage.booked(&order.id).approvals, right.stock(1).await),
        (1, 58)
    );
}

pub(crate) async fn a_closed_toss_is_survived(stage: &Stage) {
    let shop = stage.open(&[]).await;
    // One order over a connection that dies with Toss, one that finds the door closed.
    shop.sell(2).await;
    let orders = [
        shop.check_out(1, &[(1, 1)]).await,
        shop.check_out(2, &[(1, 1)]).await,
    ];
    let keys = [shop.authenticate(&orders[0]), shop.authenticate(&orders[1])];
    stage.close_bank().await;
    for (order, key) in orders.iter().zip(&keys) {
        shop.confirm(order, key).await.refused(503, "E03009");
        assert_eq!(shop.status(order).await, "UNKNOWN");
    }
    stage.reopen_bank().await;
    for order in &orders {
        shop.eventually(order, "DONE").await;
        assert_eq!(stage.booked(&order.id).approvals, 1);
    }
    assert_eq!(shop.stock(1).await, 57);
}

pub(crate) async fn an_unknown_payment_outlives_the_server(stage: &Stage) {
    // The first server never looks back, and what is read before its time is not looked at either.
    let flags = ["--recovery-interval=1h", "--recovery-backoff=3s"];
    let first = stage.open(&flags).await;
    let mut orders = Vec::new();
    for effect in [Effect::ApproveThenSilence, Effect::SilenceWithoutApproval] {
        let order = first.check_out(1, &[(1, 1)]).await;
        let key = first.authenticate(&order);
        stage.fail_once(Endpoint::Confirm, &order.id, effect);
        first.confirm(&order, &key).await.refused(503, "E03009");
        assert_eq!(first.status(&order).await, "UNKNOWN");
        // The same browser again changes nothing and asks nobody.
        first.confirm(&order, &key).await.refused(503, "E03009");
        assert_eq!(stage.calls(&order.id).len(), 1);
        orders.push(order);
    }
    first.close().await;

    let second = stage.open(&[]).await;
    for order in &orders {
        second.eventually(order, "DONE").await;
        assert_eq!(stage.booked(&order.id).approvals, 1);
    }
    assert_eq!(second.stock(1).await, 57);
}

pub(crate) async fn a_made_up_key_in_an_outage_does_not_lose_the_order(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.close_bank().await;
    shop.confirm(&order, "tgen_made_up_by_somebody")
        .await
        .refused(503, "E03009");
    stage.reopen_bank().await;
    // Toss does not know that key, and says so again when asked again: nothing has happened.
    shop.eventually(&order, "READY").await;
    crate::until("the stock is back", async || shop.stock(1).await == 59).await;
    assert_eq!(
        shop.confirm(&order, &key).await.data()["status"],
        json!("DONE")
    );
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
}

pub(crate) async fn a_truth_that_cannot_be_learned_is_quarantined(stage: &Stage) {
    let shop = stage.open(&["--recovery-limit=2"]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.fail_once(Endpoint::Confirm, &order.id, Effect::ApproveThenReset);
    for endpoint in [Endpoint::Get, Endpoint::GetByOrder] {
        for _ in 0..10 {
            stage.fail_once(endpoint, &order.id, Effect::ResetWithoutApproval);
        }
    }
    shop.confirm(&order, &key).await.refused(503, "E03009");
    shop.eventually(&order, "QUARANTINED").await;
    // Never FAILED: the buyer was charged. And nothing more is done without a person.
    let error = shop.confirm(&order, &key).await.refused(409, "E03002");
    assert_eq!(error["details"]["status"], json!("QUARANTINED"));
    let booked = stage.booked(&order.id);
    assert_eq!((booked.approvals, booked.net), (1, order.amount));
    assert_eq!(shop.stock(1).await, 58);
    assert_eq!(quarantined(&shop).await, "payment_quarantined 1");
    resolve_by_toss_s_word(stage, &shop, &order).await;
    assert_eq!(quarantined(&shop).await, "payment_quarantined 0");
}

/// The line of the metrics on which an alarm is raised.
async fn quarantined(shop: &Shop) -> String {
    let metrics = shop.get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let content_type = metrics.header("content-type").unwrap_or_default();
    assert!(content_type.starts_with("application/openmetrics-text"));
    let mut lines = metrics.text.lines();
    let line = lines.find(|line| line.starts_with("payment_quarantined "));
    line.unwrap_or_default().to_owned()
}

pub(crate) async fn a_repeated_confirm_settles_what_nobody_works_on(stage: &Stage) {
    let shop = stage.open(&["--recovery-interval=1h"]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.fail_once(Endpoint::Confirm, &order.id, Effect::ApproveThenReset);
    shop.confirm(&order, &key).await.refused(503, "E03009");
    // The pause before the next look is over, and no worker comes.
    crate::until("the confirm settles it", async || {
        shop.confirm(&order, &key).await.status == 200
    })
    .await;
    assert_eq!(shop.status(&order).await, "DONE");
    let confirms = stage.calls(&order.id);
    let confirms = confirms
        .iter()
        .filter(|call| call.endpoint == Endpoint::Confirm);
    assert_eq!(confirms.count(), 1);
    assert_eq!(stage.booked(&order.id).approvals, 1);
}

pub(crate) async fn long_pauses_end_when_toss_is_back(stage: &Stage) {
    // Pauses of minutes, and a worker that sees them through.
    let shop = stage.open(&["--recovery-backoff=1h"]).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.close_bank().await;
    shop.confirm(&order, &key).await.refused(503, "E03009");
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(shop.status(&order).await, "UNKNOWN");
    stage.reopen_bank().await;
    shop.eventually(&order, "DONE").await;
    assert_eq!(stage.booked(&order.id).approvals, 1);
}

/// An operator settles a quarantined order, but not against what Toss says.
async fn resolve_by_toss_s_word(stage: &Stage, shop: &Shop, order: &Order) {
    let path = format!("/api/v1/payments/{}/resolve", order.id);
    let resolve = async |to: &str| {
        let wish = json!({ "to": to, "reason": "은행에 확인함" });
        shop.operate(Method::POST, &path, &wish).await
    };
    // While Toss says nothing, nobody decides.
    resolve("FAILED").await.refused(503, "E03009");
    stage.sandbox.clear_faults();
    crate::until("Toss contradicts", async || {
        resolve("FAILED").await.status == 409
    })
    .await;
    resolve("FAILED").await.refused(409, "E03023");
    assert_eq!(shop.status(order).await, "QUARANTINED");
    assert_eq!(resolve("DONE").await.data()["status"], json!("DONE"));
    assert_eq!(shop.read(order).await["balanceAmount"], json!(order.amount));
    let error = resolve("DONE").await.refused(409, "E03002");
    assert_eq!(error["details"]["status"], json!("DONE"));
    assert_eq!(
        (stage.booked(&order.id).net, shop.stock(1).await),
        (order.amount, 58)
    );
}
