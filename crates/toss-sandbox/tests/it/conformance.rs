//! `docs/sandbox-conformance.md`: what the sandbox does of what Toss does, on what evidence, and
//! which test holds it. Written from the code, so that it cannot fall behind.
//!
//! `UPDATE=1 cargo test -p toss-sandbox --test it -- conformance` writes it anew.

mod facts;
mod fields;
mod objects;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toss_sandbox::{
    Endpoint, Sandbox, SandboxConfig,
    engine::{ApiRequest, Delivery, Engine, GiftCertificate, Method, find_error},
};

use self::facts::{ASSUMED, DOCUMENTED, MEASURED, QUIRKS, test_of};

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// All Rust files below a directory, with their texts.
fn sources(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.insert(path, text);
        }
    }
    found
}

/// The tests of a text with their bodies.
fn tests_in(text: &str) -> Vec<(String, &str)> {
    let starts: Vec<_> = text
        .match_indices("test]\n")
        .map(|(at, _)| at)
        .chain([text.len()])
        .collect();
    let name = |body: &str| {
        let after = body.split("fn ").nth(1)?;
        Some(after.split('(').next()?.to_owned())
    };
    starts
        .windows(2)
        .filter_map(|pair| {
            let body = &text[pair[0]..pair[1]];
            Some((name(body)?, body))
        })
        .collect()
}

/// What each method's Payment object shows, by path.
fn payment_fields() -> BTreeMap<String, BTreeSet<&'static str>> {
    let account = Method::VirtualAccount {
        bank_code: "20".to_owned(),
        customer_name: "김토스".to_owned(),
    };
    let methods = [
        ("card", Method::card()),
        (
            "easy pay",
            Method::EasyPay {
                provider: "토스페이".to_owned(),
            },
        ),
        ("virtual account", account),
        (
            "transfer",
            Method::Transfer {
                bank_code: "20".to_owned(),
            },
        ),
        (
            "mobile phone",
            Method::MobilePhone {
                customer_mobile_phone: "01000001234".to_owned(),
            },
        ),
        (
            "gift certificate",
            Method::GiftCertificate {
                kind: GiftCertificate::Culture,
            },
        ),
    ];
    let sandbox = Sandbox::new(SandboxConfig::default());
    let mut engine = Engine::new(&SandboxConfig::default());
    let mut fields: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for (name, method) in methods {
        let order = format!("order-{}", name.replace(' ', "-"));
        let now = sandbox.now();
        let key = engine.authenticate(now, &order, "티셔츠", 1_000, method);
        let secret = sandbox.secret_key();
        engine.call(now, ApiRequest::confirm(secret, &key, &order, 1_000));
        // Refused for all but the account, which is as well.
        let _deposited = engine.deposit(now, &key);
        let account = serde_json::json!({ "bank": "20", "accountNumber": "1", "holderName": "김" });
        let body = serde_json::json!({
            "cancelReason": "r", "cancelAmount": 100, "refundReceiveAccount": account,
        });
        let cancel = ApiRequest::new(Endpoint::Cancel, secret, &key, body.to_string());
        let Delivery::Answer(answer) = engine.call(now, cancel) else {
            panic!("no answer")
        };
        assert_eq!(answer.status, 200, "{}", answer.body);
        walk(
            &serde_json::from_str(&answer.body).unwrap(),
            "",
            &mut |path| {
                fields.entry(path).or_default().insert(name);
            },
        );
    }
    fields
}

fn walk(value: &Value, path: &str, see: &mut impl FnMut(String)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                if !value.is_null() {
                    see(path.clone());
                }
                walk(value, &path, see);
            }
        }
        Value::Array(rows) => rows
            .iter()
            .for_each(|row| walk(row, &format!("{path}[]"), see)),
        _ => {}
    }
}

fn table(text: &mut String, title: &str, intro: &str, head: &[&str], rows: &[Vec<String>]) {
    write!(
        text,
        "\n## {title}\n\n{intro}\n\n| {} |\n|{}\n",
        head.join(" | "),
        "---|".repeat(head.len())
    )
    .unwrap();
    for row in rows {
        writeln!(text, "| {} |", row.join(" | ")).unwrap();
    }
}

fn code_rows(tests: &BTreeMap<String, String>, engine: &str) -> Vec<Vec<String>> {
    let lines = include_str!("../../data/errors.tsv").lines().skip(1);
    lines
        .filter_map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            let spec = find_error(columns[0])?;
            let note = columns.get(6).copied().unwrap_or_default();
            let evidence = match note {
                _ if note.contains("UNVERIFIED") || note.contains("inferred") => ASSUMED,
                _ if note.contains("measured") => MEASURED,
                _ => DOCUMENTED,
            };
            let quoted = format!("\"{}\"", spec.code);
            let arises = engine.contains(&quoted);
            let test = tests
                .iter()
                .find(|(_, body)| arises && body.contains(&quoted));
            let any = "every_code_is_had_by_test_code_with_its_status_in_both_languages".to_owned();
            Some(vec![
                format!("`{}`", spec.code),
                spec.status.to_string(),
                if arises {
                    "from its cause"
                } else {
                    "fault or test code"
                }
                .to_owned(),
                evidence.to_owned(),
                format!("`{}`", test.map_or(any, |(name, _)| name.clone())),
            ])
        })
        .collect()
}

