//! The cases, in the order of [`Endpoint::ALL`].

use std::pin::pin;

use chrono::{NaiveDate, NaiveDateTime};
use futures_util::StreamExt as _;
use rust_decimal::Decimal;
use toss_client::{
    AccessToken, Answer, BillingKeyRequest, BillingRequest, BrandpayPaymentRequest, BusinessType,
    CancelRequest, CardBillingKeyRequest, CardNumbers, CashReceiptQuery, CashReceiptRequest,
    CashReceiptType, ConfirmRequest, Endpoint, Error, IssueStatus, KeyInRequest, Payment,
    PaymentStatus, PayoutRequest, PayoutStatus, SecurityKey, SellerRequest, SellerStatus,
    SettlementQuery, TokenRequest, TransactionQuery, VirtualAccountRequest,
};

use super::{Alone, At, Case, world::World};

const BUYER: Alone = Alone::Needs("a buyer in a browser");
const CONTRACT: Alone = Alone::Needs("a contract of its own");
const LIVE: Alone = Alone::Needs("a live key");

/// To make a call against the sandbox once it has it, change its `At`.
pub(crate) const CASES: &[Case] = &[
    case(
        Endpoint::ConfirmPayment,
        "confirm",
        "confirm",
        At::Sandbox,
        BUYER,
        |w| Box::pin(confirm(w)),
    ),
    case(
        Endpoint::GetPayment,
        "payment",
        "refund",
        At::Sandbox,
        BUYER,
        |w| Box::pin(get(w)),
    ),
    case(
        Endpoint::GetPaymentByOrder,
        "payment_by_order",
        "confirm",
        At::Sandbox,
        BUYER,
        |w| Box::pin(get(w)),
    ),
    case(
        Endpoint::CancelPayment,
        "cancel",
        "refund",
        At::Sandbox,
        BUYER,
        |w| Box::pin(cancel(w)),
    ),
    case(
        Endpoint::KeyInPayment,
        "key_in",
        "billing",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(key_in(w)),
    ),
    case(
        Endpoint::IssueVirtualAccount,
        "issue_virtual_account",
        "virtual_account",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(virtual_account(w)),
    ),
    case(
        Endpoint::IssueBillingKey,
        "issue_billing_key",
        "billing",
        At::Recorded,
        BUYER,
        |w| Box::pin(billing_by_window(w)),
    ),
    case(
        Endpoint::IssueBillingKeyByCard,
        "issue_billing_key_by_card",
        "billing",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(billing(w)),
    ),
    case(
        Endpoint::ApproveBilling,
        "approve_billing",
        "billing",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(billing(w)),
    ),
    case(
        Endpoint::DeleteBillingKey,
        "delete_billing_key",
        "billing",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(billing(w)),
    ),
    case(
        Endpoint::ListTransactions,
        "transactions",
        "books",
        At::Sandbox,
        Alone::Yes,
        |w| Box::pin(transactions(w)),
    ),
    case(
        Endpoint::ListSettlements,
        "settlements",
        "books",
        At::Recorded,
        LIVE,
        |w| Box::pin(settlements(w)),
    ),
    case(
        Endpoint::RequestSettlement,
        "request_settlement",
        "books",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(request_settlement(w)),
    ),
    case(
        Endpoint::IssueCashReceipt,
        "issue_cash_receipt",
        "books",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(cash_receipt(w)),
    ),
    case(
        Endpoint::CancelCashReceipt,
        "cancel_cash_receipt",
        "books",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(cash_receipt(w)),
    ),
    case(
        Endpoint::ListCashReceipts,
        "cash_receipts",
        "books",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(cash_receipts(w)),
    ),
    case(
        Endpoint::ListPromotions,
        "promotions",
        "books",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(promotions(w)),
    ),
    case(
        Endpoint::ListCardPromotions,
        "card_promotions",
        "books",
        At::Recorded,
        Alone::Yes,
        |w| Box::pin(promotions(w)),
    ),
    case(
        Endpoint::GetBalance,
        "balances",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(payouts(w)),
    ),
    case(
        Endpoint::RequestPayouts,
        "request_payouts",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(payouts(w)),
    ),
    case(
        Endpoint::ListPayouts,
        "payouts",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(payouts(w)),
    ),
    case(
        Endpoint::GetPayout,
        "payout",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(payouts(w)),
    ),
    case(
        Endpoint::CancelPayout,
        "cancel_payout",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(payouts(w)),
    ),
    case(
        Endpoint::RegisterSeller,
        "register_seller",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(sellers(w)),
    ),
    case(
        Endpoint::ListSellers,
        "sellers",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(sellers(w)),
    ),
    case(
        Endpoint::GetSeller,
        "seller",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(sellers(w)),
    ),
    case(
        Endpoint::UpdateSeller,
        "update_seller",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(sellers(w)),
    ),
    case(
        Endpoint::DeleteSeller,
        "delete_seller",
        "payouts",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(sellers(w)),
    ),
    case(
        Endpoint::GetBrandpayTerms,
        "brandpay_terms",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_token(w)),
    ),
    case(
        Endpoint::AgreeBrandpayTerms,
        "agree_brandpay_terms",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_token(w)),
    ),
    case(
        Endpoint::IssueBrandpayToken,
        "issue_brandpay_token",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_token(w)),
    ),
    case(
        Endpoint::ListBrandpayMethods,
        "brandpay_methods",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_methods(w)),
    ),
    case(
        Endpoint::ListBrandpayMethodsOfCustomer,
        "brandpay_methods_of",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_methods(w)),
    ),
    case(
        Endpoint::RemoveBrandpayCard,
        "remove_brandpay_card",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_removals(w)),
    ),
    case(
        Endpoint::RemoveBrandpayAccount,
        "remove_brandpay_account",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_removals(w)),
    ),
    case(
        Endpoint::RemoveBrandpayCustomer,
        "remove_brandpay_customer",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_removals(w)),
    ),
    case(
        Endpoint::ConfirmBrandpay,
        "confirm_brandpay",
        "brandpay",
        At::Recorded,
        BUYER,
        |w| Box::pin(brandpay_payments(w)),
    ),
    case(
        Endpoint::PayBrandpay,
        "pay_brandpay",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_payments(w)),
    ),
    case(
        Endpoint::ListBrandpayCardPromotions,
        "brandpay_card_promotions",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_promotions(w)),
    ),
    case(
        Endpoint::ListBrandpayBankPromotions,
        "brandpay_bank_promotions",
        "brandpay",
        At::Recorded,
        CONTRACT,
        |w| Box::pin(brandpay_promotions(w)),
    ),
];

