//! Checkout: price what the buyer wants, refuse what cannot be filled now, store the order.

use kernel::{OrderId, ProductId, Quantity};

use super::PaymentService;
use crate::model::{Payment, QuotedLine, check_lines};
use crate::port::{CheckoutKey, Inserted};
use crate::receiver::{CheckoutCommand, CheckoutError, CheckoutOutcome};

impl PaymentService {
    pub(super) async fn check_out_order(
        &self,
        command: CheckoutCommand,
    ) -> Result<CheckoutOutcome, CheckoutError> {
        // Before anything is looked up: a flood of lines costs no query, and an order that makes no
        // sense is malformed whoever and whatever it names.
        check_lines(command.lines.iter().map(|(id, _)| *id))?;
        if let Some(key) = &command.key
            && let Some((order_id, fingerprint)) = self
                .ports
                .payments
                .find_checkout(key.user_id, &key.key)
                .await?
        {
            return self.replay(key, order_id, &fingerprint).await;
        }
        let buyer = self.ports.buyers.buyer(command.user_id).await?;
        let buyer = buyer.ok_or(CheckoutError::UnknownUser(command.user_id))?;
        let quoted = self.quote(&command.lines).await?;
        let payment = Payment::check_out(
            self.ports.ids.order_id(),
            buyer,
            quoted,
            self.ports.clock.now(),
            self.policy.payment_expiry,
        )?;
        match self
            .ports
            .payments
            .insert(&payment, command.key.as_ref())
            .await?
        {
            Inserted::Stored => Ok(CheckoutOutcome {
                payment,
                replayed: false,
            }),
            Inserted::KeyTaken {
                order_id,
                fingerprint,
            } => match &command.key {
                Some(key) => self.replay(key, order_id, &fingerprint).await,
                None => Err(CheckoutError::KeyReused),
            },
        }
    }

    /// Prices every line and checks that its stock would do at this moment.
    async fn quote(
        &self,
        lines: &[(ProductId, Quantity)],
    ) -> Result<Vec<QuotedLine>, CheckoutError> {
        let ids: Vec<_> = lines.iter().map(|(id, _)| *id).collect();
        let priced = self.ports.products.price(&ids).await?;
        lines
            .iter()
            .map(|&(product_id, quantity)| {
                let product = priced
                    .iter()
                    .find(|product| product.product_id == product_id)
                    .ok_or(CheckoutError::UnknownProduct(product_id))?;
                if product.available < i64::from(quantity.get()) {
                    return Err(CheckoutError::StockShort(product_id));
                }
                let (name, unit_price) = (product.name.clone(), product.unit_price);
                Ok(QuotedLine {
                    product_id,
                    name,
                    unit_price,
                    quantity,
                })
            })
            .collect()
    }

    /// The first answer once more, or a refusal when the key was used for something else.
    async fn replay(
        &self,
        key: &CheckoutKey,
        order_id: OrderId,
        fingerprint: &str,
    ) -> Result<CheckoutOutcome, CheckoutError> {
        if fingerprint != key.fingerprint {
            return Err(CheckoutError::KeyReused);
        }
        let payment = self.ports.payments.find(&order_id).await?;
        let payment = payment.ok_or_else(|| kernel::StoreError::Corrupt {
            action: "replay a checkout",
            source: format!("order {order_id} is gone").into(),
        })?;
        Ok(CheckoutOutcome {
            payment: payment.as_checked_out(),
            replayed: true,
        })
    }
}
