//! The journal's file: torn, corrupt, foreign, in use; and what is shown of it.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use toss_sandbox::{JournalError, RunningSandbox, Sandbox, SandboxConfig};

use crate::{
    bench::{Bench, plain_http, read},
    program::{Program, command},
};

struct Desk {
    _directory: TempDir,
    path: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        Self {
            _directory: directory,
            path,
        }
    }

    fn open(&self) -> Result<Sandbox, JournalError> {
        Sandbox::open(config(&self.path))
    }

    /// A journal with three payments in it, one record each.
    fn with_payments() -> (Self, Vec<String>) {
        let desk = Self::new();
        let sandbox = desk.open().unwrap();
        let keys = (0..3)
            .map(|number| sandbox.authenticate(&format!("order-{number:04}"), 1_000))
            .collect();
        (desk, keys)
    }

    fn append(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new().append(true).open(&self.path).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn bytes(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }
}

fn config(path: &Path) -> SandboxConfig {
    SandboxConfig {
        journal: Some(path.to_owned()),
        ..SandboxConfig::default()
    }
}

async fn serve(sandbox: &Sandbox) -> RunningSandbox {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    RunningSandbox::start(sandbox.clone(), listener)
        .await
        .unwrap()
}

#[test]
fn the_books_and_the_clock_outlive_the_sandbox() {
    let (desk, keys) = Desk::with_payments();
    let sandbox = desk.open().unwrap();
    assert_eq!(sandbox.journal_records(), Some(3));
    sandbox.advance_clock(Duration::from_hours(24 * 365));
    let (ahead, ledger) = (sandbox.now(), sandbox.ledger());
    drop(sandbox);
    let sandbox = desk.open().unwrap();
    assert!(sandbox.now() >= ahead);
    assert_eq!(sandbox.ledger(), ledger);
    assert_eq!(sandbox.payment(&keys[0]).unwrap()["status"], "EXPIRED");
    assert!(sandbox.invariants().unwrap().holds);
}

#[test]
fn a_torn_last_line_is_cut_off_wherever_it_is_torn() {
    let (desk, keys) = Desk::with_payments();
    let whole = desk.bytes();
    let last_start = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    for cut in (last_start..whole.len())
        .step_by(37)
        .chain([whole.len() - 1])
    {
        std::fs::write(&desk.path, &whole[..cut]).unwrap();
        let sandbox = desk.open().unwrap();
        assert_eq!(sandbox.journal_records(), Some(2), "cut at {cut}");
        assert!(sandbox.payment(&keys[1]).is_some() && sandbox.payment(&keys[2]).is_none());
        // What comes next starts on a line of its own.
        let key = sandbox.authenticate("order-next", 1_000);
        drop(sandbox);
        assert!(desk.open().unwrap().payment(&key).is_some());
    }
}

#[test]
fn a_torn_first_line_is_an_empty_journal() {
    let (desk, _) = Desk::with_payments();
    let whole = desk.bytes();
    std::fs::write(&desk.path, &whole[..10]).unwrap();
    assert_eq!(desk.open().unwrap().journal_records(), Some(0));
    std::fs::write(&desk.path, b"").unwrap();
    assert_eq!(desk.open().unwrap().journal_records(), Some(0));
}

#[test]
fn a_torn_line_is_cut_off_with_a_warning_by_the_program() {
    let (desk, _) = Desk::with_payments();
    desk.append(b"{\"seq\":4,\"crc\":\"");
    let program = Program::start(&desk.path);
    let said = program.killed();
    assert!(said.contains("torn"), "{said}");
}

#[test]
fn a_corrupt_line_stops_the_start_and_is_named() {
    let (desk, _) = Desk::with_payments();
    let whole = desk.bytes();
    let starts: Vec<_> = whole
        .iter()
        .enumerate()
        .filter_map(|(place, byte)| (*byte == b'\n').then_some(place + 1))
        .collect();
    // Line 3, the second record, in its middle; and the last line, whole but altered.
    for (line, start) in [(3, starts[1]), (4, starts[2])] {
        let mut bytes = whole.clone();
        bytes[start + 60] ^= 1;
        std::fs::write(&desk.path, &bytes).unwrap();
        let error = desk.open().unwrap_err().to_string();
        assert!(
            error.contains(&format!("corrupt at line {line} (byte {start})")),
            "{error}"
        );
        assert_eq!(desk.bytes(), bytes, "a refused journal stays as it was");
    }
    let mut missing = whole[..starts[1]].to_vec();
    missing.extend_from_slice(&whole[starts[2]..]);
    std::fs::write(&desk.path, &missing).unwrap();
    let error = desk.open().unwrap_err().to_string();
    assert!(
        error.contains("line 3") && error.contains("record 3 where 2 belongs"),
        "{error}"
    );
}

