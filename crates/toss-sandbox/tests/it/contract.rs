//! The client of this workspace against the sandbox, over HTTP.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use toss_client::{
    CancelRequest, ConfirmRequest, Error, ErrorClass, IdempotencyKey, SecretKey, TossClient,
    TransactionQuery,
};
use toss_sandbox::Effect;

use crate::bench::Bench;

fn client(bench: &Bench) -> TossClient {
    TossClient::builder(SecretKey::parse(bench.sandbox.secret_key()).unwrap())
        .base_url(bench.server.base_url())
        .unwrap()
        .build()
        .unwrap()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

/// A year around the sandbox's present, in Korean time.
fn this_year(bench: &Bench) -> TransactionQuery {
    let at = |days| -> NaiveDateTime {
        (bench.sandbox.now() + chrono::TimeDelta::days(days)).naive_utc()
    };
    TransactionQuery::new(at(-180), at(180))
}

#[tokio::test]
async fn a_payment_is_confirmed_read_canceled_and_listed() {
    let bench = Bench::start().await;
    let client = client(&bench);
    let payment_key = bench.sandbox.authenticate("order-0001", 210_000);
    let amount = Decimal::from(210_000);
    let request = ConfirmRequest::new(&payment_key, "order-0001", amount);
    let paid = client
        .confirm(&request, &key("order-0001:1"))
        .await
        .unwrap();
    assert_eq!(paid.total_amount, amount);
    assert_eq!(paid.status.to_string(), "DONE");
    let again = client
        .confirm(&request, &key("order-0001:1"))
        .await
        .unwrap();
    assert_eq!(again.value, paid.value);

    let by_key = client.payment(&payment_key).await.unwrap();
    let by_order = client.payment_by_order("order-0001").await.unwrap();
    assert_eq!(by_key.value, paid.value);
    assert_eq!(by_order.value, paid.value);

    let part = CancelRequest::new("변심").amount(Decimal::from(10_000));
    let canceled = client
        .cancel(&payment_key, &part, &key("order-0001:c1"))
        .await
        .unwrap();
    assert_eq!(canceled.balance_amount, Some(Decimal::from(200_000)));

    let rows = client.transactions(&this_year(&bench)).await.unwrap();
    let amounts: Vec<_> = rows.iter().map(|row| row.amount.unwrap()).collect();
    assert_eq!(amounts, [amount, Decimal::from(-10_000)]);
    for row in rows.iter() {
        assert_eq!(row.payment_key.as_deref(), Some(payment_key.as_str()));
        assert_eq!(row.order_id.as_deref(), Some("order-0001"));
        assert!(row.extra.is_empty(), "{row:?}");
    }
    assert_eq!(
        Some(&rows[0].transaction_key),
        paid.last_transaction_key.as_ref()
    );
}

#[tokio::test]
async fn a_refusal_and_a_lost_answer_have_the_classes_that_the_client_promises() {
    let bench = Bench::start().await;
    let client = client(&bench);
    let payment_key = bench.sandbox.authenticate("order-0001", 1_000);
    let wrong = ConfirmRequest::new(&payment_key, "order-0001", Decimal::from(999));
    let refused = client
        .confirm(&wrong, &key("order-0001:1"))
        .await
        .unwrap_err();
    assert!(matches!(refused, Error::Rejected { .. }), "{refused}");
    assert_eq!(refused.class(), ErrorClass::Config);

    bench.inject(Effect::ApproveThenReset, Some(1));
    let right = ConfirmRequest::new(&payment_key, "order-0001", Decimal::from(1_000));
    let unheard = client
        .confirm(&right, &key("order-0001:2"))
        .await
        .unwrap_err();
    assert!(matches!(unheard, Error::Unknown { .. }), "{unheard}");
    let heard = client.confirm(&right, &key("order-0001:2")).await.unwrap();
    assert_eq!(heard.status.to_string(), "DONE");
    assert_eq!(bench.sandbox.ledger()[0].approvals, 1);
}

#[tokio::test]
async fn transactions_are_read_page_by_page() {
    let bench = Bench::start().await;
    let client = client(&bench);
    for number in 0..130 {
        let order_id = format!("order-{number:04}");
        let payment_key = bench.sandbox.authenticate(&order_id, 1_000);
        let request = ConfirmRequest::new(payment_key, &order_id, Decimal::from(1_000));
        client.confirm(&request, &key(&order_id)).await.unwrap();
    }
    let (mut seen, mut query) = (Vec::new(), this_year(&bench).limit(100));
    loop {
        let page = client.transactions(&query).await.unwrap();
        let Some(last) = page.last() else { break };
        query = query.starting_after(last.transaction_key.clone());
        seen.extend(page.iter().map(|row| row.order_id.clone().unwrap()));
    }
    let all: Vec<_> = (0..130)
        .map(|number| format!("order-{number:04}"))
        .collect();
    assert_eq!(seen, all);
    assert_eq!(bench.sandbox.call_totals().transactions, 3);
    let page = this_year(&bench).starting_after("no such key");
    let refused = client.transactions(&page).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Config);
}
