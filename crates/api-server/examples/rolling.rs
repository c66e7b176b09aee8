//! A rolling restart under load: two server programs behind a proxy, clients that buy through it
//! without ever trying a request twice, and one server after the other that is told to stop
//! (SIGTERM) and replaced. Not one request may fail.
//!
//! Run it through `cargo xtask rolling`, which builds the programs and starts MySQL.

#![expect(clippy::unwrap_used, reason = "a tool that fails by panicking")]
#![expect(clippy::print_stdout, reason = "its report")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

#[path = "shared/child.rs"]
mod child;

use child::{KilledOnDrop, free_port};

const API_KEY: &str = "rolling-operator";
const PRICE: i64 = 50_000;
const STOCK: i64 = 100_000_000;
/// How often the proxy asks a server whether it is ready.
const HEALTH_EVERY: Duration = Duration::from_millis(100);
/// How long the bank takes for an approval, in milliseconds: confirms are under way at each stop.
const BANK_DELAY_MS: u64 = 150;
const STOPS_WITHIN: Duration = Duration::from_secs(30);

/// What to restart, and how often.
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
    /// How often each of the two servers is replaced.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Clients that buy, one order after the other.
    #[arg(long, default_value_t = 16)]
    clients: u64,
    /// How long the servers serve on after SIGTERM.
    #[arg(long, default_value = "1s")]
    drain_delay: String,
    /// Ends servers with SIGKILL instead: requests fail, which shows that this run can.
    #[arg(long)]
    kill: bool,
}

/// SIGTERM (or, to see requests fail, SIGKILL); returns how long the program took to end, which
/// must be well.
async fn end(mut server: KilledOnDrop, kill: bool) -> anyhow::Result<Duration> {
    let began = Instant::now();
    if kill {
        return Ok(began.elapsed());
    }
    let process = server.0.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &process]).status()?;
    ensure!(asked.success(), "SIGTERM could not be sent");
    loop {
        if let Some(status) = server.0.try_wait()? {
            ensure!(status.success(), "a server ended with {status}");
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < STOPS_WITHIN, "a server does not stop");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A proxy of connections: it asks each server every [`HEALTH_EVERY`] whether it is ready, gives new
/// connections to ready ones in turn, and looks into none.
struct Proxy {
    servers: Vec<(SocketAddr, AtomicBool)>,
    turn: AtomicU64,
}

impl Proxy {
    async fn start(ports: &[u16], http: reqwest::Client) -> anyhow::Result<(Arc<Self>, u16)> {
        let servers = ports.iter().map(|port| {
            let address = SocketAddr::from(([127, 0, 0, 1], *port));
            (address, AtomicBool::new(false))
        });
        let proxy = Arc::new(Self {
            servers: servers.collect(),
            turn: AtomicU64::new(0),
        });
        for index in 0..proxy.servers.len() {
            let (proxy, http) = (Arc::clone(&proxy), http.clone());
            tokio::spawn(async move { proxy.watch(index, &http).await });
        }
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let accepting = Arc::clone(&proxy);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let proxy = Arc::clone(&accepting);
                tokio::spawn(async move { proxy.carry(client).await });
            }
        });
        Ok((proxy, port))
    }

    async fn watch(&self, index: usize, http: &reqwest::Client) {
        let (address, is_ready) = &self.servers[index];
        let url = format!("http://{address}/health/ready");
        loop {
            let answer = http.get(&url).timeout(Duration::from_secs(1)).send().await;
            let ready = answer.is_ok_and(|answer| answer.status().is_success());
            is_ready.store(ready, Ordering::SeqCst);
            tokio::time::sleep(HEALTH_EVERY).await;
        }
    }

    /// Tries each ready server once, in turn: a refused connection has carried nothing.
    async fn carry(&self, mut client: TcpStream) {
        let turn = self.turn.fetch_add(1, Ordering::SeqCst);
        let count = self.servers.len() as u64;
        for offset in 0..count {
            let index = usize::try_from((turn + offset) % count).unwrap_or(0);
            let (address, is_ready) = &self.servers[index];
            if !is_ready.load(Ordering::SeqCst) {
                continue;
            }
            if let Ok(mut server) = TcpStream::connect(address).await {
                drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                return;
            }
        }
    }

    fn is_ready(&self, index: usize) -> bool {
        self.servers[index].1.load(Ordering::SeqCst)
    }
}

