//! A program that is told to kills itself, and the next one finishes what it left.

use std::os::unix::process::ExitStatusExt as _;

use crate::program::{Serving, program, refuses, run};
use crate::shop::Shop;
use crate::stage::{API_KEY, QUICK, Stage};

/// SIGKILL's number, on every Unix.
const SIGKILL: i32 = 9;

fn serving(stage: &Stage, folder: &std::path::Path, failpoints: &str) -> (Serving, Shop) {
    let variables = [
        ("LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", stage.database_url.as_str()),
        ("TOSS_SECRET_KEY", stage.sandbox.secret_key()),
        ("TOSS_BASE_URL", &stage.bank_url),
        ("API_KEY", API_KEY),
        ("FAILPOINTS", failpoints),
    ];
    let serving = Serving::start(program(folder, &variables, &QUICK));
    let (base_url, key) = (serving.base_url().to_owned(), API_KEY.to_owned());
    (
        serving,
        Shop::at(base_url, key, stage.sandbox.clone(), None),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_life_finishes_what_a_failpoint_interrupted() {
    let stage = Stage::on_sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    for (point, approvals) in [
        ("payments.claim.after", 0),
        ("products.hold.after", 0),
        ("gateway.confirm.after", 1),
        ("payments.finish.before", 1),
        ("payments.finish.after", 1),
    ] {
        let (doomed, shop) = serving(&stage, folder.path(), &format!("{point}=1"));
        let order = shop.check_out(1, &[(1, 1)]).await;
        let key = shop.authenticate(&order);
        let claim = serde_json::json!({
            "userId": 1, "orderId": order.id, "amount": order.amount, "paymentKey": key,
        });
        let confirm = shop.request(reqwest::Method::POST, "/api/v1/payments/confirm");
        let answer = confirm.json(&claim).send().await;
        assert!(answer.is_err(), "{point}: {answer:?}");
        assert_eq!(doomed.died().signal(), Some(SIGKILL), "{point}");
        let row = |id: &str| {
            let ledger = stage.sandbox.ledger();
            ledger.into_iter().find(|row| row.order_id == id)
        };
        let then = row(&order.id).map_or(0, |row| row.approvals);
        assert_eq!(then, approvals, "{point}");

        let (healthy, shop) = serving(&stage, folder.path(), "");
        shop.eventually(&order, "DONE").await;
        assert_eq!(row(&order.id).unwrap().approvals, 1, "{point}");
        healthy.end();
    }
    stage.clear().await;
}

#[test]
fn a_wrong_failpoint_stops_the_start_and_lists_the_names() {
    let folder = tempfile::tempdir().unwrap();
    for (setting, part) in [
        (
            "gateway.confirm=1",
            "gateway.confirm.before, gateway.confirm.after",
        ),
        ("gateway.confirm.after=2", "above 0 and at most 1"),
    ] {
        refuses(&run(folder.path(), &[("FAILPOINTS", setting)], &[]), part);
    }
}
