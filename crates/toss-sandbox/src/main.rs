//! `toss-sandbox`: the sandbox as a program of its own.

mod assumptions;

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Parser;
use toss_sandbox::{
    ApiVersion, DEFAULT_CLIENT_KEY, DEFAULT_SECRET_KEY, DEFAULT_SECURITY_KEY, JournalFailure, Rule,
    RunningSandbox, Sandbox, SandboxConfig,
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use self::assumptions::Assumptions;

/// A stateful simulator of Toss Payments that fails on command.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(flatten)]
    assumptions: Assumptions,
    /// Address to listen on. The controls need no key: leave it on the loopback interface.
    #[arg(long, env = "SANDBOX_LISTEN", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Secret key that API calls must present; must begin with `test_`.
    #[arg(long, env = "SANDBOX_SECRET_KEY", default_value = DEFAULT_SECRET_KEY)]
    secret_key: String,
    /// Client key that pages must present; must begin with `test_`.
    #[arg(long, env = "SANDBOX_CLIENT_KEY", default_value = DEFAULT_CLIENT_KEY)]
    client_key: String,
    /// Seed of keys, ids and drawn delays.
    #[arg(long, env = "SANDBOX_SEED", default_value_t = 1)]
    seed: u64,
    /// Where browsers reach the sandbox, if not at the listening address.
    #[arg(long, env = "SANDBOX_PUBLIC_URL")]
    public_url: Option<String>,
    /// File that keeps the books across restarts and crashes. Without it they live in memory.
    #[arg(long, env = "SANDBOX_JOURNAL")]
    journal: Option<PathBuf>,
    /// Where events are sent, as Toss's webhooks are. Also `PUT /sandbox/webhooks`.
    #[arg(long, env = "SANDBOX_WEBHOOK_URL")]
    webhook_url: Option<String>,
    /// By how much the times between attempts to send an event are divided.
    #[arg(long, env = "SANDBOX_WEBHOOK_TIME_SCALE", default_value_t = 1)]
    webhook_time_scale: u32,
    /// File with faults to put in force at the start: a JSON array of what `POST /sandbox/faults`
    /// takes.
    #[arg(long, env = "SANDBOX_SCENARIO")]
    scenario: Option<PathBuf>,
    /// The merchant's API version: 2022-11-16 or 2024-06-01.
    #[arg(long, env = "SANDBOX_API_VERSION", default_value = "2022-11-16")]
    api_version: ApiVersion,
    /// Security key, 64 hexadecimal digits: signs events and encrypts payouts.
    #[arg(long, env = "SANDBOX_SECURITY_KEY", default_value = DEFAULT_SECURITY_KEY)]
    security_key: String,
    /// Worker threads.
    #[arg(long, env = "SANDBOX_WORKERS", default_value_t = 1)]
    workers: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.from_env_lossy())
        .with_writer(std::io::stderr)
        .init();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line, whatever the environment says about backtraces. Where even stderr is
            // gone, the exit code is all there is to say.
            let _written = writeln!(std::io::stderr(), "toss-sandbox: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    for key in [&arguments.secret_key, &arguments.client_key] {
        ensure!(
            key.starts_with("test_"),
            "a sandbox takes only keys that begin with `test_`"
        );
    }
    let listener = TcpListener::bind(arguments.listen)
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let scenario = match &arguments.scenario {
        Some(path) => read_scenario(path)?,
        None => Vec::new(),
    };
    ensure!(
        arguments.security_key.len() == 64
            && arguments
                .security_key
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit()),
        "a security key has 64 hexadecimal digits"
    );
    let journal = arguments.journal.clone();
    let config = SandboxConfig {
        secret_key: arguments.secret_key,
        client_key: arguments.client_key,
        seed: arguments.seed,
        public_url: arguments
            .public_url
            .map(|url| url.trim_end_matches('/').to_owned()),
        workers: arguments.workers,
        webhook_url: arguments.webhook_url,
        webhook_time_scale: arguments.webhook_time_scale,
        api_version: arguments.api_version,
        security_key: arguments.security_key,
        journal: arguments.journal,
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::open(arguments.assumptions.applied_to(config))?;
    for rule in scenario {
        sandbox.inject_rule(rule);
    }
    let running = RunningSandbox::start(sandbox.clone(), listener).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "Toss sandbox on {}", running.base_url())?;
    writeln!(out, "  client key  {}", sandbox.client_key())?;
    writeln!(out, "  secret key  {}", sandbox.secret_key())?;
    writeln!(out, "  script      {}/v2/standard", running.base_url())?;
    writeln!(out, "  console     {}/sandbox", running.base_url())?;
    if let (Some(path), Some(records)) = (journal, sandbox.journal_records()) {
        writeln!(out, "  journal     {} ({records} records)", path.display())?;
    }
    drop(out);
    let ended = tokio::select! {
        stopped = stop_signal() => stopped.context("cannot wait for the stop signal"),
        () = sandbox.journal_failure() => Err(JournalFailure.into()),
    };
    running.stop().await;
    ended
}

/// The faults of a scenario.
fn read_scenario(path: &Path) -> anyhow::Result<Vec<Rule>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no scenario", path.display()))
}

/// Ctrl-C, or the signal with which containers are stopped.
#[cfg(unix)]
async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
