//! Payments without a window: by billing key, or by a card's own numbers.

use rust_decimal::Decimal;

use crate::body::Body;

/// Documented for the billing calls, as are 2 at least. Checked here, because Toss answers 301
/// characters with a 500 (measured by others).
const CUSTOMER_KEY_CHARS_MAX: usize = 300;

/// A customer key to which something new is tied, as documented: 2 to `chars_max` characters of
/// `A-Z a-z 0-9 - _ = . @`. One page says that it has one of the signs "at least", others do not;
/// that is not held, so that a UUID without hyphens passes.
pub(crate) fn customer_key(key: &str, chars_max: usize) -> Result<(), String> {
    let documented = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=.@".contains(&byte);
    if key.bytes().all(documented) && (2..=chars_max).contains(&key.len()) {
        return Ok(());
    }
    // Not the key itself: who knows it can do harm (documented).
    Err(format!(
        "customerKey must be 2 to {chars_max} characters of A-Z a-z 0-9 - _ = . @"
    ))
}

fn with_customer_key(body: Body, key: impl Into<String>) -> Body {
    let key = key.into();
    body.held(customer_key(&key, CUSTOMER_KEY_CHARS_MAX))
        .set("customerKey", key)
}

/// Exchanges the one-time `authKey` of the billing window for a billing key, which cannot be
/// looked up again: store it at once.
#[derive(Debug, Clone, PartialEq)]
pub struct BillingKeyRequest(pub(crate) Body);

impl BillingKeyRequest {
    /// `auth_key` (1 to 300 characters) as the success page received it; `customer_key` as the
    /// **merchant** gave it to the window: 2 to 300 characters of `A-Z a-z 0-9 - _ = . @`
    /// (documented; the browser SDK takes 50 at most).
    pub fn new(auth_key: impl Into<String>, customer_key: impl Into<String>) -> Self {
        let body = Body::default().text("authKey", auth_key, 300);
        Self(with_customer_key(body, customer_key))
    }
}

/// A card's own numbers. Whoever handles them needs an extra contract with Toss and the card
/// companies' security rules. `Debug` shows none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CardNumbers(Body);

impl CardNumbers {
    /// `number` 14 to 19 digits; `year` and `month` two digits each; `identity_number` the
    /// holder's birth date (`YYMMDD`) or a business number of 10 digits.
    pub fn new(
        number: impl Into<String>,
        year: impl Into<String>,
        month: impl Into<String>,
        identity_number: impl Into<String>,
    ) -> Self {
        let body = Body::default()
            .digits("cardNumber", number, 14..=19)
            .digits("cardExpirationYear", year, 2..=2)
            .digits("cardExpirationMonth", month, 2..=2)
            .digits("customerIdentityNumber", identity_number, 6..=10);
        let valid = body
            .str("customerIdentityNumber")
            .is_some_and(|number| matches!(number.len(), 6 | 10));
        let limit = || "customerIdentityNumber must be 6 or 10 digits".to_owned();
        Self(body.held(if valid { Ok(()) } else { Err(limit()) }))
    }

    /// What a 3-D Secure authentication of the holder brought: `cavv`, `xid` and `eci`, each of 1 to
    /// 200 characters here. Toss asks for it where a contract says so.
    #[must_use]
    pub fn three_d_secure(
        self,
        cavv: impl Into<String>,
        xid: impl Into<String>,
        eci: impl Into<String>,
    ) -> Self {
        let vbv = Body::default()
            .text("cavv", cavv, 200)
            .text("xid", xid, 200)
            .text("eci", eci, 200);
        Self(self.0.object("vbv", &vbv))
    }

    /// The first two digits of the card's password.
    #[must_use]
    pub fn password(self, digits: impl Into<String>) -> Self {
        Self(self.0.digits("cardPassword", digits, 2..=2))
    }
}

/// Makes a billing key from a card's own numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct CardBillingKeyRequest(pub(crate) Body);

impl CardBillingKeyRequest {
    /// `customer_key` has 2 to 300 characters of `A-Z a-z 0-9 - _ = . @` (documented; the browser
    /// SDK takes 50 at most). Make it hard to guess, for instance a UUID.
    pub fn new(customer_key: impl Into<String>, card: &CardNumbers) -> Self {
        Self(with_customer_key(card.0.clone(), customer_key))
    }

