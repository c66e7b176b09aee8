//! Brandpay: a merchant's own wallet.

use rust_decimal::Decimal;

use super::billing::{customer_key, installment};
use crate::{Sensitive, body::Body};

/// Documented for every brandpay call, as are 2 at least.
const CUSTOMER_KEY_CHARS_MAX: usize = 50;

/// A brandpay customer's key: 2 to 50 characters of `A-Z a-z 0-9 - _ = . @` (documented).
pub(crate) fn customer(key: &str) -> Result<(), String> {
    customer_key(key, CUSTOMER_KEY_CHARS_MAX)
}

pub(crate) fn with_customer(body: Body, key: impl Into<String>) -> Body {
    let key = key.into();
    body.held(customer(&key)).set("customerKey", key)
}

/// Asks for a customer's access token.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRequest(pub(crate) Body);

impl TokenRequest {
    /// With the one-time `code` that the redirect or the agreement to the terms brought, 1 to 300
    /// characters here. `customer` has 2 to 50 characters of `A-Z a-z 0-9 - _ = . @` (documented).
    pub fn with_code(customer: impl Into<String>, code: impl Into<String>) -> Self {
        let body = with_customer(Body::default(), customer);
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

    /// With the refresh token of the last one, 1 to 2,000 characters here; `customer` as above.
    pub fn refresh(customer: impl Into<String>, refresh_token: &Sensitive) -> Self {
        let body = with_customer(Body::default(), customer);
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
pub struct BrandpayPaymentRequest {
    pub(crate) body: Body,
    amount: Decimal,
}

impl BrandpayPaymentRequest {
    /// `customer` has 2 to 50 characters of `A-Z a-z 0-9 - _ = . @` (documented); `method_key` 1 to
    /// 200 here; `amount` positive, in won; `order_id` 1 to 64 characters; `order_name` at most 100.
    pub fn new(
        customer: impl Into<String>,
        method_key: impl Into<String>,
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        amount: Decimal,
    ) -> Self {
        let body = with_customer(Body::default(), customer)
            .text("methodKey", method_key, 200)
            .text("orderId", order_id, 64)
            .text("orderName", order_name, 100)
            .amount("amount", amount);
        Self { body, amount }
    }

    fn with(self, change: impl FnOnce(Body) -> Body) -> Self {
        Self {
            body: change(self.body),
            ..self
        }
    }

    /// The tax-free part of the amount, in won; 0 or more.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        self.with(|body| body.part("taxFreeAmount", amount))
    }

    /// Whether it counts as spending on culture. For accounts alone: a card company knows by itself.
    #[must_use]
    pub fn culture_expense(self, yes: bool) -> Self {
        self.with(|body| body.set("cultureExpense", yes))
    }

    /// In so many months, 2 to 12, or 0 for at once; from 50,000 won on. For credit cards alone.
    #[must_use]
    pub fn installment_months(self, months: u8) -> Self {
        let amount = self.amount;
        self.with(|body| installment(body, months, amount))
    }

    /// With this promotion's `discountCode`, 1 to 100 characters here.
    #[must_use]
    pub fn discount_code(self, code: impl Into<String>) -> Self {
        self.with(|body| body.text("discountCode", code, 100))
    }

    /// Pays with the card's points, which needs a contract.
    #[must_use]
    pub fn use_card_point(self, yes: bool) -> Self {
        self.with(|body| body.set("useCardPoint", yes))
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        self.with(|body| body.text("customerEmail", email, 100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn charge(customer: &str, amount: i64) -> BrandpayPaymentRequest {
        BrandpayPaymentRequest::new(customer, "method", "order-1", "책", Decimal::from(amount))
    }

    #[test]
    fn a_charge_sends_what_was_given_under_toss_s_names() {
        let charge = charge("cust", 50_000)
            .tax_free_amount(Decimal::ZERO)
            .culture_expense(false)
            .installment_months(3)
            .discount_code("12860")
            .use_card_point(true)
            .customer_email("buyer@example.com");
        assert_eq!(
            charge.body.value().unwrap(),
            json!({
                "customerKey": "cust", "methodKey": "method", "orderId": "order-1",
                "orderName": "책", "amount": 50_000, "taxFreeAmount": 0,
                "cultureExpense": false, "cardInstallmentPlan": 3, "discountCode": "12860",
                "useCardPoint": true, "customerEmail": "buyer@example.com",
            })
        );
    }

    #[test]
    fn what_goes_beyond_the_documented_limits_is_refused() {
        for refused in [
            charge("cust", 0),
            charge("cust", 49_999).installment_months(2),
            charge("c", 1),
            charge(&"c".repeat(51), 1),
            charge("no blanks", 1),
        ] {
            assert!(refused.body.bytes().is_err(), "{refused:?}");
        }
        let fifty = "c".repeat(50);
        assert!(charge(&fifty, 1).body.bytes().is_ok());
        for customer in ["c", "no blanks"] {
            let refresh = TokenRequest::refresh(customer, &Sensitive::new("t"));
            assert!(TokenRequest::with_code(customer, "code").0.bytes().is_err());
            assert!(refresh.0.bytes().is_err());
        }
    }
}
