//! The programs on the stage: server instances, each behind a relay of its own, and the bank.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use kernel::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use storage::{Database, DatabaseSettings, DatabaseUrl};

use crate::child::free_port;
use crate::options::Options;
use crate::program::Program;
use crate::relay::Relay;
use crate::report::Tally;

const SECRET_KEY: &str = toss_sandbox::DEFAULT_SECRET_KEY;
pub(crate) const API_KEY: &str = "chaos-operator";
pub(crate) const PRICE: i64 = 50_000;
/// Pieces of the two products: one never runs out, the other does.
pub(crate) const STOCKS: [i64; 2] = [100_000_000, 60];
/// The servers' time limits: short, so that recovery happens again and again within a run.
pub(crate) const LIMITS: [(&str, &str); 5] = [
    ("TOSS_TIMEOUT", "1s"),
    ("CONFIRM_LEASE", "2s"),
    ("CONFIRM_WAIT", "3s"),
    ("RECOVERY_INTERVAL", "200ms"),
    ("RECOVERY_BACKOFF", "200ms"),
];
/// How long a client waits for any answer: a little longer than a confirm waits for its outcome.
const PATIENCE: Duration = Duration::from_secs(4);
/// How long any program may take to answer after it was started.
const UP_WITHIN: Duration = Duration::from_secs(90);

/// One life of a server program.
pub(crate) struct Life {
    /// `None` while it is down.
    pub(crate) program: Option<Program>,
    /// The failpoint that this life is to end at.
    pub(crate) armed: Option<String>,
    pub(crate) born: Instant,
    /// When the next life may begin.
    pub(crate) back_at: Instant,
    /// Counts lives.
    pub(crate) number: u32,
}

/// A server instance at a fixed port.
pub(crate) struct Instance {
    pub(crate) port: u16,
    /// Between it and MySQL.
    pub(crate) relay: Option<Relay>,
    /// Not to be struck: another fault is at it, whose end is being observed.
    pub(crate) spared: AtomicBool,
    life: Mutex<Life>,
}

impl Instance {
    pub(crate) fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Stage {
    pub(crate) options: Options,
    pub(crate) instances: Vec<Instance>,
    pub(crate) bank: String,
    pub(crate) http: reqwest::Client,
    pub(crate) tally: Mutex<Tally>,
    pub(crate) began: Timestamp,
    bank_port: u16,
    bank_program: Mutex<Option<Program>>,
    database_url: String,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts the bank and the servers, and waits until they answer.
    pub(crate) async fn set(options: Options) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let in_folder = || format!("sqlite:{}", folder.path().join("payments.db").display());
        let database_url = options.database_url.clone().unwrap_or_else(in_folder);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
        let bank_port = free_port()?;
        let mut instances = Vec::new();
        for _ in 0..options.servers {
            instances.push(Instance {
                port: free_port()?,
                relay: match &options.database_url {
                    Some(url) if options.mysql_group.is_empty() => {
                        Some(Relay::start(address_of(url)?).await?)
                    }
                    Some(_) | None => None,
                },
                spared: AtomicBool::new(false),
                life: Mutex::new(Life {
                    program: None,
                    armed: None,
                    born: Instant::now(),
                    back_at: Instant::now(),
                    number: 0,
                }),
            });
        }
        let stage = Self {
            options,
            instances,
            bank: format!("http://127.0.0.1:{bank_port}"),
            http: http.build()?,
            tally: Mutex::default(),
            began: SystemClock.now(),
            bank_port,
            bank_program: Mutex::default(),
            database_url,
            folder,
        };
        stage.start_bank()?;
        stage.bank_is_up().await?;
        for instance in &stage.instances {
            stage.start_server(instance, None)?;
            stage.server_is_up(instance).await?;
        }
        Ok(stage)
    }

    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Straight to the database, past the relays.
    pub(crate) async fn database(&self) -> anyhow::Result<Database> {
        let url = DatabaseUrl::parse(&self.database_url)?;
        Ok(Database::connect(&DatabaseSettings::new(url)).await?)
    }

