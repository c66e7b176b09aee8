//! A running sandbox and the calls that tests make of it.

use std::{net::TcpListener, time::Duration};

use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use toss_sandbox::{Effect, Endpoint, Fault, RunningSandbox, Sandbox, SandboxConfig, Target};

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: RunningSandbox,
    pub(crate) client: Client,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(SandboxConfig::default()).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = RunningSandbox::start(sandbox.clone(), listener)
            .await
            .unwrap();
        let client = plain_http()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()
            .unwrap();
        Self {
            sandbox,
            server,
            client,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base_url())
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client
            .get(self.url(path))
            .basic_auth(self.sandbox.secret_key(), Some(""))
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        let request = self.client.post(self.url(path)).json(body);
        request.basic_auth(self.sandbox.secret_key(), Some(""))
    }

    pub(crate) fn confirm(&self, key: &str, order_id: &str, amount: u64) -> RequestBuilder {
        let body = json!({ "paymentKey": key, "orderId": order_id, "amount": amount });
        self.post("/v1/payments/confirm", &body)
    }

    pub(crate) fn inject(&self, effect: Effect, times: Option<u32>) {
        let target = Target {
            endpoint: Some(Endpoint::Confirm),
            order_id: None,
        };
        self.sandbox.inject(Fault {
            target,
            effect,
            times,
        });
    }

    pub(crate) fn status(&self, key: &str) -> String {
        self.sandbox.payment(key).unwrap()["status"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Polls until a condition holds.
    pub(crate) async fn until(&self, what: &str, holds: impl FnMut(&Sandbox) -> bool) {
        until(&self.sandbox, what, holds).await;
    }

    /// A confirm over a bare socket, so that every byte of the answer is seen.
    pub(crate) async fn raw_confirm(&self, key: &str, order_id: &str, amount: u64) -> TcpStream {
        let body = json!({ "paymentKey": key, "orderId": order_id, "amount": amount }).to_string();
        let address = self.server.base_url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // base64 of the default secret key and a colon, as reqwest would make it.
        let probe = self.confirm(key, order_id, amount).build().unwrap();
        let authorization = probe.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        let head = format!(
            "POST /v1/payments/confirm HTTP/1.1\r\nHost: {address}\r\n\
             Authorization: {authorization}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }
}

/// A client of the sandbox itself, whatever the environment's proxies.
pub(crate) fn plain_http() -> ClientBuilder {
    // reqwest asks for a provider even where nothing is encrypted. Whoever comes second finds it.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy()
}

/// Polls until a condition holds.
pub(crate) async fn until(sandbox: &Sandbox, what: &str, mut holds: impl FnMut(&Sandbox) -> bool) {
    let wait = async {
        while !holds(sandbox) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, wait).await.is_ok(),
        "never: {what}"
    );
}

/// Everything that comes before the peer closes; a reset counts as a close.
pub(crate) async fn bytes_until_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = async {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            bytes.extend_from_slice(&buffer[..count]);
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, read).await.is_ok(),
        "the peer never closed"
    );
    bytes
}

/// Status and JSON body.
pub(crate) async fn read(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}
