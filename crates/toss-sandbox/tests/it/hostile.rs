//! Bad input over real sockets, on every route that the server has: nothing is a server error, and
//! the books hold. What bodies do behind the API's routes, the engine's own properties test.

use std::{collections::BTreeSet, time::Duration};

use proptest::{prelude::*, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use toss_sandbox::{Effect, Endpoint, Fault, SandboxConfig, Target};

use crate::bench::Bench;

/// Every route beside the API's own: method, path, and a body that is taken.
const ROUTES: [(&str, &str, &str); 30] = [
    ("GET", "/v2/standard", ""),
    ("GET", "/sandbox", ""),
    ("GET", "/sandbox/console.js", ""),
    (
        "POST",
        "/sandbox/windows",
        r#"{"clientKey":"test_ck_sandbox00000000000000000000","method":"CARD","amount":{"currency":"KRW","value":1000},"orderId":"order-0001","orderName":"a","successUrl":"http://a.test/","failUrl":"http://a.test/"}"#,
    ),
    ("OPTIONS", "/sandbox/windows", ""),
    ("GET", "/sandbox/windows/{id}", ""),
    ("GET", "/sandbox/window/{id}", ""),
    (
        "POST",
        "/sandbox/window/{id}",
        "action=pay&method=card&issuer=11&card_number=9410001234567890&card_expiry=12%2F99",
    ),
    ("GET", "/sandbox/receipts/{id}", ""),
    ("GET", "/sandbox/faults", ""),
    (
        "POST",
        "/sandbox/faults",
        r#"[{"target":{"orderId":"nobody"},"effect":{"type":"delay","minMs":1,"maxMs":2},"times":1}]"#,
    ),
    ("DELETE", "/sandbox/faults", ""),
    ("DELETE", "/sandbox/faults/{id}", ""),
    ("GET", "/sandbox/webhooks", ""),
    (
        "POST",
        "/sandbox/webhooks",
        r#"{"eventType":"CANCEL_STATUS_CHANGED","data":{}}"#,
    ),
    (
        "PUT",
        "/sandbox/webhooks",
        r#"{"url":"http://127.0.0.1:1/"}"#,
    ),
    ("GET", "/sandbox/payments", ""),
    (
        "POST",
        "/sandbox/payments",
        r#"{"orderId":"order-0002","amount":1000}"#,
    ),
    ("POST", "/sandbox/payments/{id}/deposit", ""),
    ("POST", "/sandbox/payments/{id}/deposit-error", ""),
    ("POST", "/sandbox/payments/{id}/expire", ""),
    ("POST", "/sandbox/payments/{id}/abort-cancel", ""),
    (
        "POST",
        "/sandbox/sellers/{id}/review",
        r#"{"status":"APPROVED"}"#,
    ),
    ("GET", "/sandbox/ledger", ""),
    ("GET", "/sandbox/journal", ""),
    ("GET", "/sandbox/invariants", ""),
    ("GET", "/sandbox/calls", ""),
    ("GET", "/sandbox/calls/{id}", ""),
    ("POST", "/sandbox/clock", r#"{"advanceSeconds":60}"#),
    ("GET", "/v1/nothing", ""),
];

/// The paths that a source mounts, and how many handlers they have.
fn mounted(source: &str) -> (BTreeSet<String>, usize) {
    let source = source.split("/// Answers an unknown path").next().unwrap();
    let mut paths = BTreeSet::new();
    for opening in [".route(", "web::resource("] {
        for after in source.split(opening).skip(1) {
            let after = after.trim_start();
            if let Some(path) = after.strip_prefix('"') {
                paths.insert(path.split('"').next().unwrap().to_owned());
            }
        }
    }
    let handlers = ["get()", "post()", "put()", "delete()", "method("];
    let handlers = handlers.map(|name| source.matches(&format!("web::{name}")).count());
    (paths, handlers.iter().sum())
}

/// A path without the names of what it is about.
fn bare(path: &str) -> String {
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "{}" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_of_the_server_is_driven() {
    let (paths, handlers) = mounted(include_str!("../../src/http/mod.rs"));
    let paths: BTreeSet<_> = paths
        .iter()
        .map(|path| match path.as_str() {
            "/v2/standard" => path.clone(),
            path => bare(&format!("/sandbox{path}")),
        })
        .collect();
    let own = ROUTES.iter().filter(|route| !route.1.starts_with("/v1/"));
    let driven: BTreeSet<_> = own.clone().map(|route| bare(route.1)).collect();
    assert_eq!(driven, paths);
    assert_eq!(own.count(), handlers);
}

#[derive(Debug, Clone, PartialEq)]
struct Shot {
    route: usize,
    id: Option<String>,
    query: String,
    body: Vec<u8>,
    form: bool,
    headers: Vec<(usize, Vec<u8>)>,
}

/// A body that is taken, with one value of it replaced.
fn bent(good: &str, field: usize, value: &Value) -> Vec<u8> {
    let Ok(mut body) = serde_json::from_str::<Value>(good) else {
        return good.replace("card", &value.to_string()).into_bytes();
    };
    let target = if body.is_array() {
        &mut body[0]
    } else {
        &mut body
    };
    if let Some(fields) = target.as_object_mut() {
        let names: Vec<_> = fields.keys().cloned().collect();
        // Beyond the last field nothing is bent.
        if let Some(name) = names.get(field) {
            fields.insert(name.clone(), value.clone());
        }
    }
    body.to_string().into_bytes()
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({ "type": "delayWebhook", "minMs": i64::MAX, "maxMs": u64::MAX })),
        Just(json!({ "type": "delay", "minMs": 9, "maxMs": 0 })),
        Just(json!({ "type": "repeatWebhook", "copies": u32::MAX })),
        Just(json!({ "type": "error", "code": "" })),
        Just(json!({ "type": "rateLimit", "perMinute": 0 })),
    ]
}

fn query() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("offset=18446744073709551615&limit=18446744073709551615".to_owned()),
        Just("offset=-1&limit=x".to_owned()),
        Just("from=18446744073709551615&limit=0&lang=%FF".to_owned()),
        "[a-z0-9=&%]{0,20}",
    ]
}

