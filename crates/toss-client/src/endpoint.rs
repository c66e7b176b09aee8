//! The calls this crate knows.

use std::fmt;

/// One call of the API. Errors and spans carry it, and [`classify`](crate::classify) needs it:
/// one code can mean two things at two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /v1/payments/confirm`
    ConfirmPayment,
    /// `GET /v1/payments/{paymentKey}`
    GetPayment,
    /// `GET /v1/payments/orders/{orderId}`
    GetPaymentByOrder,
    /// `POST /v1/payments/{paymentKey}/cancel`
    CancelPayment,
    /// `POST /v1/payments/key-in`
    KeyInPayment,
    /// `POST /v1/virtual-accounts`
    IssueVirtualAccount,
    /// `POST /v1/billing/authorizations/issue`
    IssueBillingKey,
    /// `POST /v1/billing/authorizations/card`
    IssueBillingKeyByCard,
    /// `POST /v1/billing/{billingKey}`
    ApproveBilling,
    /// `DELETE /v1/billing/{billingKey}`
    DeleteBillingKey,
    /// `GET /v1/transactions`
    ListTransactions,
    /// `GET /v1/settlements`
    ListSettlements,
    /// `POST /v1/settlements`
    RequestSettlement,
    /// `POST /v1/cash-receipts`
    IssueCashReceipt,
    /// `POST /v1/cash-receipts/{receiptKey}/cancel`
    CancelCashReceipt,
    /// `GET /v1/cash-receipts`
    ListCashReceipts,
    /// `GET /v1/promotions`
    ListPromotions,
    /// `GET /v1/promotions/card`
    ListCardPromotions,
    /// `GET /v2/balances`
    GetBalance,
    /// `POST /v2/payouts`
    RequestPayouts,
    /// `GET /v2/payouts`
    ListPayouts,
    /// `GET /v2/payouts/{id}`
    GetPayout,
    /// `POST /v2/payouts/{id}/cancel`
    CancelPayout,
    /// `POST /v2/sellers`
    RegisterSeller,
    /// `GET /v2/sellers`
    ListSellers,
    /// `GET /v2/sellers/{id}`
    GetSeller,
    /// `POST /v2/sellers/{id}`
    UpdateSeller,
    /// `DELETE /v2/sellers/{id}`
    DeleteSeller,
    /// `GET /v1/brandpay/terms`
    GetBrandpayTerms,
    /// `POST /v1/brandpay/terms/agree`
    AgreeBrandpayTerms,
    /// `POST /v1/brandpay/authorizations/access-token`
    IssueBrandpayToken,
    /// `GET /v1/brandpay/payments/methods`
    ListBrandpayMethods,
    /// `GET /v1/brandpay/payments/methods/{customerKey}`
    ListBrandpayMethodsOfCustomer,
    /// `POST /v1/brandpay/payments/methods/card/remove`
    RemoveBrandpayCard,
    /// `POST /v1/brandpay/payments/methods/account/remove`
    RemoveBrandpayAccount,
    /// `POST /v1/brandpay/customers/remove`
    RemoveBrandpayCustomer,
    /// `POST /v1/brandpay/payments/confirm`
    ConfirmBrandpay,
    /// `POST /v1/brandpay/payments`
    PayBrandpay,
    /// `GET /v1/brandpay/promotions/card`
    ListBrandpayCardPromotions,
    /// `GET /v1/brandpay/promotions/bank`
    ListBrandpayBankPromotions,
    /// A call made with [`send`](crate::TossClient::send): one that this crate does not know.
    Raw,
}

impl Endpoint {
    /// Every documented call, in the order of this crate's documentation; not [`Raw`](Self::Raw).
    pub const ALL: [Self; 40] = [
        Self::ConfirmPayment,
        Self::GetPayment,
        Self::GetPaymentByOrder,
        Self::CancelPayment,
        Self::KeyInPayment,
        Self::IssueVirtualAccount,
        Self::IssueBillingKey,
        Self::IssueBillingKeyByCard,
        Self::ApproveBilling,
        Self::DeleteBillingKey,
        Self::ListTransactions,
        Self::ListSettlements,
        Self::RequestSettlement,
        Self::IssueCashReceipt,
        Self::CancelCashReceipt,
        Self::ListCashReceipts,
        Self::ListPromotions,
        Self::ListCardPromotions,
        Self::GetBalance,
        Self::RequestPayouts,
        Self::ListPayouts,
        Self::GetPayout,
        Self::CancelPayout,
        Self::RegisterSeller,
        Self::ListSellers,
        Self::GetSeller,
        Self::UpdateSeller,
        Self::DeleteSeller,
        Self::GetBrandpayTerms,
        Self::AgreeBrandpayTerms,
        Self::IssueBrandpayToken,
        Self::ListBrandpayMethods,
        Self::ListBrandpayMethodsOfCustomer,
        Self::RemoveBrandpayCard,
        Self::RemoveBrandpayAccount,
        Self::RemoveBrandpayCustomer,
        Self::ConfirmBrandpay,
        Self::PayBrandpay,
        Self::ListBrandpayCardPromotions,
        Self::ListBrandpayBankPromotions,
    ];

