//! Where the cases happen.

use std::{
    env,
    net::TcpListener,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use chrono::{NaiveDate, TimeDelta, Utc};
use http::Method;
use serde_json::json;
use toss_client::{
    Attempt, Endpoint, IdempotencyKey, Observer, SecretKey, TossClient, TossClientBuilder,
    testing::ManualRuntime,
};
use toss_sandbox::{RunningSandbox, Sandbox, SandboxConfig};

use super::recorded::Recorded;

/// An API key, since widget keys cannot make all calls.
const API_KEY: &str = "test_sk_contract";

/// A client somewhere, and what it needs to be useful there.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) client: TossClient,
    pub(crate) heard: Heard,
    sandbox: Option<(Sandbox, Arc<RunningSandbox>)>,
    prefix: String,
    number: Arc<AtomicU32>,
}

/// The calls that succeeded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Endpoint>>>);

impl Heard {
    pub(crate) fn succeeded(&self, endpoint: Endpoint) -> bool {
        self.0.lock().unwrap().contains(&endpoint)
    }
}

impl Observer for Heard {
    fn attempt(&self, attempt: &Attempt) {
        if attempt.class.is_none() {
            self.0.lock().unwrap().push(attempt.endpoint);
        }
    }
}

impl World {
    pub(crate) async fn sandbox() -> Self {
        // The suite begins payments in the sandbox by itself and needs an API key for the rest.
        let sandbox = Sandbox::new(SandboxConfig {
            secret_key: API_KEY.to_owned(),
            ..SandboxConfig::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = RunningSandbox::start(sandbox.clone(), listener)
            .await
            .unwrap();
        let heard = Heard::default();
        let client = settings_for(&sandbox, &server, &heard).build().unwrap();
        let mut world = Self::of(client, heard);
        world.sandbox = Some((sandbox, Arc::new(server)));
        world
    }

    pub(crate) fn recorded() -> Self {
        let heard = Heard::default();
        let client = TossClient::builder(SecretKey::parse(API_KEY).unwrap())
            .observer(heard.clone())
            .build_on(Recorded, ManualRuntime::default())
            .unwrap();
        Self::of(client, heard)
    }

    /// Toss's test environment, or whatever speaks like it; never with a live key.
    pub(crate) fn toss() -> Option<Self> {
        let key = SecretKey::parse(&env::var("TOSS_CONTRACT_SECRET_KEY").ok()?).unwrap();
        assert!(!key.is_live(), "the suite moves money: test keys alone");
        let heard = Heard::default();
        let mut builder = TossClient::builder(key)
            .observer(heard.clone())
            .rate_limit(toss_client::RateLimit::for_test_keys());
        if let Ok(url) = env::var("TOSS_CONTRACT_BASE_URL") {
            builder = builder.base_url(&url).unwrap();
        }
        let mut world = Self::of(builder.build().unwrap(), heard);
        // Orders of earlier runs are still there.
        let unique = IdempotencyKey::generate().unwrap();
        world.prefix = unique.as_str().chars().take(16).collect();
        Some(world)
    }

    fn of(client: TossClient, heard: Heard) -> Self {
        Self {
            client,
            heard,
            sandbox: None,
            prefix: "order".to_owned(),
            number: Arc::default(),
        }
    }

    /// The settings of another client at this world's sandbox, whose calls are heard too.
    pub(crate) fn settings(&self) -> TossClientBuilder {
        let (sandbox, server) = self.sandbox.as_ref().unwrap();
        settings_for(sandbox, server, &self.heard)
    }

    /// An order id that was never used.
    pub(crate) fn order(&self) -> String {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:06}", self.prefix)
    }

    /// An idempotency key that was never used.
    pub(crate) fn key(&self) -> IdempotencyKey {
        IdempotencyKey::parse(format!("{}-key", self.order())).unwrap()
    }

    /// The key of a payment that a buyer has authenticated.
    pub(crate) fn authenticated(&self, order: &str, amount: u64) -> String {
        match &self.sandbox {
            Some((sandbox, _)) => sandbox.authenticate(order, amount),
            None => "payment-key".to_owned(),
        }
    }

    /// The one-time key with which the billing window sends a customer back.
    pub(crate) async fn registered_card(&self, customer: &str) -> String {
        let Some((sandbox, _)) = &self.sandbox else {
            return "auth-key".to_owned();
        };
        let window = json!({
            "clientKey": sandbox.client_key(),
            "product": "billing",
            "customerKey": customer,
            "method": "CARD",
            "successUrl": "https://shop.example/success",
            "failUrl": "https://shop.example/fail",
            "sandbox": {"paymentResult": "SUCCESS"},
        });
        let path = "/sandbox/windows";
        let opened = self
            .client
            .send(Method::POST, path, &window, &self.key())
            .await
            .unwrap();
        let address = opened.value["redirect"].as_str().unwrap();
        let (_, key) = address.split_once("authKey=").unwrap();
        key.split('&').next().unwrap().to_owned()
    }

    /// Today in Korea, as far as the other side knows; any day for a recorded shape.
    #[expect(clippy::disallowed_methods, reason = "Toss has a clock of its own")]
    pub(crate) fn day(&self) -> NaiveDate {
        let now = match &self.sandbox {
            Some((sandbox, _)) => sandbox.now(),
            None => Utc::now(),
        };
        (now + TimeDelta::hours(9)).date_naive()
    }

    /// Lets days pass where that can be done.
    pub(crate) fn wait_days(&self, days: u64) {
        if let Some((sandbox, _)) = &self.sandbox {
            sandbox.advance_clock(Duration::from_secs(days * 86_400));
        }
    }

    /// Whether what comes back is a recorded shape, which knows nothing of the request.
    pub(crate) fn is_recorded(&self) -> bool {
        self.sandbox.is_none() && self.prefix == "order"
    }
}

fn settings_for(sandbox: &Sandbox, server: &RunningSandbox, heard: &Heard) -> TossClientBuilder {
    TossClient::builder(SecretKey::parse(sandbox.secret_key()).unwrap())
        .base_url(server.base_url())
        .unwrap()
        .observer(heard.clone())
}