#[test]
fn the_program_says_in_one_line_why_it_does_not_start() {
    let (desk, _) = Desk::with_payments();
    desk.append(b"garbage\n");
    let output = command(env!("CARGO_BIN_EXE_toss-sandbox"), &desk.path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.starts_with("toss-sandbox: journal ") && said.contains("corrupt at line 5"),
        "{said}"
    );
}

#[test]
fn another_file_is_not_taken_for_a_journal_and_stays_as_it_was() {
    let desk = Desk::new();
    for foreign in [
        "a letter",
        "a letter\n",
        "{\"journal\":\"toss-sandbox\",\"format\":2}\n",
    ] {
        std::fs::write(&desk.path, foreign).unwrap();
        assert!(
            matches!(desk.open(), Err(JournalError::NotAJournal { .. })),
            "{foreign}"
        );
        assert_eq!(desk.bytes(), foreign.as_bytes());
    }
}

#[test]
fn a_journal_has_one_sandbox_at_a_time() {
    let desk = Desk::new();
    let first = desk.open().unwrap();
    assert!(matches!(desk.open(), Err(JournalError::InUse { .. })));
    drop(first);
    desk.open().unwrap();
}

#[tokio::test]
async fn the_journal_is_shown_as_json_lines() {
    let (desk, keys) = Desk::with_payments();
    let sandbox = desk.open().unwrap();
    let server = serve(&sandbox).await;
    let client = plain_http().build().unwrap();
    let show = async |query: &str| {
        let url = format!("{}/sandbox/journal{query}", server.base_url());
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.collect::<Vec<_>>()
    };
    let all = show("").await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[0]["changes"][0]["type"], "opened");
    assert_eq!(all[0]["changes"][0]["paymentKey"], keys[0].as_str());
    assert_eq!(all[0]["changes"][1]["type"], "authenticated");
    let some = show("?from=2&limit=1").await;
    assert_eq!((some.len(), &some[0]["seq"]), (1, &Value::from(2)));
    assert!(show("?from=9").await.is_empty());
    sandbox.authenticate("order-0009", 1_000);
    assert_eq!(show("?from=4").await.len(), 1);
}

#[tokio::test]
async fn without_a_journal_there_is_none_to_show_and_the_books_are_still_examined() {
    let bench = Bench::start().await;
    let key = bench.sandbox.authenticate("order-0001", 1_000);
    bench
        .confirm(&key, "order-0001", 1_000)
        .send()
        .await
        .unwrap();
    assert_eq!(
        bench.get("/sandbox/journal").send().await.unwrap().status(),
        404
    );
    let (status, body) = read(bench.get("/sandbox/invariants").send().await.unwrap()).await;
    assert_eq!(
        (status, &body["holds"], &body["payments"]),
        (200, &true.into(), &1.into())
    );
    assert_eq!(body["recordsReplayed"], Value::Null);
}

#[tokio::test]
async fn a_journal_that_differs_from_the_live_books_is_found_out() {
    let (desk, _) = Desk::with_payments();
    let sandbox = desk.open().unwrap();
    let server = serve(&sandbox).await;
    let mut bytes = desk.bytes();
    let place = bytes.len() - 40;
    bytes[place] ^= 1;
    std::fs::write(&desk.path, bytes).unwrap();
    let url = format!("{}/sandbox/invariants", server.base_url());
    let client = plain_http().build().unwrap();
    let (status, body) = read(client.get(url).send().await.unwrap()).await;
    assert_eq!((status, &body["holds"]), (500, &false.into()));
    assert!(
        body["findings"][0]
            .as_str()
            .unwrap()
            .contains("corrupt at line 4"),
        "{body}"
    );
}