/// What the clients have done.
#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    paid: Mutex<Vec<String>>,
    failed: Mutex<Vec<String>>,
}

impl Seen {
    fn fail(&self, what: String) {
        println!("FAILED {what}");
        self.failed.lock().unwrap().push(what);
    }
}

struct Stage {
    options: Options,
    database_url: String,
    folder: tempfile::TempDir,
    bank: String,
    http: reqwest::Client,
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
        .timeout(Duration::from_secs(20))
        .build()?;
    let bank_port = free_port()?;
    let stage = Arc::new(Stage {
        options,
        database_url,
        folder,
        bank: format!("http://127.0.0.1:{bank_port}"),
        http,
    });
    let _bank = stage.start_bank(bank_port).await?;
    let ports = [free_port()?, free_port()?];
    let (proxy, door) = Proxy::start(&ports, stage.http.clone()).await?;
    let mut servers = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        servers.push(Some(stage.start_server(*port)?));
        until_ready(&proxy, index).await?;
    }
    let product = stage.prepare(ports[0]).await?;

    let (seen, stop) = (Arc::new(Seen::default()), Arc::new(AtomicBool::new(false)));
    let clients: Vec<_> = (0..stage.options.clients)
        .map(|_| {
            let (stage, seen, stop) = (Arc::clone(&stage), Arc::clone(&seen), Arc::clone(&stop));
            tokio::spawn(async move { buy(&stage, &seen, &stop, door, product).await })
        })
        .collect();
    let began = Instant::now();
    let mut slowest = Duration::ZERO;
    for round in 1..=stage.options.rounds {
        for (index, port) in ports.iter().enumerate() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let server = servers[index].take().context("a server")?;
            slowest = slowest.max(end(server, stage.options.kill).await?);
            servers[index] = Some(stage.start_server(*port)?);
            until_ready(&proxy, index).await?;
        }
        let requests = seen.requests.load(Ordering::SeqCst);
        println!("… round {round}: both servers replaced, {requests} requests so far");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::SeqCst);
    for client in clients {
        client.await?;
    }
    stage
        .report(&seen, product, ports[0], began.elapsed(), slowest)
        .await
}

