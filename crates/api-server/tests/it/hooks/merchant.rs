//! A merchant's server that keeps what it gets and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kernel::SystemClock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use webhook_domain::model::{SigningSecret, sign};

use crate::shop::Order;

/// What came in one request.
#[derive(Debug, Clone)]
pub(super) struct Got {
    headers: BTreeMap<String, String>,
    pub(super) text: String,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        &self.headers[name]
    }

    pub(super) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(super) fn body(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(super) fn kind(&self) -> String {
        self.body()["type"].as_str().unwrap().to_owned()
    }

    /// Whether it is signed with exactly these secrets, in this order.
    pub(super) fn is_signed_with(&self, secrets: &[&str]) -> bool {
        let secrets: Vec<_> = secrets
            .iter()
            .map(|text| SigningSecret::parse(text).unwrap())
            .collect();
        let timestamp: i64 = self.header("webhook-timestamp").parse().unwrap();
        let age = kernel::Clock::now(&SystemClock).timestamp() - timestamp;
        assert!((0..60).contains(&age), "{age} seconds old");
        sign(&secrets, self.id(), timestamp, &self.text) == self.header("webhook-signature")
    }
}

#[derive(Default)]
pub(super) struct Desk {
    got: Vec<Got>,
    /// How the next requests are answered; 200 when nothing is left. 0 is no answer at all.
    answers: VecDeque<u16>,
    /// Where answers say that it has moved to.
    pub(super) location: Option<String>,
}

/// A merchant's server.
pub(super) struct Merchant {
    pub(super) url: String,
    desk: Arc<Mutex<Desk>>,
    task: JoinHandle<()>,
}

impl Drop for Merchant {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Merchant {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?shop=1", listener.local_addr().unwrap());
        let desk = Arc::new(Mutex::new(Desk::default()));
        let shared = Arc::clone(&desk);
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let desk = Arc::clone(&shared);
                tokio::spawn(async move { serve(socket, &desk).await });
            }
        });
        Self { url, desk, task }
    }

    pub(super) fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests are answered like this.
    pub(super) fn answer(&self, statuses: &[u16]) {
        self.desk().answers.extend(statuses);
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.desk().got.clone()
    }

    /// What came about an order, in its order.
    pub(super) fn kinds(&self, order: &Order) -> Vec<String> {
        let got = self.got().into_iter();
        let of_order = got.filter(|got| got.body()["data"]["orderId"] == json!(order.id));
        of_order.map(|got| got.kind()).collect()
    }

    pub(super) async fn until_got(&self, count: usize) -> Vec<Got> {
        let goal = format!("{count} events came");
        crate::until(&goal, async || self.got().len() >= count).await;
        self.got()
    }
}

/// One request after another on one connection.
async fn serve(socket: TcpStream, desk: &Mutex<Desk>) {
    let mut socket = BufReader::new(socket);
    while let Some(got) = read(&mut socket).await {
        let (status, location) = {
            let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
            desk.got.push(got);
            let status = desk.answers.pop_front().unwrap_or(200);
            (status, desk.location.clone())
        };
        if status == 0 {
            // Longer than any try may take.
            tokio::time::sleep(Duration::from_secs(30)).await;
            return;
        }
        let location = location.map_or(String::new(), |url| format!("location: {url}\r\n"));
        let answer = format!("HTTP/1.1 {status} X\r\n{location}content-length: 2\r\n\r\nok");
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(socket: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    socket.read_line(&mut line).await.ok()?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if socket.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length: usize = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8(body).ok()?;
    Some(Got { headers, text })
}