fn shot() -> impl Strategy<Value = Shot> {
    let count = ROUTES.len() + Endpoint::ALL.len();
    let body = prop_oneof![
        3 => (0..8_usize, value()).prop_map(Ok),
        1 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(Err),
    ];
    let id = proptest::option::of("[a-zA-Z0-9%/._-]{1,16}");
    let header = (0..6_usize, proptest::collection::vec(0x80..=0xff_u8, 1..9));
    let headers = proptest::collection::vec(header, 0..3);
    (0..count, id, query(), body, any::<bool>(), headers).prop_map(
        |(route, id, query, body, form, headers)| {
            let good = ROUTES.get(route).map_or("{}", |route| route.2);
            let body = match body {
                Ok((field, value)) => bent(good, field, &value),
                Err(bytes) => bytes,
            };
            Shot {
                route,
                id,
                query,
                body,
                form,
                headers,
            }
        },
    )
}

/// Headers that are read; their values are no text.
const HEADERS: [&str; 6] = [
    "accept-language",
    "idempotency-key",
    "tosspayments-test-code",
    "tosspayments-api-security-mode",
    "sandbox-fault",
    "authorization",
];

/// The status answered; none if the address cannot even be sent.
async fn shoot(bench: &Bench, shot: &Shot, known: &str) -> Option<u16> {
    let own = ROUTES.get(shot.route);
    let own = own.map(|(method, path, _)| (*method, (*path).to_owned()));
    let (method, path) = own.unwrap_or_else(|| {
        let endpoint = Endpoint::ALL[shot.route - ROUTES.len()];
        (endpoint.method(), endpoint.path("{id}"))
    });
    let path = path.replace("{id}", shot.id.as_deref().unwrap_or(known));
    let address = bench.url(&format!("{path}?{}", shot.query));
    let address = reqwest::Url::parse(&address).ok()?;
    let mut request = bench
        .client
        .request(Method::from_bytes(method.as_bytes()).unwrap(), address)
        .basic_auth(bench.sandbox.secret_key(), Some(""))
        .header(
            "content-type",
            if shot.form {
                "application/x-www-form-urlencoded"
            } else {
                "application/json"
            },
        )
        .body(shot.body.clone());
    for (name, value) in &shot.headers {
        let value = reqwest::header::HeaderValue::from_bytes(value).unwrap();
        request = request.header(HEADERS[*name], value);
    }
    Some(request.send().await.unwrap().status().as_u16())
}

#[test]
fn no_route_answers_bad_input_with_a_server_error() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::with(SandboxConfig::default()));
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1_500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let fired = std::cell::RefCell::new(BTreeSet::new());
    let outcome = runner.run(&shot(), |shot| {
        // What earlier shots put in force would answer for the API's calls.
        bench.sandbox.clear_faults();
        let known = bench.sandbox.authenticate("order-0003", 1_000);
        let status = runtime.block_on(shoot(&bench, &shot, &known));
        prop_assert!(status.is_none_or(|status| status < 500), "{status:?}");
        fired.borrow_mut().insert(shot.route);
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(fired.borrow().len(), ROUTES.len() + Endpoint::ALL.len());
    let held = runtime.block_on(async {
        let answer = bench.get("/sandbox/invariants").send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    });
    assert_eq!(held.0, 200, "{}", held.1);
}

/// A delay beyond all time is none: it must not end the thread that reckons with it.
#[tokio::test]
async fn a_webhook_that_is_delayed_for_ever_holds_nothing_up() {
    let bench = Bench::start().await;
    bench
        .sandbox
        .send_webhooks_to(Some("http://127.0.0.1:1/".to_owned()));
    bench.sandbox.inject(Fault {
        target: Target::default(),
        effect: Effect::DelayWebhook {
            min_ms: i64::MAX.unsigned_abs(),
            max_ms: u64::MAX,
        },
        times: None,
    });
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    let confirm = bench.confirm(&key, "order-0001", 1_000);
    let confirmed = confirm.timeout(Duration::from_secs(5)).send().await;
    assert_eq!(confirmed.unwrap().status(), 200);
}
