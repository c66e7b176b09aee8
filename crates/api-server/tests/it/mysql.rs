//! What only a database server does: it goes away and comes back, or lacks the schema.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use storage::testing::TestMySql;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::program::{Serving, program, refuses, run, text};
use crate::shop::Shop;
use crate::stage::Stage;

/// A line between the server and its database that can be cut and mended.
struct Line {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    cut: bool,
    connections: Vec<JoinHandle<()>>,
}

impl Line {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
                if state.cut {
                    continue;
                }
                let target = target.clone();
                state.connections.push(tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(&target).await {
                        // Either side may end it; there is nobody to tell.
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                }));
            }
        });
        Self { address, state }
    }

    /// Ends every connection, and each new one at once.
    fn cut(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.cut = true;
        for connection in state.connections.drain(..) {
            connection.abort();
        }
    }

    fn mend(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .cut = false;
    }
}

/// A server on the stage's database, with a line in between.
async fn open(stage: &Stage) -> (Shop, Line) {
    let url = stage.database_url.clone();
    let (account, place) = url.split_once('@').unwrap();
    let (address, name) = place.split_once('/').unwrap();
    let line = Line::to(address.to_owned()).await;
    let flag = format!("--database-url={account}@{}/{name}", line.address);
    let flags = [
        flag.as_str(),
        "--toss-timeout=3s",
        "--confirm-lease=4s",
        "--confirm-wait=30s",
    ];
    (stage.open(&flags).await, line)
}

async fn is_ready(shop: &Shop) {
    crate::until("the server is ready", async || {
        shop.get("/health/ready").await.status == 200
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_gone_is_told_and_forgiven() {
    let Some(stage) = Stage::on_mysql().await else {
        return;
    };
    let (shop, line) = open(&stage).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    line.cut();
    let error = shop.get("/health/ready").await.refused(503, "E99999");
    assert_eq!(error["details"]["failing"], json!("database"));
    shop.get("/health/live").await.data();
    let path = format!("/api/v1/payments/{}", order.id);
    let error = shop.get(&path).await.refused(503, "E99999");
    assert_eq!(error["retryable"], json!(true));
    shop.confirm(&order, &key).await.refused(503, "E03009");
    assert!(stage.sandbox.calls().is_empty(), "Toss was asked");

    line.mend();
    is_ready(&shop).await;
    assert_eq!(
        shop.confirm(&order, &key).await.data()["status"],
        json!("DONE")
    );
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
    stage.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_that_could_not_be_stored_is_found_again() {
    let Some(stage) = Stage::on_mysql().await else {
        return;
    };
    let (shop, line) = open(&stage).await;
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    stage.slow_confirms(Duration::from_secs(1));
    let cut = async {
        stage.until_asked(&order.id).await;
        line.cut();
    };
    let (answer, ()) = futures::future::join(shop.confirm(&order, &key), cut).await;
    answer.refused(503, "E03009");
    assert_eq!(stage.booked(&order.id).approvals, 1);

    line.mend();
    is_ready(&shop).await;
    shop.eventually(&order, "DONE").await;
    assert_eq!(
        (stage.booked(&order.id).approvals, shop.stock(1).await),
        (1, 58)
    );
    let asked = stage.calls(&order.id);
    let confirms = asked.iter().filter(|call| call.method == "POST").count();
    assert_eq!(confirms, 1, "{asked:?}");
    stage.clear().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_database_without_the_schema_is_refused() {
    let Some(server) = TestMySql::get().await else {
        return;
    };
    let (_, url) = server.fresh_database_with_text().await;
    let folder = tempfile::tempdir().unwrap();
    let variables = [("DATABASE_URL", url.as_str()), ("LISTEN", "127.0.0.1:0")];
    refuses(
        &run(folder.path(), &variables, &[]),
        "run `api-server migrate` first",
    );
    let migrated = run(folder.path(), &variables, &["migrate"]);
    assert!(migrated.status.success(), "{}", text(&migrated.stderr));
    let serving = Serving::start(program(folder.path(), &variables, &[]));
    serving.end();
}
