//! The cases, in the order of [`Endpoint::ALL`].

use toss_client::Endpoint;

use super::{Alone, Case, billing, books, brandpay, payments, payouts, world::World};

const BUYER: Alone = Alone::Needs("a buyer in a browser");
const CONTRACT: Alone = Alone::Needs("a contract of its own");
const LIVE: Alone = Alone::Needs("a live key");

pub(crate) const CASES: &[Case] = &[
    case(Endpoint::ConfirmPayment, "confirm", "confirm", BUYER, |w| {
        Box::pin(payments::confirm(w))
    }),
    case(Endpoint::GetPayment, "payment", "refund", BUYER, |w| {
        Box::pin(payments::get(w))
    }),
    case(
        Endpoint::GetPaymentByOrder,
        "payment_by_order",
        "books",
        BUYER,
        |w| Box::pin(payments::get(w)),
    ),
    case(Endpoint::CancelPayment, "cancel", "refund", BUYER, |w| {
        Box::pin(payments::cancel(w))
    }),
    case(Endpoint::KeyInPayment, "key_in", "billing", CONTRACT, |w| {
        Box::pin(payments::key_in(w))
    }),
    case(
        Endpoint::IssueVirtualAccount,
        "issue_virtual_account",
        "virtual_account",
        Alone::Yes,
        |w| Box::pin(payments::virtual_account(w)),
    ),
    case(
        Endpoint::IssueBillingKey,
        "issue_billing_key",
        "billing",
        BUYER,
        |w| Box::pin(billing::billing_by_window(w)),
    ),
    case(
        Endpoint::IssueBillingKeyByCard,
        "issue_billing_key_by_card",
        "billing",
        Alone::Yes,
        |w| Box::pin(billing::billing(w)),
    ),
    case(
        Endpoint::ApproveBilling,
        "approve_billing",
        "billing",
        Alone::Yes,
        |w| Box::pin(billing::billing(w)),
    ),
    case(
        Endpoint::DeleteBillingKey,
        "delete_billing_key",
        "billing",
        Alone::Yes,
        |w| Box::pin(billing::billing(w)),
    ),
    case(
        Endpoint::ListTransactions,
        "transactions",
        "books",
        Alone::Yes,
        |w| Box::pin(payments::transactions(w)),
    ),
    case(
        Endpoint::ListSettlements,
        "settlements",
        "books",
        LIVE,
        |w| Box::pin(books::settlements(w)),
    ),
    case(
        Endpoint::RequestSettlement,
        "request_settlement",
        "books",
        CONTRACT,
        |w| Box::pin(books::request_settlement(w)),
    ),
    case(
        Endpoint::IssueCashReceipt,
        "issue_cash_receipt",
        "books",
        Alone::Yes,
        |w| Box::pin(books::cash_receipt(w)),
    ),
    case(
        Endpoint::CancelCashReceipt,
        "cancel_cash_receipt",
        "books",
        Alone::Yes,
        |w| Box::pin(books::cash_receipt(w)),
    ),
    case(
        Endpoint::ListCashReceipts,
        "cash_receipts",
        "books",
        Alone::Yes,
        |w| Box::pin(books::cash_receipts(w)),
    ),
    case(
        Endpoint::ListPromotions,
        "promotions",
        "books",
        Alone::Yes,
        |w| Box::pin(books::promotions(w)),
    ),
    case(
        Endpoint::ListCardPromotions,
        "card_promotions",
        "books",
        Alone::Yes,
        |w| Box::pin(books::promotions(w)),
    ),
    case(Endpoint::GetBalance, "balances", "payouts", CONTRACT, |w| {
        Box::pin(payouts::payouts(w))
    }),
    case(
        Endpoint::RequestPayouts,
        "request_payouts",
        "payouts",
        CONTRACT,
        |w| Box::pin(payouts::payouts(w)),
    ),
    case(Endpoint::ListPayouts, "payouts", "payouts", CONTRACT, |w| {
        Box::pin(payouts::payouts(w))
    }),
    case(Endpoint::GetPayout, "payout", "payouts", CONTRACT, |w| {
        Box::pin(payouts::payouts(w))
    }),
    case(
        Endpoint::CancelPayout,
        "cancel_payout",
        "payouts",
        CONTRACT,
        |w| Box::pin(payouts::payouts(w)),
    ),
    case(
        Endpoint::RegisterSeller,
        "register_seller",
        "payouts",
        CONTRACT,
        |w| Box::pin(payouts::sellers(w)),
    ),
    case(Endpoint::ListSellers, "sellers", "payouts", CONTRACT, |w| {
        Box::pin(payouts::sellers(w))
    }),
    case(Endpoint::GetSeller, "seller", "payouts", CONTRACT, |w| {
        Box::pin(payouts::sellers(w))
    }),
    case(
        Endpoint::UpdateSeller,
        "update_seller",
        "payouts",
        CONTRACT,
        |w| Box::pin(payouts::sellers(w)),
    ),
    case(
        Endpoint::DeleteSeller,
        "delete_seller",
        "payouts",
        CONTRACT,
        |w| Box::pin(payouts::sellers(w)),
    ),
    case(
        Endpoint::GetBrandpayTerms,
        "brandpay_terms",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_token(w)),
    ),
    case(
        Endpoint::AgreeBrandpayTerms,
        "agree_brandpay_terms",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_token(w)),
    ),
    case(
        Endpoint::IssueBrandpayToken,
        "issue_brandpay_token",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_token(w)),
    ),
    case(
        Endpoint::ListBrandpayMethods,
        "brandpay_methods",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_methods(w)),
    ),
    case(
        Endpoint::ListBrandpayMethodsOfCustomer,
        "brandpay_methods_of",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_methods(w)),
    ),
    case(
        Endpoint::RemoveBrandpayCard,
        "remove_brandpay_card",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_removals(w)),
    ),
    case(
        Endpoint::RemoveBrandpayAccount,
        "remove_brandpay_account",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_removals(w)),
    ),
    case(
        Endpoint::RemoveBrandpayCustomer,
        "remove_brandpay_customer",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_removals(w)),
    ),
    case(
        Endpoint::ConfirmBrandpay,
        "confirm_brandpay",
        "brandpay",
        BUYER,
        |w| Box::pin(brandpay::brandpay_payments(w)),
    ),
    case(
        Endpoint::PayBrandpay,
        "pay_brandpay",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_payments(w)),
    ),
    case(
        Endpoint::ListBrandpayCardPromotions,
        "brandpay_card_promotions",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_promotions(w)),
    ),
    case(
        Endpoint::ListBrandpayBankPromotions,
        "brandpay_bank_promotions",
        "brandpay",
        CONTRACT,
        |w| Box::pin(brandpay::brandpay_promotions(w)),
    ),
];

const fn case(
    endpoint: Endpoint,
    call: &'static str,
    example: &'static str,
    alone: Alone,
    make: fn(World) -> super::Outcome,
) -> Case {
    Case {
        endpoint,
        call,
        example,
        alone,
        make,
    }
}