    /// Waits until the database answers: MySQL may just have been started again.
    pub(crate) async fn database_is_up(&self) -> anyhow::Result<()> {
        let database = self.database().await?;
        let deadline = Instant::now() + UP_WITHIN;
        while let Err(error) = database.ping().await {
            if Instant::now() > deadline {
                return Err(error).context("the database did not come back");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    pub(crate) fn start_bank(&self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.options.sandbox);
        let address = format!("127.0.0.1:{}", self.bank_port);
        let journal = self.folder.path().join("bank.journal");
        command.arg("--listen").arg(address);
        command.arg("--journal").arg(journal);
        let program = Program::start(&mut command, &self.log("bank"))?;
        *self.bank_program() = Some(program);
        Ok(())
    }

    pub(crate) fn kill_bank(&self) {
        drop(self.bank_program().take());
    }

    fn bank_program(&self) -> MutexGuard<'_, Option<Program>> {
        let program = self.bank_program.lock();
        program.unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn bank_is_up(&self) -> anyhow::Result<()> {
        let books = format!("{}/sandbox/ledger?limit=1", self.bank);
        self.answers("the sandbox", &books).await
    }

    /// Begins a life of this server, armed with a failpoint or not.
    pub(crate) fn start_server(
        &self,
        instance: &Instance,
        armed: Option<(String, f64)>,
    ) -> anyhow::Result<()> {
        let mut command = self.program(instance.relay.as_ref());
        command.env("LISTEN", format!("127.0.0.1:{}", instance.port));
        if let Some((point, probability)) = &armed {
            command.env("FAILPOINTS", format!("{point}={probability}"));
        }
        let program = Program::start(&mut command, &self.log(&instance.port.to_string()))?;
        let mut life = instance.life();
        *life = Life {
            program: Some(program),
            armed: armed.map(|(point, _)| point),
            born: Instant::now(),
            back_at: Instant::now(),
            number: life.number + 1,
        };
        Ok(())
    }

    pub(crate) async fn server_is_up(&self, instance: &Instance) -> anyhow::Result<()> {
        let ready = format!("http://127.0.0.1:{}/health/ready", instance.port);
        self.answers("a server", &ready).await
    }

    /// The server program with its settings, on the database behind this relay or straight on it.
    pub(crate) fn program(&self, relay: Option<&Relay>) -> Command {
        let mut command = Command::new(&self.options.server);
        let database_url = match relay {
            Some(relay) => through(&self.database_url, relay.port()),
            None => self.database_url.clone(),
        };
        command
            .env("DATABASE_URL", database_url)
            .env("TOSS_BASE_URL", &self.bank)
            .env("TOSS_SECRET_KEY", SECRET_KEY)
            .env("API_KEY", API_KEY)
            .env("RUST_LOG", "warn")
            .env_remove("FAILPOINTS")
            .envs(LIMITS);
        command
    }

    async fn answers(&self, who: &str, url: &str) -> anyhow::Result<()> {
        let deadline = Instant::now() + UP_WITHIN;
        while self.get(url).await.is_none() {
            if Instant::now() > deadline {
                let logs = self.keep_logs()?;
                bail!("{who} did not come up; logs in {}", logs.display());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Copies logs, journal and a SQLite database out of the folder that is about to be removed.
    pub(crate) fn keep_logs(&self) -> anyhow::Result<PathBuf> {
        let kept = std::env::temp_dir().join(format!("chaos-{}", std::process::id()));
        std::fs::create_dir_all(&kept)?;
        for entry in std::fs::read_dir(self.folder.path())? {
            let entry = entry?;
            std::fs::copy(entry.path(), kept.join(entry.file_name()))?;
        }
        Ok(kept)
    }

    pub(crate) async fn get(&self, url: &str) -> Option<Value> {
        let answer = self.http.get(url).send().await.ok()?;
        if answer.status().is_success() {
            answer.json().await.ok()
        } else {
            None
        }
    }

    /// User 1 and the two products; returns the products' ids.
    pub(crate) async fn furnish(&self) -> anyhow::Result<[i64; 2]> {
        let base = format!("http://127.0.0.1:{}/api/v1", self.instances[0].port);
        let put = self.http.put(format!("{base}/users/1")).json(&user());
        put.bearer_auth(API_KEY).send().await?.error_for_status()?;
        let mut ids = [0; 2];
        for (id, stock) in ids.iter_mut().zip(STOCKS) {
            let product = json!({"name": "chaos", "price": PRICE, "stock": stock, "sellerId": 1});
            let post = self.http.post(format!("{base}/products")).json(&product);
            let answer = post.bearer_auth(API_KEY).send().await?.error_for_status()?;
            let product: Value = answer.json().await?;
            *id = product["data"]["productId"]
                .as_i64()
                .context("a product id")?;
        }
        Ok(ids)
    }

    /// Waits until every server has written to the database.
    pub(crate) async fn servers_write(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + UP_WITHIN;
        for instance in &self.instances {
            let url = format!("http://127.0.0.1:{}/api/v1/users/1", instance.port);
            loop {
                let put = self.http.put(&url).json(&user()).bearer_auth(API_KEY);
                let put = put.timeout(Duration::from_secs(1)).send().await;
                if put.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                if Instant::now() > deadline {
                    bail!("a server does not write to the database again");
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }

    /// Ends what is paused, cut or armed, and starts everything that is down.
    pub(crate) fn calm(&self) -> anyhow::Result<()> {
        for instance in &self.instances {
            let unsound = {
                let mut life = instance.life();
                let armed = life.armed.is_some();
                let up = life.program.as_mut();
                up.is_none_or(|program| armed || program.ended().is_some())
            };
            if unsound {
                drop(instance.life().program.take());
                self.start_server(instance, None)?;
            }
            instance.spared.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn user() -> Value {
    json!({"username": "chaos", "email": "chaos@example.kr"})
}

/// `host:port` of `mysql://user@host:port/name`.
fn address_of(url: &str) -> anyhow::Result<SocketAddr> {
    let host = url
        .rsplit('@')
        .next()
        .and_then(|rest| rest.split('/').next());
    let host = host.context("a database URL with a host")?;
    host.parse()
        .with_context(|| format!("{host} is not ADDRESS:PORT"))
}

/// The same database at another port of this machine.
fn through(url: &str, port: u16) -> String {
    let (user, rest) = url.rsplit_once('@').unwrap_or(("mysql://root", url));
    let name = rest.split_once('/').map_or("", |(_, name)| name);
    format!("{user}@127.0.0.1:{port}/{name}")
}
