//! The surroundings of a scenario: a database and a sandbox of its own, on which servers open.

use std::any::Any;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api_server::config::{Cli, Settings};
use api_server::wiring;
use clap::Parser;
use kernel::{Money, SellerId, SystemClock, UserId};
use payment_domain::port::PaymentFilter;
use payment_domain::{PaymentReader as _, RecordService};
use product_domain::model::{NewProduct, Stock};
use product_domain::{ProductReceiver as _, ProductService};
use secrecy::ExposeSecret;
use storage::testing::{TestMySql, sqlite_file};
use storage::{Database, DatabaseSettings, DatabaseUrl, SchemaState};
use toss_sandbox::{
    Call, Effect, Endpoint, Fault, LedgerRow, RunningSandbox, Sandbox, SandboxConfig, Target,
};
use user_domain::{UserProfile, UserReceiver as _, UserService};

use crate::shop::Shop;

/// The operators' key of every server that does not make up its own.
pub(crate) const API_KEY: &str = "operator-key-of-this-test";

/// Flags of a server that finds out quickly what became of a payment.
pub(crate) const QUICK: [&str; 8] = [
    "--toss-timeout=1s",
    "--confirm-lease=2s",
    "--confirm-wait=20s",
    "--recovery-interval=50ms",
    "--recovery-backoff=100ms",
    "--recovery-limit=200",
    "--shutdown-grace=20s",
    "--database-pool-size=5",
];

/// For a shop whose confirms and looks must not be taken over, however slow the machine is.
pub(crate) const UNHURRIED: [&str; 3] = [
    "--toss-timeout=10s",
    "--confirm-lease=20s",
    "--confirm-wait=15s",
];

/// A database and a sandbox, shared by all servers of one scenario.
pub(crate) struct Stage {
    /// What has to outlive the database: its folder, or its server.
    _home: Box<dyn Any + Send + Sync>,
    /// For `--database-url`.
    pub(crate) database_url: String,
    /// Toss, as the scenario sees it: its books and its faults.
    pub(crate) sandbox: Sandbox,
    bank: Mutex<Option<RunningSandbox>>,
    /// For `--toss-base-url`.
    pub(crate) bank_url: String,
    /// Servers to close at the end.
    shops: Mutex<Vec<Shop>>,
}

impl Stage {
    /// A stage on a new SQLite file, with the demo rows that the server stores there itself.
    pub(crate) async fn on_sqlite() -> Self {
        let (folder, url) = sqlite_file();
        Self::new(Box::new(folder), url.to_string()).await
    }

    /// A stage on a new MySQL database with the same rows; `None` where there is no MySQL.
    pub(crate) async fn on_mysql() -> Option<Self> {
        let server = TestMySql::get().await?;
        let (url, text) = server.fresh_database_with_text().await;
        stock_the_shelves(url).await;
        Some(Self::new(Box::new(server), text).await)
    }

