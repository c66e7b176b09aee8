//! The books against the bank's, over HTTP: what differs is found, what is safe is mended.

use std::process::Command;
use std::sync::Arc;

use api_server::config::{Cli, Command as Chosen};
use api_server::reconcile::{self, Verdict};
use clap::Parser;
use kernel::{Clock as _, ProductId, Quantity, SystemClock};
use product_domain::model::{Hold, ReservationLine};
use product_domain::{HoldOutcome, ProductReceiver as _, ProductService};
use serde_json::{Value, json};
use storage::{Database, DatabaseSettings, DatabaseUrl};
use toss_sandbox::{Effect, Endpoint, RunningSandbox, Sandbox, SandboxConfig};

use crate::shop::{Order, Shop, http_client};
use crate::stage::Stage;

/// The flags of `reconcile` for this stage, up to right now.
fn flags(stage: &Stage, bank_url: &str, more: &[&str]) -> Vec<String> {
    let to = SystemClock.now() + chrono::Duration::seconds(1);
    let own = [
        "reconcile".to_owned(),
        format!("--to={}", to.to_rfc3339()),
        format!("--database-url={}", stage.database_url),
        format!("--toss-secret-key={}", stage.sandbox.secret_key()),
        format!("--toss-base-url={bank_url}"),
        "--toss-timeout=1s".to_owned(),
        "--confirm-lease=2s".to_owned(),
    ];
    own.into_iter()
        .chain(more.iter().map(|flag| (*flag).to_owned()))
        .collect()
}

/// What a run with `--json` told: its lines, the last of which is the run.
struct Told {
    verdict: Verdict,
    found: Vec<Value>,
    run: Value,
}