const fn case(
    endpoint: Endpoint,
    call: &'static str,
    example: &'static str,
    at: At,
    alone: Alone,
    make: fn(World) -> super::Outcome,
) -> Case {
    Case {
        endpoint,
        call,
        example,
        at,
        alone,
        make,
    }
}

fn won(amount: i64) -> Decimal {
    Decimal::from(amount)
}

/// What is asked for must be what comes back, where anything but a recorded shape answers.
fn agrees(world: &World, payment: &Payment, order: &str, amount: i64) {
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

async fn paid(world: &World, order: &str) -> Result<Answer<Payment>, Error> {
    let payment_key = world.authenticated(order, 1_000);
    let request = ConfirmRequest::new(payment_key, order, won(1_000));
    world.client.confirm(&request, &world.key()).await
}

async fn confirm(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    agrees(&world, &payment, &order, 1_000);
    if !world.is_recorded() {
        assert_eq!(payment.status, PaymentStatus::Done);
    }
    Ok(())
}

async fn get(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    let by_key = world.client.payment(&payment.payment_key).await?;
    let by_order = world.client.payment_by_order(&payment.order_id).await?;
    assert_eq!(by_key.value, payment.value);
    assert_eq!(by_order.value, payment.value);
    Ok(())
}

async fn cancel(world: World) -> Result<(), Error> {
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

fn card() -> CardNumbers {
    // Toss's test environment issues and approves this one (measured by others).
    CardNumbers::new("9410001234567890", "30", "12", "900101").password("12")
}

async fn key_in(world: World) -> Result<(), Error> {
    let order = world.order();
    let request = KeyInRequest::new(&order, "책", won(1_000), &card());
    let payment = world.client.key_in(&request, &world.key()).await?;
    agrees(&world, &payment, &order, 1_000);
    Ok(())
}

async fn virtual_account(world: World) -> Result<(), Error> {
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

async fn billing_by_window(world: World) -> Result<(), Error> {
    let request = BillingKeyRequest::new("auth-key", "customer-1");
    let issued = world
        .client
        .issue_billing_key(&request, &world.key())
        .await?;
    assert_eq!(issued.customer_key(), Some("customer-1"));
    Ok(())
}

async fn billing(world: World) -> Result<(), Error> {
    let client = &world.client;
    let request = CardBillingKeyRequest::new("customer-1", &card());
    let issued = client
        .issue_billing_key_by_card(&request, &world.key())
        .await?;
    assert_eq!(issued.customer_key(), Some("customer-1"));
    assert!(issued.card().is_some() && issued.authenticated_at().is_some());
    let billing_key = issued.billing_key();
    let order = world.order();
    let charge = BillingRequest::new("customer-1", &order, "구독", won(1_000));
    let payment = client
        .approve_billing(billing_key.expose(), &charge, &world.key())
        .await?;
    agrees(&world, &payment, &order, 1_000);
    client.delete_billing_key(billing_key.expose()).await?;
    Ok(())
}

fn day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 1, 1).unwrap()
}

async fn transactions(world: World) -> Result<(), Error> {
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

async fn settlements(world: World) -> Result<(), Error> {
    let query = SettlementQuery::new(day(), day());
    for row in world.client.settlements(&query).await?.iter() {
        let fees: Decimal = row.fees().iter().filter_map(|fee| fee.amount).sum();
        let kept = row.amount().unwrap() - row.pay_out_amount().unwrap();
        assert_eq!(fees, kept, "{row:?}");
        assert!(row.sold_date().unwrap().at().is_some());
    }
    Ok(())
}

async fn request_settlement(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment = paid(&world, &order).await?;
    world
        .client
        .request_settlement(&payment.payment_key, &world.key())
        .await
        .map(drop)
}

async fn cash_receipt(world: World) -> Result<(), Error> {
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

async fn cash_receipts(world: World) -> Result<(), Error> {
    let page = world
        .client
        .cash_receipts(&CashReceiptQuery::new(day()))
        .await?;
    for receipt in &page.items {
        assert!(receipt.amount().is_some() && !receipt.receipt_key().is_empty());
    }
    Ok(())
}

async fn promotions(world: World) -> Result<(), Error> {
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

/// What the sandbox is given too, once it has these calls.
fn security_key() -> SecurityKey {
    SecurityKey::parse(&"0".repeat(64)).unwrap()
}

async fn payouts(world: World) -> Result<(), Error> {
    let client = &world.client;
    assert!(client.balances().await?.available().is_some());
    let request = PayoutRequest::express(world.order(), "seller-1", won(5_000));
    let asked = client
        .request_payouts(&[request], &security_key(), &world.key())
        .await?;
    assert_eq!(asked[0].status(), Some(PayoutStatus::Requested));
    assert_eq!(asked[0].amount(), Some(won(5_000)));
    let id = asked[0].id();
    assert!(!client.payouts(None, None).await?.items.is_empty());
    assert_eq!(client.payout(id).await?.id(), id);
    let canceled = client.cancel_payout(id, &world.key()).await?;
    assert_eq!(canceled.status(), Some(PayoutStatus::Canceled));
    Ok(())
}

async fn sellers(world: World) -> Result<(), Error> {
    let client = &world.client;
    let key = security_key();
    let request = SellerRequest::new(world.order(), BusinessType::Individual, "092", "1000", "김")
        .individual("김토스", "seller@example.com", "01012345678");
    let registered = client.register_seller(&request, &key, &world.key()).await?;
    assert_eq!(registered.status(), Some(SellerStatus::ApprovalRequired));
    let id = registered.id();
    assert!(!client.sellers(None, None).await?.items.is_empty());
    let all: Vec<_> = pin!(client.all_sellers()).collect().await;
    assert!(all.iter().all(Result::is_ok) && !all.is_empty());
    assert_eq!(client.seller(id).await?.id(), id);
    let updated = client
        .update_seller(id, &request, &key, &world.key())
        .await?;
    assert_eq!(updated.id(), id);
    client.delete_seller(id).await.map(drop)
}

async fn brandpay_token(world: World) -> Result<(), Error> {
    let client = &world.client;
    let terms = client.brandpay_terms("customer-1", "REGISTER").await?;
    let id = terms[0].id().unwrap();
    let agreed = client
        .agree_brandpay_terms("customer-1", "REGISTER", &[&id], &world.key())
        .await?;
    let request = TokenRequest::with_code("customer-1", agreed.text("code").unwrap());
    let token = client.issue_brandpay_token(&request, &world.key()).await?;
    assert!(token.expires_in.is_some() && token.refresh_token.is_some());
    Ok(())
}

async fn brandpay_methods(world: World) -> Result<(), Error> {
    let token = AccessToken::new("access-1");
    let own = world.client.brandpay_methods(&token).await?;
    assert_eq!(own.cards()[0].text("methodKey"), Some("method-1"));
    let asked = world.client.brandpay_methods_of("customer-1").await?;
    assert_eq!(asked.cards().len(), 1);
    Ok(())
}

async fn brandpay_removals(world: World) -> Result<(), Error> {
    let (client, token) = (&world.client, AccessToken::new("access-1"));
    let card = client
        .remove_brandpay_card("method-1", &token, &world.key())
        .await?;
    assert_eq!(card.text("methodKey"), Some("method-1"));
    let account = client
        .remove_brandpay_account("method-2", &token, &world.key())
        .await?;
    assert_eq!(account.text("methodKey"), Some("method-2"));
    client
        .remove_brandpay_customer(&token, &world.key())
        .await
        .map(drop)
}

async fn brandpay_payments(world: World) -> Result<(), Error> {
    let order = world.order();
    let payment_key = world.authenticated(&order, 1_000);
    let request = ConfirmRequest::new(payment_key, &order, won(1_000));
    let confirmed = world
        .client
        .confirm_brandpay("customer-1", &request, &world.key())
        .await?;
    agrees(&world, &confirmed, &order, 1_000);
    let order = world.order();
    let request = BrandpayPaymentRequest::new("customer-1", "method-1", &order, "책", won(1_000));
    let paid = world.client.pay_brandpay(&request, &world.key()).await?;
    agrees(&world, &paid, &order, 1_000);
    Ok(())
}

async fn brandpay_promotions(world: World) -> Result<(), Error> {
    let cards = world.client.brandpay_card_promotions().await?;
    assert!(cards.fields().get("interestFreeCards").is_some());
    let banks = world.client.brandpay_bank_promotions().await?;
    assert!(banks.fields().get("discountBanks").is_some());
    Ok(())
}