async fn until_ready(proxy: &Proxy, index: usize) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !proxy.is_ready(index) {
        ensure!(Instant::now() < deadline, "a server does not become ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Buys through the proxy until told to stop. Every request is made once: whatever goes wrong with
/// it is a failure.
async fn buy(stage: &Stage, seen: &Seen, stop: &AtomicBool, door: u16, product: i64) {
    while !stop.load(Ordering::SeqCst) {
        let lines = json!([{"productId": product, "quantity": 1}]);
        let wish = json!({"userId": 1, "orderedProductList": lines});
        let Some(order) = stage.ask(seen, door, "checkout", &wish).await else {
            continue;
        };
        let order_id = order["data"]["orderId"].as_str().unwrap().to_owned();
        let opened = json!({"orderId": order_id, "amount": PRICE});
        let window = format!("{}/sandbox/payments", stage.bank);
        let opened = stage.http.post(window).json(&opened).send().await.unwrap();
        let opened: Value = opened.json().await.unwrap();
        let claim = json!({"userId": 1, "orderId": order_id, "amount": PRICE,
                           "paymentKey": opened["paymentKey"]});
        if let Some(paid) = stage.ask(seen, door, "confirm", &claim).await {
            if paid["data"]["status"] == "DONE" {
                seen.paid.lock().unwrap().push(order_id);
            } else {
                seen.fail(format!("confirm of {order_id}: {paid}"));
            }
        }
    }
}

impl Stage {
    async fn start_bank(&self, port: u16) -> anyhow::Result<KilledOnDrop> {
        let mut command = Command::new(&self.options.sandbox);
        command.arg("--listen").arg(format!("127.0.0.1:{port}"));
        let bank = KilledOnDrop::start(&mut command, &self.log("bank"))?;
        let delay = json!({"type": "delay", "minMs": BANK_DELAY_MS, "maxMs": BANK_DELAY_MS});
        let fault = json!({"target": {"endpoint": "confirm"}, "effect": delay});
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let url = format!("{}/sandbox/faults", self.bank);
            match self.http.post(url).json(&fault).send().await {
                Ok(answer) if answer.status().is_success() => return Ok(bank),
                Ok(answer) => bail!("the bank takes no fault: {}", answer.text().await?),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn start_server(&self, port: u16) -> anyhow::Result<KilledOnDrop> {
        let mut command = Command::new(&self.options.server);
        command
            .env("LISTEN", format!("127.0.0.1:{port}"))
            .env("DATABASE_URL", &self.database_url)
            .env("TOSS_BASE_URL", &self.bank)
            .env("TOSS_SECRET_KEY", toss_sandbox::DEFAULT_SECRET_KEY)
            .env("API_KEY", API_KEY)
            .env("DRAIN_DELAY", &self.options.drain_delay)
            .env("RUST_LOG", "warn");
        KilledOnDrop::start(&mut command, &self.log(&port.to_string()))
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// One request through the proxy, made once.
    async fn ask(&self, seen: &Seen, door: u16, what: &str, body: &Value) -> Option<Value> {
        let url = format!("http://127.0.0.1:{door}/api/v1/payments/{what}");
        seen.requests.fetch_add(1, Ordering::SeqCst);
        let answer = match self.http.post(url).json(body).send().await {
            Ok(answer) => answer,
            Err(error) => {
                seen.fail(format!("{what}: {error:?}"));
                return None;
            }
        };
        let status = answer.status();
        match answer.json::<Value>().await {
            Ok(value) if status.is_success() => Some(value),
            Ok(value) => {
                seen.fail(format!("{what}: {status} {value}"));
                None
            }
            Err(error) => {
                seen.fail(format!("{what}: {status} {error:?}"));
                None
            }
        }
    }

    /// User 1, and a product that never runs out.
    async fn prepare(&self, port: u16) -> anyhow::Result<i64> {
        let base = format!("http://127.0.0.1:{port}/api/v1");
        let user = json!({"username": "rolling", "email": "rolling@example.kr"});
        let user = self.http.put(format!("{base}/users/1")).json(&user);
        user.bearer_auth(API_KEY).send().await?.error_for_status()?;
        let product = json!({"name": "rolling", "price": PRICE, "stock": STOCK, "sellerId": 1});
        let product = self.http.post(format!("{base}/products")).json(&product);
        let product = product.bearer_auth(API_KEY).send().await?;
        let product: Value = product.error_for_status()?.json().await?;
        product["data"]["productId"]
            .as_i64()
            .context("a product id")
    }

    async fn report(
        &self,
        seen: &Seen,
        product: i64,
        port: u16,
        took: Duration,
        slowest: Duration,
    ) -> anyhow::Result<()> {
        let (requests, failed) = (
            seen.requests.load(Ordering::SeqCst),
            seen.failed.lock().unwrap().len(),
        );
        let paid = i64::try_from(seen.paid.lock().unwrap().len())?;
        println!(
            "{} restarts of two servers under load of {} clients in {:.0} s: {requests} requests, {paid} paid, \
             {failed} failed; slowest stop {:.1} s (drain delay {}, approvals take {BANK_DELAY_MS} ms)",
            self.options.rounds * 2,
            self.options.clients,
            took.as_secs_f64(),
            slowest.as_secs_f64(),
            self.options.drain_delay,
        );
        let url = format!("http://127.0.0.1:{port}/api/v1/products/{product}");
        let shown: Value = self.http.get(url).send().await?.json().await?;
        let left = shown["data"]["stock"].as_i64().context("the stock")?;
        ensure!(failed == 0, "{failed} requests failed");
        ensure!(paid > 0, "nothing was bought");
        ensure!(
            STOCK - left == paid,
            "{} pieces are gone, {paid} orders are paid",
            STOCK - left
        );
        Ok(())
    }
}
