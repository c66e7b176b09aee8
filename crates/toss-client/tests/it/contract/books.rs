//! What Toss keeps books of: settlements, cash receipts, promotions.

use rust_decimal::Decimal;
use toss_client::{
    CashReceiptQuery, CashReceiptRequest, CashReceiptType, Error, IssueStatus, SettlementQuery,
};

use super::{
    payments::{paid, won},
    world::World,
};

pub(super) async fn settlements(world: World) -> Result<(), Error> {
    let order = world.order();
    // A recorded shape answers whatever is asked; elsewhere a sale is listed from the next day on.
    let payment = paid(&world, &order).await?;
    let day = world.day();
    world.wait_days(1);
    let rows = world
        .client
        .settlements(&SettlementQuery::new(day, day))
        .await?;
    if !world.is_recorded() {
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].payment_key(), Some(payment.payment_key.as_str()));
    }
    for row in rows.iter() {
        let fees: Decimal = row.fees().iter().filter_map(|fee| fee.amount).sum();
        let kept = row.amount().unwrap() - row.pay_out_amount().unwrap();
        assert_eq!(fees, kept, "{row:?}");
        assert!(row.sold_date().unwrap().at().is_some());
    }
    Ok(())
}

pub(super) async fn request_settlement(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    world
        .client
        .request_settlement(&payment.payment_key, &world.key())
        .await
        .map(drop)
}

pub(super) async fn cash_receipt(world: World) -> Result<(), Error> {
    let kind = CashReceiptType::IncomeDeduction;
    let order = world.order();
    let request =
        CashReceiptRequest::new(kind, won(1_000), order, "책", CashReceiptRequest::ANONYMOUS);
    let issued = world
        .client
        .issue_cash_receipt(&request, &world.key())
        .await?;
    assert_eq!(issued.amount(), Some(won(1_000)));
    assert_eq!(issued.issue_status(), Some(IssueStatus::InProgress));
    let canceled = world
        .client
        .cancel_cash_receipt(issued.receipt_key(), None, &world.key())
        .await?;
    assert_eq!(canceled.transaction_type(), Some("CANCEL"));
    Ok(())
}

pub(super) async fn cash_receipts(world: World) -> Result<(), Error> {
    let kind = CashReceiptType::IncomeDeduction;
    let anonymous = CashReceiptRequest::ANONYMOUS;
    let request = CashReceiptRequest::new(kind, won(1_000), world.order(), "책", anonymous);
    let issued = world
        .client
        .issue_cash_receipt(&request, &world.key())
        .await?;
    let page = world
        .client
        .cash_receipts(&CashReceiptQuery::new(world.day()))
        .await?;
    assert!(!page.items.is_empty());
    for receipt in &page.items {
        assert_eq!(
            receipt.amount().is_some(),
            !receipt.receipt_key().is_empty()
        );
        if !world.is_recorded() {
            assert_eq!(receipt.receipt_key(), issued.receipt_key());
        }
    }
    Ok(())
}

pub(super) async fn promotions(world: World) -> Result<(), Error> {
    let all = world.client.promotions().await?;
    let cards = world.client.card_promotions().await?;
    for found in [&all, &cards] {
        for card in found.interest_free_cards() {
            assert!(card.text("issuerCode").is_some(), "{card:?}");
        }
        assert!(found.fields().get("interestFreeCards").is_some());
    }
    Ok(())
}
