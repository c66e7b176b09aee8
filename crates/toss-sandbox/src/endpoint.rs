//! The calls of Toss's API that the sandbox answers.

use serde::{Deserialize, Serialize};

/// A call of Toss's API. Its method and path are in [`Endpoint::method`] and
/// [`Endpoint::template`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// Approves a payment that the buyer authenticated.
    Confirm,
    /// Reads a payment by its key.
    Get,
    /// Reads a payment by its order.
    GetByOrder,
    /// Gives money back.
    Cancel,
    /// Lists approvals and cancels.
    Transactions,
    /// Pays with a card whose number the merchant sends.
    KeyIn,
    /// Issues a virtual account without a window.
    IssueAccount,
    /// Issues a billing key for the `authKey` of a window.
    IssueBilling,
    /// Issues a billing key for a card whose number the merchant sends.
    IssueBillingByCard,
    /// Charges a billing key.
    ChargeBilling,
    /// Deletes a billing key.
    RemoveBilling,
    /// Lists what is paid out, and when.
    Settlements,
    /// Asks for a payment's settlement.
    RequestSettlement,
    /// Issues a cash receipt.
    IssueCashReceipt,
    /// Cancels a cash receipt.
    CancelCashReceipt,
    /// Lists a day's cash receipts.
    CashReceipts,
    /// Lists promotions.
    Promotions,
    /// Lists promotions of cards.
    CardPromotions,
    /// Reads the merchant's balance.
    Balances,
    /// Asks for payouts.
    RequestPayouts,
    /// Lists payouts.
    Payouts,
    /// Reads a payout.
    Payout,
    /// Cancels a payout.
    CancelPayout,
    /// Registers a seller.
    RegisterSeller,
    /// Lists sellers.
    Sellers,
    /// Reads a seller.
    Seller,
    /// Changes a seller.
    UpdateSeller,
    /// Deletes a seller.
    RemoveSeller,
    /// Lists the terms of brandpay.
    BrandpayTerms,
    /// Agrees to the terms of brandpay.
    AgreeBrandpayTerms,
    /// Issues or refreshes a customer's access token of brandpay.
    BrandpayToken,
    /// Lists the methods of the customer whose access token is sent.
    BrandpayMethods,
    /// Lists the methods of a customer.
    BrandpayMethodsOf,
    /// Removes a card of brandpay.
    RemoveBrandpayCard,
    /// Removes an account of brandpay.
    RemoveBrandpayAccount,
    /// Removes a customer of brandpay.
    RemoveBrandpayCustomer,
    /// Approves a brandpay payment that the buyer authenticated.
    ConfirmBrandpay,
    /// Charges a method of brandpay.
    PayBrandpay,
    /// Lists promotions of brandpay's cards.
    BrandpayCardPromotions,
    /// Lists promotions of brandpay's banks.
    BrandpayBankPromotions,
}

impl Endpoint {
    /// All of them. Where two paths could match one request, the more special comes first.
    pub const ALL: [Self; 40] = [
        Self::Confirm,
        Self::KeyIn,
        Self::GetByOrder,
        Self::Get,
        Self::Cancel,
        Self::Transactions,
        Self::IssueAccount,
        Self::IssueBilling,
        Self::IssueBillingByCard,
        Self::ChargeBilling,
        Self::RemoveBilling,
        Self::Settlements,
        Self::RequestSettlement,
        Self::IssueCashReceipt,
        Self::CancelCashReceipt,
        Self::CashReceipts,
        Self::CardPromotions,
        Self::Promotions,
        Self::Balances,
        Self::RequestPayouts,
        Self::Payouts,
        Self::CancelPayout,
        Self::Payout,
        Self::RegisterSeller,
        Self::Sellers,
        Self::Seller,
        Self::UpdateSeller,
        Self::RemoveSeller,
        Self::BrandpayTerms,
        Self::AgreeBrandpayTerms,
        Self::BrandpayToken,
        Self::RemoveBrandpayCard,
        Self::RemoveBrandpayAccount,
        Self::BrandpayMethods,
        Self::BrandpayMethodsOf,
        Self::RemoveBrandpayCustomer,
        Self::ConfirmBrandpay,
        Self::PayBrandpay,
        Self::BrandpayCardPromotions,
        Self::BrandpayBankPromotions,
    ];