/// The file as it should be.
fn document(tests: &BTreeMap<String, String>, engine: &str, objects: &[Vec<String>]) -> String {
    let mut text = String::from(
        "# How the sandbox conforms to Toss Payments\n\n\
         Written by `crates/toss-sandbox/tests/it/conformance.rs`, which fails when this file is stale; \
         `UPDATE=1` writes it anew.\n\n\
         *As documented*: Toss's public documentation. *Measured by others*: seen at Toss by others than us. \
         *Assumed*: neither; where it matters it is a setting.\n",
    );
    let endpoints: Vec<_> = Endpoint::ALL
        .iter()
        .map(|endpoint| {
            let call = format!("`{} {}`", endpoint.method(), endpoint.template());
            vec![
                call,
                DOCUMENTED.to_owned(),
                format!("`{}`", test_of(*endpoint)),
            ]
        })
        .collect();
    let every = "Besides, `no_call_with_any_body_is_a_server_error_or_breaks_the_books` sends bodies of every kind to each, and `no_route_answers_bad_input_with_a_server_error` bad requests over HTTP to each and to the sandbox's own routes.";
    table(
        &mut text,
        "Calls",
        every,
        &["call", "evidence", "test"],
        &endpoints,
    );
    let quirks: Vec<_> = QUIRKS
        .iter()
        .map(|(fact, evidence, test)| {
            vec![
                (*fact).to_owned(),
                (*evidence).to_owned(),
                format!("`{test}`"),
            ]
        })
        .collect();
    table(
        &mut text,
        "Behaviour",
        "What calls and fields do not show.",
        &["fact", "evidence", "test"],
        &quirks,
    );
    let rows = code_rows(tests, engine);
    let intro = "A code arises from its cause where the sandbox has one; any of them can be had by a fault or by `TossPayments-Test-Code`.";
    table(
        &mut text,
        "Error codes",
        intro,
        &["code", "status", "arises", "evidence", "test"],
        &rows,
    );
    let fields: Vec<_> = payment_fields()
        .into_iter()
        .map(|(path, methods)| {
            let methods = if methods.len() == 6 {
                "all".to_owned()
            } else {
                methods.into_iter().collect::<Vec<_>>().join(", ")
            };
            vec![format!("`{path}`"), methods, DOCUMENTED.to_owned()]
        })
        .collect();
    let intro = "Fields that are filled for a paid and partly cancelled payment of each method; the other fields of version 2022-11-16 are there and null. Held by `a_confirmed_card_payment_is_done_and_shows_tosss_fields` and by this table's own test.";
    table(
        &mut text,
        "Fields of the Payment object",
        intro,
        &["field", "methods", "evidence"],
        &fields,
    );
    let intro = "As a running sandbox answers and tells them; the test that writes this table fails for a field without evidence. What lies inside a Payment's own objects is in the table above.";
    table(
        &mut text,
        "Fields of the other objects and of webhooks",
        intro,
        &["object", "field", "here", "evidence", "test"],
        objects,
    );
    text
}

#[tokio::test]
async fn the_conformance_table_says_what_the_code_does() {
    let all = sources(&home());
    let mut tests = BTreeMap::new();
    let mut engine = String::new();
    for (path, text) in &all {
        let own = path.ends_with("conformance.rs");
        let place = path.to_string_lossy();
        let of_engine = place.contains("/src/engine/") || path.ends_with("src/config.rs");
        if of_engine && !place.contains("/tests/") && !path.ends_with("properties.rs") {
            engine.push_str(text.split("#[cfg(test)]\nmod tests").next().unwrap());
        }
        if !own {
            tests.extend(
                tests_in(text)
                    .into_iter()
                    .map(|(name, body)| (name, body.to_owned())),
            );
        }
    }
    // Properties stand in a macro, with their names like any test's.
    for name in Endpoint::ALL
        .iter()
        .map(|endpoint| test_of(*endpoint))
        .chain(QUIRKS.map(|quirk| quirk.2))
        .chain(objects::tests())
    {
        assert!(tests.contains_key(name), "there is no test {name}");
    }
    let text = document(&tests, &engine, &objects::rows().await);
    let path = home().join("../../docs/sandbox-conformance.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == text,
        "docs/sandbox-conformance.md is stale: run this test with UPDATE=1"
    );
}
