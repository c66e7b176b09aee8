//! Webhooks to the merchant's servers, over real HTTP to a server of the test.

mod merchant;

use std::sync::Arc;
use std::time::Duration;

use mysql_async::prelude::Queryable as _;
use reqwest::Method;
use serde_json::{Value, json};
use storage::{Database, DatabaseSettings, DatabaseUrl};
use webhook_domain::model::TargetRules;
use webhook_domain::testing::ScriptedSender;
use webhook_domain::{WebhookReceiver as _, WebhookService};

use self::merchant::Merchant;
use crate::shop::{Answer, Shop};
use crate::stage::Stage;

const ENDPOINTS: &str = "/api/v1/webhooks/endpoints";
const DELIVERIES: &str = "/api/v1/webhooks/deliveries";
/// Private addresses, which the tests' servers have, are not allowed by themselves.
const ALLOW: &str = "--webhook-allow-private=true";

/// Registers the merchant's server; its id and its secret.
async fn register(shop: &Shop, merchant: &Merchant, types: &[&str]) -> (String, String) {
    let body = json!({ "url": merchant.url, "types": types, "description": "가게" });
    let made = shop.operate(Method::POST, ENDPOINTS, &body).await.data();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("endpointId"), text("secret"))
}

async fn deliveries(shop: &Shop, query: &str) -> Vec<Value> {
    let path = format!("{DELIVERIES}?{query}&size=100");
    let page = shop.operate(Method::GET, &path, &json!({})).await.data();
    page["items"].as_array().unwrap().clone()
}

async fn act(shop: &Shop, path: &str) -> Answer {
    shop.operate(Method::POST, path, &json!({})).await
}

pub(crate) async fn a_merchant_is_told_signed_and_in_order(stage: &Stage) {
    let shop = stage.open(&[ALLOW]).await;
    let merchant = Merchant::open().await;
    let (id, secret) = register(&shop, &merchant, &[]).await;
    let listed = shop
        .operate(Method::GET, ENDPOINTS, &json!({}))
        .await
        .data();
    assert_eq!(listed["items"][0]["endpointId"], json!(id));
    assert_eq!(listed["items"][0]["secret"], Value::Null, "shown once");

    // The first try of the first event fails; what comes later waits for it.
    merchant.answer(&[500]);
    let (order, _) = shop.sell(1).await;
    merchant.until_got(1).await;
    let cancel = format!("/api/v1/payments/{}/cancel", order.id);
    for amount in [10_000, 20_000, 20_000] {
        let body = json!({ "cancelReason": "변심", "cancelAmount": amount });
        shop.operate(Method::POST, &cancel, &body).await.data();
    }
    let got = merchant.until_got(5).await;
    let canceled = "payment.canceled";
    assert_eq!(
        merchant.kinds(&order),
        ["payment.done", "payment.done", canceled, canceled, canceled]
    );
    assert_eq!(got[0].id(), got[1].id());
    assert!(got.iter().all(|got| got.is_signed_with(&[&secret])));
    let sequences: Vec<_> = got[1..]
        .iter()
        .map(|got| got.body()["data"]["sequence"].as_i64().unwrap())
        .collect();
    assert!(sequences.is_sorted_by(|a, b| a < b), "{sequences:?}");
    let told = got.iter().map(|got| {
        let data = &got.body()["data"];
        (data["status"].clone(), data["balanceAmount"].clone())
    });
    let told: Vec<_> = told.skip(1).collect();
    let part = json!("PARTIAL_CANCELED");
    assert_eq!(
        told,
        [
            (json!("DONE"), json!(50_000)),
            (part.clone(), json!(40_000)),
            (part, json!(20_000)),
            (json!("CANCELED"), json!(0)),
        ]
    );
    // The last one shows the payment as it is read.
    let mut last = got[4].body()["data"].take();
    last.as_object_mut().unwrap().remove("sequence");
    assert_eq!(last, shop.read(&order).await);
    let query = format!("orderId={}&endpointId={id}", order.id);
    crate::until("all is noted", async || {
        let listed = deliveries(&shop, &query).await;
        listed
            .iter()
            .all(|each| each["state"] == json!("DELIVERED"))
    })
    .await;
    let listed = deliveries(&shop, &query).await;
    assert_eq!(listed.len(), 4);
    assert_eq!(listed[3]["tries"], json!(2));
    assert_eq!(listed[3]["lastStatus"], json!(200));
}