    /// The HTTP method of the call.
    pub fn method(self) -> &'static str {
        match self {
            Self::Get
            | Self::GetByOrder
            | Self::Transactions
            | Self::Settlements
            | Self::CashReceipts
            | Self::Promotions
            | Self::CardPromotions
            | Self::Balances
            | Self::Payouts
            | Self::Payout
            | Self::Sellers
            | Self::Seller
            | Self::BrandpayTerms
            | Self::BrandpayMethods
            | Self::BrandpayMethodsOf
            | Self::BrandpayCardPromotions
            | Self::BrandpayBankPromotions => "GET",
            Self::RemoveBilling | Self::RemoveSeller => "DELETE",
            Self::Confirm
            | Self::Cancel
            | Self::KeyIn
            | Self::IssueAccount
            | Self::IssueBilling
            | Self::IssueBillingByCard
            | Self::ChargeBilling
            | Self::RequestSettlement
            | Self::IssueCashReceipt
            | Self::CancelCashReceipt
            | Self::RequestPayouts
            | Self::CancelPayout
            | Self::RegisterSeller
            | Self::UpdateSeller
            | Self::AgreeBrandpayTerms
            | Self::BrandpayToken
            | Self::RemoveBrandpayCard
            | Self::RemoveBrandpayAccount
            | Self::RemoveBrandpayCustomer
            | Self::ConfirmBrandpay
            | Self::PayBrandpay => "POST",
        }
    }

    /// The path, with `{subject}` where it names something.
    pub fn template(self) -> &'static str {
        match self {
            Self::Confirm => "/v1/payments/confirm",
            Self::Get => "/v1/payments/{subject}",
            Self::GetByOrder => "/v1/payments/orders/{subject}",
            Self::Cancel => "/v1/payments/{subject}/cancel",
            Self::Transactions => "/v1/transactions",
            Self::KeyIn => "/v1/payments/key-in",
            Self::IssueAccount => "/v1/virtual-accounts",
            Self::IssueBilling => "/v1/billing/authorizations/issue",
            Self::IssueBillingByCard => "/v1/billing/authorizations/card",
            Self::ChargeBilling | Self::RemoveBilling => "/v1/billing/{subject}",
            Self::Settlements | Self::RequestSettlement => "/v1/settlements",
            Self::IssueCashReceipt | Self::CashReceipts => "/v1/cash-receipts",
            Self::CancelCashReceipt => "/v1/cash-receipts/{subject}/cancel",
            Self::Promotions => "/v1/promotions",
            Self::CardPromotions => "/v1/promotions/card",
            Self::Balances => "/v2/balances",
            Self::RequestPayouts | Self::Payouts => "/v2/payouts",
            Self::Payout => "/v2/payouts/{subject}",
            Self::CancelPayout => "/v2/payouts/{subject}/cancel",
            Self::RegisterSeller | Self::Sellers => "/v2/sellers",
            Self::Seller | Self::UpdateSeller | Self::RemoveSeller => "/v2/sellers/{subject}",
            Self::BrandpayTerms => "/v1/brandpay/terms",
            Self::AgreeBrandpayTerms => "/v1/brandpay/terms/agree",
            Self::BrandpayToken => "/v1/brandpay/authorizations/access-token",
            Self::BrandpayMethods => "/v1/brandpay/payments/methods",
            Self::BrandpayMethodsOf => "/v1/brandpay/payments/methods/{subject}",
            Self::RemoveBrandpayCard => "/v1/brandpay/payments/methods/card/remove",
            Self::RemoveBrandpayAccount => "/v1/brandpay/payments/methods/account/remove",
            Self::RemoveBrandpayCustomer => "/v1/brandpay/customers/remove",
            Self::ConfirmBrandpay => "/v1/brandpay/payments/confirm",
            Self::PayBrandpay => "/v1/brandpay/payments",
            Self::BrandpayCardPromotions => "/v1/brandpay/promotions/card",
            Self::BrandpayBankPromotions => "/v1/brandpay/promotions/bank",
        }
    }

    /// The path about a subject.
    pub fn path(self, subject: &str) -> String {
        self.template().replace("{subject}", subject)
    }

    /// Whether the path names a subject; otherwise the query string is the subject, if any.
    pub fn names_subject(self) -> bool {
        self.template().contains("{subject}")
    }

    /// Whether it is of `/v2`, whose answers have an envelope.
    pub fn is_v2(self) -> bool {
        self.template().starts_with("/v2/")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_call_is_listed_once_with_a_path_of_its_own() {
        let rows: HashSet<_> = Endpoint::ALL
            .iter()
            .map(|endpoint| (endpoint.method(), endpoint.template()))
            .collect();
        assert_eq!(rows.len(), Endpoint::ALL.len());
        let names: HashSet<_> = Endpoint::ALL.iter().collect();
        assert_eq!(names.len(), Endpoint::ALL.len());
        assert_eq!(Endpoint::Cancel.path("k"), "/v1/payments/k/cancel");
    }

    #[test]
    fn no_call_is_missing_from_the_list_that_the_routes_and_the_properties_are_made_of() {
        // Reading a name that there is not makes serde say which ones there are.
        let error = serde_json::from_str::<Endpoint>("\"none\"").unwrap_err();
        let said = error.to_string();
        let known: HashSet<_> = said.split('`').skip(3).step_by(2).collect();
        let listed = Endpoint::ALL.map(|endpoint| serde_json::to_value(endpoint).unwrap());
        let listed: HashSet<_> = listed.iter().map(|name| name.as_str().unwrap()).collect();
        assert_eq!(listed, known);
    }
}