    /// The customer's name, at most 100 characters.
    #[must_use]
    pub fn customer_name(self, name: impl Into<String>) -> Self {
        Self(self.0.text("customerName", name, 100))
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        Self(self.0.text("customerEmail", email, 100))
    }
}

/// Charges a billing key.
#[derive(Debug, Clone, PartialEq)]
pub struct BillingRequest {
    pub(crate) body: Body,
    order_id: String,
    amount: Decimal,
}

impl BillingRequest {
    /// `customer_key` as the billing key was issued for, of 1 to 300 characters: Toss has issued
    /// keys for others than it documents (measured by others), and who has one must remain able to
    /// charge it. `amount` positive, in won; `order_id` (1 to 64 characters) new for every charge;
    /// `order_name` at most 100 characters.
    pub fn new(
        customer_key: impl Into<String>,
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        amount: Decimal,
    ) -> Self {
        let order_id = order_id.into();
        let body = Body::default()
            .text("customerKey", customer_key, CUSTOMER_KEY_CHARS_MAX)
            .amount("amount", amount)
            .text("orderId", order_id.as_str(), 64)
            .text("orderName", order_name, 100);
        Self {
            body,
            order_id,
            amount,
        }
    }

    pub(crate) fn order_id(&self) -> &str {
        &self.order_id
    }

    pub(crate) fn amount(&self) -> Decimal {
        self.amount
    }

    fn with(mut self, change: impl FnOnce(Body) -> Body) -> Self {
        self.body = change(self.body);
        self
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        self.with(|body| body.text("customerEmail", email, 100))
    }

    /// The customer's name, at most 100 characters.
    #[must_use]
    pub fn customer_name(self, name: impl Into<String>) -> Self {
        self.with(|body| body.text("customerName", name, 100))
    }

    /// The address the customer asked from.
    #[must_use]
    pub fn customer_ip(self, ip: std::net::IpAddr) -> Self {
        self.with(|body| body.set("customerIp", ip.to_string()))
    }

    /// The tax-free part of the amount.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        self.with(|body| body.part("taxFreeAmount", amount))
    }

    /// The tax-exempt part of the amount.
    #[must_use]
    pub fn tax_exemption_amount(self, amount: Decimal) -> Self {
        self.with(|body| body.part("taxExemptionAmount", amount))
    }

    /// Months of instalment: 0 or 2 to 12, from 50,000 won on.
    #[must_use]
    pub fn installment_months(self, months: u8) -> Self {
        let amount = self.amount;
        self.with(|body| installment(body, months, amount))
    }
}

/// Charges a card by its own numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyInRequest(pub(crate) Body, Decimal);

impl KeyInRequest {
    /// `amount` positive, in won; `order_id` 1 to 64 characters; `order_name` at most 100.
    pub fn new(
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        amount: Decimal,
        card: &CardNumbers,
    ) -> Self {
        let body = card
            .0
            .clone()
            .amount("amount", amount)
            .text("orderId", order_id, 64)
            .text("orderName", order_name, 100);
        Self(body, amount)
    }

    fn with(self, change: impl FnOnce(Body) -> Body) -> Self {
        Self(change(self.0), self.1)
    }

    /// Months of instalment: 0 or 2 to 12, from 50,000 won on.
    #[must_use]
    pub fn installment_months(self, months: u8) -> Self {
        let amount = self.1;
        self.with(|body| installment(body, months, amount))
    }

    /// Whether to use a free instalment plan where there is one.
    #[must_use]
    pub fn free_installment(self, wanted: bool) -> Self {
        self.with(|body| body.set("useFreeInstallmentPlan", wanted))
    }

    /// Whether to pay with the card's points.
    #[must_use]
    pub fn card_point(self, wanted: bool) -> Self {
        self.with(|body| body.set("useCardPoint", wanted))
    }

    /// The tax-free part of the amount.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        self.with(|body| body.part("taxFreeAmount", amount))
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        self.with(|body| body.text("customerEmail", email, 100))
    }

    /// The customer's name, at most 100 characters.
    #[must_use]
    pub fn customer_name(self, name: impl Into<String>) -> Self {
        self.with(|body| body.text("customerName", name, 100))
    }

    /// The address the customer asked from.
    #[must_use]
    pub fn customer_ip(self, ip: std::net::IpAddr) -> Self {
        self.with(|body| body.set("customerIp", ip.to_string()))
    }
}

