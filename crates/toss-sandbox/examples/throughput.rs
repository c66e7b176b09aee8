//! Confirms per second over real sockets: a bare actix-web endpoint, the sandbox in memory, the
//! sandbox with its durable journal; then how long the journal takes to bring the books back.
//!
//! `cargo run --release -p toss-sandbox --example throughput -- [connections] [confirms] [directory] [records]`
//!
//! The directory is where the journal goes; measure on a real disk, not on a tmpfs. Before the
//! replay the journal is lengthened to the given number of records, two a payment, off the clock.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    ops::Range,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use toss_sandbox::{JournalError, RunningSandbox, Sandbox, SandboxConfig};

/// Threads that open payments before the clock starts; with a journal they share its syncs.
const OPENERS: usize = 64;

/// Most payments whose requests are held in memory at once while the journal is lengthened.
const ROUND_MAX: usize = 50_000;

/// Longest wait for a stopped sandbox to let go of its journal.
const RELEASE_MAX: Duration = Duration::from_secs(10);

struct Load {
    connections: usize,
    confirms: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| -> anyhow::Result<usize> {
        let argument = arguments.next();
        Ok(argument
            .map(|text| text.parse())
            .transpose()?
            .unwrap_or(default))
    };
    let load = Load {
        connections: number(64)?.max(1),
        confirms: number(50_000)?,
    };
    let directory = arguments
        .next()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let records: u64 = match arguments.next() {
        Some(records) => records.parse()?,
        None => 0,
    };
    let directory = tempfile::tempdir_in(directory)?;
    let journal = directory.path().join("journal");

    say(&format!(
        "{} confirms over {} connections",
        load.confirms, load.connections
    ))?;
    bare(&load).await?;
    sandboxed("memory", &load, None).await?;
    sandboxed("durable journal", &load, Some(&journal)).await?;
    lengthen(&journal, &load, records).await?;
    replay(&journal)
}

fn say(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{line}")?)
}

