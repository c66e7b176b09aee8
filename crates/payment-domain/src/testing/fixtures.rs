use std::time::Duration;

use kernel::{Money, OrderId, PaymentKey, ProductId, Quantity, Timestamp, UserId, from_micros};

use crate::model::{
    Buyer, Change, GatewayPayment, GatewayStatus, Payment, PaymentFact, QuotedLine,
};

/// The moment at which fixtures are made: 2026-01-05T00:00:00Z.
pub(crate) fn noon() -> Timestamp {
    from_micros(1_767_571_200_000_000)
}

/// An order id made of this text.
///
/// # Panics
/// When the text is not a valid order id.
pub fn order_id(text: &str) -> OrderId {
    text.parse().expect("an order id")
}

/// A payment key made of this text.
///
/// # Panics
/// When the text is not a valid payment key.
pub fn payment_key(text: &str) -> PaymentKey {
    text.parse().expect("a payment key")
}

/// Buyer 1.
///
/// # Panics
/// Never.
pub fn buyer() -> Buyer {
    let user_id = UserId::new(1).expect("a user id");
    Buyer {
        user_id,
        customer_key: "0192a4c1d4e87a6b9f3e2d1c0b5a4938".into(),
    }
}

/// A line of `pieces` of product `id` at `won` each.
///
/// # Panics
/// When a number is out of range.
pub fn quoted(id: i64, won: i64, pieces: i64) -> QuotedLine {
    QuotedLine {
        product_id: ProductId::new(id).expect("a product id"),
        name: format!("상품 {id}"),
        unit_price: Money::from_won(won).expect("a price"),
        quantity: Quantity::new(pieces).expect("a quantity"),
    }
}

/// A payment of 210 000 won that has just been checked out as `order-000001`: three of product 1
/// at 50 000 and two of product 2 at 30 000.
///
/// # Panics
/// Never.
pub fn payment() -> Payment {
    let lines = vec![quoted(1, 50_000, 3), quoted(2, 30_000, 2)];
    let expiry = Duration::from_secs(30 * 60);
    Payment::check_out(order_id("order-000001"), buyer(), lines, noon(), expiry).expect("an order")
}

/// The change that records this fact, at this moment: next status and fence, a history entry, and
/// nothing else yet.
///
/// # Panics
/// When the fact cannot happen to a payment of that status.
pub fn change(payment: &Payment, fact: PaymentFact, at: Timestamp) -> Change {
    payment.change(fact, at).expect("a legal transition")
}

/// Toss's picture of this payment: a card, approved.
pub fn gateway_payment(payment: &Payment) -> GatewayPayment {
    GatewayPayment {
        order_id: payment.order_id.to_string(),
        payment_key: payment
            .payment_key
            .as_ref()
            .map_or("tgen_key", PaymentKey::as_str)
            .to_owned(),
        status: GatewayStatus::Done,
        total: Some(payment.total),
        balance: Some(payment.total),
        currency: "KRW".into(),
        method: Some("카드".into()),
        approved_at: Some(noon() + Duration::from_secs(60)),
        receipt_url: Some("https://receipt.example/1".into()),
        virtual_account: None,
        deposit_lapsed: false,
        secret: Some("ps_secret".into()),
        transaction_key: Some("txn-1".into()),
        cancels: Vec::new(),
        failure: None,
    }
}

/// Toss's picture of this payment in another status.
pub fn gateway_status(payment: &Payment, status: GatewayStatus) -> GatewayPayment {
    GatewayPayment {
        status,
        approved_at: None,
        ..gateway_payment(payment)
    }
}