pub(crate) fn installment(body: Body, months: u8, amount: Decimal) -> Body {
    let known = months == 0 || (2..=12).contains(&months);
    let enough = months == 0 || amount >= Decimal::from(50_000);
    let limit = if !known {
        Err("cardInstallmentPlan must be 0 or 2 to 12".to_owned())
    } else if !enough {
        Err("instalments begin at 50,000 won".to_owned())
    } else {
        Ok(())
    };
    body.held(limit).set("cardInstallmentPlan", months)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn won(amount: i64) -> Decimal {
        Decimal::from(amount)
    }

    #[test]
    fn a_charge_sends_what_was_given_under_toss_s_names() {
        let request = BillingRequest::new("cust", "order-1", "구독", won(50_000))
            .customer_name("김토스")
            .installment_months(3)
            .tax_free_amount(won(0));
        assert_eq!(
            request.body.value().unwrap(),
            json!({
                "customerKey": "cust", "orderId": "order-1", "orderName": "구독",
                "amount": 50_000, "customerName": "김토스", "cardInstallmentPlan": 3,
                "taxFreeAmount": 0,
            })
        );
    }

    #[test]
    fn charges_beyond_the_documented_limits_are_refused() {
        let charge = |amount| BillingRequest::new("cust", "order-1", "구독", won(amount));
        for request in [
            charge(0),
            charge(49_999).installment_months(2),
            charge(50_000).installment_months(1),
            charge(50_000).installment_months(13),
            BillingRequest::new("c".repeat(301), "order-1", "구독", won(1)),
            BillingRequest::new("", "order-1", "구독", won(1)),
        ] {
            assert!(request.body.bytes().is_err(), "{request:?}");
        }
    }

    #[test]
    fn a_billing_key_is_asked_for_under_a_documented_customer_key_alone() {
        let card = CardNumbers::new("9410001234567890", "30", "12", "900101");
        let refused = |customer: &str| {
            let by_window = BillingKeyRequest::new("auth", customer).0.bytes();
            let by_card = CardBillingKeyRequest::new(customer, &card).0.bytes();
            assert_eq!(by_window.is_err(), by_card.is_err(), "{customer}");
            if let Err(limit) = &by_window {
                assert!(limit.contains("2 to 300") && !limit.contains("hush"));
            }
            by_window.is_err()
        };
        let longest = "c".repeat(300);
        for customer in ["ab", "A0-_=.@z", "@@ANONYMOUS", longest.as_str()] {
            assert!(!refused(customer), "{customer}");
        }
        let too_long = "c".repeat(301);
        for customer in ["", "a", "hush hush", "hush/1", "김토스", too_long.as_str()] {
            assert!(refused(customer), "{customer}");
        }
    }

    #[test]
    fn a_billing_key_under_an_undocumented_customer_key_can_be_charged() {
        let charge = BillingRequest::new("shop:1/김", "order-1", "구독", won(1));
        assert!(charge.body.bytes().is_ok());
    }

    #[test]
    fn card_numbers_are_checked_and_never_shown() {
        let card = CardNumbers::new("9410001234567890", "30", "12", "900101")
            .password("12")
            .three_d_secure("AAAB9410", "MDAw9410", "05");
        let request = KeyInRequest::new("order-1", "책", won(1_000), &card);
        let body = request.0.value().unwrap();
        assert_eq!(body["cardNumber"], "9410001234567890");
        let vbv = json!({"cavv": "AAAB9410", "xid": "MDAw9410", "eci": "05"});
        assert_eq!(body["vbv"], vbv);
        let shown = format!("{card:?} {request:?}");
        assert!(
            !shown.contains("9410") && !shown.contains("900101"),
            "{shown}"
        );
        for card in [
            CardNumbers::new("9410-0012-3456-7890", "30", "12", "900101"),
            CardNumbers::new("941000", "30", "12", "900101"),
            CardNumbers::new("9410001234567890", "2030", "12", "900101"),
            CardNumbers::new("9410001234567890", "30", "12", "9001011"),
            CardNumbers::new("9410001234567890", "30", "12", "900101").password("1234"),
            CardNumbers::new("9410001234567890", "30", "12", "900101")
                .three_d_secure("", "x", "05"),
        ] {
            let request = CardBillingKeyRequest::new("cust", &card);
            assert!(request.0.bytes().is_err());
        }
    }
}