    /// Method and path template, without any value of a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmPayment => "POST /v1/payments/confirm",
            Self::GetPayment => "GET /v1/payments/{paymentKey}",
            Self::GetPaymentByOrder => "GET /v1/payments/orders/{orderId}",
            Self::CancelPayment => "POST /v1/payments/{paymentKey}/cancel",
            Self::KeyInPayment => "POST /v1/payments/key-in",
            Self::IssueVirtualAccount => "POST /v1/virtual-accounts",
            Self::IssueBillingKey => "POST /v1/billing/authorizations/issue",
            Self::IssueBillingKeyByCard => "POST /v1/billing/authorizations/card",
            Self::ApproveBilling => "POST /v1/billing/{billingKey}",
            Self::DeleteBillingKey => "DELETE /v1/billing/{billingKey}",
            Self::ListTransactions => "GET /v1/transactions",
            Self::ListSettlements => "GET /v1/settlements",
            Self::RequestSettlement => "POST /v1/settlements",
            Self::IssueCashReceipt => "POST /v1/cash-receipts",
            Self::CancelCashReceipt => "POST /v1/cash-receipts/{receiptKey}/cancel",
            Self::ListCashReceipts => "GET /v1/cash-receipts",
            Self::ListPromotions => "GET /v1/promotions",
            Self::ListCardPromotions => "GET /v1/promotions/card",
            Self::GetBalance => "GET /v2/balances",
            Self::RequestPayouts => "POST /v2/payouts",
            Self::ListPayouts => "GET /v2/payouts",
            Self::GetPayout => "GET /v2/payouts/{id}",
            Self::CancelPayout => "POST /v2/payouts/{id}/cancel",
            Self::RegisterSeller => "POST /v2/sellers",
            Self::ListSellers => "GET /v2/sellers",
            Self::GetSeller => "GET /v2/sellers/{id}",
            Self::UpdateSeller => "POST /v2/sellers/{id}",
            Self::DeleteSeller => "DELETE /v2/sellers/{id}",
            Self::GetBrandpayTerms => "GET /v1/brandpay/terms",
            Self::AgreeBrandpayTerms => "POST /v1/brandpay/terms/agree",
            Self::IssueBrandpayToken => "POST /v1/brandpay/authorizations/access-token",
            Self::ListBrandpayMethods => "GET /v1/brandpay/payments/methods",
            Self::ListBrandpayMethodsOfCustomer => {
                "GET /v1/brandpay/payments/methods/{customerKey}"
            }
            Self::RemoveBrandpayCard => "POST /v1/brandpay/payments/methods/card/remove",
            Self::RemoveBrandpayAccount => "POST /v1/brandpay/payments/methods/account/remove",
            Self::RemoveBrandpayCustomer => "POST /v1/brandpay/customers/remove",
            Self::ConfirmBrandpay => "POST /v1/brandpay/payments/confirm",
            Self::PayBrandpay => "POST /v1/brandpay/payments",
            Self::ListBrandpayCardPromotions => "GET /v1/brandpay/promotions/card",
            Self::ListBrandpayBankPromotions => "GET /v1/brandpay/promotions/bank",
            Self::Raw => "raw call",
        }
    }

    /// Whether the call only reads: whatever happened to it, no money moved. A raw call counts as
    /// one that acts.
    pub fn is_read(self) -> bool {
        self.as_str().starts_with("GET ")
    }

    /// Whether a payment-widget key cannot make it: Toss answers `NOT_SUPPORTED_WIDGET_KEY` on
    /// API products (documented).
    pub fn needs_api_key(self) -> bool {
        let path = self.as_str().split(' ').nth(1).unwrap_or_default();
        let products = [
            "/v1/billing/",
            "/v1/payments/key-in",
            "/v1/virtual-accounts",
            "/v1/brandpay/",
            "/v2/",
        ];
        products.iter().any(|product| path.starts_with(product))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_calls_differ_and_have_a_method_and_a_path() {
        let texts: HashSet<_> = Endpoint::ALL.iter().map(|call| call.as_str()).collect();
        assert_eq!(texts.len(), Endpoint::ALL.len());
        for text in texts {
            let (method, path) = text.split_once(' ').unwrap();
            assert!(["GET", "POST", "DELETE"].contains(&method), "{text}");
            assert!(
                path.starts_with("/v1/") || path.starts_with("/v2/"),
                "{text}"
            );
        }
    }

    #[test]
    fn reads_are_told_from_acts_and_products_from_the_widget() {
        assert!(Endpoint::ListSettlements.is_read());
        for acts in [
            Endpoint::CancelPayment,
            Endpoint::DeleteBillingKey,
            Endpoint::Raw,
        ] {
            assert!(!acts.is_read(), "{acts}");
        }
        assert!(Endpoint::ApproveBilling.needs_api_key());
        assert!(Endpoint::RequestPayouts.needs_api_key());
        for widget in [
            Endpoint::ConfirmPayment,
            Endpoint::CancelPayment,
            Endpoint::GetPayment,
            Endpoint::ListTransactions,
        ] {
            assert!(!widget.needs_api_key(), "{widget}");
        }
    }
}
