//! The program itself, as a process: settings, subcommands, signals and what it writes.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;
use toss_sandbox::{Effect, Endpoint, Sandbox, SandboxConfig};

use crate::shop::Shop;
use crate::stage::{API_KEY, QUICK, Stage};

/// Every setting: flag, variable, default as `--help` shows it.
const SETTINGS: [(&str, &str, &str); 24] = [
    ("--listen", "LISTEN", "127.0.0.1:8080"),
    ("--database-url", "DATABASE_URL", "sqlite:data/payments.db"),
    ("--toss-secret-key", "TOSS_SECRET_KEY", ""),
    ("--toss-client-key", "TOSS_CLIENT_KEY", ""),
    ("--toss-base-url", "TOSS_BASE_URL", "Toss's own address"),
    ("--toss-timeout", "TOSS_TIMEOUT", "60s"),
    ("--confirm-lease", "CONFIRM_LEASE", "90s"),
    ("--confirm-wait", "CONFIRM_WAIT", "65s"),
    ("--recovery-interval", "RECOVERY_INTERVAL", "1s"),
    ("--recovery-backoff", "RECOVERY_BACKOFF", "2s"),
    ("--recovery-limit", "RECOVERY_LIMIT", "20"),
    ("--recovery-concurrency", "RECOVERY_CONCURRENCY", "32"),
    ("--payment-expiry", "PAYMENT_EXPIRY", "30m"),
    ("--database-pool-size", "DATABASE_POOL_SIZE", "10"),
    ("--group-commit", "GROUP_COMMIT", "on"),
    ("--api-key", "API_KEY", ""),
    ("--api-keys-file", "API_KEYS_FILE", ""),
    ("--drain-delay", "DRAIN_DELAY", "3s"),
    ("--shutdown-grace", "SHUTDOWN_GRACE", "70s"),
    ("--max-in-flight", "MAX_IN_FLIGHT", "5000"),
    ("--event-streams", "EVENT_STREAMS", "500"),
    ("--rate-limit", "RATE_LIMIT", "off"),
    ("--webhook-allow-private", "WEBHOOK_ALLOW_PRIVATE", ""),
    ("--log-format", "LOG_FORMAT", "human"),
];

