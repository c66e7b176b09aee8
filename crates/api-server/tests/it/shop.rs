//! One running server, and what buyers and operators do with it over HTTP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_server::wiring::RunningServer;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use toss_sandbox::Sandbox;

/// Longer than anything that a server may rightly take in these tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Clones are the same server.
#[derive(Clone)]
pub(crate) struct Shop {
    server: Arc<Mutex<Option<RunningServer>>>,
    pub(crate) base_url: String,
    pub(crate) client: Client,
    pub(crate) api_key: String,
    pub(crate) sandbox: Sandbox,
}

/// An order that was checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) user_id: i64,
    pub(crate) amount: u64,
    pub(crate) customer_key: String,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

/// A client that reuses no connection, so that none is lost when a server closes.
pub(crate) fn http_client() -> Client {
    // Some provider has to be there although nothing here speaks TLS; the first one stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .no_proxy()
        .timeout(PATIENCE)
        .pool_max_idle_per_host(0)
        .build()
        .unwrap()
}

impl Shop {
    pub(crate) fn new(server: RunningServer, api_key: String, sandbox: Sandbox) -> Self {
        let base_url = server.base_url();
        Self::at(base_url, api_key, sandbox, Some(server))
    }

    /// A server that runs elsewhere, for example in a process of its own.
    pub(crate) fn at(
        base_url: String,
        api_key: String,
        sandbox: Sandbox,
        server: Option<RunningServer>,
    ) -> Self {
        Self {
            server: Arc::new(Mutex::new(server)),
            base_url,
            client: http_client(),
            api_key,
            sandbox,
        }
    }

    /// Stops the server gracefully, if it still runs.
    pub(crate) async fn close(&self) {
        let server = self
            .server
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.base_url))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// A request of an operator.
    pub(crate) async fn operate(&self, method: Method, path: &str, body: &Value) -> Answer {
        let request = self.request(method, path).bearer_auth(&self.api_key);
        Answer::of(request.json(body)).await
    }

    /// Checks out these products (id, quantity).
    pub(crate) async fn check_out(&self, user_id: i64, lines: &[(i64, u64)]) -> Order {
        let body = checkout_body(user_id, lines);
        Order::of(
            user_id,
            &self.post("/api/v1/payments/checkout", &body).await.data(),
        )
    }

    /// Puts a new product on the shelf and returns its id.
    pub(crate) async fn offer(&self, price: u64, stock: u64) -> i64 {
        let body = json!({ "name": "한정판", "price": price, "stock": stock, "sellerId": 2 });
        let answer = self
            .operate(Method::POST, "/api/v1/products", &body)
            .await
            .data();
        answer["productId"].as_i64().unwrap()
    }

    /// The buyer goes through Toss's window; returns the payment key.
    pub(crate) fn authenticate(&self, order: &Order) -> String {
        self.sandbox.authenticate(&order.id, order.amount)
    }

    /// The browser brings back what the window gave it.
    pub(crate) async fn confirm(&self, order: &Order, payment_key: &str) -> Answer {
        self.post(
            "/api/v1/payments/confirm",
            &confirm_body(order, payment_key),
        )
        .await
    }

    /// Check out, authenticate, confirm: an order of one piece that is paid.
    pub(crate) async fn sell(&self, product_id: i64) -> (Order, String) {
        let order = self.check_out(1, &[(product_id, 1)]).await;
        let key = self.authenticate(&order);
        assert_eq!(
            self.confirm(&order, &key).await.data()["status"],
            json!("DONE")
        );
        (order, key)
    }

    /// A payment as anybody reads it.
    pub(crate) async fn read(&self, order: &Order) -> Value {
        self.get(&format!("/api/v1/payments/{}", order.id))
            .await
            .data()
    }

    pub(crate) async fn status(&self, order: &Order) -> String {
        self.read(order).await["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) async fn stock(&self, product_id: i64) -> i64 {
        let product = self.get(&format!("/api/v1/products/{product_id}")).await;
        product.data()["stock"].as_i64().unwrap()
    }

    /// Waits until the payment has this status, and returns it then.
    pub(crate) async fn eventually(&self, order: &Order, status: &str) -> Value {
        let goal = format!("order {} is {status}", order.id);
        crate::until(&goal, async || self.status(order).await == status).await;
        self.read(order).await
    }
}

impl Order {
    pub(crate) fn of(user_id: i64, data: &Value) -> Self {
        Self {
            id: data["orderId"].as_str().unwrap().to_owned(),
            user_id,
            amount: data["totalAmount"].as_u64().unwrap(),
            customer_key: data["customerKey"].as_str().unwrap().to_owned(),
        }
    }
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the answer is an earlier one's.
    pub(crate) fn is_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }

    /// The data of a success.
    pub(crate) fn data(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()));
        let mut body: Value = serde_json::from_str(&self.text).unwrap();
        body["data"].take()
    }

    /// The error of a refusal, which must be whole and be this one.
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        let error = self.envelope();
        assert_eq!(
            (self.status, &error["code"]),
            (status, &json!(code)),
            "{}",
            self.text
        );
        error
    }

    /// The error of any refusal, checked against what all have in common.
    pub(crate) fn envelope(&self) -> Value {
        assert!(self.status >= 400, "{} {}", self.status, self.text);
        let mut body: Value = serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text));
        let error = body["error"].take();
        for field in ["code", "message", "traceId"] {
            let text = error[field].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{field} in {error}");
        }
        let id = self.header("x-request-id").unwrap();
        assert_eq!(error["traceId"], json!(id));
        let retryable = error["retryable"].as_bool().unwrap();
        assert_eq!(retryable, self.headers.contains_key(RETRY_AFTER), "{error}");
        let json = self.header("content-type").unwrap();
        assert!(json.starts_with("application/json"), "{json}");
        error
    }
}

pub(crate) fn checkout_body(user_id: i64, lines: &[(i64, u64)]) -> Value {
    let lines: Vec<_> = lines
        .iter()
        .map(|(product_id, quantity)| json!({ "productId": product_id, "quantity": quantity }))
        .collect();
    json!({ "userId": user_id, "orderedProductList": lines })
}

pub(crate) fn confirm_body(order: &Order, payment_key: &str) -> Value {
    json!({
        "userId": order.user_id,
        "orderId": order.id,
        "amount": order.amount,
        "paymentKey": payment_key,
    })
}
