//! A database, the bank (the sandbox, in this process, so that its books can be read), and servers.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kernel::OrderId;
use payment_domain::port::PaymentRepository;
use serde_json::{Value, json};
use storage::{Database, DatabaseSettings, DatabaseUrl};
use toss_sandbox::{Effect, Endpoint, Fault, RunningSandbox, Sandbox, SandboxConfig, Target};

use crate::child::free_port;
use crate::program::Program;

const API_KEY: &str = "backlog-operator";
/// The price of every product.
pub(crate) const PRICE: u32 = 50_000;
/// Pieces of every product at the beginning.
pub(crate) const STOCK: i64 = 1_000_000;
/// Products, so that no single row is everybody's.
pub(crate) const PRODUCTS: usize = 20;
/// How long a program may take to come up.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where things are.
pub(crate) struct Place {
    pub(crate) server: PathBuf,
    /// The container's name and its port.
    pub(crate) mysql: Option<(String, u16)>,
    pub(crate) report: Option<PathBuf>,
}

impl Place {
    /// Prints a line of the report, and keeps it if that is wished.
    pub(crate) fn tell(&self, line: &str) -> anyhow::Result<()> {
        println!("{line}");
        if let Some(path) = &self.report {
            let mut file = std::fs::File::options()
                .create(true)
                .append(true)
                .open(path)?;
            writeln!(file, "{line}")?;
        }
        Ok(())
    }
}

/// One measurement's surroundings.
pub(crate) struct Stage {
    pub(crate) server: PathBuf,
    pub(crate) mysql: Option<String>,
    pub(crate) database_name: String,
    pub(crate) database_url: String,
    pub(crate) payments: Arc<dyn PaymentRepository>,
    pub(crate) bank: Sandbox,
    bank_url: String,
    _running_bank: RunningSandbox,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) http: reqwest::Client,
}

/// A server at a fixed port.
pub(crate) struct Server {
    pub(crate) program: Program,
    pub(crate) port: u16,
}

