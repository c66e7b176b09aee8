//! The sandbox as a process of its own, so that it can be killed.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use toss_sandbox::DEFAULT_SECRET_KEY;

use crate::bench::plain_http;

pub(crate) struct Program {
    child: Child,
    pub(crate) base_url: String,
    pub(crate) client: Client,
}

/// The command that runs the sandbox with a journal on a free port.
pub(crate) fn command(program: &str, journal: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .arg("--journal")
        .arg(journal)
        .args(["--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    pub(crate) fn start(journal: &Path) -> Self {
        Self::spawn(&mut command(env!("CARGO_BIN_EXE_toss-sandbox"), journal))
    }

    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the sandbox starts").unwrap();
        let base_url = first.strip_prefix("Toss sandbox on ").unwrap().to_owned();
        // All it says is read, so that it never writes to a closed pipe.
        assert!(lines.any(|line| line.unwrap().starts_with("  journal  ")));
        let client = plain_http().build().unwrap();
        Self {
            child,
            base_url,
            client,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        let request = self.client.get(self.url(path));
        request.basic_auth(DEFAULT_SECRET_KEY, Some(""))
    }

    /// SIGKILL: no handler runs, nothing is flushed.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it; returns what it said on stderr.
    pub(crate) fn killed(mut self) -> String {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Waits for the process to end by itself; returns what it said on stderr.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let mut said = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap(), said)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After a `kill` or an `end` there is nothing left to kill.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The calls that a client makes, by the address alone so that tasks can own them.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: Client,
    pub(crate) base_url: String,
}

impl Caller {
    pub(crate) fn of(program: &Program) -> Self {
        Self {
            client: program.client.clone(),
            base_url: program.base_url.clone(),
        }
    }

    /// Opens an authenticated payment; none if no answer came.
    pub(crate) async fn open(&self, order_id: &str) -> Option<String> {
        let body = json!({ "orderId": order_id, "amount": 1_000 });
        let url = format!("{}/sandbox/payments", self.base_url);
        let answer = self.client.post(url).json(&body).send().await.ok()?;
        let opened: Value = answer.error_for_status().ok()?.json().await.ok()?;
        Some(opened["paymentKey"].as_str()?.to_owned())
    }

    /// Confirms under a key of the order's own; status and body, none if no answer came.
    pub(crate) async fn confirm(&self, key: &str, order_id: &str) -> Option<(u16, String)> {
        let body = json!({ "paymentKey": key, "orderId": order_id, "amount": 1_000 });
        self.post("/v1/payments/confirm", &format!("{order_id}:1"), &body)
            .await
    }

    /// Gives 100 won back.
    pub(crate) async fn cancel(&self, key: &str, order_id: &str) -> Option<(u16, String)> {
        let body = json!({ "cancelReason": "변심", "cancelAmount": 100 });
        let path = format!("/v1/payments/{key}/cancel");
        self.post(&path, &format!("{order_id}:cancel"), &body).await
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Option<(u16, String)> {
        let request = self
            .client
            .post(format!("{}{path}", self.base_url))
            .basic_auth(DEFAULT_SECRET_KEY, Some(""))
            .header("Idempotency-Key", key)
            .json(body);
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.text().await.ok()?))
    }
}