pub(crate) async fn every_kind_of_end_is_told_to_whoever_chose_it(stage: &Stage) {
    let shop = stage.open(&[ALLOW, "--payment-expiry=5s"]).await;
    let (all, some) = (Merchant::open().await, Merchant::open().await);
    register(&shop, &all, &[]).await;
    register(&shop, &some, &["payment.failed"]).await;
    let (paid, _) = shop.sell(1).await;
    let declined = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&declined);
    stage.fail_once(
        toss_sandbox::Endpoint::Confirm,
        &declined.id,
        toss_sandbox::Effect::Error {
            code: "REJECT_CARD_PAYMENT".to_owned(),
        },
    );
    shop.confirm(&declined, &key).await.refused(402, "E03010");
    let waiting = shop.check_out(1, &[(1, 1)]).await;
    let means = toss_sandbox::engine::Method::VirtualAccount {
        bank_code: "20".to_owned(),
        customer_name: "김토스".to_owned(),
    };
    let amount = waiting.amount;
    let sandbox = &stage.sandbox;
    let key = sandbox.authenticate_with(&waiting.id, "주문", amount, means);
    shop.confirm(&waiting, &key).await.data();
    let expired = shop.check_out(1, &[(1, 1)]).await;
    all.until_got(4).await;
    crate::until("the expiry is told", async || {
        !all.kinds(&expired).is_empty()
    })
    .await;
    for (order, kind) in [
        (&paid, "payment.done"),
        (&declined, "payment.failed"),
        (&waiting, "payment.waiting_for_deposit"),
        (&expired, "payment.expired"),
    ] {
        assert_eq!(all.kinds(order), [kind]);
    }
    // No name of the buyer, whatever Toss told.
    assert!(all.got().iter().all(|got| !got.text.contains("김토스")));
    let got = some.got();
    assert_eq!((got.len(), got[0].kind().as_str()), (1, "payment.failed"));
    assert!(got[0].body()["data"]["failure"]["code"].is_string());
}

pub(crate) async fn a_slow_server_of_a_merchant_delays_no_other(stage: &Stage) {
    let shop = stage.open(&[ALLOW]).await;
    let (slow, quick) = (Merchant::open().await, Merchant::open().await);
    slow.answer(&[0; 50]);
    register(&shop, &slow, &[]).await;
    register(&shop, &quick, &[]).await;
    let begun = std::time::Instant::now();
    for count in 1..=3 {
        let (order, _) = shop.sell(1).await;
        quick.until_got(count).await;
        assert_eq!(quick.kinds(&order), ["payment.done"]);
    }
    // Each try at the slow one takes ten seconds.
    assert!(
        begun.elapsed() < Duration::from_secs(9),
        "{:?}",
        begun.elapsed()
    );
    assert!(!slow.got().is_empty());
}

pub(crate) async fn a_server_that_dies_between_sending_and_noting_repeats(stage: &Stage) {
    let shop = stage.open(&[ALLOW]).await;
    let merchant = Merchant::open().await;
    let (id, _) = register(&shop, &merchant, &[]).await;
    shop.close().await;
    // Another server: what it sends arrives, and then it is gone.
    let url = DatabaseUrl::parse(&stage.database_url).unwrap();
    let database = Database::connect(&DatabaseSettings::new(url))
        .await
        .unwrap();
    let (clock, ids, randomness) = api_server::wiring::system_ids();
    let sender = Arc::new(ScriptedSender::default());
    sender.set_hanging(true);
    let ports = webhook_domain::Ports {
        repository: database.webhooks(),
        sender: sender.clone(),
        clock,
        ids,
        randomness,
    };
    let rules = TargetRules {
        allow_private: true,
    };
    let dying = WebhookService::new(ports, rules);
    let test = dying.test(&id).await.unwrap();
    let dead = tokio::time::timeout(Duration::from_secs(2), dying.work(&id, 10)).await;
    assert!(dead.is_err());
    assert_eq!(sender.sent_ids(), std::slice::from_ref(&test.event_id));

    let shop = stage.open(&[ALLOW]).await;
    let got = merchant.until_got(1).await;
    assert_eq!(got[0].id(), test.event_id);
    crate::until("it is noted", async || {
        let listed = deliveries(&shop, "state=DELIVERED").await;
        listed.len() == 1 && listed[0]["tries"] == json!(2)
    })
    .await;
}

