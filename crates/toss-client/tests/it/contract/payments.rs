//! Payments and what happened to them.

use std::pin::pin;

use chrono::NaiveDateTime;
use futures_util::StreamExt as _;
use rust_decimal::Decimal;
use toss_client::{
    Answer, CancelRequest, CardNumbers, ConfirmRequest, Error, KeyInRequest, Payment,
    PaymentStatus, TransactionQuery, VirtualAccountRequest,
};

use super::world::World;

pub(super) fn won(amount: i64) -> Decimal {
    Decimal::from(amount)
}

pub(super) fn agrees(world: &World, payment: &Payment, order: &str, amount: i64) {
    if !world.is_recorded() {
        assert_eq!(payment.order_id, order);
        assert_eq!(payment.total_amount, won(amount));
        assert!(
            payment.extra.is_empty(),
            "not understood: {:?}",
            payment.extra
        );
    }
}

pub(super) async fn paid(world: &World, order: &str) -> Result<Answer<Payment>, Error> {
    let payment_key = world.authenticated(order, 1_000);
    let request = ConfirmRequest::new(payment_key, order, won(1_000));
    world.client.confirm(&request, &world.key()).await
}

pub(super) fn card() -> CardNumbers {
    // Toss's test environment issues and approves this one (measured by others).
    CardNumbers::new("9410001234567890", "30", "12", "900101").password("12")
}

pub(super) async fn confirm(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    agrees(&world, &payment, &order, 1_000);
    if !world.is_recorded() {
        assert_eq!(payment.status, PaymentStatus::Done);
    }
    Ok(())
}

pub(super) async fn get(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    let by_key = world.client.payment(&payment.payment_key).await?;
    let by_order = world.client.payment_by_order(&payment.order_id).await?;
    assert_eq!(by_key.value, payment.value);
    assert_eq!(by_order.value, payment.value);
    Ok(())
}

pub(super) async fn cancel(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    let request = CancelRequest::part_of(&payment, won(400), "변심");
    let canceled = world
        .client
        .cancel(&payment.payment_key, &request, &world.key())
        .await?;
    assert_eq!(canceled.balance_amount, Some(won(600)));
    assert_eq!(canceled.status, PaymentStatus::PartialCanceled);
    let rest = CancelRequest::new("변심");
    let canceled = world
        .client
        .cancel(&payment.payment_key, &rest, &world.key())
        .await?;
    assert!(world.is_recorded() || canceled.is_wholly_refunded());
    Ok(())
}

pub(super) async fn key_in(world: World) -> Result<(), Error> {
    let order = world.order();
    let request = KeyInRequest::new(&order, "책", won(1_000), &card());
    let payment = world.client.key_in(&request, &world.key()).await?;
    agrees(&world, &payment, &order, 1_000);
    Ok(())
}

pub(super) async fn virtual_account(world: World) -> Result<(), Error> {
    let order = world.order();
    let request =
        VirtualAccountRequest::new(&order, "책", won(1_000), "김토스", "20").valid_hours(24);
    let payment = world
        .client
        .issue_virtual_account(&request, &world.key())
        .await?;
    agrees(&world, &payment, &order, 1_000);
    assert_eq!(payment.status, PaymentStatus::WaitingForDeposit);
    let account = payment.virtual_account.as_ref().unwrap();
    assert!(account.account_number.is_some() && account.due_date.is_some());
    Ok(())
}

pub(super) async fn transactions(world: World) -> Result<(), Error> {
    let order = world.order();
    let begun = paid(&world, &order).await;
    let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").unwrap();
    let query = TransactionQuery::new(at("2020-01-01T00:00"), at("2099-01-01T00:00"));
    let page = world.client.transactions(&query).await?;
    if let Ok(payment) = begun
        && !world.is_recorded()
    {
        assert_eq!(page.len(), 1);
        assert_eq!(page[0].order_id.as_ref(), Some(&payment.order_id));
        let rows: Vec<_> = pin!(world.client.all_transactions(query)).collect().await;
        assert_eq!(rows.len(), 1);
    }
    for row in page.iter() {
        assert!(row.amount.is_some() && row.status.is_some(), "{row:?}");
    }
    Ok(())
}
