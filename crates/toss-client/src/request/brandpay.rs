//! Brandpay: a merchant's own wallet.

use rust_decimal::Decimal;

use super::billing::customer_key;
use crate::{Sensitive, body::Body};

/// Asks for a customer's access token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRequest(pub(crate) Body);

impl TokenRequest {
    /// With the one-time `code` that the redirect or the agreement to the terms brought.
    pub fn with_code(customer: impl Into<String>, code: impl Into<String>) -> Self {
        let body = customer_key(Body::default(), customer);
        Self(
            body.set("grantType", "AuthorizationCode")
                .text("code", code, 300),
        )
    }

    /// Who the customer is, so that the brandpay window need not ask.
    #[must_use]
    pub fn customer_identity(self, identity: &CustomerIdentity) -> Self {
        Self(self.0.object("customerIdentity", &identity.0))
    }

    /// With the refresh token of the last one.
    pub fn refresh(customer: impl Into<String>, refresh_token: &Sensitive) -> Self {
        let body = customer_key(Body::default(), customer);
        Self(body.set("grantType", "RefreshToken").text(
            "refreshToken",
            refresh_token.expose(),
            2_000,
        ))
    }
}

/// Who a customer is, for a merchant that has verified it by itself. `Debug` shows none of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CustomerIdentity(Body);

impl CustomerIdentity {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The connecting information (CI) of an identity check, at most 200 characters here.
    #[must_use]
    pub fn ci(self, ci: impl Into<String>) -> Self {
        Self(self.0.text("ci", ci, 200))
    }

    /// 9 to 11 digits.
    #[must_use]
    pub fn mobile_phone(self, digits: impl Into<String>) -> Self {
        Self(self.0.digits("mobilePhone", digits, 9..=11))
    }

    /// At most 100 characters here.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self(self.0.text("name", name, 100))
    }

    /// The first 6 or 7 digits of the resident registration number, never all 13.
    #[must_use]
    pub fn rrn(self, digits: impl Into<String>) -> Self {
        Self(self.0.digits("rrn", digits, 6..=7))
    }
}

/// Charges one of a customer's registered methods without a window.
#[derive(Debug, Clone, PartialEq)]
pub struct BrandpayPaymentRequest(pub(crate) Body);

impl BrandpayPaymentRequest {
    /// `amount` positive, in won; `order_id` 1 to 64 characters; `order_name` at most 100.
    pub fn new(
        customer: impl Into<String>,
        method_key: impl Into<String>,
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        amount: Decimal,
    ) -> Self {
        Self(
            customer_key(Body::default(), customer)
                .text("methodKey", method_key, 200)
                .text("orderId", order_id, 64)
                .text("orderName", order_name, 100)
                .amount("amount", amount),
        )
    }

    /// The tax-free part of the amount.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        Self(self.0.part("taxFreeAmount", amount))
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        Self(self.0.text("customerEmail", email, 100))
    }
}
