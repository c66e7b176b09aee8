//! The payment server's program; see `api-server --help`.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use api_server::config::{
    Cli, Command, KeyCommand, LogFormat, NewKeyArgs, ReconcileArgs, Settings,
};
use api_server::keys::NewKey;
use api_server::{http, reconcile, wiring};
use clap::Parser;
use secrecy::ExposeSecret;
use storage::Database;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// A quarter of the server's processor time under load was the system's allocator: ADR 0020.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(cli.settings.log_format);
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(cli.settings).await,
        Command::Migrate => migrate(&cli.settings).await,
        Command::Reconcile(args) => return compare(cli.settings, args).await,
        Command::Key(KeyCommand::New(args)) => {
            print_new_key(&args);
            Ok(())
        }
        Command::Openapi => print_openapi(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Reconciles, with an exit status for whoever runs it by a timer.
async fn compare(settings: Settings, args: ReconcileArgs) -> ExitCode {
    match reconcile::run(settings, args, &mut std::io::stdout()).await {
        Ok(verdict) => ExitCode::from(verdict.exit_status()),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(reconcile::Verdict::Unknown.exit_status())
        }
    }
}

/// Logs go to standard error; `RUST_LOG` chooses what.
fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,actix_server=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Human => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

#[expect(clippy::print_stdout, reason = "what a person must read at the start")]
async fn serve(settings: Settings) -> anyhow::Result<()> {
    // Before anybody is told that the server is there.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let drain_delay = settings.drain_delay;
    let server = wiring::start(settings).await?;
    println!("Listening on {}", server.base_url());
    if server.sandbox.is_some() {
        println!("  Demo shop:  {}/", server.base_url());
        println!(
            "  No TOSS_SECRET_KEY: a built-in sandbox takes Toss's place, no real money moves."
        );
    }
    if let Some(key) = &server.made_up_api_key {
        println!(
            "  API key for operators (this run only): {}",
            key.expose_secret()
        );
    }
    let is_replaced = tokio::select! {
        _ = interrupt.recv() => false,
        _ = terminate.recv() => true,
    };
    if is_replaced {
        tracing::info!("draining: another instance should take what comes");
        tokio::select! {
            () = server.drain(drain_delay) => {}
            _ = interrupt.recv() => {}
        }
    }
    tracing::info!("stopping: running payments are finished first");
    server.stop().await;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let database = Database::connect(&settings.database()).await?;
    let applied = database
        .migrate()
        .await
        .context("the schema could not be brought up to date")?;
    if applied.is_empty() {
        println!("The schema is up to date.");
    }
    for name in applied {
        println!("applied {name}");
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_new_key(args: &NewKeyArgs) {
    let (_, _, randomness) = wiring::system_ids();
    let NewKey { key, line } = NewKey::make(&args.name, &args.scopes, randomness.as_ref());
    println!("Key, shown this once:   {}", key.expose_secret());
    println!("Line for API_KEYS_FILE: {line}");
}

#[expect(clippy::print_stdout, reason = "the command's answer")]
fn print_openapi() -> anyhow::Result<()> {
    println!("{}", http::openapi::document()?);
    Ok(())
}
