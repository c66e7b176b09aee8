use kernel::Money;

use super::{GatewayPayment, GatewayStatus, Payment};

/// What Toss's picture of a payment means for ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Approved, and order, amount and currency agree.
    Approved,
    /// A virtual account was issued for the right order and amount.
    DepositAwaited,
    /// The buyer has authenticated and Toss has not approved: it may be asked (again).
    Approvable,
    /// It can never be approved: code and message.
    Dead {
        /// Toss's failure code, or the status that it shows.
        code: String,
        /// Toss's message, or what the status means.
        message: String,
    },
    /// That payment belongs to another order.
    OtherOrder,
    /// Money moved, but not as the order says.
    Disagreement(String),
    /// A status that this program does not know.
    Unreadable(String),
}

/// Compares what Toss shows with the order. Nothing that Toss reports counts as paid unless order
/// id, amount and currency agree.
pub fn judge(payment: &Payment, truth: &GatewayPayment) -> Verdict {
    if truth.order_id != payment.order_id.as_str() {
        return Verdict::OtherOrder;
    }
    let agrees = truth.total == Some(payment.total) && truth.currency == "KRW";
    match &truth.status {
        GatewayStatus::Done if agrees => Verdict::Approved,
        GatewayStatus::WaitingForDeposit if truth.deposit_lapsed => Verdict::Dead {
            code: "EXPIRED_DEPOSIT".into(),
            message: "The virtual account's due date has passed without a deposit".into(),
        },
        GatewayStatus::WaitingForDeposit if agrees => Verdict::DepositAwaited,
        GatewayStatus::Ready | GatewayStatus::InProgress => Verdict::Approvable,
        GatewayStatus::Done | GatewayStatus::WaitingForDeposit => Verdict::Disagreement(format!(
            "Toss shows {} {}, the order says {}",
            truth.total.map_or_else(
                || "an unreadable amount".to_owned(),
                |won| won.won().to_string()
            ),
            truth.currency,
            payment.total
        )),
        // Toss keeps this status when parts add up to everything; the balance tells.
        GatewayStatus::PartialCanceled if truth.balance == Some(Money::ZERO) => {
            dead(truth, "CANCELED")
        }
        GatewayStatus::PartialCanceled => {
            Verdict::Disagreement("Toss shows the payment as partly canceled".into())
        }
        GatewayStatus::Canceled => dead(truth, "CANCELED"),
        GatewayStatus::Aborted => dead(truth, "ABORTED"),
        GatewayStatus::Expired => dead(truth, "EXPIRED"),
        GatewayStatus::Other(status) => Verdict::Unreadable(status.clone()),
    }
}

fn dead(truth: &GatewayPayment, status: &str) -> Verdict {
    let (code, message) = truth.failure.clone().unwrap_or_else(|| {
        (
            status.to_owned(),
            format!("Toss shows the payment as {status}"),
        )
    });
    Verdict::Dead { code, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gateway_payment, payment};

    fn truth(status: GatewayStatus) -> GatewayPayment {
        GatewayPayment {
            status,
            ..gateway_payment(&payment())
        }
    }

    #[test]
    fn done_counts_only_when_order_amount_and_currency_agree() {
        assert_eq!(
            judge(&payment(), &truth(GatewayStatus::Done)),
            Verdict::Approved
        );
        let other = GatewayPayment {
            order_id: "order-other".into(),
            ..truth(GatewayStatus::Done)
        };
        assert_eq!(judge(&payment(), &other), Verdict::OtherOrder);
        for wrong in [
            GatewayPayment {
                total: Money::from_won(1).ok(),
                ..truth(GatewayStatus::Done)
            },
            GatewayPayment {
                total: None,
                ..truth(GatewayStatus::Done)
            },
            GatewayPayment {
                currency: "USD".into(),
                ..truth(GatewayStatus::Done)
            },
            GatewayPayment {
                currency: "USD".into(),
                ..truth(GatewayStatus::WaitingForDeposit)
            },
            truth(GatewayStatus::PartialCanceled),
        ] {
            assert!(
                matches!(judge(&payment(), &wrong), Verdict::Disagreement(_)),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_status_of_tomorrow_is_neither_paid_nor_failed() {
        let odd = truth(GatewayStatus::Other("PAUSED".into()));
        assert_eq!(
            judge(&payment(), &odd),
            Verdict::Unreadable("PAUSED".into())
        );
    }

    #[test]
    fn dead_payments_carry_toss_s_reason() {
        let failure = Some(("REJECT_CARD_COMPANY".to_owned(), "거절".to_owned()));
        let aborted = GatewayPayment {
            failure,
            ..truth(GatewayStatus::Aborted)
        };
        let dead = Verdict::Dead {
            code: "REJECT_CARD_COMPANY".into(),
            message: "거절".into(),
        };
        assert_eq!(judge(&payment(), &aborted), dead);
        for status in [GatewayStatus::Canceled, GatewayStatus::Expired] {
            assert!(matches!(
                judge(&payment(), &truth(status)),
                Verdict::Dead { .. }
            ));
        }
    }
}
