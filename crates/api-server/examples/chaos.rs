//! Real kills: server programs on one database, the sandbox with its durable journal as the bank,
//! clients that retry, SIGKILL of servers (and of MySQL) at random, then quiet, then the verdict.
//!
//! Run it through `cargo xtask chaos`, which builds the programs and starts MySQL.

#![expect(clippy::unwrap_used, reason = "a tool that fails by panicking")]
#![expect(clippy::print_stdout, reason = "its report")]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

const SECRET_KEY: &str = toss_sandbox::DEFAULT_SECRET_KEY;
const API_KEY: &str = "chaos-operator";
const PRICE: i64 = 50_000;
const STOCK: i64 = 100_000_000;
/// How long after the last fault everything must be decided.
const DECIDED_WITHIN: Duration = Duration::from_secs(60);

/// What to break, and for how long.
#[derive(Debug, Clone, Parser)]
struct Options {
    /// The server program.
    #[arg(long)]
    server: PathBuf,
    /// The sandbox program.
    #[arg(long)]
    sandbox: PathBuf,
    /// The servers' database; by default a SQLite file that is removed afterwards.
    #[arg(long)]
    database_url: Option<String>,
    /// The container of MySQL, killed and started again at random.
    #[arg(long)]
    mysql_container: Option<String>,
    /// How long faults last, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Clients that buy, one order after the other.
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// Server instances.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=8))]
    servers: u16,
    /// Chooses victims and pauses. What the machine makes of them differs from run to run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A program that is killed when this is dropped.
struct Program {
    child: Child,
}

impl Program {
    fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self { child })
    }

    fn is_down(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// SIGKILL.
    fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One server instance at a fixed port.
struct Instance {
    port: u16,
    program: Program,
}

struct Stage {
    options: Options,
    database_url: String,
    folder: tempfile::TempDir,
    bank: String,
    http: reqwest::Client,
}

/// What the clients have seen.
#[derive(Default)]
struct Seen {
    orders: Mutex<Vec<String>>,
    answers: Mutex<BTreeMap<u16, u64>>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    drop(rustls::crypto::ring::default_provider().install_default());
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    let database_url = options
        .database_url
        .clone()
        .unwrap_or_else(|| format!("sqlite:{}", folder.path().join("payments.db").display()));
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(8))
        .build()?;
    let bank_port = free_port()?;
    let bank = format!("http://127.0.0.1:{bank_port}");
    let stage = Arc::new(Stage {
        options,
        database_url,
        folder,
        bank,
        http,
    });
    let _bank = stage.start_bank(bank_port)?;
    wait_for(|| async {
        stage
            .get(&format!("{}/sandbox/ledger", stage.bank))
            .await
            .is_some()
    })
    .await?;

    let mut instances = Vec::new();
    for _ in 0..stage.options.servers {
        let port = free_port()?;
        instances.push(Instance {
            port,
            program: stage.start_server(port)?,
        });
    }
    let ports: Vec<u16> = instances.iter().map(|instance| instance.port).collect();
    for port in &ports {
        let ready = format!("http://127.0.0.1:{port}/health/ready");
        wait_for(|| async { stage.get(&ready).await.is_some() }).await?;
    }
    let product = stage.prepare(ports[0]).await?;

    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..stage.options.clients)
        .map(|number| {
            let (stage, seen, stop) = (Arc::clone(&stage), Arc::clone(&seen), Arc::clone(&stop));
            let ports = ports.clone();
            tokio::spawn(async move { buy(&stage, &seen, &stop, &ports, product, number).await })
        })
        .collect();
    let kills = stage.break_things(&mut instances).await?;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await?;
    }
    stage.revive(&mut instances)?;
    let breaks = stage.judge(&seen, ports[0], product, kills).await?;
    if breaks > 0 {
        bail!(
            "{breaks} breaks; the programs' logs are in {}",
            stage.keep_logs()?.display()
        );
    }
    Ok(())
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn wait_for<F: Future<Output = bool>>(mut ready: impl FnMut() -> F) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready().await {
        if Instant::now() > deadline {
            bail!("a program did not come up within a minute");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Buys until told to stop: check out, authenticate, confirm up to six times anywhere.
async fn buy(
    stage: &Stage,
    seen: &Seen,
    stop: &AtomicBool,
    ports: &[u16],
    product: i64,
    number: u64,
) {
    let mut random = SmallRng::seed_from_u64(stage.options.seed ^ (number << 32));
    while !stop.load(Ordering::SeqCst) {
        let port = ports[random.random_range(0..ports.len())];
        let wish =
            json!({"userId": 1, "orderedProductList": [{"productId": product, "quantity": 1}]});
        let Some((200, order)) = stage.post(port, "checkout", &wish).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let order_id = order["data"]["orderId"].as_str().unwrap().to_owned();
        seen.orders.lock().unwrap().push(order_id.clone());
        let opened = json!({"orderId": order_id, "amount": PRICE});
        let window = format!("{}/sandbox/payments", stage.bank);
        let Ok(answer) = stage.http.post(window).json(&opened).send().await else {
            continue;
        };
        let Ok(opened) = answer.json::<Value>().await else {
            continue;
        };
        let claim = json!({"userId": 1, "orderId": order_id, "amount": PRICE, "paymentKey": opened["paymentKey"]});
        for _ in 0..random.random_range(1..=6) {
            let port = ports[random.random_range(0..ports.len())];
            if let Some((status, _)) = stage.post(port, "confirm", &claim).await {
                *seen.answers.lock().unwrap().entry(status).or_default() += 1;
                if status == 200 {
                    break;
                }
            }
            tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        }
    }
}

/// How many times what was killed.
#[derive(Clone, Copy, Default)]
struct Kills {
    servers: u32,
    mysql: u32,
}

impl Stage {
    fn start_bank(&self, port: u16) -> anyhow::Result<Program> {
        let mut command = Command::new(&self.options.sandbox);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        command
            .arg("--journal")
            .arg(self.folder.path().join("bank.journal"));
        Program::start(&mut command, &self.log("bank"))
    }

    fn start_server(&self, port: u16) -> anyhow::Result<Program> {
        let mut command = Command::new(&self.options.server);
        command.env("LISTEN", format!("127.0.0.1:{port}"));
        command
            .env("DATABASE_URL", &self.database_url)
            .env("TOSS_BASE_URL", &self.bank);
        command
            .env("TOSS_SECRET_KEY", SECRET_KEY)
            .env("API_KEY", API_KEY);
        command.env("TOSS_TIMEOUT", "1s").env("CONFIRM_LEASE", "2s");
        command
            .env("RECOVERY_INTERVAL", "200ms")
            .env("RECOVERY_BACKOFF", "200ms");
        command.env("RUST_LOG", "warn");
        Program::start(&mut command, &self.log(&port.to_string()))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Copies the logs out of the folder that is about to be removed.
    fn keep_logs(&self) -> anyhow::Result<PathBuf> {
        let kept = std::env::temp_dir().join(format!("chaos-{}", std::process::id()));
        std::fs::create_dir_all(&kept)?;
        for entry in std::fs::read_dir(self.folder.path())? {
            let entry = entry?;
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(kept)
    }

    async fn get(&self, url: &str) -> Option<Value> {
        let answer = self.http.get(url).send().await.ok()?;
        if answer.status().is_success() {
            answer.json().await.ok()
        } else {
            None
        }
    }

    async fn post(&self, port: u16, what: &str, body: &Value) -> Option<(u16, Value)> {
        let url = format!("http://127.0.0.1:{port}/api/v1/payments/{what}");
        let answer = self.http.post(url).json(body).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// User 1, and a product that never runs out.
    async fn prepare(&self, port: u16) -> anyhow::Result<i64> {
        let base = format!("http://127.0.0.1:{port}/api/v1");
        let user = json!({"username": "chaos", "email": "chaos@example.kr"});
        let user = self
            .http
            .put(format!("{base}/users/1"))
            .bearer_auth(API_KEY)
            .json(&user);
        user.send().await?.error_for_status()?;
        let product = json!({"name": "chaos", "price": PRICE, "stock": STOCK, "sellerId": 1});
        let product = self
            .http
            .post(format!("{base}/products"))
            .bearer_auth(API_KEY)
            .json(&product);
        let product: Value = product.send().await?.error_for_status()?.json().await?;
        product["data"]["productId"]
            .as_i64()
            .context("a product id")
    }

    async fn break_things(&self, instances: &mut [Instance]) -> anyhow::Result<Kills> {
        let mut random = SmallRng::seed_from_u64(self.options.seed);
        let mut kills = Kills::default();
        let end = Instant::now() + Duration::from_secs(self.options.seconds);
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(random.random_range(200..1000))).await;
            self.revive(instances)?;
            match &self.options.mysql_container {
                Some(container) if random.random_bool(0.12) => {
                    docker(&["kill", "--signal", "KILL", container])?;
                    kills.mysql += 1;
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..2000))).await;
                    docker(&["start", container])?;
                }
                Some(_) | None => {
                    let victim = random.random_range(0..instances.len());
                    instances[victim].program.kill();
                    kills.servers += 1;
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..500))).await;
                    instances[victim].program = self.start_server(instances[victim].port)?;
                }
            }
            println!(
                "… {} server kills, {} MySQL kills",
                kills.servers, kills.mysql
            );
        }
        Ok(kills)
    }

    /// Starts again what ended by itself (a server that found no database at its start).
    fn revive(&self, instances: &mut [Instance]) -> anyhow::Result<()> {
        for instance in instances {
            if instance.program.is_down() {
                instance.program = self.start_server(instance.port)?;
            }
        }
        Ok(())
    }

    /// Waits until every order is decided, then compares each with the bank's books, and the stock
    /// with what was sold. Returns the number of breaks.
    async fn judge(
        &self,
        seen: &Seen,
        port: u16,
        product: i64,
        kills: Kills,
    ) -> anyhow::Result<usize> {
        let orders = seen.orders.lock().unwrap().clone();
        let began = Instant::now();
        let ready = format!("http://127.0.0.1:{port}/health/ready");
        wait_for(|| async { self.get(&ready).await.is_some() }).await?;
        let mut decided = BTreeMap::new();
        while decided.len() < orders.len() && began.elapsed() < DECIDED_WITHIN {
            for order in orders
                .iter()
                .filter(|order| !decided.contains_key(*order))
                .cloned()
                .collect::<Vec<_>>()
            {
                let url = format!("http://127.0.0.1:{port}/api/v1/payments/{order}");
                let Some(payment) = self.get(&url).await else {
                    continue;
                };
                let status = payment["data"]["status"].as_str().unwrap_or("").to_owned();
                if !matches!(status.as_str(), "IN_PROGRESS" | "UNKNOWN" | "") {
                    decided.insert(order, status);
                }
            }
        }
        let undecided = orders.len() - decided.len();
        let (pause, mut breaks) = (began.elapsed(), undecided);
        let ledger = self.ledger(orders.len()).await?;
        let mut done = 0;
        for (order, status) in &decided {
            let (approvals, net) = ledger.get(order).copied().unwrap_or((0, 0));
            let sound = match status.as_str() {
                "DONE" => (approvals, net) == (1, PRICE),
                _ => net == 0,
            };
            done += i64::from(status == "DONE");
            if !sound {
                breaks += 1;
                println!(
                    "BREAK {order}: {status} here, {approvals} approvals and {net} won at the bank"
                );
            }
        }
        let product = self
            .get(&format!(
                "http://127.0.0.1:{port}/api/v1/products/{product}"
            ))
            .await;
        let left = product
            .and_then(|product| product["data"]["stock"].as_i64())
            .context("the stock")?;
        if STOCK - left != done {
            breaks += 1;
            println!(
                "BREAK stock: {} pieces gone, {done} orders paid",
                STOCK - left
            );
        }
        if self
            .get(&format!("{}/sandbox/invariants", self.bank))
            .await
            .is_none()
        {
            breaks += 1;
            println!("BREAK the bank's own books contradict each other");
        }
        let answers = seen.answers.lock().unwrap().clone();
        println!(
            "{} orders, {done} paid; confirms by status {answers:?}; {} server kills, {} MySQL kills; \
             all decided {:.1} s after the last fault; {breaks} breaks",
            orders.len(),
            kills.servers,
            kills.mysql,
            pause.as_secs_f64()
        );
        Ok(breaks)
    }

    /// Approvals and net won of every order, from the bank.
    async fn ledger(&self, orders: usize) -> anyhow::Result<BTreeMap<String, (i64, i64)>> {
        let mut ledger = BTreeMap::new();
        for offset in (0..=orders).step_by(1000) {
            let url = format!("{}/sandbox/ledger?offset={offset}&limit=1000", self.bank);
            let page = self.get(&url).await.context("the bank's ledger")?;
            for row in page["rows"].as_array().context("rows")? {
                let order = row["orderId"].as_str().context("an order id")?.to_owned();
                let (approvals, net) = (row["approvals"].as_i64(), row["net"].as_i64());
                ledger.insert(order, (approvals.unwrap_or(-1), net.unwrap_or(-1)));
            }
        }
        Ok(ledger)
    }
}

fn docker(arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("docker")
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        bail!("docker {} failed", arguments.join(" "))
    }
}
