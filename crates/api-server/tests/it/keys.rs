//! Named keys of operators: each opens what its scope says, and the log says whose it was.

use std::path::{Path, PathBuf};

use api_server::keys::{NewKey, Scope};
use futures::future::join_all;
use kernel::SystemRandomness;
use reqwest::Method;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Serving, program, refuses, run, text};
use crate::shop::{Answer, Shop};
use crate::stage::{QUICK, Stage};

const SCOPES: [(&str, Scope); 3] = [
    ("read", Scope::Read),
    ("refund", Scope::Refund),
    ("admin", Scope::Admin),
];

/// What takes no key, on purpose: buyers' calls, where an order id is the capability, Toss's
/// webhooks, which are hints, and what machines ask about the server.
const PUBLIC: [(&str, &str); 11] = [
    ("get", "/api/v1/payments/{orderId}"),
    ("get", "/api/v1/payments/{orderId}/events"),
    ("get", "/api/v1/products"),
    ("get", "/api/v1/products/{productId}"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("post", "/api/v1/payments/checkout"),
    ("post", "/api/v1/payments/confirm"),
    ("post", "/api/v1/webhooks/toss"),
    ("get", "/openapi.json"),
];

/// A file in a folder of its own.
struct File {
    _folder: TempDir,
    path: PathBuf,
}

impl File {
    fn new(lines: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let file = Self {
            _folder: folder,
            path,
        };
        file.write(lines);
        file
    }

    fn write(&self, lines: &[&str]) {
        std::fs::write(&self.path, lines.join("\n")).unwrap();
    }

    fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    fn flag(&self) -> String {
        format!("--api-keys-file={}", self.path())
    }
}

fn new_key(name: &str, scope: Scope) -> (String, String) {
    let NewKey { key, line } = NewKey::make(name, &[scope], &SystemRandomness);
    (key.expose_secret().to_owned(), line)
}

async fn ask(shop: &Shop, method: &str, path: &str, key: Option<&str>) -> Answer {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
    let request = shop.request(method, path).json(&json!({}));
    Answer::of(match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    })
    .await
}

pub(crate) async fn every_operation_asks_for_a_key_of_its_scope(stage: &Stage) {
    let keys = SCOPES.map(|(name, scope)| (scope, new_key(name, scope)));
    let lines = keys.each_ref().map(|(_, (_, line))| line.as_str());
    let file = File::new(&lines);
    let shop = stage.open(&[&file.flag()]).await;

    let document = shop.get("/openapi.json").await;
    let document: Value = serde_json::from_str(&document.text).unwrap();
    // The document does not list itself.
    let mut public = vec![("get", "/openapi.json")];
    let mut needed_by_any = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let url: Vec<_> = path
            .split('/')
            .map(|part| {
                if part.starts_with('{') {
                    "order-0001"
                } else {
                    part
                }
            })
            .collect();
        let url = url.join("/");
        for (method, operation) in operations.as_object().unwrap() {
            let of = async |key: Option<&str>| ask(&shop, method, &url, key).await;
            let Some(scope) = scope_of(operation) else {
                let status = of(None).await.status;
                assert!(![401, 403].contains(&status), "{method} {path}: {status}");
                public.push((method.as_str(), path.as_str()));
                continue;
            };
            of(None).await.refused(401, "E99003");
            of(Some("opk_wrong")).await.refused(401, "E99003");
            for (held, (key, _)) in &keys {
                let answer = of(Some(key.as_str())).await;
                if *held < scope {
                    let error = answer.refused(403, "E99008");
                    assert_eq!(error["retryable"], json!(false));
                } else {
                    let is_open = ![401, 403].contains(&answer.status) && answer.status < 500;
                    assert!(is_open, "{method} {path}: {}", answer.text);
                }
            }
            let all = of(Some(&shop.api_key)).await.status;
            assert!(![401, 403].contains(&all), "{method} {path}: {all}");
            needed_by_any.push(scope);
        }
    }
    let mut expected = PUBLIC.to_vec();
    expected.sort_unstable();
    public.sort_unstable();
    assert_eq!(public, expected);
    for (name, scope) in SCOPES {
        assert!(needed_by_any.contains(&scope), "{name}");
    }
}

/// The scope that an operation names; `None` for one that is public.
fn scope_of(operation: &Value) -> Option<Scope> {
    let security = operation.get("security")?;
    let scope = SCOPES
        .iter()
        .find(|(name, _)| *security == json!([{ "operator": [name] }]));
    let (_, scope) = scope.unwrap_or_else(|| panic!("{security}"));
    Some(*scope)
}

pub(crate) async fn a_changed_file_of_keys_is_read_again(stage: &Stage) {
    let (first, first_line) = new_key("clerk", Scope::Read);
    let (second, second_line) = new_key("clerk", Scope::Read);
    let file = File::new(&[&first_line]);
    let shop = stage.open(&[&file.flag()]).await;
    let status = async |key: &str| {
        let answer = ask(&shop, "get", "/api/v1/payments", Some(key)).await;
        answer.status
    };
    assert_eq!((status(&first).await, status(&second).await), (200, 401));

    // While a key is replaced, both are in the file.
    let replaced = first_line.replace("clerk", "clerk-old");
    file.write(&[&replaced, &second_line]);
    crate::until("the new key opens", async || status(&second).await == 200).await;
    assert_eq!(status(&first).await, 200);
    file.write(&[&second_line]);
    crate::until("the old key is refused", async || {
        status(&first).await == 401
    })
    .await;
    assert_eq!(status(&second).await, 200);
    assert_eq!(status(&shop.api_key).await, 200);
}

