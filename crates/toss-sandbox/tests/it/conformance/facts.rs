//! The facts of the table that code cannot tell by itself.

use toss_sandbox::Endpoint;

pub(super) const DOCUMENTED: &str = "as documented";
pub(super) const MEASURED: &str = "measured by others";
pub(super) const ASSUMED: &str = "assumed";

/// What Toss does that its objects and codes do not show: the fact, its evidence, its test.
pub(super) const QUIRKS: [(&str, &str, &str); 54] = [
    (
        "A window lapses after 30 minutes, an authenticated payment after 10",
        DOCUMENTED,
        "an_authenticated_payment_expires_after_ten_minutes",
    ),
    (
        "Partial cancels that add up leave `PARTIAL_CANCELED` with balance 0; then 403 `NOT_CANCELABLE_AMOUNT`; after one full cancel 400 `ALREADY_CANCELED_PAYMENT`",
        MEASURED,
        "cancels_reach_tosss_states_and_refusals",
    ),
    (
        "`vat` is an eleventh of what is taxed of the balance, rounded, after each cancel",
        DOCUMENTED,
        "no_sequence_charges_an_order_twice_or_loses_a_won",
    ),
    (
        "An overdue account stays `WAITING_FOR_DEPOSIT` with `expired: true`, and nothing is sent",
        DOCUMENTED,
        "an_account_s_deposit_is_told_twice_with_its_secret_and_its_expiry_never",
    ),
    (
        "A deposit error leads from `DONE` back to `WAITING_FOR_DEPOSIT`",
        DOCUMENTED,
        "an_account_is_issued_by_call_paid_into_reversed_and_refunded",
    ),
    (
        "A refund's account is shown for 30 minutes",
        DOCUMENTED,
        "an_account_is_issued_by_call_paid_into_reversed_and_refunded",
    ),
    (
        "A phone bill is cancelled within its month, a transfer within 180 days",
        DOCUMENTED,
        "a_phone_bill_can_be_cancelled_in_its_month_and_a_transfer_for_half_a_year",
    ),
    (
        "Idempotency keys: by key, URL and method, blind to the body; 15 days; 4xx are replayed byte by byte",
        MEASURED,
        "a_key_replays_the_first_answer_byte_by_byte",
    ),
    (
        "A 5xx is stored under its idempotency key (`replay_server_errors`)",
        ASSUMED,
        "whether_a_server_error_is_replayed_is_a_setting",
    ),
    (
        "`TossPayments-Test-Code` comes before the payment key is looked at",
        MEASURED,
        "a_test_code_answers_for_a_made_up_payment",
    ),
    (
        "Every code of the table is answered by test code, with its status, in both languages",
        DOCUMENTED,
        "every_code_is_had_by_test_code_with_its_status_in_both_languages",
    ),
    (
        "A confirm with another order's id or amount (`order_mismatch_code`, `amount_mismatch_code`)",
        ASSUMED,
        "the_codes_of_a_mismatch_are_settings",
    ),
    (
        "A confirm of an expired payment, a second DELETE of a billing key, an escrow's partial cancel, a customer key above 300 characters (`Unknowns`)",
        ASSUMED,
        "what_toss_leaves_open_is_a_setting",
    ),
    (
        "A confirm of a payment key that nobody was given, the answer beyond a rate limit, the text of a 409, idempotency keys of DELETE (`Unknowns`)",
        ASSUMED,
        "what_toss_says_nothing_of_is_a_setting",
    ),
    (
        "A payment opened with a widget's client key is confirmed with its secret key alone",
        DOCUMENTED,
        "a_widget_needs_its_own_keys_from_window_to_confirm",
    ),
    (
        "Cards that begin with 433012 register and refuse to be charged",
        MEASURED,
        "a_card_that_only_registers_is_refused_when_charged",
    ),
    (
        "An `authKey` issues one billing key, then 404 `NOT_FOUND_BILLING`",
        MEASURED,
        "an_auth_key_issues_one_billing_key_to_its_customer",
    ),
    (
        "DELETE of a billing key answers 200 with an empty body",
        DOCUMENTED,
        "a_billing_key_is_issued_charged_and_deleted",
    ),
    (
        "Version 2024-06-01 has no `cardCompany` and `cardNumber` in the Billing object",
        DOCUMENTED,
        "what_toss_leaves_open_is_a_setting",
    ),
    (
        "One order may have several cash receipts; a cancel's key gains `c_`; the tax office decides later",
        MEASURED,
        "a_cash_receipt_is_decided_later_cancelled_in_parts_and_listed",
    ),
    (
        "Settlements are listed from the next day on; fee of 3 % and payout after two working days",
        ASSUMED,
        "settlements_follow_from_what_was_paid_from_the_next_day_on",
    ),
    (
        "Payouts are all made or none, the first error is the answer",
        DOCUMENTED,
        "payouts_are_all_made_or_none",
    ),
    (
        "Payouts to three test accounts fail",
        DOCUMENTED,
        "a_payout_to_a_failing_account_fails_and_a_scheduled_one_can_be_cancelled",
    ),
    (
        "ENCRYPTION mode: compact JWE, `dir` and `A256GCM`, `iat` and `nonce` in the head",
        DOCUMENTED,
        "what_is_sealed_is_opened_and_nothing_else_is",
    ),
    (
        "The code for a call that should be encrypted and is not: `INVALID_ENCRYPTION`",
        ASSUMED,
        "calls_that_must_be_encrypted_are_refused_otherwise",
    ),
    (
        "A webhook that is not answered 200 is sent again after 1, 4, 16, 64, 256, 1024, 4096 minutes with the same id",
        DOCUMENTED,
        "an_event_is_sent_again_at_tosss_times_with_the_same_id_and_then_given_up",
    ),
    (
        "A webhook must be answered within ten seconds (`webhook_timeout`)",
        DOCUMENTED,
        "a_merchant_that_takes_too_long_is_told_again",
    ),
    (
        "`DEPOSIT_CALLBACK` is flat and carries the payment's secret; both events come for an account",
        DOCUMENTED,
        "an_account_s_deposit_is_told_twice_with_its_secret_and_its_expiry_never",
    ),
    (
        "Billing payments send no event; a deleted key does",
        DOCUMENTED,
        "billing_tells_of_a_deleted_key_and_of_no_payment",
    ),
    (
        "Events of payouts and sellers are signed, with both keys while both hold",
        DOCUMENTED,
        "a_signature_is_made_with_each_key",
    ),
    (
        "The security key signs as 32 bytes, or as text (`hmac_key_as_text`)",
        ASSUMED,
        "the_key_can_be_taken_as_text",
    ),
    (
        "A page without return addresses gets a Promise; widgets choose the method",
        DOCUMENTED,
        "a_page_pays_by_promise_by_widget_and_registers_a_card_with_the_script_alone",
    ),
    (
        "Closing the window: `PAY_PROCESS_CANCELED` without an order id, and the payment stays `READY`",
        DOCUMENTED,
        "a_closed_window_names_no_order_and_a_declined_one_does",
    ),
    (
        "A window for a billing card lapses after 30 minutes as well",
        ASSUMED,
        "a_window_for_a_billing_card_lapses_as_well",
    ),
    (
        "Cancels are negative in the list of transactions (`cancel_amounts_negative`)",
        ASSUMED,
        "a_setting_makes_the_amounts_of_cancels_positive",
    ),
    (
        "Wallets abroad take dollars alone; cards take won, dollars and yen; all else won; another currency is `INVALID_CURRENCY`",
        DOCUMENTED,
        "a_currency_that_a_method_does_not_have_is_refused",
    ),
    (
        "Amounts in dollars have two decimals, and `vat` is rounded to the cent after each cancel",
        MEASURED,
        "a_wallet_abroad_is_paid_in_dollars_and_cancelled_in_cents",
    ),
    (
        "A wallet abroad: `method` 해외간편결제, `easyPay` a bare name, no `secret`, no receipt",
        MEASURED,
        "a_wallet_abroad_is_paid_in_dollars_and_cancelled_in_cents",
    ),
    (
        "Payments with PayPal can be cancelled for 180 days, in the currency that they were approved in",
        DOCUMENTED,
        "a_wallet_abroad_is_paid_in_dollars_and_cancelled_in_cents",
    ),
    (
        "A payment in dollars or yen has no least amount but the smallest unit; a fraction that the currency does not have is `INVALID_REQUEST`",
        ASSUMED,
        "a_card_is_paid_in_yen_without_fractions",
    ),
    (
        "What is not in won is in no settlement and no balance (documented for PayPal)",
        ASSUMED,
        "what_is_not_won_is_listed_in_its_currency_and_never_settled",
    ),
    (
        "A settlement's `fee` and the sum of its `fees` are with their tax: `supplyAmount` and `vat` together",
        MEASURED,
        "settlements_follow_from_what_was_paid_from_the_next_day_on",
    ),
    (
        "A `refSellerId` has at most 20 characters",
        MEASURED,
        "the_merchant_s_own_ids_are_bounded",
    ),
    (
        "A `refPayoutId` has at most 40 characters",
        ASSUMED,
        "the_merchant_s_own_ids_are_bounded",
    ),
    (
        "`vbv` is `{cavv, xid, eci}`; its values are not looked at",
        ASSUMED,
        "the_authentication_of_a_card_abroad_has_three_texts",
    ),
    (
        "The script's `requestPaymentWindow` (Toss's type declarations) opens a window of cards and wallets without a widget on the page; `renderPaymentWindow` and brandpay's own pages are refused with `NOT_SUPPORTED`",
        DOCUMENTED,
        "a_window_of_widgets_needs_none_on_the_page_and_what_is_not_offered_says_so",
    ),
    (
        "No `vat` is in `taxExemptionAmount`, which goes back with the rest or as a cancel says",
        ASSUMED,
        "what_is_no_sale_is_untaxed_and_goes_back_with_the_rest",
    ),
    (
        "`interestPayer`: the buyer; the merchant for `useFreeInstallmentPlan` and `freeInstallmentPlans`; the card company for what `GET /v1/promotions` lists",
        DOCUMENTED,
        "installments_say_who_pays_their_interest",
    ),
    (
        "`useCardPoint` uses a card's points or forbids it, and else the buyer chooses; a card without any is declined at approval with `NOT_ALLOWED_POINT_USE`",
        DOCUMENTED,
        "points_are_used_where_the_card_has_them_and_the_page_allows_it",
    ),
    (
        "`discountCode`: `discount.amount` is included in `card.amount`, and a partial cancel below it is `EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT`; that the first cancel takes all of it back, and that an unknown code is none, is assumed",
        DOCUMENTED,
        "an_instant_discount_is_the_card_company_s_and_goes_back_with_the_first_cancel",
    ),
    (
        "`accountKey`: `accountType` 고정, and the same number for the same key and bank; sent as text or number",
        MEASURED,
        "a_fixed_account_keeps_its_number_for_every_order_of_its_key",
    ),
    (
        "Wallets abroad but PayPal decide on a cancel later: `cancelStatus` `IN_PROGRESS` with the `cancelRequestId` that was sent, then `DONE` or `ABORTED` and `CANCEL_STATUS_CHANGED` with the Cancel object",
        DOCUMENTED,
        "a_wallet_abroad_decides_on_a_cancel_later_and_tells",
    ),
    (
        "Until such a cancel is decided on, ten seconds later, no money moves, and another one is `ALREADY_REFUNDING_PAYMENT`; a refused one stays listed",
        ASSUMED,
        "a_cancel_that_a_wallet_abroad_refuses_moves_no_money_and_can_be_asked_for_again",
    ),
    (
        "Amounts may be sent as texts of a number",
        MEASURED,
        "an_amount_may_be_sent_as_text",
    ),
];

