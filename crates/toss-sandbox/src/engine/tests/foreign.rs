//! Payments in dollars and yen.

use chrono::TimeDelta;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Bench, ORDER, code, read, request};
use crate::{
    DEFAULT_CLIENT_KEY, SandboxConfig,
    endpoint::Endpoint,
    engine::{Amount, CANCEL_DELAY, Choice, Currency, Engine, Findings, Language, Method},
};

fn opened(bench: &mut Bench, change: &Value) -> Result<String, String> {
    let mut body = json!({
        "clientKey": DEFAULT_CLIENT_KEY, "customerKey": "buyer-1", "method": "FOREIGN_EASY_PAY",
        "amount": { "currency": "USD", "value": 726.24 }, "orderId": ORDER, "orderName": "ticket",
        "foreignEasyPay": { "provider": "PAYPAL", "country": "US" },
        "successUrl": "https://shop.example/ok", "failUrl": "https://shop.example/no",
    });
    for (name, value) in change.as_object().unwrap() {
        body[name] = value.clone();
    }
    let opened = bench
        .engine
        .open_window(bench.now, body.to_string().as_bytes());
    opened
        .map(|opened| opened.window_id)
        .map_err(|error| error.code)
}

fn pay(bench: &mut Bench, window: &str, method: Method) -> Option<String> {
    let choice = Choice::Pay {
        method,
        card: None,
        decline_at_confirm: None,
    };
    let finished = bench
        .engine
        .finish_window(bench.now, window, choice, Language::Korean);
    finished.ok().flatten()
}

fn wallet() -> Method {
    Method::ForeignEasyPay {
        provider: String::new(),
    }
}

fn key_in(address: &str) -> String {
    let after = address.split("paymentKey=").nth(1).unwrap();
    after.split('&').next().unwrap().to_owned()
}

/// A confirm whose amount has decimals.
fn confirm_of(key: &str, amount: &Value) -> crate::engine::ApiRequest {
    let body = json!({ "paymentKey": key, "orderId": ORDER, "amount": amount });
    request(Endpoint::Confirm, "", &body)
}

#[test]
fn a_wallet_abroad_is_paid_in_dollars_and_cancelled_in_cents() {
    let mut bench = Bench::new();
    let window = opened(&mut bench, &json!({})).unwrap();
    assert_eq!(pay(&mut bench, &window, Method::card()), None);
    let address = pay(&mut bench, &window, wallet()).unwrap();
    assert!(address.contains("amount=726.24"), "{address}");
    let key = key_in(&address);
    let wrong = read(&bench.send(confirm_of(&key, &json!(726.25))));
    assert_eq!(code(&wrong), (400, "INVALID_REQUEST"));
    let (status, paid) = read(&bench.send(confirm_of(&key, &json!(726.24))));
    assert_eq!(status, 200, "{paid}");
    for (field, expected) in [
        ("method", json!("해외간편결제")),
        ("easyPay", json!("페이팔")),
        ("currency", json!("USD")),
        ("country", json!("US")),
        ("totalAmount", json!(726.24)),
        ("secret", Value::Null),
        ("receipt", Value::Null),
        ("useEscrow", Value::Null),
    ] {
        assert_eq!(paid[field], expected, "{field}");
    }

    // The numbers of an answer that a merchant published.
    let part = json!({ "cancelReason": "변심", "cancelAmount": 181.56, "currency": "USD" });
    let (_, cancelled) = bench.cancel(&key, &part);
    assert_eq!(cancelled["status"], "PARTIAL_CANCELED");
    assert_eq!(cancelled["balanceAmount"], json!(544.68));
    assert_eq!(
        (&cancelled["suppliedAmount"], &cancelled["vat"]),
        (&json!(495.16), &json!(49.52))
    );
    assert_eq!(cancelled["cancels"][0]["cancelAmount"], json!(181.56));
    assert_eq!(cancelled["cancels"][0]["refundableAmount"], json!(544.68));
    for (change, expected) in [
        (("currency", json!("KRW")), "INVALID_CURRENCY"),
        (("currency", json!("MUSD")), "INVALID_CURRENCY"),
        (("cancelAmount", json!(0.001)), "INVALID_REQUEST"),
        (("cancelAmount", json!(544.69)), "NOT_CANCELABLE_AMOUNT"),
        (
            ("refundableAmount", json!(544.67)),
            "NOT_MATCHES_REFUNDABLE_AMOUNT",
        ),
    ] {
        let mut body = json!({ "cancelReason": "변심", "cancelAmount": 1.25, "currency": "USD" });
        body[change.0] = change.1;
        let answer = bench.cancel(&key, &body);
        assert_eq!(code(&answer).1, expected);
    }
    bench.now += TimeDelta::days(181);
    let late = bench.cancel(&key, &json!({ "cancelReason": "변심" }));
    assert_eq!(code(&late), (403, "EXCEED_MAX_REFUND_DUE"));
}