/// The program in an empty folder, with no variables but these.
pub(crate) fn program(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api-server"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

pub(crate) fn run(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    program(folder, variables, arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A failed start says why in one line and ends with a failure.
pub(crate) fn refuses(output: &Output, part: &str) {
    let (told, line) = (text(&output.stdout), text(&output.stderr));
    assert!(!output.status.success(), "{told}{line}");
    assert!(line.contains(part), "{line}");
    assert_eq!(told, "");
}

#[test]
fn help_lists_every_setting_with_its_variable_and_default() {
    let folder = tempfile::tempdir().unwrap();
    let help = text(&run(folder.path(), &[], &["--help"]).stdout);
    let options: HashMap<_, _> = help
        .split("\n      --")
        .skip(1)
        .map(|option| (option.split([' ', '\n']).next().unwrap(), option))
        .collect();
    for (flag, variable, default) in SETTINGS {
        let shown = options
            .get(flag.trim_start_matches("--"))
            .unwrap_or_else(|| panic!("{flag} in {help}"));
        assert!(shown.contains(&format!("[env: {variable}")), "{shown}");
        if !default.is_empty() {
            assert!(shown.contains(&format!("[default: {default}]")), "{shown}");
        }
    }
    for command in ["serve", "migrate", "key", "openapi"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}");
    }
}

#[test]
fn a_wrong_setting_stops_the_start_with_one_clear_line() {
    let folder = tempfile::tempdir().unwrap();
    for (variables, part) in [
        (
            &[("CONFIRM_LEASE", "10s")][..],
            "CONFIRM_LEASE (10s) must be longer than TOSS_TIMEOUT (1m)",
        ),
        (
            &[("TOSS_SECRET_KEY", "test_sk_0000")],
            "API_KEY is required",
        ),
        (
            &[("API_KEYS_FILE", "nowhere")],
            "API_KEYS_FILE (nowhere) cannot be used: the file cannot be read",
        ),
        (
            &[("TOSS_BASE_URL", "http://127.0.0.1:1")],
            "TOSS_BASE_URL needs TOSS_SECRET_KEY",
        ),
        (
            &[("DATABASE_URL", "postgres://a@b/c")],
            "sqlite: or mysql://",
        ),
        (
            &[("DATABASE_URL", "sqlite:/proc/nowhere/p.db")],
            "/proc/nowhere",
        ),
        (&[("LISTEN", "everywhere")], "--listen"),
        (&[("RECOVERY_INTERVAL", "0s")], "above zero"),
        (&[("MAX_IN_FLIGHT", "0")], "--max-in-flight"),
        (
            &[("TOSS_SECRET_KEY", "no key at all"), ("API_KEY", "k")],
            "TOSS_SECRET_KEY cannot be used",
        ),
        (
            &[
                ("TOSS_SECRET_KEY", "test_sk_0000"),
                ("API_KEY", "k"),
                ("TOSS_BASE_URL", "ftp://x"),
            ],
            "TOSS_BASE_URL cannot be used",
        ),
    ] {
        let output = run(folder.path(), variables, &[]);
        refuses(&output, part);
        let first = text(&output.stderr);
        let said: Vec<_> = first
            .lines()
            .filter(|line| line.starts_with("error:"))
            .collect();
        assert_eq!(said.len(), 1, "{first}");
    }
}

#[test]
fn migrate_makes_a_sqlite_database_and_openapi_prints_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let first = run(folder.path(), &[], &["migrate"]);
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(
        text(&first.stdout).starts_with("applied "),
        "{}",
        text(&first.stdout)
    );
    assert!(folder.path().join("data/payments.db").is_file());
    let again = run(folder.path(), &[], &["migrate"]);
    assert_eq!(text(&again.stdout), "The schema is up to date.\n");

    let printed = run(folder.path(), &[], &["openapi"]);
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert!(document["paths"]["/api/v1/payments/confirm"].is_object());
}

/// A serving process.
pub(crate) struct Serving {
    child: Child,
    base_url: String,
    /// What it wrote to standard output until it listened.
    log: JoinHandle<String>,
    told: JoinHandle<String>,
}

impl Serving {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        let Some(base_url) = first.trim_end().strip_prefix("Listening on ") else {
            child.wait().unwrap();
            panic!("{first}{}", log.join().unwrap());
        };
        let base_url = base_url.to_owned();
        let told = std::thread::spawn(move || {
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            rest
        });
        Self {
            child,
            base_url,
            log,
            told,
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Waits for its own end.
    #[cfg(feature = "failpoints")]
    pub(crate) fn died(mut self) -> std::process::ExitStatus {
        self.child.wait().unwrap()
    }

    fn signal(&self, name: &str) {
        let asked = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(asked.unwrap().success());
    }

    /// Ends it with SIGINT, which must succeed; returns the rest of its output, and its log.
    pub(crate) fn end(self) -> (String, String) {
        self.signal("INT");
        self.wait()
    }

    fn wait(mut self) -> (String, String) {
        let status = self.child.wait().unwrap();
        let log = self.log.join().unwrap();
        assert_eq!(status.code(), Some(0), "{log}");
        (self.told.join().unwrap(), log)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_settings_the_program_serves_a_shop_with_a_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("LISTEN", "127.0.0.1:0")];
    let serving = Serving::start(program(folder.path(), &variables, &[]));
    // A sandbox in another process: its books are read, and its window opened, over HTTP.
    let elsewhere = Sandbox::new(SandboxConfig::default());
    let shop = Shop::at(serving.base_url.clone(), String::new(), elsewhere, None);
    let order = shop.check_out(1, &[(1, 3), (2, 2)]).await;
    let window = serde_json::json!({ "orderId": order.id, "amount": order.amount });
    let opened = shop.post("/sandbox/payments", &window).await;
    let opened: Value = serde_json::from_str(&opened.text).unwrap();
    let key = opened["paymentKey"].as_str().unwrap();
    let paid = shop.confirm(&order, key).await.data();
    assert_eq!(
        (&paid["status"], &paid["amount"]),
        (&"DONE".into(), &210_000.into())
    );
    assert_eq!((shop.stock(1).await, shop.stock(2).await), (56, 57));
    let page = shop
        .request(reqwest::Method::GET, "/")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 200);

    let (told, log) = serving.end();
    let printed = told.split("API key for operators (this run only): ").nth(1);
    let printed = printed.unwrap_or_else(|| panic!("{told}")).trim();
    assert!(printed.len() >= 32, "{told}");
    assert!(!log.contains(printed), "the key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sigterm_it_drains_and_then_stops() {
    let folder = tempfile::tempdir().unwrap();
    let variables = [("LISTEN", "127.0.0.1:0"), ("DRAIN_DELAY", "2s")];
    let serving = Serving::start(program(folder.path(), &variables, &[]));
    let elsewhere = Sandbox::new(SandboxConfig::default());
    let shop = Shop::at(serving.base_url.clone(), String::new(), elsewhere, None);
    let ready = shop.get("/health/ready").await;
    assert_eq!((ready.status, ready.header("connection")), (200, None));

    let began = std::time::Instant::now();
    serving.signal("TERM");
    crate::until("it says that it is about to stop", async || {
        shop.get("/health/ready").await.status == 503
    })
    .await;
    let refused = shop.get("/health/ready").await;
    assert_eq!(refused.header("connection"), Some("close"));
    let why = refused.envelope();
    assert_eq!(why["details"]["failing"], "draining");
    assert_eq!(shop.get("/health/live").await.status, 200);
    // What comes meanwhile is served.
    shop.check_out(1, &[(1, 1)]).await;
    serving.wait();
    assert!(began.elapsed() >= std::time::Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_secret() {
    let stage = Stage::on_sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let secret_key = stage.sandbox.secret_key().to_owned();
    for (level, format) in [("info", "human"), ("debug", "json")] {
        let variables = [
            ("LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", stage.database_url.as_str()),
            ("TOSS_SECRET_KEY", &secret_key),
            ("TOSS_BASE_URL", &stage.bank_url),
            ("API_KEY", API_KEY),
            ("RUST_LOG", level),
            ("LOG_FORMAT", format),
        ];
        let serving = Serving::start(program(folder.path(), &variables, &QUICK));
        let base_url = serving.base_url.clone();
        let shop = Shop::at(base_url, API_KEY.to_owned(), stage.sandbox.clone(), None);
        let mut secrets = trade(&stage, &shop).await;
        secrets.extend([API_KEY.to_owned(), secret_key.clone()]);
        secrets.extend(
            [
                "haneul@shop.example",
                "김하늘",
                "secret@shop.example",
                "한소문",
            ]
            .map(Into::into),
        );
        let (_, log) = serving.end();
        if format == "json" {
            for line in log.lines() {
                assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
            }
        }
        // The log is one indeed: it tells of orders and of what went wrong with them.
        assert!(log.contains("/api/v1/payments/confirm"), "{log}");
        assert!(log.contains("outcome not known yet"), "{log}");
        for secret in secrets {
            assert!(!log.contains(&secret), "{secret} is in the log: {log}");
        }
    }
    stage.clear().await;
}

/// One order of each kind of end; returns what nobody may read in a log.
async fn trade(stage: &Stage, shop: &Shop) -> Vec<String> {
    let mut secrets = Vec::new();
    let declined = Effect::Error {
        code: "REJECT_CARD_PAYMENT".to_owned(),
    };
    for (effect, status) in [
        (None, "DONE"),
        (Some(declined), "FAILED"),
        (Some(Effect::WrongAmount), "QUARANTINED"),
        (Some(Effect::ApproveThenSilence), "DONE"),
        (Some(Effect::ResetWithoutApproval), "DONE"),
        (Some(Effect::Html502 { executed: false }), "DONE"),
    ] {
        let order = shop.check_out(1, &[(1, 1)]).await;
        let key = shop.authenticate(&order);
        shop.confirm(&order, "tgen_a_wrong_payment_key").await;
        if let Some(effect) = effect {
            stage.fail_once(Endpoint::Confirm, &order.id, effect);
            stage.fail_once(Endpoint::Get, &order.id, Effect::ResetWithoutApproval);
        }
        shop.confirm(&order, &key).await;
        shop.eventually(&order, status).await;
        secrets.extend([
            key,
            order.customer_key,
            "tgen_a_wrong_payment_key".to_owned(),
        ]);
    }
    let profile = serde_json::json!({ "username": "한소문", "email": "secret@shop.example" });
    shop.operate(reqwest::Method::PUT, "/api/v1/users/9", &profile)
        .await
        .data();
    secrets
}
