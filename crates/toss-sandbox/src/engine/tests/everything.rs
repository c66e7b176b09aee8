//! Every endpoint meets every kind of body: nothing is a server error, and the changes alone
//! rebuild the books.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    DEFAULT_SECRET_KEY, DEFAULT_SECURITY_KEY, SandboxConfig,
    endpoint::Endpoint,
    engine::{ApiRequest, Change, Delivery, Engine, Findings, Method, Random, vault::Vault},
};

/// A body that each endpoint takes, so that a change of one field meets what lies behind.
fn good(endpoint: Endpoint) -> Value {
    match endpoint {
        Endpoint::RequestPayouts => json!([{
            "refPayoutId": "p-1", "destination": "d", "scheduleType": "EXPRESS",
            "amount": { "currency": "KRW", "value": 10 },
        }]),
        Endpoint::RegisterSeller | Endpoint::UpdateSeller => json!({
            "refSellerId": "s-1", "businessType": "INDIVIDUAL", "individual": { "name": "김" },
            "account": { "bankCode": "092", "accountNumber": "1", "holderName": "김" },
        }),
        _ => json!({
            "paymentKey": "k", "orderId": "order-0001", "orderName": "티셔츠", "amount": 60_000,
            "customerName": "김토스", "bank": "20", "validHours": 24, "dueDate": null,
            "cardNumber": "9410001234567890", "cardExpirationYear": "30",
            "cardExpirationMonth": "12", "customerIdentityNumber": "900101",
            "cardPassword": "12", "cardInstallmentPlan": 3, "customerKey": "buyer",
            "customerEmail": "a@b.kr", "taxFreeAmount": 10, "taxExemptionAmount": 5, "authKey": "a", "type": "소득공제",
            "cancelReason": "변심", "cancelAmount": 1, "metadata": { "a": "b" },
            "scope": ["REGISTER"], "termsId": [1], "grantType": "AuthorizationCode",
            "code": "c", "methodKey": "m", "useEscrow": false, "currency": "KRW",
            "vbv": { "cavv": "c", "xid": "x", "eci": "05" },
            "accountKey": "a", "useCardPoint": false, "useFreeInstallmentPlan": true,
            "cancelRequestId": "c",
            "cashReceipt": { "type": "소득공제", "registrationNumber": "01000001234" },
        }),
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[0-9A-Z-]{0,20}".prop_map(Value::from),
        "가{0,305}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({ "a": [1, null] })),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let date = prop_oneof![
        Just("2026-01-01"),
        Just("2026-01-01T00:00:00"),
        Just("-262144-01-01"),
        Just("x")
    ];
    let number = prop_oneof![
        Just("0"),
        Just("1"),
        Just("100"),
        Just("18446744073709551615"),
        Just("-1")
    ];
    (date.clone(), date, number.clone(), number).prop_map(|(start, end, page, limit)| {
        format!(
            "startDate={start}&endDate={end}&requestDate={start}&page={page}&size=100&limit={limit}\
             &cursor={page}&startingAfter=x&customerKey=%FF&dateType=soldDate"
        )
    })
}

#[derive(Debug, Clone)]
struct Shot {
    endpoint: usize,
    field: usize,
    value: Value,
    subject: Option<String>,
    query: String,
    seconds: i64,
}

fn shot() -> impl Strategy<Value = Shot> {
    let subject = proptest::option::of(".{0,20}");
    (
        0..Endpoint::ALL.len(),
        0..40_usize,
        value(),
        subject,
        query(),
        0..100_000_i64,
    )
        .prop_map(|(endpoint, field, value, subject, query, seconds)| Shot {
            endpoint,
            field,
            value,
            subject,
            query,
            seconds,
        })
}

/// Keys that were answered so far: later calls name them.
#[derive(Default)]
struct Known(Vec<String>);

