//! A database, the bank (the sandbox, in this process, so that its books can be read), and the
//! programs that are measured.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use toss_sandbox::{Effect, Endpoint, Fault, RunningSandbox, Sandbox, SandboxConfig, Target};

use crate::child::free_port;
use crate::mysql::MySql;
use crate::program::Program;
use crate::work::Order;

/// The operators' key of every server.
pub(crate) const API_KEY: &str = "bench-operator";
const PRICE: u32 = 50_000;
/// Pieces of every product at the beginning: more than anybody buys.
const STOCK: i64 = 100_000_000;
/// Products, so that with orders spread over them no row is everybody's.
const PRODUCTS: usize = 100;
/// How long a program may take to come up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Which database a measurement is made on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    MySql,
    Sqlite,
}

impl Store {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MySql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// Where things are.
pub(crate) struct Place {
    pub(crate) server: PathBuf,
    /// The server that holds the databases; without it, all is measured on SQLite alone.
    pub(crate) mysql: Option<MySql>,
    /// Database connections of one server.
    pub(crate) pool: u32,
}

impl Place {
    /// The databases that are there.
    pub(crate) fn stores(&self) -> &'static [Store] {
        match self.mysql {
            Some(_) => &[Store::MySql, Store::Sqlite],
            None => &[Store::Sqlite],
        }
    }

    /// The one for what is measured on one alone.
    pub(crate) fn store(&self) -> Store {
        self.stores()[0]
    }
}

/// One measurement's surroundings.
pub(crate) struct Stage {
    pub(crate) store: Store,
    pub(crate) bank: Sandbox,
    pub(crate) bank_url: String,
    pub(crate) database_url: String,
    /// Orders whose clients were told that they are paid.
    pub(crate) paid: Mutex<Vec<Order>>,
    server: PathBuf,
    pool: u32,
    _running_bank: RunningSandbox,
    folder: tempfile::TempDir,
    http: reqwest::Client,
}

/// A program at a port.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) port: u16,
}

impl Server {
    /// What was to be asked has been answered.
    pub(crate) fn end(mut self) {
        self.program.kill();
    }
}

impl Stage {
    /// An empty database of this name, and a bank without payments.
    pub(crate) async fn new(place: &Place, store: Store, name: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database_url = match (&place.mysql, store) {
            (Some(mysql), Store::MySql) => mysql.empty_database(name).await?,
            (None, Store::MySql) => bail!("there is no MySQL"),
            (_, Store::Sqlite) => {
                format!("sqlite:{}", folder.path().join("payments.db").display())
            }
        };
        let migrated = Command::new(&place.server)
            .args(["migrate", "--database-url", &database_url])
            .stdin(Stdio::null())
            .output()?;
        if !migrated.status.success() {
            bail!("migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        }
        let bank = Sandbox::new(SandboxConfig::default());
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let running_bank = RunningSandbox::start(bank.clone(), listener).await?;
        let stage = Self {
            store,
            bank,
            bank_url: running_bank.base_url().to_owned(),
            database_url,
            paid: Mutex::default(),
            server: place.server.clone(),
            pool: place.pool,
            _running_bank: running_bank,
            folder,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()?,
        };
        Ok(stage)
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(&self, group_commit: bool) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut command = Command::new(&self.server);
        command
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env("DATABASE_URL", &self.database_url)
            .env("DATABASE_POOL_SIZE", self.pool.to_string())
            .env("GROUP_COMMIT", if group_commit { "on" } else { "off" })
            .env("TOSS_BASE_URL", &self.bank_url)
            .env("TOSS_SECRET_KEY", self.bank.secret_key())
            .env("API_KEY", API_KEY)
            .env("PAYMENT_EXPIRY", "6h")
            .env(
                "RUST_LOG",
                std::env::var("RUST_LOG").unwrap_or_else(|_| "error".into()),
            );
        self.launch(command, port, "/health/ready").await
    }

    /// Starts this very program as one of the baselines.
    pub(crate) async fn baseline(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        self.launch(command, port, "/").await
    }

    async fn launch(&self, mut command: Command, port: u16, ready: &str) -> anyhow::Result<Server> {
        let log = self.folder.path().join(format!("{port}.log"));
        let program = Program::start(&mut command, &log)?;
        let ready = format!("http://127.0.0.1:{port}{ready}");
        let began = Instant::now();
        while !self.answers(&ready).await {
            if began.elapsed() > PATIENCE {
                bail!("no server: {}", std::fs::read_to_string(log)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Server { program, port })
    }

    async fn answers(&self, url: &str) -> bool {
        let answer = self.http.get(url).send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// User 1 and the products; returns their ids.
    pub(crate) async fn furnish(&self) -> anyhow::Result<Vec<i64>> {
        let server = self.start(false).await?;
        let base = format!("http://127.0.0.1:{}/api/v1", server.port);
        let user = json!({"username": "bench", "email": "bench@example.kr"});
        let put = self.http.put(format!("{base}/users/1"));
        let put = put.bearer_auth(API_KEY).json(&user);
        put.send().await?.error_for_status()?;
        let mut ids = Vec::new();
        for number in 0..PRODUCTS {
            let product = json!({"name": format!("product {number}"), "price": PRICE, "stock": STOCK, "sellerId": 1});
            let post = self.http.post(format!("{base}/products"));
            let post = post.bearer_auth(API_KEY).json(&product);
            let made: Value = post.send().await?.error_for_status()?.json().await?;
            ids.push(made["data"]["productId"].as_i64().context("an id")?);
        }
        server.end();
        Ok(ids)
    }

    /// The buyers of these orders press Pay in the window.
    pub(crate) fn authenticate(&self, orders: Vec<Order>) -> Vec<(Order, String)> {
        let authenticated = orders.into_iter().map(|order| {
            let payment_key = self.bank.authenticate(&order.order_id, order.total_amount);
            (order, payment_key)
        });
        authenticated.collect()
    }

    /// From now on the bank takes this long for each approval, in milliseconds, drawn evenly.
    pub(crate) fn delay_approvals(&self, min_ms: u64, max_ms: u64) {
        self.bank.clear_faults();
        if max_ms > 0 {
            self.bank.inject(Fault {
                target: Target {
                    endpoint: Some(Endpoint::Confirm),
                    order_id: None,
                },
                effect: Effect::Delay { min_ms, max_ms },
                times: None,
            });
        }
    }
}