pub(crate) async fn secrets_are_rotated_and_events_sent_again(stage: &Stage) {
    let shop = stage.open(&[ALLOW]).await;
    let merchant = Merchant::open().await;
    let (id, first) = register(&shop, &merchant, &[]).await;
    let path = format!("{ENDPOINTS}/{id}");
    let rotated = act(&shop, &format!("{path}/rotate-secret")).await.data();
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(first, second);
    assert!(rotated["oldSecretValidUntil"].is_string());
    let test = act(&shop, &format!("{path}/test")).await.data();
    let got = merchant.until_got(1).await;
    assert_eq!(got[0].kind(), "webhook.test");
    assert_eq!(got[0].id(), test["eventId"].as_str().unwrap());
    assert!(got[0].is_signed_with(&[&second, &first]));

    let resend = format!(
        "{DELIVERIES}/{}/resend",
        test["deliveryId"].as_str().unwrap()
    );
    crate::until("it is noted", async || {
        deliveries(&shop, "state=DELIVERED").await.len() == 1
    })
    .await;
    let again = act(&shop, &resend).await.data();
    assert_eq!(again["state"], json!("PENDING"));
    let got = merchant.until_got(2).await;
    assert_eq!(got[0].id(), got[1].id());
    assert_eq!(got[0].text, got[1].text);
    let unknown = format!("{DELIVERIES}/dlv_unknown/resend");
    act(&shop, &unknown).await.refused(404, "E99004");
}

pub(crate) async fn a_server_that_is_gone_is_turned_off_and_a_redirect_is_not_followed(
    stage: &Stage,
) {
    let shop = stage.open(&[ALLOW]).await;
    let (merchant, other) = (Merchant::open().await, Merchant::open().await);
    let (id, _) = register(&shop, &merchant, &[]).await;
    let path = format!("{ENDPOINTS}/{id}");
    merchant.desk().location = Some(other.url.clone());
    merchant.answer(&[307, 410]);
    act(&shop, &format!("{path}/test")).await.data();
    merchant.until_got(2).await;
    crate::until("the endpoint is off", async || {
        let endpoint = shop.operate(Method::GET, &path, &json!({})).await.data();
        endpoint["state"] == json!("GONE")
    })
    .await;
    assert!(other.got().is_empty(), "the redirect was followed");
    act(&shop, &format!("{path}/test"))
        .await
        .refused(400, "E99001");
    assert_eq!(deliveries(&shop, "state=DEAD").await.len(), 1);
    // Nothing is stored for merchants while nobody listens, and nothing is sent.
    shop.sell(1).await;
    let on = json!({ "enabled": true });
    shop.operate(Method::PATCH, &path, &on).await.data();
    let (order, _) = shop.sell(1).await;
    merchant.until_got(3).await;
    assert_eq!(merchant.kinds(&order), ["payment.done"]);
    assert_eq!(merchant.got().len(), 3);

    let removed = shop.operate(Method::DELETE, &path, &json!({})).await;
    assert_eq!(removed.data()["removed"], json!(true));
    let again = shop.operate(Method::DELETE, &path, &json!({})).await;
    again.refused(404, "E99004");
    assert_eq!(deliveries(&shop, "").await.len(), 0);
}

