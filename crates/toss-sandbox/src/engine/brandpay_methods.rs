//! What a customer of brandpay pays with: shown, and removed by the customer's own token.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    BrandpayCustomer, BrandpayMethod, Engine, Ticket, change::Change, errors::ApiError,
    request::parse,
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodBody {
    method_key: String,
}

impl Engine {
    pub(super) fn remove_brandpay_method(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
        card: bool,
    ) -> Result<String, ApiError> {
        let body: MethodBody = parse(&ticket.request.body)?;
        let mut customer = self.bearer(ticket)?.clone();
        let mut methods = customer.methods.iter_mut();
        let method = methods
            .find(|method| method.key == body.method_key && method.card == card && !method.removed)
            .ok_or_else(|| ApiError::new("NOT_FOUND_METHOD"))?;
        method.removed = true;
        let view = method_view(method);
        let data = json!({
            "customerKey": customer.customer_key, "methodKey": method.key, "status": "DISABLED",
        });
        self.make(Change::BrandpayKept(Box::new(customer)));
        if self.outbox.wanted {
            let news = self.told(now, "METHOD_UPDATED", &data);
            self.announced.push(news);
        }
        Ok(view.to_string())
    }

    pub(super) fn remove_brandpay_customer(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<String, ApiError> {
        let mut customer = self.bearer(ticket)?.clone();
        let key = customer.customer_key.clone();
        customer.removed = true;
        self.make(Change::BrandpayKept(Box::new(customer)));
        self.tell_customer(now, &key, "REMOVED");
        Ok(json!({ "customerKey": key, "success": true }).to_string())
    }
}

/// The number of every card, masked.
pub(super) const CARD_NUMBER: &str = "94100012****789*";

fn method_view(method: &BrandpayMethod) -> Value {
    let status = if method.removed {
        "DISABLED"
    } else {
        "ENABLED"
    };
    if method.card {
        json!({
            "id": method.key, "methodKey": method.key, "alias": "카드", "cardName": "국민카드",
            "cardNumber": CARD_NUMBER, "issuerCode": "11", "acquirerCode": "11",
            "ownerType": "개인", "cardType": "신용", "installmentMinimumAmount": 50_000,
            "status": status,
        })
    } else {
        json!({
            "id": method.key, "methodKey": method.key, "alias": "계좌", "accountName": "우리은행",
            "accountNumber": "1002******123", "bankCode": "20", "status": status,
        })
    }
}

/// What a customer pays with, less what was removed.
pub(super) fn methods_view(customer: &BrandpayCustomer) -> Value {
    let of = |card: bool| {
        let methods = customer.methods.iter();
        let methods = methods.filter(|method| method.card == card && !method.removed);
        methods.map(method_view).collect::<Vec<_>>()
    };
    let selected = customer.methods.iter().find(|method| !method.removed);
    json!({
        "isIdentified": true,
        "selectedMethodId": selected.map(|method| &method.key),
        "cards": of(true),
        "accounts": of(false),
    })
}