impl Stage {
    /// An empty database of this name, and a bank without payments.
    pub(crate) async fn new(place: &Place, name: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let database_url = match &place.mysql {
            Some((_, port)) => format!("mysql://root@127.0.0.1:{port}/{name}"),
            None => format!("sqlite:{}", folder.path().join("payments.db").display()),
        };
        let mysql = place.mysql.as_ref().map(|(container, _)| container.clone());
        if let Some(container) = &mysql {
            create_database(container, name)?;
        }
        let migrated = Command::new(&place.server)
            .args(["migrate", "--database-url", &database_url])
            .stdin(Stdio::null())
            .output()?;
        if !migrated.status.success() {
            bail!("migrate: {}", String::from_utf8_lossy(&migrated.stderr));
        }
        let database = Database::connect(&DatabaseSettings {
            pool_size: 16,
            ..DatabaseSettings::new(DatabaseUrl::parse(&database_url)?)
        })
        .await?;
        let bank = Sandbox::new(SandboxConfig {
            calls_max: 2_000_000,
            ..SandboxConfig::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let running_bank = RunningSandbox::start(bank.clone(), listener).await?;
        Ok(Self {
            server: place.server.clone(),
            mysql,
            database_name: name.to_owned(),
            database_url,
            payments: database.payments(),
            bank,
            bank_url: running_bank.base_url().to_owned(),
            _running_bank: running_bank,
            folder,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()?,
        })
    }

    /// A server's command with these settings (names of variables, and values).
    pub(crate) fn command(&self, settings: &[(&str, String)]) -> Command {
        let mut command = Command::new(&self.server);
        command
            .env("DATABASE_URL", &self.database_url)
            .env("TOSS_BASE_URL", &self.bank_url)
            .env("TOSS_SECRET_KEY", self.bank.secret_key())
            .env("API_KEY", API_KEY)
            .env("PAYMENT_EXPIRY", "6h")
            .env("RUST_LOG", "error");
        for (name, value) in settings {
            command.env(name, value);
        }
        command
    }

    /// Starts a server and waits until it is ready.
    pub(crate) async fn start(&self, settings: &[(&str, String)]) -> anyhow::Result<Server> {
        let port = free_port()?;
        let log = self.folder.path().join(format!("{port}.log"));
        let mut command = self.command(settings);
        command.env("LISTEN", format!("127.0.0.1:{port}"));
        let program = Program::start(&mut command, &log)?;
        let ready = format!("http://127.0.0.1:{port}/health/ready");
        let began = Instant::now();
        while self.get(&ready).await.is_none() {
            if began.elapsed() > PATIENCE {
                bail!("no server: {}", std::fs::read_to_string(log)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(Server { program, port })
    }

    pub(crate) async fn get(&self, url: &str) -> Option<Value> {
        let answer = self.http.get(url).send().await.ok()?;
        if !answer.status().is_success() {
            return None;
        }
        answer.json().await.ok()
    }

    /// User 1 and the products; returns their ids.
    pub(crate) async fn prepare(&self, server: &Server) -> anyhow::Result<Vec<i64>> {
        let base = format!("http://127.0.0.1:{}/api/v1", server.port);
        let user = json!({"username": "backlog", "email": "backlog@example.kr"});
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
        Ok(ids)
    }

    /// A checked-out order of one piece of this product.
    pub(crate) async fn check_out(&self, server: &Server, product: i64) -> anyhow::Result<OrderId> {
        let url = format!("http://127.0.0.1:{}/api/v1/payments/checkout", server.port);
        let wish =
            json!({"userId": 1, "orderedProductList": [{"productId": product, "quantity": 1}]});
        let answer = self.http.post(url).json(&wish).send().await?;
        let order: Value = answer.error_for_status()?.json().await?;
        let order_id = order["data"]["orderId"].as_str().context("an order id")?;
        Ok(order_id.parse()?)
    }

    /// Confirms; `None` without an answer.
    pub(crate) async fn confirm(
        &self,
        port: u16,
        order_id: &OrderId,
        payment_key: &str,
    ) -> Option<u16> {
        let url = format!("http://127.0.0.1:{port}/api/v1/payments/confirm");
        let claim = json!({"userId": 1, "orderId": order_id.as_str(), "amount": PRICE, "paymentKey": payment_key});
        let answer = self.http.post(url).json(&claim).send().await.ok()?;
        let status = answer.status().as_u16();
        drop(answer.bytes().await);
        Some(status)
    }

    /// Makes the bank do this, at one endpoint or at all.
    pub(crate) fn fault(&self, endpoint: Option<Endpoint>, effect: Effect) {
        self.bank.inject(Fault {
            target: Target {
                endpoint,
                order_id: None,
            },
            effect,
            times: None,
        });
    }

    /// What the server under test would have had approved: its request, sent by somebody else.
    pub(crate) async fn approve_at_bank(
        &self,
        order_id: &OrderId,
        payment_key: &str,
    ) -> anyhow::Result<()> {
        let body =
            json!({"paymentKey": payment_key, "orderId": order_id.as_str(), "amount": PRICE});
        let confirm = self
            .http
            .post(format!("{}/v1/payments/confirm", self.bank_url));
        let confirm = confirm
            .basic_auth(self.bank.secret_key(), Some(""))
            .header("Idempotency-Key", format!("{order_id}:1"))
            .json(&body);
        confirm.send().await?.error_for_status()?;
        Ok(())
    }

    /// Runs SQL on MySQL and returns what it prints, without headings.
    pub(crate) fn sql(&self, sql: &str) -> anyhow::Result<String> {
        let container = self.mysql.as_deref().context("SQL needs MySQL")?;
        mysql(container, &self.database_name, sql)
    }
}

fn create_database(container: &str, name: &str) -> anyhow::Result<()> {
    let began = Instant::now();
    let create = format!("DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name};");
    loop {
        match mysql(container, "mysql", &create) {
            Ok(_) => return Ok(()),
            Err(error) if began.elapsed() > PATIENCE => return Err(error),
            // It is still coming up.
            Err(_) => std::thread::sleep(Duration::from_secs(1)),
        }
    }
}

fn mysql(container: &str, database: &str, sql: &str) -> anyhow::Result<String> {
    // Over TCP: while the image prepares itself, its server listens on the socket alone.
    let mut client = Command::new("docker")
        .args([
            "exec",
            "--interactive",
            container,
            "mysql",
            "--host=127.0.0.1",
        ])
        .args(["--user=root", "--skip-column-names", "--batch", database])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = client.stdin.take().context("a pipe")?;
    let sql = sql.to_owned();
    let writing = std::thread::spawn(move || input.write_all(sql.as_bytes()));
    let output = client.wait_with_output()?;
    let written = writing.join().ok().context("the writer")?;
    if !output.status.success() {
        bail!("mysql: {}", String::from_utf8_lossy(&output.stderr));
    }
    written?;
    Ok(String::from_utf8(output.stdout)?)
}
