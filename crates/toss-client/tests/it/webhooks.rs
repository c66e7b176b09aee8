//! What may be believed of a webhook.

use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};
use toss_client::{
    PaymentStatus, SecurityKey,
    webhook::{Event, InvalidWebhook, KeyEncoding, Proof, Received, Signer, Unverified, Verifier},
};

use crate::CARD;

const TIME: &str = "2024-08-08T09:00:00+09:00";

fn security_key(digit: &str) -> SecurityKey {
    SecurityKey::parse(&digit.repeat(64)).unwrap()
}

fn payout() -> Vec<u8> {
    json!({
        "eventType": "payout.changed", "createdAt": "2024-08-08T09:00:00.123456",
        "version": "2022-11-16", "eventId": "e-1", "entityType": "payout",
        "entityBody": {"id": "FPA_1", "status": "COMPLETED"},
    })
    .to_string()
    .into_bytes()
}

fn unverified(body: &Value) -> Unverified {
    let body = body.to_string();
    let delivery = Verifier::default()
        .parse(body.as_bytes(), &HeaderMap::new())
        .unwrap();
    match delivery.received {
        Received::Unverified(event) => event,
        Received::Verified(event) => panic!("{event:?}"),
    }
}

#[test]
fn a_signed_event_is_verified_with_the_key_as_text_or_as_bytes() {
    let verifier = Verifier::new([security_key("a")]);
    for encoding in [KeyEncoding::Text, KeyEncoding::Bytes] {
        let headers =
            Signer::new(security_key("a"), encoding).headers("whtrans_1", &payout(), TIME);
        let delivery = verifier.parse(&payout(), &headers).unwrap();
        assert_eq!(delivery.id.as_deref(), Some("whtrans_1"));
        assert!(delivery.sent_at.unwrap().at().is_some());
        let Received::Verified(verified) = delivery.received else {
            panic!("not verified");
        };
        assert_eq!(verified.proof(), Proof::Signature);
        let Event::PayoutChanged(fields) = verified.event() else {
            panic!("{:?}", verified.event());
        };
        assert_eq!(fields.text("id"), Some("FPA_1"));
    }
}

/// HMAC-SHA256 made by another implementation (Python's `hmac`) over `{}:T`.
#[test]
fn the_signature_is_that_of_another_implementation() {
    let key = security_key("a");
    let text = Signer::new(key.clone(), KeyEncoding::Text).sign(b"{}", "T");
    let bytes = Signer::new(key, KeyEncoding::Bytes).sign(b"{}", "T");
    assert_eq!(text, "v1:QzW5HVR/ioh3Ay+jheLLAahLfz7UvEytc9PApEePiwQ=");
    assert_eq!(bytes, "v1:AcHgMFiIDIPPrvncRhPtJaDfzWs8TqRF1QpFgvCJa+U=");
}

#[test]
fn while_a_key_is_replaced_either_signature_and_either_key_will_do() {
    let sign = |digit| Signer::new(security_key(digit), KeyEncoding::Bytes).sign(&payout(), TIME);
    let both = format!("{},{}", sign("a"), sign("b"));
    for key in ["a", "b"] {
        let mut headers =
            Signer::new(security_key("c"), KeyEncoding::Text).headers("w", &payout(), TIME);
        headers.insert(
            "tosspayments-webhook-signature",
            HeaderValue::from_str(&both).unwrap(),
        );
        let verifier = Verifier::new([security_key("d"), security_key(key)]);
        let delivery = verifier.parse(&payout(), &headers).unwrap();
        assert!(matches!(delivery.received, Received::Verified(_)));
    }
}

#[test]
fn a_forged_event_is_refused() {
    let verifier = Verifier::new([security_key("a")]);
    let good = Signer::new(security_key("a"), KeyEncoding::Bytes);
    let forged = Signer::new(security_key("b"), KeyEncoding::Bytes);
    let mut other_time = good.headers("w", &payout(), TIME);
    other_time.insert(
        "tosspayments-webhook-transmission-time",
        HeaderValue::from_static("2024-08-08T09:00:01+09:00"),
    );
    let mut garbage = good.headers("w", &payout(), TIME);
    garbage.insert(
        "tosspayments-webhook-signature",
        HeaderValue::from_static("v1:,v2:AAAA,v1:!!"),
    );
    for headers in [
        forged.headers("w", &payout(), TIME),
        good.headers("w", b"{}", TIME),
        other_time,
        garbage,
    ] {
        let refused = verifier.parse(&payout(), &headers).unwrap_err();
        assert_eq!(refused, InvalidWebhook::Signature);
    }
}

#[test]
fn a_signed_kind_without_a_signature_is_not_believed() {
    let verifier = Verifier::new([security_key("a")]);
    let delivery = verifier.parse(&payout(), &HeaderMap::new()).unwrap();
    assert!(matches!(delivery.received, Received::Unverified(_)));
    // Without keys a signature proves nothing.
    let headers = Signer::new(security_key("a"), KeyEncoding::Text).headers("w", &payout(), TIME);
    let delivery = Verifier::default().parse(&payout(), &headers).unwrap();
    assert!(matches!(delivery.received, Received::Unverified(_)));
}