/// What the machine and the load generator allow: an endpoint that answers a fixed body as long
/// as a payment's, on one worker, as the sandbox has.
async fn bare(load: &Load) -> anyhow::Result<()> {
    let body = "x".repeat(1_300);
    let answer = web::Data::new(body);
    let endpoint = async |_: web::Bytes, answer: web::Data<String>| {
        HttpResponse::Ok().body(answer.as_str().to_owned())
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let server = HttpServer::new(move || {
        App::new()
            .app_data(answer.clone())
            .route("/v1/payments/confirm", web::post().to(endpoint))
    })
    .workers(1)
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::spawn(server);
    let sandbox = Sandbox::new(SandboxConfig::default());
    let requests = requests(&sandbox, 0..load.confirms)?;
    measure("bare endpoint", load, address, &requests).await?;
    handle.stop(false).await;
    Ok(())
}

async fn sandboxed(name: &str, load: &Load, journal: Option<&Path>) -> anyhow::Result<()> {
    let sandbox = Sandbox::open(SandboxConfig {
        journal: journal.map(Path::to_owned),
        ..SandboxConfig::default()
    })?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let running = RunningSandbox::start(sandbox.clone(), listener).await?;
    let requests = requests(&sandbox, 0..load.confirms)?;
    measure(name, load, address, &requests).await?;
    let ledger = sandbox.ledger();
    let approvals = ledger.iter().filter(|row| row.approvals == 1).count();
    ensure!(
        approvals == load.confirms,
        "{approvals} of {} orders were approved once",
        load.confirms
    );
    running.stop().await;
    Ok(())
}

/// Times the requests and says how many there were per second.
async fn measure(
    name: &str,
    load: &Load,
    address: SocketAddr,
    requests: &[Vec<u8>],
) -> anyhow::Result<()> {
    let before = Instant::now();
    send(load, address, requests).await?;
    let elapsed = before.elapsed();
    let per_second = requests.len().to_string().parse::<f64>()? / elapsed.as_secs_f64();
    say(&format!(
        "{name:>16}: {per_second:>8.0} per second ({elapsed:.2?})"
    ))
}

/// Sends the requests over as many connections as the load has.
async fn send(load: &Load, address: SocketAddr, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let share = requests.len().div_ceil(load.connections).max(1);
    let tasks: Vec<_> = requests
        .chunks(share)
        .map(|chunk| tokio::spawn(confirm_all(address, chunk.to_vec())))
        .collect();
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Has payments confirmed until the journal holds so many records.
async fn lengthen(journal: &Path, load: &Load, records: u64) -> anyhow::Result<()> {
    let wanted = usize::try_from(records.div_ceil(2))?;
    if wanted <= load.confirms {
        return Ok(());
    }
    let (sandbox, _) = released(journal)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let running = RunningSandbox::start(sandbox.clone(), listener).await?;
    for first in (load.confirms..wanted).step_by(ROUND_MAX) {
        let requests = requests(&sandbox, first..(first + ROUND_MAX).min(wanted))?;
        send(load, address, &requests).await?;
    }
    running.stop().await;
    Ok(())
}

/// Rebuilds the books, as a restart does.
fn replay(journal: &Path) -> anyhow::Result<()> {
    let (sandbox, took) = released(journal)?;
    let records = sandbox.journal_records().unwrap_or(0);
    let megabytes = std::fs::metadata(journal)?.len() / 1_000_000;
    say(&format!(
        "{:>16}: {records} records, {megabytes} MB, in {took:.2?}",
        "replay"
    ))?;
    let before = Instant::now();
    let holds = sandbox.invariants()?.holds;
    ensure!(holds, "the books are not consistent");
    say(&format!(
        "{:>16}: hold ({:.2?})",
        "invariants",
        before.elapsed()
    ))
}

/// Opens a journal that a stopped server had, whose threads let go of it one after the other;
/// says how long the opening took, without the wait.
fn released(journal: &Path) -> anyhow::Result<(Sandbox, Duration)> {
    let waiting = Instant::now();
    loop {
        let before = Instant::now();
        let opened = Sandbox::open(SandboxConfig {
            journal: Some(journal.to_owned()),
            ..SandboxConfig::default()
        });
        match opened {
            Ok(sandbox) => return Ok((sandbox, before.elapsed())),
            Err(JournalError::InUse { .. }) if waiting.elapsed() < RELEASE_MAX => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The bytes of confirms for payments made for them.
fn requests(sandbox: &Sandbox, numbers: Range<usize>) -> anyhow::Result<Vec<Vec<u8>>> {
    let share = numbers.len().div_ceil(OPENERS).max(1);
    std::thread::scope(|scope| {
        let openers: Vec<_> = numbers
            .clone()
            .step_by(share)
            .map(|first| {
                let numbers = first..(first + share).min(numbers.end);
                scope.spawn(move || -> Vec<_> {
                    numbers.map(|number| request(sandbox, number)).collect()
                })
            })
            .collect();
        let mut requests = Vec::with_capacity(numbers.len());
        for opener in openers {
            match opener.join() {
                Ok(some) => requests.extend(some),
                Err(_) => bail!("a payment could not be opened"),
            }
        }
        Ok(requests)
    })
}

/// The bytes of a confirm for a payment made for it.
fn request(sandbox: &Sandbox, number: usize) -> Vec<u8> {
    let order_id = format!("order-{number:08}");
    let key = sandbox.authenticate(&order_id, 1_000);
    let body = format!(r#"{{"paymentKey":"{key}","orderId":"{order_id}","amount":1000}}"#);
    let authorization = STANDARD.encode(format!("{}:", sandbox.secret_key()));
    format!(
        "POST /v1/payments/confirm HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Basic {authorization}\r\nIdempotency-Key: {order_id}:1\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn confirm_all(address: SocketAddr, requests: Vec<Vec<u8>>) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16_384];
    for request in requests {
        stream.write_all(&request).await?;
        let mut filled = 0;
        while !is_whole(&buffer[..filled])? {
            let count = stream.read(&mut buffer[filled..]).await?;
            ensure!(count > 0, "the sandbox closed the connection");
            filled += count;
        }
    }
    Ok(())
}

/// Whether an answer is complete; an error if it is not a 200.
fn is_whole(bytes: &[u8]) -> anyhow::Result<bool> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return Ok(false);
    };
    if !head.starts_with("HTTP/1.1 200") {
        bail!("refused: {text}");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .context("an answer without a length")?;
    Ok(body.len() >= length.parse::<usize>()?)
}