async fn run_at(stage: &Stage, bank_url: &str, more: &[&str]) -> Told {
    let all = flags(stage, bank_url, more);
    let program = ["api-server", "--json"].map(ToOwned::to_owned);
    let [name, json] = program;
    let cli = Cli::try_parse_from([name].into_iter().chain(all).chain([json])).unwrap();
    let Some(Chosen::Reconcile(args)) = cli.command else {
        panic!("not the command");
    };
    let mut out = Vec::new();
    let verdict = reconcile::run(cli.settings, args, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut found: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let run = found.pop().unwrap();
    assert_eq!(run["type"], "run");
    Told {
        verdict,
        found,
        run,
    }
}

async fn run(stage: &Stage, more: &[&str]) -> Told {
    run_at(stage, &stage.bank_url, more).await
}

impl Told {
    /// Kind and whether it was mended, of what was found about this order.
    fn about(&self, order_id: &str) -> Vec<(&str, bool)> {
        let mine = self.found.iter().filter(|line| line["orderId"] == order_id);
        mine.map(|line| {
            let kind = line["kind"].as_str().unwrap();
            (kind, line["mended"].as_bool().unwrap())
        })
        .collect()
    }
}

/// The bank approves an order although this server never asked for it.
async fn approve_behind_our_back(stage: &Stage, order_id: &str, amount: u64) {
    let payment_key = stage.sandbox.authenticate(order_id, amount);
    let answer = http_client()
        .post(format!("{}/v1/payments/confirm", stage.bank_url))
        .basic_auth(stage.sandbox.secret_key(), Some(""))
        .json(&json!({ "paymentKey": payment_key, "orderId": order_id, "amount": amount }))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
}

async fn declined(stage: &Stage, shop: &Shop) -> Order {
    let order = shop.check_out(1, &[(1, 1)]).await;
    let effect = Effect::Error {
        code: "REJECT_CARD_PAYMENT".to_owned(),
    };
    stage.fail_once(Endpoint::Confirm, &order.id, effect);
    let key = shop.authenticate(&order);
    shop.confirm(&order, &key).await.refused(402, "E03010");
    order
}

/// Takes stock for an order that nobody confirms, as no server does.
async fn hold_stock(stage: &Stage, order: &Order) {
    let url = DatabaseUrl::parse(&stage.database_url).unwrap();
    let database = Database::connect(&DatabaseSettings::new(url))
        .await
        .unwrap();
    let products = ProductService::new(database.products(), Arc::new(SystemClock));
    let payment = database.payments().find(&order.id.parse().unwrap()).await;
    let hold = Hold {
        order_id: order.id.parse().unwrap(),
        fence: payment.unwrap().unwrap().fence,
        lines: vec![ReservationLine {
            product_id: ProductId::new(1).unwrap(),
            quantity: Quantity::new(1).unwrap(),
        }],
    };
    assert_eq!(products.hold(&hold).await.unwrap(), HoldOutcome::Held);
}

async fn what_differs_is_found_and_what_is_safe_is_mended(stage: &Stage) {
    let shop = stage.open(&["--recovery-backoff=30s"]).await;
    let (paid, _) = shop.sell(1).await;
    crate::until("the sale is delivered", async || {
        run(stage, &[]).await.found.is_empty()
    })
    .await;

    let orphan = declined(stage, &shop).await;
    let holding = shop.check_out(1, &[(1, 1)]).await;
    let unheard = shop.check_out(1, &[(2, 1)]).await;
    let key = shop.authenticate(&unheard);
    stage.fail_once(Endpoint::Confirm, &unheard.id, Effect::ApproveThenSilence);
    shop.confirm(&unheard, &key).await.refused(503, "E03009");
    let stock = shop.stock(1).await;
    shop.close().await;
    approve_behind_our_back(stage, &orphan.id, orphan.amount).await;
    approve_behind_our_back(stage, "order-of-another-shop", 5_000).await;
    hold_stock(stage, &holding).await;

    let seen = run(stage, &[]).await;
    assert_eq!(seen.verdict, Verdict::Breaks);
    assert_eq!(seen.about(&paid.id), []);
    // The last look at a failed order is to come.
    assert_eq!(seen.about(&orphan.id), [("PENDING", false)]);
    assert_eq!(seen.about(&holding.id), [("STOCK", false)]);
    assert_eq!(seen.about(&unheard.id), [("PENDING", false)]);
    let foreign = [("MISSING_HERE", false)];
    assert_eq!(seen.about("order-of-another-shop"), foreign);
    assert_eq!(
        (&seen.run["breaks"], &seen.run["pending"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(stage.booked(&orphan.id).net, orphan.amount);

    let mended = run(stage, &["--fix"]).await;
    assert_eq!(mended.about(&orphan.id), [("PENDING", true)]);
    assert_eq!(mended.about(&holding.id), [("STOCK", true)]);
    assert_eq!(mended.about(&unheard.id), [("PENDING", true)]);
    assert_eq!(mended.about("order-of-another-shop"), foreign);
    assert_eq!(stage.booked(&orphan.id).net, 0);

    let again = run(stage, &["--fix"]).await;
    assert_eq!(again.found.len(), 1, "{:?}", again.found);
    assert_eq!(again.about("order-of-another-shop"), foreign);
    let shop = stage.open(&[]).await;
    assert_eq!(shop.status(&unheard).await, "DONE");
    assert_eq!(shop.status(&orphan).await, "FAILED");
    assert_eq!(shop.stock(1).await, stock);
}

async fn a_bank_without_our_approvals_is_noticed(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let (first, _) = shop.sell(1).await;
    let (second, _) = shop.sell(2).await;
    shop.close().await;
    let empty = Sandbox::new(SandboxConfig::default());
    assert_eq!(empty.secret_key(), stage.sandbox.secret_key());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bank = RunningSandbox::start(empty, listener).await.unwrap();
    let told = run_at(stage, bank.base_url(), &["--fix"]).await;
    assert_eq!(told.verdict, Verdict::Breaks);
    for order in [&first, &second] {
        let money: Vec<_> = told.about(&order.id);
        assert!(money.contains(&("MISSING_THERE", false)), "{money:?}");
    }
    bank.stop().await;
}

async fn the_exit_status_tells_a_timer_what_to_do(stage: &Stage) {
    let shop = stage.open(&[]).await;
    shop.sell(1).await;
    crate::until("the sale is delivered", async || {
        run(stage, &[]).await.found.is_empty()
    })
    .await;
    let status = async |bank_url: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_api-server"));
        let folder = tempfile::tempdir().unwrap();
        command
            .env_clear()
            .args(flags(stage, bank_url, more))
            .current_dir(folder.path());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap());
        let output = output.await.unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        let log = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), told, log)
    };
    let (code, told, log) = status(&stage.bank_url, &[]).await;
    assert_eq!(code, Some(0), "{told}{log}");
    assert!(
        told.contains("1 payments, 1 transactions at Toss"),
        "{told}"
    );
    assert!(told.contains("0 breaks, 0 pending"), "{told}");

    approve_behind_our_back(stage, "order-of-another-shop", 5_000).await;
    let (code, told, _) = status(&stage.bank_url, &["--fix"]).await;
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with("KIND "), "{told}");
    assert!(
        told.contains("MISSING_HERE   order-of-another-shop"),
        "{told}"
    );

    for (more, part) in [
        (&["--from=2126-01-01"][..], "begins before it ends"),
        (&["--from=soon"], "write it like"),
        (&["--from=2020-01-01"], "at most 92 days"),
    ] {
        let (code, told, log) = status(&stage.bank_url, more).await;
        assert_eq!((code, told.as_str()), (Some(2), ""), "{log}");
        assert!(log.contains(part), "{log}");
    }
    let bare = Command::new(env!("CARGO_BIN_EXE_api-server"))
        .env_clear()
        .args(["reconcile", "--database-url", &stage.database_url])
        .output()
        .unwrap();
    assert_eq!(bare.status.code(), Some(2));
    let log = String::from_utf8(bare.stderr).unwrap();
    assert!(log.contains("needs TOSS_SECRET_KEY"), "{log}");
}

macro_rules! on_both {
    ($($scenario:ident,)*) => {
        mod on_mysql { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                if let Some(stage) = crate::stage::Stage::on_mysql().await {
                    super::$scenario(&stage).await;
                    stage.clear().await;
                }
            }
        )* }

        mod on_sqlite { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $scenario() {
                let stage = crate::stage::Stage::on_sqlite().await;
                super::$scenario(&stage).await;
                stage.clear().await;
            }
        )* }
    };
}

on_both! {
    what_differs_is_found_and_what_is_safe_is_mended,
    a_bank_without_our_approvals_is_noticed,
    the_exit_status_tells_a_timer_what_to_do,
}
