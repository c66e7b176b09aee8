//! Issues a virtual account without a window.
//!
//! `TOSS_SECRET_KEY=test_sk_… cargo run -p toss-client --example virtual_account -- ORDER_ID AMOUNT`
#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod shop;

use toss_client::{CashReceiptType, IdempotencyKey, TossClientBuilder, VirtualAccountRequest};

#[tokio::main]
async fn main() -> shop::Outcome {
    let arguments = shop::arguments("virtual_account ORDER_ID AMOUNT")?;
    run(shop::builder()?, arguments).await
}

/// All it does; a test runs it against the sandbox.
pub(crate) async fn run(
    settings: TossClientBuilder,
    [order, amount]: [String; 2],
) -> shop::Outcome {
    let client = settings.build()?;
    let request = VirtualAccountRequest::new(&order, "책", amount.parse()?, "김토스", "20")
        .valid_hours(24)
        .cash_receipt(CashReceiptType::IncomeDeduction, "01012345678");
    let key = IdempotencyKey::parse(format!("{order}:va"))?;
    let payment = client.issue_virtual_account(&request, &key).await?;
    let account = payment.virtual_account.as_ref().ok_or("no account")?;
    println!("{} until {:?}", payment.status, account.due_date);
    // Store the secret now: the webhook that tells of the deposit is proved by it.
    println!("secret: {}", payment.secret.is_some());
    Ok(())
}
