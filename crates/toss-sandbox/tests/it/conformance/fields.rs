//! The objects and webhooks that Toss's pages describe, beside the Payment object, with the fields
//! that they list.

use super::facts::{ASSUMED, MEASURED};

/// An object or a webhook's body.
pub(super) struct Object {
    pub(super) name: &'static str,
    /// The test that holds it.
    pub(super) test: &'static str,
    /// The fields that Toss's pages list, apart by spaces; empty if all that is shown is from there.
    pub(super) documented: &'static str,
}

/// How many of [`OBJECTS`] are webhooks; they come last.
pub(super) const EVENTS: usize = 7;

/// Those with a name in `eventType` are webhooks, as is the one that has none.
pub(super) const OBJECTS: [Object; 22] = [
    Object {
        name: "Billing",
        test: "a_billing_key_is_issued_charged_and_deleted",
        documented: "mId customerKey authenticatedAt method billingKey card card.issuerCode \
                     card.acquirerCode card.number card.cardType card.ownerType transfers \
                     easyPay cardCompany cardNumber",
    },
    Object {
        name: "Transaction",
        test: "pages_follow_one_another_without_gap_or_overlap",
        documented: "mId transactionKey paymentKey orderId method customerKey useEscrow \
                     receiptUrl status transactionAt currency amount",
    },
    Object {
        name: "Settlement",
        test: "settlements_follow_from_what_was_paid_from_the_next_day_on",
        documented: "mId paymentKey transactionKey orderId currency method amount \
                     interestFee fees fees[].type fees[].fee supplyAmount vat payOutAmount \
                     approvedAt soldDate paidOutDate card virtualAccount transfer \
                     mobilePhone giftCertificate easyPay cancel",
    },
    Object {
        name: "CashReceipt",
        test: "a_cash_receipt_is_decided_later_cancelled_in_parts_and_listed",
        documented: "receiptKey issueNumber issueStatus amount taxFreeAmount orderId \
                     orderName type approvalNumber transactionType businessNumber \
                     customerIdentityNumber failure requestedAt receiptUrl",
    },
    Object {
        name: "Promotion",
        test: "lists_that_nobody_changes_have_tosss_fields",
        documented: "",
    },
    Object {
        name: "Balance",
        test: "a_seller_is_paid_and_the_merchant_is_told",
        documented: "availableAmount availableAmount.currency availableAmount.value \
                     pendingAmount pendingAmount.currency pendingAmount.value",
    },
    Object {
        name: "Seller",
        test: "a_seller_is_changed_reviewed_and_deleted",
        documented: "id refSellerId businessType company individual individual.name \
                     individual.email individual.phone status account account.bankCode \
                     account.accountNumber account.holderName metadata",
    },
    Object {
        name: "Payout",
        test: "a_seller_is_paid_and_the_merchant_is_told",
        documented: "id refPayoutId destination scheduleType payoutDate amount \
                     amount.currency amount.value transactionDescription requestedAt status \
                     error metadata",
    },
    Object {
        name: "Envelope of v2",
        test: "a_seller_is_paid_and_the_merchant_is_told",
        documented: "version traceId entityType entityBody",
    },
    Object {
        name: "Error of v1",
        test: "every_answer_has_tosss_shape_and_a_trace_id",
        documented: "code message data",
    },
    Object {
        name: "Error of v2",
        test: "calls_that_must_be_encrypted_are_refused_otherwise",
        documented: "version traceId error error.code error.message",
    },
    Object {
        name: "Terms of brandpay",
        test: "lists_that_nobody_changes_have_tosss_fields",
        documented: "id title version url required agreed",
    },
    Object {
        name: "Code of brandpay",
        test: "a_brandpay_customer_agrees_pays_and_leaves",
        documented: "code",
    },
    Object {
        name: "Token of brandpay",
        test: "a_brandpay_customer_agrees_pays_and_leaves",
        documented: "accessToken refreshToken tokenType expiresIn",
    },
    Object {
        name: "Methods of brandpay",
        test: "a_brandpay_customer_agrees_pays_and_leaves",
        documented: "",
    },
    Object {
        name: "PAYMENT_STATUS_CHANGED",
        test: "a_payment_s_ends_are_told_and_its_beginnings_are_not",
        documented: "eventType createdAt data",
    },
    Object {
        name: "DEPOSIT_CALLBACK",
        test: "an_account_s_deposit_is_told_twice_with_its_secret_and_its_expiry_never",
        documented: "createdAt secret status transactionKey orderId",
    },
    Object {
        name: "BILLING_DELETED",
        test: "billing_tells_of_a_deleted_key_and_of_no_payment",
        documented: "eventType createdAt data data.billingKey data.reason",
    },
    Object {
        name: "METHOD_UPDATED",
        test: "a_brandpay_customer_agrees_pays_and_leaves",
        documented: "eventType createdAt data data.customerKey data.methodKey data.status",
    },
    Object {
        name: "CUSTOMER_STATUS_CHANGED",
        test: "a_brandpay_customer_agrees_pays_and_leaves",
        documented: "eventType createdAt data data.customerKey data.status data.changedAt",
    },
    Object {
        name: "payout.changed",
        test: "a_seller_is_paid_and_the_merchant_is_told",
        documented: "eventType createdAt version eventId entityType entityBody",
    },
    Object {
        name: "seller.changed",
        test: "a_seller_is_changed_reviewed_and_deleted",
        documented: "eventType createdAt version eventId entityType entityBody",
    },
];

/// Fields that are shown beyond what Toss's pages list.
pub(super) const BEYOND: [(&str, &str, &str); 2] = [
    ("Settlement", "fee", MEASURED),
    ("Terms of brandpay", "status", ASSUMED),
];
