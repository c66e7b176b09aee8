//! SIGKILL under load: what was acknowledged is there, and nothing is approved twice.

use std::{
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;

use crate::program::{Caller, Program, command};

const CLIENTS: usize = 8;
const ROUNDS: usize = 4;

/// Confirms acknowledged in a round before the kill.
const CONFIRMS: usize = 150;

/// Longest that a round may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What one client knows of one order.
#[derive(Debug)]
struct Dealing {
    order_id: String,
    key: String,
    /// The answer to the confirm; none if the kill came first.
    confirmed: Option<String>,
    /// The answer to the cancel; none if there was no cancel or no answer.
    canceled: Option<String>,
    cancel_tried: bool,
}

/// Buys until the sandbox is gone.
async fn buy(caller: Caller, name: String, confirmed: Arc<AtomicUsize>) -> Vec<Dealing> {
    let mut dealings = Vec::new();
    for number in 0.. {
        let order_id = format!("{name}-{number:05}");
        let Some(key) = caller.open(&order_id).await else {
            break;
        };
        let mut dealing = Dealing {
            order_id,
            key,
            confirmed: None,
            canceled: None,
            cancel_tried: false,
        };
        let answer = caller.confirm(&dealing.key, &dealing.order_id).await;
        if let Some((200, body)) = answer {
            dealing.confirmed = Some(body);
            confirmed.fetch_add(1, Ordering::Relaxed);
            if number % 5 == 0 {
                dealing.cancel_tried = true;
                let answer = caller.cancel(&dealing.key, &dealing.order_id).await;
                dealing.canceled = answer.map(|(_, body)| body);
            }
        }
        let heard = dealing.confirmed.is_some();
        dealings.push(dealing);
        if !heard {
            break;
        }
    }
    dealings
}

async fn load(
    program: &Program,
    round: usize,
    enough: usize,
) -> Vec<tokio::task::JoinHandle<Vec<Dealing>>> {
    let confirmed = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let name = format!("kill-{round}-{client}");
            tokio::spawn(buy(Caller::of(program), name, Arc::clone(&confirmed)))
        })
        .collect();
    let reached = async {
        while confirmed.load(Ordering::Relaxed) < enough
            && !clients.iter().all(tokio::task::JoinHandle::is_finished)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, reached)
        .await
        .expect("the load is carried");
    clients
}

/// All that was acknowledged is so, and what was not can be asked for again.
async fn verify(program: &Program, dealing: &Dealing) {
    let caller = Caller::of(program);
    let order_id = &dealing.order_id;
    let (status, body) = caller.confirm(&dealing.key, order_id).await.unwrap();
    assert_eq!(status, 200, "{order_id}: {body}");
    if let Some(first) = &dealing.confirmed {
        assert_eq!(
            &body, first,
            "{order_id}: another answer than before the kill"
        );
    }
    if dealing.cancel_tried {
        let (status, body) = caller.cancel(&dealing.key, order_id).await.unwrap();
        assert_eq!(status, 200, "{order_id}: {body}");
        if let Some(first) = &dealing.canceled {
            assert_eq!(
                &body, first,
                "{order_id}: another answer than before the kill"
            );
        }
    }
    let path = format!("/v1/payments/{}", dealing.key);
    let payment: Value = program
        .get(&path)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let balance = if dealing.cancel_tried { 900 } else { 1_000 };
    assert_eq!(payment["balanceAmount"], balance, "{order_id}");
}

async fn verify_books(program: &Program, orders_min: usize) {
    let ledger: Value = program
        .get("/sandbox/ledger?limit=10000")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let rows = ledger["rows"].as_array().unwrap();
    assert!(rows.len() >= orders_min);
    for row in rows {
        assert!(row["approvals"].as_u64().unwrap() <= 1, "{row}");
    }
    let answer = program.get("/sandbox/invariants").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let invariants: Value = answer.json().await.unwrap();
    assert_eq!(invariants["holds"], true, "{invariants}");
    assert!(invariants["recordsReplayed"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn a_kill_under_load_loses_nothing_acknowledged_and_approves_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let mut dealings = Vec::new();
    for round in 0..ROUNDS {
        let program = Program::start(&journal);
        let clients = load(&program, round, CONFIRMS).await;
        program.kill();
        for client in clients {
            dealings.extend(client.await.unwrap());
        }
        // Each restart is checked, and its repetitions are part of the next life.
        let program = Program::start(&journal);
        for dealing in &dealings {
            verify(&program, dealing).await;
        }
        verify_books(&program, dealings.len()).await;
        program.kill();
    }
}

/// A sandbox that may write 64 KiB to a file, and takes the refusal as an error, not as a signal.
fn limited(journal: &Path) -> Command {
    let program = env!("CARGO_BIN_EXE_toss-sandbox");
    let usual = command(program, journal);
    let mut command = Command::new("/bin/sh");
    command
        .env_clear()
        .args([
            "-c",
            "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"",
            program,
        ])
        .args(usual.get_args())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

#[cfg(unix)]
#[tokio::test]
async fn a_full_disk_ends_the_sandbox_and_nothing_unkept_is_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let journal = directory.path().join("journal");
    let program = Program::spawn(&mut limited(&journal));
    let clients = load(&program, 0, usize::MAX).await;
    let mut dealings = Vec::new();
    for client in clients {
        dealings.extend(client.await.unwrap());
    }
    let (status, said) = program.end();
    assert!(!status.success());
    assert!(
        said.contains("toss-sandbox: the sandbox's journal has failed"),
        "{said}"
    );
    assert!(dealings.iter().any(|dealing| dealing.confirmed.is_some()));
    let program = Program::start(&journal);
    for dealing in &dealings {
        verify(&program, dealing).await;
    }
    verify_books(&program, dealings.len()).await;
}
