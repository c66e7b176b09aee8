//! The README's shell examples, as a reader would type them.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::bench::Bench;

/// Every call of the examples in their order: where its answer tells that it did what the README
/// says, and what it says there.
const TOLD: [(&str, &str); 11] = [
    ("/status", "IN_PROGRESS"),
    ("/status", "DONE"),
    ("/orderId", "order-0001"),
    ("/cancels/0/cancelReason", "changed my mind"),
    ("/1/amount", "-10000"),
    ("/rows/0/net", "200000"),
    ("/status", "WAITING_FOR_DEPOSIT"),
    ("/status", "DONE"),
    ("/status", "WAITING_FOR_DEPOSIT"),
    ("/card/number", "94100012****789*"),
    ("/orderName", "Socks"),
];

/// Runs curl, shows its answer as curl does, and keeps answer and status as two lines.
const RECORDED_CURL: &str = r#"
curl() {
  local told
  told=$(command curl --max-time 30 -w '\n%{http_code}' "$@")
  printf '%s\n' "$told" >>"$CALLS"
  printf '%s' "${told%$'\n'*}"
}
"#;

/// The fenced `sh` blocks, one after the other: the later ones use what the earlier ones set.
fn examples() -> String {
    let readme = include_str!("../../README.md");
    let after_fences = readme.split("```sh\n").skip(1);
    after_fences
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// What the calls of a script answered: status and body.
fn answers_of(script: &str, calls: &Path) -> Vec<(u16, Value)> {
    let mut bash = Command::new("bash")
        .args(["-eu", "-o", "pipefail"])
        .env("CALLS", calls)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = bash.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let ended = bash.wait_with_output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    let kept = std::fs::read_to_string(calls).unwrap();
    let lines: Vec<_> = kept.lines().collect();
    let pairs = lines.chunks_exact(2);
    assert!(pairs.remainder().is_empty(), "{kept}");
    pairs
        .map(|pair| {
            let body = serde_json::from_str(pair[0]).unwrap();
            (pair[1].parse().unwrap(), body)
        })
        .collect()
}

#[tokio::test]
async fn the_shell_examples_of_the_readme_do_what_they_say() {
    if Command::new("curl").arg("--version").output().is_err() {
        let _ = writeln!(std::io::stderr(), "skipped: README (PATH has no curl)");
        return;
    }
    let (bench, files) = (Bench::start().await, tempfile::tempdir().unwrap());
    let calls = files.path().join("calls");
    let (documented_server, documented_key) = (
        "S=http://127.0.0.1:8090\n",
        "K=test_sk_sandbox00000000000000000000:\n",
    );
    let examples = examples();
    assert!(examples.contains(documented_server) && examples.contains(documented_key));
    let examples = examples
        .replace(
            documented_server,
            &format!("S={}\n", bench.server.base_url()),
        )
        .replace(
            documented_key,
            &format!("K={}:\n", bench.sandbox.secret_key()),
        );
    assert_eq!(examples.matches("curl ").count(), TOLD.len());
    let script = format!("{RECORDED_CURL}{examples}");
    let answers = tokio::task::spawn_blocking(move || answers_of(&script, &calls))
        .await
        .unwrap();
    assert_eq!(answers.len(), TOLD.len());
    for ((status, body), (place, told)) in answers.iter().zip(TOLD) {
        assert!((200..300).contains(status), "{status} {body}");
        let shown = body.pointer(place).unwrap_or(&Value::Null);
        let shown = shown
            .as_str()
            .map_or_else(|| shown.to_string(), str::to_owned);
        assert_eq!(shown, told, "{place} of {body}");
    }
    assert_eq!(bench.sandbox.ledger_row("order-0003").unwrap().net, 5_000);
}