pub(crate) async fn wrong_keys_are_limited_and_right_ones_are_not(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let tries = (0..500).map(|_| ask(&shop, "get", "/api/v1/payments", Some("opk_wrong")));
    let answers = join_all(tries).await;
    let (slowed, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 429);
    for answer in &refused {
        answer.refused(401, "E99003");
    }
    assert!(refused.len() >= 200, "{}", refused.len());
    assert!(!slowed.is_empty());
    for answer in slowed {
        assert_eq!(answer.refused(429, "E99007")["retryable"], json!(true));
    }

    // Who tries keys from the same address shuts out neither operators nor buyers, and who forgot
    // the key is told so as before.
    let without = ask(&shop, "get", "/api/v1/payments", None).await;
    without.refused(401, "E99003");
    shop.sell(1).await;
    for _ in 0..20 {
        let right = ask(&shop, "get", "/api/v1/payments", Some(&shop.api_key)).await;
        right.data();
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(right.header(header), Some(value));
        }
    }
}

/// The key and the line that `key new` prints.
fn made_by_the_program(folder: &Path, name: &str, scopes: &str) -> (String, String) {
    let made = run(
        folder,
        &[],
        &["key", "new", "--name", name, "--scopes", scopes],
    );
    let printed = text(&made.stdout);
    let after = |label: &str| {
        let line = printed.lines().find_map(|line| line.strip_prefix(label));
        line.unwrap_or_else(|| panic!("{printed}"))
            .trim()
            .to_owned()
    };
    (
        after("Key, shown this once:"),
        after("Line for API_KEYS_FILE:"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn made_keys_take_the_place_of_api_key_and_the_log_says_whose_they_were() {
    let stage = Stage::on_sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let (reader, reader_line) = made_by_the_program(folder.path(), "reader", "read");
    let (clerk, clerk_line) = made_by_the_program(folder.path(), "clerk", "refund,read");
    assert!(clerk_line.starts_with("clerk read,refund "), "{clerk_line}");
    let file = File::new(&["# operators", &reader_line, "", &clerk_line]);
    let variables = [
        ("LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", stage.database_url.as_str()),
        ("TOSS_SECRET_KEY", stage.sandbox.secret_key()),
        ("TOSS_BASE_URL", &stage.bank_url),
        ("API_KEYS_FILE", file.path()),
        ("LOG_FORMAT", "json"),
    ];
    let serving = Serving::start(program(folder.path(), &variables, &QUICK));
    let base_url = serving.base_url().to_owned();
    let shop = Shop::at(base_url, clerk.clone(), stage.sandbox.clone(), None);
    let (order, _) = shop.sell(1).await;
    let path = format!("/api/v1/payments/{}/cancel", order.id);
    let cancel = async |key: &str, request_id: &str| {
        let body = json!({ "cancelReason": "고객 변심" });
        let request = shop.request(Method::POST, &path).json(&body);
        let request = request.header("x-request-id", request_id);
        Answer::of(request.bearer_auth(key)).await
    };
    let refused = cancel(&reader, "try-1").await.refused(403, "E99008");
    assert!(!refused["message"].as_str().unwrap().is_ascii());
    assert_eq!(stage.booked(&order.id).net, order.amount);
    let canceled = cancel(&clerk, "try-2").await.data();
    assert_eq!(canceled["status"], json!("CANCELED"));

    let (_, log) = serving.end();
    for (request_id, operator, admitted) in [("try-1", "reader", false), ("try-2", "clerk", true)] {
        let lines = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let fields = lines
            .map(|line| line["fields"].clone())
            .find(|fields| fields["request_id"] == request_id && fields["operator"].is_string());
        let fields = fields.unwrap_or_else(|| panic!("{log}"));
        assert_eq!(fields["operator"], operator);
        assert_eq!(fields["admitted"], admitted);
        assert_eq!(fields["order_id"], json!(order.id));
        assert_eq!(fields["route"], "/api/v1/payments/{orderId}/cancel");
    }
    for secret in [&reader, &clerk, &reader_line, &clerk_line] {
        assert!(!log.contains(secret.as_str()), "{secret} is in the log");
    }
    stage.clear().await;
}

#[test]
fn a_broken_file_of_keys_stops_the_start_and_shows_no_digest() {
    let folder = tempfile::tempdir().unwrap();
    let digest = "5d".repeat(32);
    let broken = format!("fine read {digest}\nbroken write {digest}");
    let file = File::new(&[&broken]);
    let variables = [
        ("LISTEN", "127.0.0.1:0"),
        ("API_KEYS_FILE", file.path()),
        ("RUST_LOG", "error"),
    ];
    let output = run(folder.path(), &variables, &[]);
    refuses(&output, "cannot be used: line 2: scopes are read, refund");
    let said = text(&output.stderr);
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(!said.contains("5d5d"), "{said}");
}