/// A payment with a wallet that decides on cancels later.
fn paid_with_alipay(bench: &mut Bench) -> String {
    let alipay = json!({ "foreignEasyPay": { "provider": "ALIPAY", "country": "CN" } });
    let window = opened(bench, &alipay).unwrap();
    let key = key_in(&pay(bench, &window, wallet()).unwrap());
    let (status, paid) = read(&bench.send(confirm_of(&key, &json!(726.24))));
    assert_eq!(status, 200, "{paid}");
    key
}

/// The names and contents of the events that are due.
fn events(bench: &mut Bench) -> Vec<(String, Value)> {
    bench.engine.announce(bench.now);
    let due = bench.engine.due_webhooks(bench.now, 100);
    let read = |body: &str| serde_json::from_str::<Value>(body).unwrap();
    due.iter()
        .map(|sent| read(&sent.body))
        .map(|event| {
            (
                event["eventType"].as_str().unwrap().to_owned(),
                event["data"].clone(),
            )
        })
        .collect()
}

#[test]
fn a_wallet_abroad_decides_on_a_cancel_later_and_tells() {
    let mut bench = Bench::new();
    bench.engine.want_webhooks();
    let key = paid_with_alipay(&mut bench);
    assert_eq!(events(&mut bench).len(), 1);
    let part = json!({
        "cancelReason": "변심", "cancelAmount": 26.24, "cancelRequestId": "refund-1",
    });
    let (status, asked) = bench.cancel(&key, &part);
    assert_eq!((status, &asked["status"]), (200, &json!("DONE")));
    assert_eq!(asked["balanceAmount"], json!(726.24));
    let cancel = &asked["cancels"][0];
    assert_eq!(
        (&cancel["cancelStatus"], &cancel["cancelRequestId"]),
        (&json!("IN_PROGRESS"), &json!("refund-1"))
    );
    assert_eq!(
        code(&bench.cancel(&key, &part)),
        (400, "ALREADY_REFUNDING_PAYMENT")
    );
    assert!(events(&mut bench).is_empty());
    assert_eq!(bench.engine.ledger(0, 1)[0].canceled, 0);

    let due = bench.now + CANCEL_DELAY;
    assert_eq!(bench.engine.next_webhook_at(), Some(due));
    bench.now = due;
    let told = events(&mut bench);
    let names: Vec<_> = told.iter().map(|event| event.0.as_str()).collect();
    assert_eq!(names, ["PAYMENT_STATUS_CHANGED", "CANCEL_STATUS_CHANGED"]);
    assert_eq!(
        (&told[1].1["cancelStatus"], &told[1].1["cancelRequestId"]),
        (&json!("DONE"), &json!("refund-1"))
    );
    let (_, after) = bench.get(&key);
    assert_eq!(
        (&after["status"], &after["balanceAmount"]),
        (&json!("PARTIAL_CANCELED"), &json!(700.0))
    );
    assert_eq!(bench.engine.ledger(0, 1)[0].canceled, 2_624);
    assert_eq!(bench.engine.audit(), Findings::default());
}

