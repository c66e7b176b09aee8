//! What machines ask a server about itself.

use api_server::http::Code;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Every route that is served, with its methods.
const ROUTES: [(&str, &[&str]); 24] = [
    ("/api/v1/payments", &["get"]),
    ("/api/v1/payments/checkout", &["post"]),
    ("/api/v1/payments/confirm", &["post"]),
    ("/api/v1/payments/{orderId}", &["get"]),
    ("/api/v1/payments/{orderId}/cancel", &["post"]),
    ("/api/v1/payments/{orderId}/events", &["get"]),
    ("/api/v1/payments/{orderId}/history", &["get"]),
    ("/api/v1/payments/{orderId}/recover", &["post"]),
    ("/api/v1/payments/{orderId}/resolve", &["post"]),
    ("/api/v1/products", &["get", "post"]),
    ("/api/v1/products/{productId}", &["get", "patch"]),
    ("/api/v1/products/{productId}/stock-adjustments", &["post"]),
    ("/api/v1/users/{userId}", &["put"]),
    ("/api/v1/webhooks/deliveries", &["get"]),
    ("/api/v1/webhooks/deliveries/{deliveryId}/resend", &["post"]),
    ("/api/v1/webhooks/endpoints", &["get", "post"]),
    (
        "/api/v1/webhooks/endpoints/{endpointId}",
        &["delete", "get", "patch"],
    ),
    (
        "/api/v1/webhooks/endpoints/{endpointId}/rotate-secret",
        &["post"],
    ),
    ("/api/v1/webhooks/endpoints/{endpointId}/test", &["post"]),
    ("/api/v1/webhooks/toss", &["get", "post"]),
    ("/api/v1/webhooks/toss/{webhookId}/redrive", &["post"]),
    ("/health/live", &["get"]),
    ("/health/ready", &["get"]),
    ("/metrics", &["get"]),
];

pub(crate) async fn health_is_up(stage: &Stage) {
    let shop = stage.open(&[]).await;
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(shop.get(path).await.data()["status"], json!("UP"));
    }
}

pub(crate) async fn the_sandbox_is_there_only_without_a_secret_key(stage: &Stage) {
    let embedded = stage.open_embedded().await;
    let (order, _) = embedded.sell(1).await;
    assert_eq!(embedded.stock(1).await, 58);
    let booked = embedded.sandbox.ledger_row(&order.id).unwrap();
    assert_eq!((booked.approvals, booked.net), (1, order.amount));
    assert_eq!(embedded.get("/sandbox/ledger").await.status, 200);
    assert_eq!(embedded.get("/").await.status, 200);
    // The key that it made up is an operator's.
    assert!(embedded.offer(1_000, 1).await > 2);
    assert!(
        stage.sandbox.calls().is_empty(),
        "the other sandbox was asked"
    );

    let with_key = stage.open(&[]).await;
    for path in [
        "/",
        "/sandbox/ledger",
        "/sandbox/faults",
        "/v2/standard",
        "/v1/payments/x",
    ] {
        with_key.get(path).await.refused(404, "E99004");
    }
}

pub(crate) async fn the_openapi_document_lists_every_route(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let answer = shop.get("/openapi.json").await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let document: Value = serde_json::from_str(&answer.text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let paths = document["paths"].as_object().unwrap();
    let mut listed: Vec<_> = paths.keys().map(String::as_str).collect();
    let mut served: Vec<_> = ROUTES.iter().map(|(path, _)| *path).collect();
    listed.sort_unstable();
    served.sort_unstable();
    assert_eq!(listed, served);
    for (path, methods) in ROUTES {
        let operations = paths[path].as_object().unwrap();
        for method in methods {
            assert!(operations.contains_key(*method), "{method} {path}");
        }
        for (method, operation) in operations {
            let responses = operation["responses"].as_object().unwrap();
            for (status, response) in responses {
                documented_codes_fit(&format!("{method} {path}"), status, response);
            }
        }
    }
    // Every reference leads somewhere.
    for (at, _) in answer.text.match_indices("\"$ref\": \"#") {
        let pointer = answer.text[at + 10..].split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

/// Each code that a response names exists, and comes with that status.
fn documented_codes_fit(operation: &str, status: &str, response: &Value) {
    let text = response["description"].as_str().unwrap();
    let is_code = |word: &&str| word.len() == 6 && word.starts_with('E');
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(is_code) {
        let code = Code::ALL.iter().find(|code| code.as_str() == word);
        let code = code.unwrap_or_else(|| panic!("{operation}: {word}"));
        // A part that is down is told with the internal error's code and a status of its own.
        let own = code.status().as_str() == status;
        let down = (word, status) == ("E99999", "503");
        assert!(own || down, "{operation}: {word} with {status}");
    }
}