    async fn new(home: Box<dyn Any + Send + Sync>, database_url: String) -> Self {
        let sandbox = Sandbox::new(SandboxConfig::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let bank = RunningSandbox::start(sandbox.clone(), listener)
            .await
            .unwrap();
        let bank_url = bank.base_url().to_owned();
        Self {
            _home: home,
            database_url,
            sandbox,
            bank: Mutex::new(Some(bank)),
            bank_url,
            shops: Mutex::default(),
        }
    }

    /// Opens a server on this stage, with [`QUICK`] and then these flags.
    pub(crate) async fn open(&self, flags: &[&str]) -> Shop {
        let secret_key = format!("--toss-secret-key={}", self.sandbox.secret_key());
        self.open_with_key(&secret_key, flags).await
    }

    /// Opens a server whose key is not the one that Toss knows.
    pub(crate) async fn open_with_wrong_key(&self) -> Shop {
        self.open_with_key("--toss-secret-key=test_sk_nobody000000000000000000", &[])
            .await
    }

    async fn open_with_key(&self, secret_key: &str, flags: &[&str]) -> Shop {
        let base_url = format!("--toss-base-url={}", self.bank_url);
        let api_key = format!("--api-key={API_KEY}");
        let toss = [secret_key, &base_url, &api_key];
        let flags: Vec<_> = toss.into_iter().chain(flags.iter().copied()).collect();
        let server = wiring::start(self.settings(&flags)).await.unwrap();
        let shop = Shop::new(server, API_KEY.to_owned(), self.sandbox.clone());
        self.remember(&shop);
        shop
    }

    /// Opens a server with a sandbox inside, as `cargo run` does.
    pub(crate) async fn open_embedded(&self) -> Shop {
        let server = wiring::start(self.settings(&[])).await.unwrap();
        let key = server.made_up_api_key.clone().unwrap();
        let sandbox = server.sandbox.clone().unwrap();
        let shop = Shop::new(server, key.expose_secret().to_owned(), sandbox);
        self.remember(&shop);
        shop
    }

    fn remember(&self, shop: &Shop) {
        let mut shops = self.shops.lock().unwrap_or_else(PoisonError::into_inner);
        shops.push(shop.clone());
    }

    /// These flags, and for what they leave out this stage's own and [`QUICK`].
    fn settings(&self, flags: &[&str]) -> Settings {
        let database_url = format!("--database-url={}", self.database_url);
        let own = ["--listen=127.0.0.1:0", &database_url];
        let name = |flag: &str| flag.split('=').next().map(ToOwned::to_owned);
        let left_out = own
            .into_iter()
            .chain(QUICK)
            .filter(|own| flags.iter().all(|flag| name(flag) != name(own)));
        let all: Vec<_> = left_out.chain(flags.iter().copied()).collect();
        let all = ["api-server"].into_iter().chain(all);
        Cli::try_parse_from(all).unwrap().settings
    }

    /// Makes Toss fail for one call of this endpoint about this order.
    pub(crate) fn fail_once(&self, endpoint: Endpoint, order_id: &str, effect: Effect) {
        self.sandbox.inject(Fault {
            target: Target {
                endpoint: Some(endpoint),
                order_id: Some(order_id.to_owned()),
            },
            effect,
            times: Some(1),
        });
    }

    /// Makes every confirm at Toss take this long.
    pub(crate) fn slow_confirms(&self, by: Duration) {
        self.delay_confirms(None, by);
    }

    /// Makes the confirms of one order take this much longer.
    pub(crate) fn slow_confirms_of(&self, order_id: &str, by: Duration) {
        self.delay_confirms(Some(order_id), by);
    }

    fn delay_confirms(&self, order_id: Option<&str>, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap();
        self.sandbox.inject(Fault {
            target: Target {
                endpoint: Some(Endpoint::Confirm),
                order_id: order_id.map(ToOwned::to_owned),
            },
            effect: Effect::Delay {
                min_ms: ms,
                max_ms: ms,
            },
            times: None,
        });
    }

    /// Toss goes away: connections to it are refused.
    pub(crate) async fn close_bank(&self) {
        let bank = self
            .bank
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        bank.unwrap().stop().await;
    }

    /// Toss is back at its old address with its old books.
    pub(crate) async fn reopen_bank(&self) {
        let address = self.bank_url.strip_prefix("http://").unwrap();
        let listener = TcpListener::bind(address).unwrap();
        let bank = RunningSandbox::start(self.sandbox.clone(), listener)
            .await
            .unwrap();
        *self.bank.lock().unwrap_or_else(PoisonError::into_inner) = Some(bank);
    }

    /// What the bank did for an order; nothing at all if it never heard of it.
    pub(crate) fn booked(&self, order_id: &str) -> LedgerRow {
        self.sandbox
            .ledger_row(order_id)
            .unwrap_or_else(|| LedgerRow {
                order_id: order_id.to_owned(),
                approvals: 0,
                approved: 0,
                canceled: 0,
                net: 0,
            })
    }

    /// How many orders the bank has approved; a second approval of any fails the test.
    pub(crate) fn approved_orders(&self) -> usize {
        let ledger = self.sandbox.ledger();
        assert!(
            ledger.iter().all(|row| row.approvals <= 1),
            "an order was charged twice"
        );
        ledger.iter().filter(|row| row.approvals == 1).count()
    }

    /// What Toss was asked about an order, oldest first.
    pub(crate) fn calls(&self, order_id: &str) -> Vec<Call> {
        let mut calls = self.sandbox.calls();
        calls.retain(|call| call.order_id.as_deref() == Some(order_id));
        calls
    }

    /// Waits until Toss has been asked to approve an order.
    pub(crate) async fn until_asked(&self, order_id: &str) {
        crate::until("Toss is asked", async || {
            self.calls(order_id)
                .iter()
                .any(|call| call.endpoint == Endpoint::Confirm)
        })
        .await;
    }

    /// Closes what is still open.
    pub(crate) async fn clear(self) {
        self.sandbox.clear_faults();
        let shops = std::mem::take(&mut *self.shops.lock().unwrap_or_else(PoisonError::into_inner));
        for shop in shops {
            shop.close().await;
        }
        let bank = self
            .bank
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(bank) = bank {
            bank.stop().await;
        }
        self.every_history_replays_to_its_row().await;
    }

    /// However a scenario went: what was recorded of each payment leads to the payment.
    async fn every_history_replays_to_its_row(&self) {
        let url = DatabaseUrl::parse(&self.database_url).unwrap();
        let database = Database::connect(&DatabaseSettings::new(url)).await;
        let database = database.unwrap();
        if database.schema_state().await.unwrap() != SchemaState::UpToDate {
            return;
        }
        let reader = RecordService::new(database.records());
        let (filter, mut after) = (PaymentFilter::default(), None);
        loop {
            let page = reader.list(&filter, after.as_ref(), 100).await.unwrap();
            for payment in page.payments {
                let id = &payment.order_id;
                let history = reader.history(id, None).await.unwrap();
                assert_eq!(history.problem, None, "{id}");
                let replayed = history.payment.unwrap();
                assert_eq!(
                    (replayed.status, replayed.fence, replayed.balance),
                    (payment.status, payment.fence, payment.balance),
                    "{id}"
                );
            }
            after = page.next;
            if after.is_none() {
                return;
            }
        }
    }
}

/// Brings a MySQL database to where a SQLite file is after its first start.
async fn stock_the_shelves(url: DatabaseUrl) {
    let database = Database::connect(&DatabaseSettings::new(url))
        .await
        .unwrap();
    database.migrate().await.unwrap();
    let (clock, ids, _) = wiring::system_ids();
    let users = UserService::new(database.users(), clock, ids);
    for id in [1, 2] {
        let profile = UserProfile {
            username: format!("구매자 {id}"),
            email: format!("buyer{id}@shop.example"),
        };
        users.put(UserId::new(id).unwrap(), &profile).await.unwrap();
    }
    let products = ProductService::new(database.products(), Arc::new(SystemClock));
    for (id, price) in [(1, 50_000), (2, 30_000)] {
        let new = NewProduct {
            name: format!("상품 {id}"),
            description: String::new(),
            price: Money::from_won(price).unwrap(),
            stock: Stock::new(59).unwrap(),
            seller_id: SellerId::new(2).unwrap(),
        };
        assert_eq!(products.create(&new).await.unwrap().id.get(), id);
    }
}