/// The test that holds a call.
pub(super) fn test_of(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Confirm | Endpoint::Get | Endpoint::GetByOrder | Endpoint::Cancel => {
            "a_payment_lives_from_confirm_to_cancel"
        }
        Endpoint::Transactions => "pages_follow_one_another_without_gap_or_overlap",
        Endpoint::KeyIn => "a_card_is_charged_by_number_or_refused_for_tosss_reasons",
        Endpoint::IssueAccount => "an_account_is_refused_for_tosss_reasons",
        Endpoint::IssueBilling => "an_auth_key_issues_one_billing_key_to_its_customer",
        Endpoint::IssueBillingByCard | Endpoint::ChargeBilling | Endpoint::RemoveBilling => {
            "a_billing_key_is_issued_charged_and_deleted"
        }
        Endpoint::Settlements | Endpoint::RequestSettlement => {
            "settlements_follow_from_what_was_paid_from_the_next_day_on"
        }
        Endpoint::IssueCashReceipt | Endpoint::CancelCashReceipt | Endpoint::CashReceipts => {
            "a_cash_receipt_is_decided_later_cancelled_in_parts_and_listed"
        }
        Endpoint::Promotions
        | Endpoint::CardPromotions
        | Endpoint::BrandpayCardPromotions
        | Endpoint::BrandpayBankPromotions
        | Endpoint::BrandpayTerms => "lists_that_nobody_changes_have_tosss_fields",
        Endpoint::Balances | Endpoint::RequestPayouts | Endpoint::Payouts | Endpoint::Payout => {
            "a_seller_is_paid_and_the_merchant_is_told"
        }
        Endpoint::CancelPayout => {
            "a_payout_to_a_failing_account_fails_and_a_scheduled_one_can_be_cancelled"
        }
        Endpoint::RegisterSeller
        | Endpoint::Sellers
        | Endpoint::Seller
        | Endpoint::UpdateSeller
        | Endpoint::RemoveSeller => "a_seller_is_changed_reviewed_and_deleted",
        Endpoint::ConfirmBrandpay => "a_brandpay_payment_is_confirmed_by_its_own_call",
        Endpoint::AgreeBrandpayTerms
        | Endpoint::BrandpayToken
        | Endpoint::BrandpayMethods
        | Endpoint::BrandpayMethodsOf
        | Endpoint::RemoveBrandpayCard
        | Endpoint::RemoveBrandpayAccount
        | Endpoint::RemoveBrandpayCustomer
        | Endpoint::PayBrandpay => "a_brandpay_customer_agrees_pays_and_leaves",
    }
}
