//! `toss-sandbox`: the sandbox as a program of its own.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context, ensure};
use clap::Parser;
use toss_sandbox::{
    DEFAULT_CLIENT_KEY, DEFAULT_SECRET_KEY, JournalFailure, RunningSandbox, Sandbox, SandboxConfig,
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// A stateful simulator of Toss Payments that fails on command.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
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
    let journal = arguments.journal.clone();
    let sandbox = Sandbox::open(SandboxConfig {
        secret_key: arguments.secret_key,
        client_key: arguments.client_key,
        seed: arguments.seed,
        public_url: arguments
            .public_url
            .map(|url| url.trim_end_matches('/').to_owned()),
        workers: arguments.workers,
        journal: arguments.journal,
        ..SandboxConfig::default()
    })?;
    let running = RunningSandbox::start(sandbox.clone(), listener).await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "Toss sandbox on {}", running.base_url())?;
    writeln!(out, "  client key  {}", sandbox.client_key())?;
    writeln!(out, "  secret key  {}", sandbox.secret_key())?;
    writeln!(out, "  script      {}/v2/standard", running.base_url())?;
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