#[test]
fn a_cancel_that_a_wallet_abroad_refuses_moves_no_money_and_can_be_asked_for_again() {
    let mut bench = Bench::new();
    bench.engine.record_changes();
    bench.engine.want_webhooks();
    let key = paid_with_alipay(&mut bench);
    let whole = json!({ "cancelReason": "변심" });
    assert!(bench.engine.abort_cancel(bench.now, &key).is_err());
    bench.cancel(&key, &whole);
    events(&mut bench);
    let aborted = bench.engine.abort_cancel(bench.now, &key).unwrap();
    let aborted: Value = serde_json::from_str(&aborted).unwrap();
    assert_eq!(
        (&aborted["status"], &aborted["cancels"][0]["cancelStatus"]),
        (&json!("DONE"), &json!("ABORTED"))
    );
    let told = events(&mut bench);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].0.as_str(), &told[0].1["cancelStatus"]),
        ("CANCEL_STATUS_CHANGED", &json!("ABORTED"))
    );
    bench.cancel(&key, &whole);
    // What a restart brings back decides as well, though nobody listens and nobody asked.
    let mut twin = Engine::new(&SandboxConfig::default());
    for change in bench.engine.take_changes() {
        twin.apply(change).unwrap();
    }
    let same = bench.engine.fingerprint().differences(&twin.fingerprint());
    assert!(same.is_empty(), "{same:?}");
    bench.engine = twin;
    bench.now += CANCEL_DELAY;
    let (_, after) = bench.get(&key);
    let states = [0, 1].map(|at| after["cancels"][at]["cancelStatus"].clone());
    assert_eq!(after["status"], "CANCELED");
    assert_eq!(states, [json!("DONE"), json!("ABORTED")]);
    assert_eq!(bench.engine.audit(), Findings::default());
    let long = json!({ "cancelReason": "변심", "cancelRequestId": "c".repeat(301) });
    assert_eq!(code(&bench.cancel(&key, &long)), (400, "INVALID_REQUEST"));
}

#[test]
fn a_card_is_paid_in_yen_without_fractions() {
    let mut bench = Bench::new();
    let card =
        |value: f64| json!({ "method": "CARD", "amount": { "currency": "JPY", "value": value } });
    assert_eq!(
        opened(&mut bench, &card(1_000.5)),
        Err("INVALID_REQUEST".to_owned())
    );
    let window = opened(&mut bench, &card(1_100.0)).unwrap();
    // A Korean wallet has won alone.
    let korean = Method::EasyPay {
        provider: "토스페이".to_owned(),
    };
    assert_eq!(pay(&mut bench, &window, korean), None);
    let key = key_in(&pay(&mut bench, &window, Method::card()).unwrap());
    let (_, paid) = bench.confirm(&key, ORDER, 1_100);
    assert_eq!(
        (&paid["totalAmount"], &paid["vat"]),
        (&json!(1_100), &json!(100))
    );
    assert_eq!(
        (&paid["currency"], &paid["method"]),
        (&json!("JPY"), &json!("카드"))
    );
    let fraction = bench.cancel(&key, &json!({ "cancelReason": "r", "cancelAmount": 0.5 }));
    assert_eq!(code(&fraction), (400, "INVALID_REQUEST"));
}

#[test]
fn a_currency_that_a_method_does_not_have_is_refused() {
    let mut bench = Bench::new();
    let amount = |currency: &str| json!({ "currency": currency, "value": 1_000 });
    for (method, currency) in [
        ("FOREIGN_EASY_PAY", "KRW"),
        ("FOREIGN_EASY_PAY", "JPY"),
        ("VIRTUAL_ACCOUNT", "USD"),
        ("TRANSFER", "JPY"),
        ("MOBILE_PHONE", "USD"),
        ("CARD", "EUR"),
    ] {
        let change = json!({ "method": method, "amount": amount(currency) });
        let refused = opened(&mut bench, &change);
        assert_eq!(
            refused,
            Err("INVALID_CURRENCY".to_owned()),
            "{method} {currency}"
        );
    }
    let nothing = json!({ "amount": { "currency": "USD", "value": 0.0 } });
    assert_eq!(
        opened(&mut bench, &nothing),
        Err("BELOW_MINIMUM_AMOUNT".to_owned())
    );
    let months = json!({ "method": "CARD", "card": { "cardInstallmentPlan": 3 } });
    assert_eq!(
        opened(&mut bench, &months),
        Err("INVALID_CARD_INSTALLMENT_PLAN".to_owned())
    );
    // A wallet abroad comes back by redirect alone, and must be named.
    for change in [
        json!({ "successUrl": null, "failUrl": null }),
        json!({ "foreignEasyPay": {} }),
        json!({ "foreignEasyPay": { "provider": "PAYPAL", "country": "us" } }),
    ] {
        assert_eq!(
            opened(&mut bench, &change),
            Err("INVALID_REQUEST".to_owned())
        );
    }
}