#[test]
fn a_deposit_is_verified_by_the_secret_of_its_payment() {
    let body = json!({
        "createdAt": "2022-01-01T00:00:00.000000", "secret": "ps_hush", "status": "DONE",
        "transactionKey": "t", "orderId": "order-1",
    });
    assert_eq!(unverified(&body).order_id(), Some("order-1"));
    assert_eq!(unverified(&body).event_type(), "DEPOSIT_CALLBACK");
    let verified = unverified(&body).with_secret(Some("ps_hush")).unwrap();
    assert_eq!(verified.proof(), Proof::Secret);
    let Event::DepositCallback(deposit) = verified.into_event() else {
        panic!("no deposit");
    };
    assert_eq!(deposit.status, PaymentStatus::Done);
    assert!(!format!("{deposit:?}").contains("ps_hush"));
    for stored in [
        None,
        Some(""),
        Some("ps_hus"),
        Some("ps_hush2"),
        Some("PS_HUSH"),
    ] {
        assert!(unverified(&body).with_secret(stored).is_err(), "{stored:?}");
    }
    let bare = json!({"status": "DONE", "orderId": "order-1", "secret": ""});
    assert!(unverified(&bare).with_secret(Some("")).is_err());
}

#[test]
fn a_payment_event_says_what_to_ask_for_and_is_verified_by_its_secret() {
    let payment: Value = serde_json::from_str(CARD).unwrap();
    let body = json!({
        "eventType": "PAYMENT_STATUS_CHANGED", "createdAt": "2022-01-01T00:00:00.000000",
        "data": payment,
    });
    let event = unverified(&body);
    assert_eq!(event.payment_key(), payment["paymentKey"].as_str());
    assert_eq!(event.order_id(), payment["orderId"].as_str());
    let verified = event.with_secret(Some("ps_hush_card_secret")).unwrap();
    assert!(matches!(verified.event(), Event::PaymentStatusChanged(_)));
}

#[test]
fn unknown_and_misshapen_events_are_kept() {
    for (body, event_type) in [
        (
            json!({"eventType": "ars-reservation.changed", "entityBody": {"id": 1}}),
            "ars-reservation.changed",
        ),
        (
            json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": {"paymentKey": "p"}}),
            "PAYMENT_STATUS_CHANGED",
        ),
        (
            json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": []}),
            "PAYMENT_STATUS_CHANGED",
        ),
        (json!({"hello": 1}), ""),
    ] {
        assert_eq!(unverified(&body).event_type(), event_type);
    }
    let half = json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": {"paymentKey": "p"}});
    assert_eq!(unverified(&half).payment_key(), Some("p"));
    let about = |event_type, name: &str| {
        let named = Value::Object([(name.to_owned(), json!("about"))].into_iter().collect());
        unverified(&json!({"eventType": event_type, "data": named}))
    };
    let billing = about("BILLING_DELETED", "billingKey");
    assert_eq!(billing.billing_key().unwrap().expose(), "about");
    let customer = about("CUSTOMER_STATUS_CHANGED", "customerKey");
    assert_eq!(customer.customer_key(), Some("about"));
    assert_eq!(customer.entity_id(), None);
    assert_eq!(about("payout.changed", "id").entity_id(), Some("about"));
    for (event_type, data) in [
        ("BILLING_DELETED", json!({"billingKey": "b"})),
        (
            "METHOD_UPDATED",
            json!({"methodKey": "m", "status": "ENABLE"}),
        ),
        ("CUSTOMER_STATUS_CHANGED", json!({"customerKey": "c"})),
        ("CANCEL_STATUS_CHANGED", json!({"transactionKey": "t"})),
    ] {
        let event = unverified(&json!({"eventType": event_type, "data": data}));
        assert_eq!(event.event_type(), event_type);
        assert!(!format!("{event:?}").contains("Other"), "{event:?}");
    }
}

#[test]
fn what_is_no_object_is_refused() {
    let large = vec![b' '; 1024 * 1024 + 1];
    for body in [&b""[..], b"[]", b"null", b"{", &large] {
        let refused = Verifier::default().parse(body, &HeaderMap::new());
        assert_eq!(refused.unwrap_err(), InvalidWebhook::Body);
    }
}

proptest! {
    #[test]
    fn nothing_that_comes_in_panics_or_is_believed(
        body in proptest::collection::vec(any::<u8>(), 0..200),
        signature in "(v1:[A-Za-z0-9+/=]{0,60},?){0,4}",
    ) {
        let verifier = Verifier::new([security_key("a")]);
        let mut headers = HeaderMap::new();
        headers.insert(
            "tosspayments-webhook-signature",
            HeaderValue::from_str(&signature).unwrap(),
        );
        prop_assert!(verifier.parse(&body, &headers).is_err());
    }
}
