use std::sync::Arc;

use async_trait::async_trait;
use kernel::StoreError;
use payment_domain::PaymentView;
use payment_domain::model::NewsKind;
use payment_domain::port::{News, NewsPort};
use serde::Serialize;
use webhook_domain::WebhookReceiver;
use webhook_domain::model::{Event, EventType};

use crate::http::{PaymentResponse, rfc3339};

/// Payment's news are webhook-domain's events.
pub struct MerchantNews {
    webhooks: Arc<dyn WebhookReceiver>,
}

/// What merchants read.
#[derive(Serialize)]
struct Body {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: String,
    data: Data,
}

/// The payment as anybody reads it, and the change's number.
#[derive(Serialize)]
struct Data {
    #[serde(flatten)]
    payment: PaymentResponse,
    sequence: i64,
}

impl MerchantNews {
    /// A bridge to these webhooks.
    pub fn new(webhooks: Arc<dyn WebhookReceiver>) -> Self {
        Self { webhooks }
    }
}

fn event(news: &News) -> Result<Event, serde_json::Error> {
    let event_type = match news.kind {
        NewsKind::Done => EventType::PaymentDone,
        NewsKind::Failed => EventType::PaymentFailed,
        NewsKind::Expired => EventType::PaymentExpired,
        NewsKind::Canceled => EventType::PaymentCanceled,
        NewsKind::WaitingForDeposit => EventType::PaymentWaitingForDeposit,
        NewsKind::Quarantined => EventType::PaymentQuarantined,
    };
    let (order_id, sequence) = (news.order_id().clone(), news.sequence.get());
    let payment = PaymentResponse::from(PaymentView {
        payment: news.payment.clone(),
        transactions: news.transactions.clone(),
    });
    let body = Body {
        event_type: event_type.as_str(),
        timestamp: rfc3339(news.at),
        data: Data { payment, sequence },
    };
    Ok(Event {
        // The same change has the same id, however often it is told.
        id: format!("evt_{order_id}_{sequence}"),
        event_type,
        order_id: Some(order_id),
        sequence,
        occurred_at: news.at,
        body: serde_json::to_string(&body)?,
    })
}

#[async_trait]
impl NewsPort for MerchantNews {
    fn is_awaited(&self) -> bool {
        self.webhooks.is_awaited()
    }

    async fn tell(&self, news: &News) -> Result<(), StoreError> {
        let event = event(news).map_err(|error| StoreError::Corrupt {
            action: "write an event",
            source: error.into(),
        })?;
        self.webhooks.publish(&event).await
    }
}

#[cfg(test)]
mod tests {
    use kernel::Fence;
    use payment_domain::model::{PaymentStatus, VirtualAccount};
    use payment_domain::testing::payment;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_shows_the_payment_and_nobody_s_name() {
        let mut paid = payment();
        paid.status = PaymentStatus::WaitingForDeposit;
        paid.virtual_account = Some(VirtualAccount {
            bank_code: "20".to_owned(),
            account_number: "X6505636518308".to_owned(),
            due_date: None,
            customer_name: Some("박토스".to_owned()),
        });
        let news = News {
            kind: NewsKind::WaitingForDeposit,
            sequence: Fence::from_stored(3),
            at: paid.created_at,
            payment: paid.clone(),
            transactions: Vec::new(),
        };
        let event = event(&news).unwrap();
        assert_eq!(event.id, format!("evt_{}_3", paid.order_id));
        let body: Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!(body["type"], json!("payment.waiting_for_deposit"));
        assert_eq!(body["timestamp"], json!("2026-01-05T00:00:00Z"));
        let data = &body["data"];
        assert_eq!(data["orderId"], json!(paid.order_id.as_str()));
        assert_eq!(data["status"], json!("WAITING_FOR_DEPOSIT"));
        assert_eq!(data["totalAmount"], json!(paid.total.won()));
        assert_eq!(
            (&data["balanceAmount"], &data["currency"]),
            (&json!(0), &json!("KRW"))
        );
        assert_eq!(data["sequence"], json!(3));
        for personal in ["박토스", &paid.buyer.customer_key, "userId"] {
            assert!(!event.body.contains(personal), "{personal}: {}", event.body);
        }
    }
}
