//! The program's flags and its scenario file.

use serde_json::{Value, json};
use toss_sandbox::DEFAULT_SECRET_KEY;

use crate::{
    bench::{Bench, read},
    program::{Program, command},
};

/// Every kind of fault, as a request, a file and the console name it.
fn kinds() -> Vec<Value> {
    [
        json!({ "type": "delay", "minMs": 1, "maxMs": 1 }),
        json!({ "type": "delay", "minMs": 1, "maxMs": 9 }),
        json!({ "type": "heavyTailedDelay", "minMs": 1, "maxMs": 9 }),
        json!({ "type": "approveThenSilence" }),
        json!({ "type": "approveThenReset" }),
        json!({ "type": "approveThenError", "code": "UNKNOWN_PAYMENT_ERROR" }),
        json!({ "type": "silenceWithoutApproval" }),
        json!({ "type": "resetWithoutApproval" }),
        json!({ "type": "html502", "executed": true }),
        json!({ "type": "html502", "executed": false }),
        json!({ "type": "slowBody", "overMs": 20 }),
        json!({ "type": "halfBody" }),
        json!({ "type": "error", "code": "IDEMPOTENT_REQUEST_PROCESSING" }),
        json!({ "type": "error", "code": "PROVIDER_ERROR" }),
        json!({ "type": "wrongAmount" }),
        json!({ "type": "rateLimit", "perMinute": 0 }),
        json!({ "type": "loseWebhook" }),
        json!({ "type": "repeatWebhook", "copies": 1 }),
        json!({ "type": "delayWebhook", "minMs": 0, "maxMs": 9 }),
    ]
    .into()
}

/// What a caller gets of a request that brings a fault: a status, or 0 for none.
async fn met(bench: &Bench, fault: &Value, number: usize) -> u16 {
    let order = format!("order-{number:04}");
    let key = bench.sandbox.authenticate(&order, 1_000);
    let confirm = bench.confirm(&key, &order, 1_000);
    let confirm = confirm
        .header("sandbox-fault", fault.to_string())
        .timeout(std::time::Duration::from_millis(700));
    match confirm.send().await {
        Ok(answer) => answer.status().as_u16(),
        Err(_) => 0,
    }
}

#[tokio::test]
async fn every_kind_of_fault_comes_with_a_request_by_call_and_ends_by_its_number() {
    let bench = Bench::start().await;
    for (number, kind) in kinds().iter().enumerate() {
        let expected = match (kind["type"].as_str().unwrap(), kind["code"].as_str()) {
            (name, _) if name.contains("Silence") || name.contains("silence") => 0,
            (name, _) if name.contains("Reset") || name.contains("reset") => 0,
            ("html502", _) => 502,
            ("rateLimit", _) => 429,
            ("approveThenError", _) => 500,
            ("error", Some("PROVIDER_ERROR")) => 400,
            ("error", _) => 409,
            _ => 200,
        };
        assert_eq!(met(&bench, kind, number).await, expected, "{kind}");
    }
    bench.sandbox.clear_faults();
    let rules: Vec<_> = kinds()
        .into_iter()
        .map(|effect| {
            json!({
                "effect": effect, "target": { "endpoint": "confirm", "orderId": "order-0000" },
                "times": 3, "chancePercent": 50.0, "afterMs": 1, "forMs": 60_000,
                "everyMs": 3_600_000,
            })
        })
        .collect();
    let made = bench.post("/sandbox/faults", &json!(rules)).send().await;
    let (status, made) = read(made.unwrap()).await;
    assert_eq!((status, &made["total"]), (201, &json!(rules.len())));
    for id in made["ids"].as_array().unwrap() {
        let delete = bench.url(&format!("/sandbox/faults/{id}"));
        let ended = bench.client.delete(delete).send().await.unwrap();
        assert_eq!(ended.status(), 204);
    }
    assert!(bench.sandbox.faults().is_empty());
}

#[tokio::test]
async fn the_program_takes_a_scenario_and_what_toss_leaves_open() {
    let directory = tempfile::tempdir().unwrap();
    let scenario = directory.path().join("scenario.json");
    let rules: Vec<_> = kinds()
        .into_iter()
        .map(|effect| json!({ "effect": effect, "target": { "orderId": "nobody" } }))
        .collect();
    std::fs::write(&scenario, json!(rules).to_string()).unwrap();
    let journal = directory.path().join("journal");
    let mut command = command(env!("CARGO_BIN_EXE_toss-sandbox"), &journal);
    command.arg("--scenario").arg(&scenario).args([
        "--amount-mismatch-code=FORBIDDEN_REQUEST",
        "--text=FORBIDDEN_REQUEST=so = it is",
    ]);
    let program =
        Program::spawn(command.env("SANDBOX_FOREIGN_CONFIRM_CODE", "INVALID_PAYMENT_KEY"));
    let (_, faults) = read(program.get("/sandbox/faults").send().await.unwrap()).await;
    assert_eq!(faults["total"], json!(rules.len()));
    let body = json!({ "orderId": "order-0001", "amount": 1_000 });
    let made = program.client.post(program.url("/sandbox/payments"));
    let (_, made) = read(made.json(&body).send().await.unwrap()).await;
    let confirm = async |key: &str| {
        let body = json!({ "paymentKey": key, "orderId": "order-0001", "amount": 999 });
        let confirm = program.client.post(program.url("/v1/payments/confirm"));
        let confirm = confirm.basic_auth(DEFAULT_SECRET_KEY, Some("")).json(&body);
        read(confirm.send().await.unwrap()).await
    };
    let (status, differs) = confirm(made["paymentKey"].as_str().unwrap()).await;
    assert_eq!(
        (status, &differs["code"], &differs["message"]),
        (403, &json!("FORBIDDEN_REQUEST"), &json!("so = it is"))
    );
    let (status, foreign) = confirm("nobody-s").await;
    assert_eq!(
        (status, &foreign["code"]),
        (400, &json!("INVALID_PAYMENT_KEY"))
    );
}