impl Known {
    fn learn(&mut self, body: &str) {
        let read: Value = serde_json::from_str(body).unwrap_or_default();
        let entity = &read["entityBody"];
        let names = [
            "paymentKey",
            "billingKey",
            "receiptKey",
            "code",
            "accessToken",
        ];
        let found = names.iter().filter_map(|name| read[*name].as_str());
        let ids = [entity["id"].as_str(), entity["items"][0]["id"].as_str()];
        self.0
            .extend(found.chain(ids.into_iter().flatten()).map(str::to_owned));
    }

    fn any(&self, index: usize) -> String {
        self.0
            .get(index % self.0.len().max(1))
            .cloned()
            .unwrap_or_default()
    }
}

fn request(shot: &Shot, known: &Known, vault: &Vault, now: DateTime<chrono::Utc>) -> ApiRequest {
    let endpoint = Endpoint::ALL[shot.endpoint];
    let subject = match (&shot.subject, endpoint.names_subject()) {
        (Some(subject), true) => subject.clone(),
        (None, true) => known.any(shot.field),
        (_, false) => shot.query.clone(),
    };
    let mut body = good(endpoint);
    let target = if body.is_array() {
        &mut body[0]
    } else {
        &mut body
    };
    let names: Vec<_> = target.as_object().unwrap().keys().cloned().collect();
    // Beyond the last field nothing is changed, so that good bodies come as well.
    if let Some(name) = names.get(shot.field) {
        target[name] = shot.value.clone();
    } else {
        for name in ["paymentKey", "authKey", "code", "destination"] {
            if target.get(name).is_some() {
                target[name] = known.any(shot.field).into();
            }
        }
    }
    let mut request = ApiRequest::new(endpoint, DEFAULT_SECRET_KEY, &subject, body.to_string());
    let encrypted = matches!(
        endpoint,
        Endpoint::RequestPayouts | Endpoint::RegisterSeller | Endpoint::UpdateSeller
    );
    if encrypted && shot.field != 39 {
        let sealed = vault.seal(now, &mut Random::new(1), body.to_string());
        request.body = sealed.into_bytes();
        request.security_mode = Some("ENCRYPTION".to_owned());
    }
    if shot.field == 38 {
        request.authorization = Some(format!("Bearer {}", known.any(shot.query.len())));
    }
    request
}

proptest! {
    #[test]
    fn no_call_with_any_body_is_a_server_error_or_breaks_the_books(
        shots in proptest::collection::vec(shot(), 1..60),
    ) {
        let config = SandboxConfig::default();
        let (mut engine, mut rebuilt) = (Engine::new(&config), Engine::new(&config));
        engine.record_changes();
        engine.want_webhooks();
        let vault = Vault::new(DEFAULT_SECURITY_KEY);
        let mut now = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
        let mut known = Known::default();
        known.0.push(engine.authenticate(now, "order-0001", "n", 60_000, Method::card()));
        for shot in shots {
            let request = request(&shot, &known, &vault, now);
            let endpoint = request.endpoint;
            let delivery = engine.call(now, request);
            let Delivery::Answer(answer) = delivery else {
                panic!("without a fault every call is answered");
            };
            prop_assert!(answer.status < 500, "{endpoint:?} {shot:?} {}", answer.body);
            known.learn(&answer.body);
            if let Ok(opened) = vault.open(answer.body.as_bytes()) {
                known.learn(&String::from_utf8(opened).unwrap());
            }
            engine.announce(now);
            for sent in engine.due_webhooks(now, 3) {
                engine.webhook_tried(now, &sent.id, [None, Some(200)][shot.field % 2]);
            }
            now += TimeDelta::seconds(shot.seconds);
            let text = serde_json::to_string(&engine.take_changes()).unwrap();
            for change in serde_json::from_str::<Vec<Change>>(&text).unwrap() {
                prop_assert_eq!(rebuilt.apply(change), Ok(()));
            }
        }
        prop_assert_eq!(engine.audit(), Findings::default());
        let differences = engine.fingerprint().differences(&rebuilt.fingerprint());
        prop_assert_eq!(differences, Findings::default());
    }
}
