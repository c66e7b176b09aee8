//! Confirms per second that the sandbox carries by itself, over real sockets.
//!
//! `cargo run --release -p toss-sandbox --example throughput -- [connections] [confirms]`

use std::{
    io::Write,
    net::{SocketAddr, TcpListener},
    time::Instant,
};

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use toss_sandbox::{RunningSandbox, Sandbox, SandboxConfig};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<usize>());
    let connections = arguments.next().transpose()?.unwrap_or(64);
    let confirms = arguments.next().transpose()?.unwrap_or(50_000);
    let sandbox = Sandbox::new(SandboxConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let running = RunningSandbox::start(sandbox.clone(), listener).await?;

    let requests: Vec<_> = (0..confirms)
        .map(|number| request(&sandbox, number))
        .collect();
    let share = confirms.div_ceil(connections.max(1)).max(1);
    let before = Instant::now();
    let tasks: Vec<_> = requests
        .chunks(share)
        .map(|chunk| tokio::spawn(confirm_all(address, chunk.to_vec())))
        .collect();
    for task in tasks {
        task.await??;
    }
    let elapsed = before.elapsed();
    let approvals = sandbox
        .ledger()
        .iter()
        .filter(|row| row.approvals == 1)
        .count();
    ensure!(
        approvals == confirms,
        "{approvals} of {confirms} orders were approved once"
    );
    let per_second = confirms.to_string().parse::<f64>()? / elapsed.as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{confirms} confirms over {connections} connections in {elapsed:.2?}: {per_second:.0} per second"
    )?;
    running.stop().await;
    Ok(())
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
