//! Reads the books: transactions as a stream, settlements, cash receipts, promotions.
//!
//! `TOSS_SECRET_KEY=test_sk_… cargo run -p toss-client --example books -- DAY ORDER_ID`
//!
//! `DAY` is a Korean day, for instance 2026-01-31.
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use std::pin::pin;

use chrono::{NaiveDate, NaiveTime, TimeDelta};
use futures_util::StreamExt as _;
use rust_decimal::Decimal;
use toss_client::{
    CashReceiptQuery, CashReceiptRequest, CashReceiptType, Error, IdempotencyKey, SettlementQuery,
    TossClientBuilder, TransactionQuery,
};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("books DAY ORDER_ID")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(settings: TossClientBuilder, [day, order]: [String; 2]) -> shop::Outcome {
    let day: NaiveDate = day.parse()?;
    let client = settings.build()?;
    let key = |use_: &str| IdempotencyKey::parse(format!("{order}:{use_}"));

    let midnight = day.and_time(NaiveTime::MIN);
    let query = TransactionQuery::new(midnight, midnight + TimeDelta::days(1)).limit(1_000);
    println!(
        "{} on the first page",
        client.transactions(&query).await?.len()
    );
    let mut rows = pin!(client.all_transactions(query));
    let mut balance = Decimal::ZERO;
    while let Some(row) = rows.next().await {
        balance += row?.amount.unwrap_or_default();
    }
    println!("moved on {day}: {balance}");

    match client.settlements(&SettlementQuery::new(day, day)).await {
        Ok(rows) => println!("{} settlements", rows.len()),
        Err(error @ Error::Rejected { .. }) => println!("settlements need a live key: {error}"),
        Err(error) => return Err(error.into()),
    }
    match client.payment_by_order(&order).await {
        Ok(payment) => {
            client
                .request_settlement(&payment.payment_key, &key("settle")?)
                .await?;
            println!("asked for its settlement");
        }
        Err(error @ Error::Rejected { .. }) => println!("no payment {order}: {error}"),
        Err(error) => return Err(error.into()),
    }

    let request = CashReceiptRequest::new(
        CashReceiptType::IncomeDeduction,
        Decimal::from(1_000),
        &order,
        "책",
        CashReceiptRequest::ANONYMOUS,
    );
    let receipt = client
        .issue_cash_receipt(&request, &key("receipt")?)
        .await?;
    println!("{:?}", receipt.issue_status());
    client
        .cancel_cash_receipt(receipt.receipt_key(), None, &key("receipt-cancel")?)
        .await?;
    let page = client.cash_receipts(&CashReceiptQuery::new(day)).await?;
    println!("{} cash receipts", page.items.len());

    let free = client.promotions().await?.interest_free_cards().len();
    let cards = client.card_promotions().await?.discount_cards().len();
    println!("{free} cards without interest, {cards} with a discount");
    Ok(())
}