pub(crate) async fn addresses_of_this_network_are_not_called(stage: &Stage) {
    let shop = stage.open(&[]).await;
    let merchant = Merchant::open().await;
    for url in [
        merchant.url.as_str(),
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://localhost:8443/",
        "https://2130706433/",
        "https://user:secret@hooks.example.com/",
        "https://hooks.example.com/#x",
        "gopher://hooks.example.com/",
        "",
    ] {
        let body = json!({ "url": url });
        let refused = shop.operate(Method::POST, ENDPOINTS, &body).await;
        refused.refused(400, "E99001");
    }
    let good = json!({ "url": "https://hooks.invalid/" });
    let made = shop.operate(Method::POST, ENDPOINTS, &good).await.data();
    let path = format!("{ENDPOINTS}/{}", made["endpointId"].as_str().unwrap());
    let bad = json!({ "url": merchant.url });
    let refused = shop.operate(Method::PATCH, &path, &bad).await;
    refused.refused(400, "E99001");
    for odd in [
        json!({ "types": ["payment.*"] }),
        json!({ "types": ["payment.done", "payment.done"] }),
        json!({ "description": "x".repeat(201) }),
        json!({ "enabled": "yes" }),
    ] {
        let refused = shop.operate(Method::PATCH, &path, &odd).await;
        refused.refused(400, "E99001");
    }
    for odd in [
        "state=LOST",
        "orderId=x",
        "size=0",
        "size=101",
        "cursor=%20",
    ] {
        let list = format!("{DELIVERIES}?{odd}");
        let refused = shop.operate(Method::GET, &list, &json!({})).await;
        refused.refused(400, "E99001");
    }
    // Twenty, and no more.
    for _ in 1..20 {
        shop.operate(Method::POST, ENDPOINTS, &good).await.data();
    }
    let one_more = shop.operate(Method::POST, ENDPOINTS, &good).await;
    one_more.refused(400, "E99001");
    shop.close().await;

    // What another setting let in is not called either.
    let lax = stage.open(&[ALLOW]).await;
    lax.operate(Method::DELETE, &path, &json!({})).await.data();
    let (id, _) = register(&lax, &merchant, &[]).await;
    lax.close().await;
    let strict = stage.open(&[]).await;
    act(&strict, &format!("{ENDPOINTS}/{id}/test")).await.data();
    let query = format!("endpointId={id}");
    crate::until("it was tried", async || {
        deliveries(&strict, &query).await[0]["lastError"].is_string()
    })
    .await;
    assert!(merchant.got().is_empty());
}

/// What this database was asked so far: statements, each a round trip, and the commits among them;
/// and the messages in its outbox.
async fn asked(stage: &Stage) -> (u64, u64, u64) {
    let name = stage.database_url.rsplit('/').next().unwrap();
    let opts = mysql_async::Opts::from_url(&stage.database_url).unwrap();
    let opts = mysql_async::OptsBuilder::from_opts(opts).prefer_socket(false);
    let mut connection = mysql_async::Conn::new(opts.db_name(Some("mysql")))
        .await
        .unwrap();
    let query = format!(
        "SELECT CAST(COALESCE(SUM(count_star), 0) AS UNSIGNED),
                CAST(COALESCE(SUM(IF(digest_text LIKE 'COMMIT%', count_star, 0)), 0) AS UNSIGNED),
                (SELECT COUNT(*) FROM {name}.payment_outbox)
         FROM performance_schema.events_statements_summary_by_digest WHERE schema_name = '{name}'"
    );
    let asked = connection.query_first(query).await.unwrap();
    connection.disconnect().await.unwrap();
    asked.unwrap()
}

/// What one confirm asks of MySQL, once it is answered and its message is delivered.
async fn cost_of_a_confirm(stage: &Stage, shop: &Shop) -> (u64, u64) {
    let order = shop.check_out(1, &[(1, 1)]).await;
    let key = shop.authenticate(&order);
    let before = asked(stage).await;
    shop.confirm(&order, &key).await.data();
    let mut last = before;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = asked(stage).await;
        if now == last && now.2 == 0 {
            return (now.0 - before.0, now.1 - before.1);
        }
        last = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_a_confirm_costs_what_it_did() {
    let Some(stage) = Stage::on_mysql().await else {
        return;
    };
    // One connection, so that statements are prepared once; nothing that asks by itself.
    let quiet = ["--recovery-interval=1h", "--database-pool-size=1", ALLOW];
    let shop = stage.open(&quiet).await;
    for _ in 0..3 {
        cost_of_a_confirm(&stage, &shop).await;
    }
    assert_eq!(cost_of_a_confirm(&stage, &shop).await, (25, 4));
    let merchant = Merchant::open().await;
    register(&shop, &merchant, &[]).await;
    for _ in 0..3 {
        cost_of_a_confirm(&stage, &shop).await;
    }
    assert_eq!(cost_of_a_confirm(&stage, &shop).await, (37, 5));
    stage.clear().await;
}
