//! Clients that leave, servers that stop, and more requests than are welcome.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::shop::{Order, Shop, confirm_body};
use crate::stage::Stage;

/// Sends a confirm and keeps the connection open without reading from it.
async fn send_confirm(shop: &Shop, order: &Order, key: &str) -> TcpStream {
    let address = shop.base_url.strip_prefix("http://").unwrap();
    let body = confirm_body(order, key).to_string();
    let request = format!(
        "POST /api/v1/payments/confirm HTTP/1.1\r\nHost: {address}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

pub(crate) async fn a_client_that_hangs_up_cancels_nothing(stage: &Stage) {
    let shop = stage
        .open(&[
            "--toss-timeout=10s",
            "--confirm-lease=20s",
            "--confirm-wait=15s",
        ])
        .await;
    stage.slow_confirms(Duration::from_millis(500));
    let mut orders = Vec::new();
    for abruptly in [false, true] {
        let order = shop.check_out(1, &[(1, 1)]).await;
        let stream = send_confirm(&shop, &order, &shop.authenticate(&order)).await;
        stage.until_asked(&order.id).await;
        if abruptly {
            // A reset instead of an orderly end.
            stream.set_zero_linger().unwrap();
        }
        drop(stream);
        orders.push(order);
    }
    for order in &orders {
        shop.eventually(order, "DONE").await;
        assert_eq!(stage.booked(&order.id).approvals, 1);
        // By the confirm itself: recovery would have asked a second time, and later.
        assert_eq!(stage.calls(&order.id).len(), 1);
    }
    assert_eq!(shop.stock(1).await, 57);
}

pub(crate) async fn a_stopping_server_finishes_its_confirms(stage: &Stage) {
    let shop = stage
        .open(&[
            "--toss-timeout=10s",
            "--confirm-lease=20s",
            "--confirm-wait=15s",
        ])
        .await;
    stage.slow_confirms(Duration::from_secs(1));
    let (heard, unheard) = (
        shop.check_out(1, &[(1, 1)]).await,
        shop.check_out(1, &[(1, 1)]).await,
    );
    // The one that nobody waits for lasts longest: no open connection keeps the server up for it.
    stage.slow_confirms_of(&unheard.id, Duration::from_millis(1_500));
    let key = shop.authenticate(&heard);
    let confirm = shop.confirm(&heard, &key);
    let stop = async {
        // One client waits for its answer, the other has hung up.
        let gone = send_confirm(&shop, &unheard, &shop.authenticate(&unheard)).await;
        stage.until_asked(&heard.id).await;
        stage.until_asked(&unheard.id).await;
        gone.set_zero_linger().unwrap();
        drop(gone);
        shop.close().await;
    };
    let (answer, ()) = futures::future::join(confirm, stop).await;
    assert_eq!(answer.data()["status"], json!("DONE"));

    // No recovery here: what is done was done by the server that stopped.
    let next = stage.open(&["--recovery-interval=1h"]).await;
    for order in [&heard, &unheard] {
        assert_eq!(next.status(order).await, "DONE");
        assert_eq!(stage.calls(&order.id).len(), 1);
    }
    assert_eq!(next.stock(1).await, 57);
}

pub(crate) async fn a_stopping_server_does_not_wait_for_idle_connections(stage: &Stage) {
    let shop = stage.open(&["--shutdown-grace=40s"]).await;
    let idle = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = idle
        .get(format!("{}/health/live", shop.base_url))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    answer.bytes().await.unwrap();
    let silent = TcpStream::connect(shop.base_url.strip_prefix("http://").unwrap())
        .await
        .unwrap();
    let began = Instant::now();
    shop.close().await;
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    drop((idle, silent));
}

pub(crate) async fn confirms_above_the_limit_are_shed(stage: &Stage) {
    let shop = stage
        .open(&[
            "--max-in-flight=1",
            "--toss-timeout=10s",
            "--confirm-lease=20s",
            "--confirm-wait=15s",
        ])
        .await;
    stage.slow_confirms(Duration::from_secs(1));
    let (first, second) = (
        shop.check_out(1, &[(1, 1)]).await,
        shop.check_out(2, &[(1, 1)]).await,
    );
    let keys = [shop.authenticate(&first), shop.authenticate(&second)];
    let shed = async {
        stage.until_asked(&first.id).await;
        shop.confirm(&second, &keys[1]).await.refused(503, "E03009");
        assert_eq!(shop.status(&second).await, "READY");
        assert!(stage.calls(&second.id).is_empty(), "Toss was asked");
    };
    let (paid, ()) = futures::future::join(shop.confirm(&first, &keys[0]), shed).await;
    assert_eq!(paid.data()["status"], json!("DONE"));
    // There is room again once the first one's task has ended, shortly after its answer.
    crate::until("the second is paid", async || {
        shop.confirm(&second, &keys[1]).await.status == 200
    })
    .await;
    assert_eq!((stage.approved_orders(), shop.stock(1).await), (2, 57));
}

pub(crate) async fn too_many_requests_of_one_client_are_refused(stage: &Stage) {
    let shop = stage.open(&["--rate-limit=2"]).await;
    let answers = join_all((0..20).map(|_| shop.get("/api/v1/products/1"))).await;
    let mut served = 0;
    for answer in &answers {
        if answer.status == 200 {
            served += 1;
        } else {
            assert_eq!(answer.refused(429, "E99007")["retryable"], json!(true));
        }
    }
    assert!((2..20).contains(&served), "{served}");
    // Probes are not limited, and the client is welcome again soon.
    for _ in 0..10 {
        shop.get("/health/live").await.data();
    }
    crate::until("a request is served", async || {
        shop.get("/api/v1/products/1").await.status == 200
    })
    .await;
}
