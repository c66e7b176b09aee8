//! Virtual accounts issued without a window.

use chrono::NaiveDateTime;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::{CashReceiptType, body::Body};

/// Issues an account for one payment.
#[derive(Debug, Clone, PartialEq)]
pub struct VirtualAccountRequest(pub(crate) Body);

impl VirtualAccountRequest {
    /// `amount` positive, in won; `order_id` 1 to 64 characters; `order_name` and
    /// `customer_name` at most 100; `bank` is Toss's bank code (`20` is Woori). The account takes
    /// money for 168 hours unless told otherwise.
    pub fn new(
        order_id: impl Into<String>,
        order_name: impl Into<String>,
        amount: Decimal,
        customer_name: impl Into<String>,
        bank: impl Into<String>,
    ) -> Self {
        Self(
            Body::default()
                .amount("amount", amount)
                .text("orderId", order_id, 64)
                .text("orderName", order_name, 100)
                .text("customerName", customer_name, 100)
                .text("bank", bank, 20),
        )
    }

    /// Takes money for this many hours, 1 to 2,160; excludes [`due_date`](Self::due_date).
    #[must_use]
    pub fn valid_hours(self, hours: u16) -> Self {
        let limit = if self.0.has("dueDate") {
            Err("validHours and dueDate exclude each other".to_owned())
        } else if (1..=2_160).contains(&hours) {
            Ok(())
        } else {
            Err("validHours must be 1 to 2160".to_owned())
        };
        Self(self.0.held(limit).set("validHours", hours))
    }

    /// Takes money until this moment, **Korean wall-clock time**, at most 90 days ahead; excludes
    /// [`valid_hours`](Self::valid_hours).
    #[must_use]
    pub fn due_date(self, at: NaiveDateTime) -> Self {
        let limit = if self.0.has("validHours") {
            Err("validHours and dueDate exclude each other".to_owned())
        } else {
            Ok(())
        };
        let text = at.format("%Y-%m-%dT%H:%M:%S").to_string();
        Self(self.0.held(limit).set("dueDate", text))
    }

    /// Where Toss writes to, at most 100 characters.
    #[must_use]
    pub fn customer_email(self, email: impl Into<String>) -> Self {
        Self(self.0.text("customerEmail", email, 100))
    }

    /// The number Toss sends messages to, digits alone.
    #[must_use]
    pub fn customer_mobile_phone(self, number: impl Into<String>) -> Self {
        Self(self.0.digits("customerMobilePhone", number, 8..=15))
    }

    /// The tax-free part of the amount.
    #[must_use]
    pub fn tax_free_amount(self, amount: Decimal) -> Self {
        Self(self.0.part("taxFreeAmount", amount))
    }

    /// Asks for a cash receipt to this phone, card or business number.
    #[must_use]
    pub fn cash_receipt(self, kind: CashReceiptType, registration_number: &str) -> Self {
        let receipt = Body::default().set("type", kind.as_str()).text(
            "registrationNumber",
            registration_number,
            30,
        );
        Self(self.0.object("cashReceipt", &receipt))
    }

    /// Asks for no cash receipt (`미발행`).
    #[must_use]
    pub fn no_cash_receipt(self) -> Self {
        let receipt = Body::default().set("type", "미발행");
        Self(self.0.object("cashReceipt", &receipt))
    }

    /// Has the money held until the buyer decides; a payment with these goods.
    #[must_use]
    pub fn escrow(self, products: &[EscrowProduct]) -> Self {
        let limit = match products {
            [] => Err("escrowProducts is empty".to_owned()),
            _ => Ok(()),
        };
        let rows: Result<Vec<Value>, String> =
            products.iter().map(|product| product.0.value()).collect();
        let body = self.0.held(limit).set("useEscrow", true);
        Self(match rows {
            Ok(rows) => body.set("escrowProducts", rows),
            Err(limit) => body.held(Err(limit)),
        })
    }

    /// The customer's fixed account.
    #[must_use]
    pub fn account_key(self, key: impl Into<String>) -> Self {
        Self(self.0.text("accountKey", key, 300))
    }
}

/// One product of an escrow payment.
#[derive(Debug, Clone, PartialEq)]
pub struct EscrowProduct(Body);

impl EscrowProduct {
    /// `unit_price` in won.
    pub fn new(
        id: impl Into<String>,
        name: impl Into<String>,
        code: impl Into<String>,
        unit_price: Decimal,
        quantity: u32,
    ) -> Self {
        Self(
            Body::default()
                .text("id", id, 300)
                .text("name", name, 300)
                .text("code", code, 300)
                .part("unitPrice", unit_price)
                .set("quantity", quantity),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request() -> VirtualAccountRequest {
        VirtualAccountRequest::new("order-1", "책", Decimal::from(1_000), "김토스", "20")
    }

    #[test]
    fn an_account_is_asked_for_under_toss_s_names() {
        let book = EscrowProduct::new("1", "책", "b-1", Decimal::from(1_000), 1);
        let asked = request()
            .valid_hours(24)
            .cash_receipt(CashReceiptType::IncomeDeduction, "01012345678")
            .escrow(&[book]);
        assert_eq!(
            asked.0.value().unwrap(),
            json!({
                "amount": 1_000, "orderId": "order-1", "orderName": "책",
                "customerName": "김토스", "bank": "20", "validHours": 24,
                "cashReceipt": {"type": "소득공제", "registrationNumber": "01012345678"},
                "useEscrow": true,
                "escrowProducts":
                    [{"id": "1", "name": "책", "code": "b-1", "unitPrice": 1_000, "quantity": 1}],
            })
        );
    }

    #[test]
    fn an_account_beyond_the_documented_limits_is_refused() {
        let at = NaiveDateTime::parse_from_str("2026-01-01 00:00", "%Y-%m-%d %H:%M").unwrap();
        assert!(request().due_date(at).0.bytes().is_ok());
        for request in [
            request().valid_hours(0),
            request().valid_hours(2_161),
            request().valid_hours(1).due_date(at),
            request().due_date(at).valid_hours(1),
            request().escrow(&[]),
            request().cash_receipt(CashReceiptType::ProofOfExpense, ""),
        ] {
            assert!(request.0.bytes().is_err(), "{request:?}");
        }
    }
}