#[test]
fn what_is_not_won_is_listed_in_its_currency_and_never_settled() {
    let mut bench = Bench::new();
    let now = bench.now;
    let key = bench
        .engine
        .authenticate_in(now, Currency::Usd, ORDER, "ticket", 1_250, wallet());
    let balance = |bench: &mut Bench| {
        let answer = bench.send(request(Endpoint::Balances, "", &Value::Null));
        read(&answer).1["entityBody"].clone()
    };
    let before = balance(&mut bench);
    let (status, paid) = read(&bench.send(confirm_of(&key, &json!(12.5))));
    assert_eq!((status, &paid["totalAmount"]), (200, &json!(12.5)));
    bench.cancel(&key, &json!({ "cancelReason": "r", "cancelAmount": 0.05 }));
    let year = "startDate=2026-01-01T00:00:00&endDate=2026-12-31T00:00:00";
    let (_, rows) = read(&bench.send(request(Endpoint::Transactions, year, &Value::Null)));
    let rows: Vec<_> = rows.as_array().unwrap().iter().collect();
    assert_eq!(
        (&rows[0]["amount"], &rows[1]["amount"]),
        (&json!(12.5), &json!(-0.05))
    );
    assert!(rows.iter().all(|row| row["currency"] == "USD"));
    bench.now += TimeDelta::days(10);
    let dates = "startDate=2026-01-01&endDate=2026-12-31";
    let listed = read(&bench.send(request(Endpoint::Settlements, dates, &Value::Null)));
    assert_eq!(listed.1, json!([]));
    let asked = bench.send(request(
        Endpoint::RequestSettlement,
        "",
        &json!({ "paymentKey": key }),
    ));
    assert_eq!(code(&read(&asked)), (403, "FORBIDDEN_REQUEST"));
    assert_eq!(balance(&mut bench), before);
    // What won have no fraction of is no amount of theirs.
    let won = bench.authenticate("order-0002", 1_000);
    let body = json!({ "paymentKey": won, "orderId": "order-0002", "amount": 1_000.5 });
    let fraction = read(&bench.send(request(Endpoint::Confirm, "", &body)));
    assert_eq!(code(&fraction), (400, "INVALID_REQUEST"));
}

proptest! {
    #[test]
    fn cents_add_up_whatever_is_cancelled(
        total in 1..10_000_000_u64,
        parts in proptest::collection::vec(1..10_000_000_u64, 0..8),
        later in any::<bool>(),
    ) {
        let mut bench = Bench {
            engine: Engine::new(&SandboxConfig::default()),
            now: super::start(),
        };
        let now = bench.now;
        let provider = if later { "ALIPAY" } else { "PAYPAL" }.to_owned();
        let wallet = Method::ForeignEasyPay { provider };
        let key = bench.engine.authenticate_in(now, Currency::Usd, ORDER, "t", total, wallet);
        let dollars = |cents: u64| serde_json::to_value(Amount::new(cents, Currency::Usd)).unwrap();
        prop_assert_eq!(bench.send(confirm_of(&key, &dollars(total))).status, 200);
        let mut left = total;
        for part in parts {
            let body = json!({ "cancelReason": "r", "cancelAmount": dollars(part) });
            let (status, answer) = bench.cancel(&key, &body);
            prop_assert_eq!(status == 200, part <= left, "{}", answer);
            left -= if status == 200 { part } else { 0 };
            bench.now += CANCEL_DELAY;
            let (_, seen) = bench.get(&key);
            prop_assert_eq!(&seen["balanceAmount"], &dollars(left));
            // Read back as text: a sum of doubles would not be exact.
            let cents = |field: &str| {
                let text = format!("{:.2}", seen[field].as_f64().unwrap());
                text.replace('.', "").parse::<u64>().unwrap()
            };
            prop_assert_eq!(cents("suppliedAmount") + cents("vat"), left);
        }
        prop_assert_eq!(bench.engine.ledger_row(ORDER).unwrap().net, left);
    }
}
