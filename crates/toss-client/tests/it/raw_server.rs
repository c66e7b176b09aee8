//! A TCP server that hears requests and then does what a script says.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What the server does after it has heard a whole request.
#[derive(Clone)]
pub(crate) enum Act {
    /// Writes these bytes and waits for the next request.
    Write(Vec<u8>),
    /// Writes these bytes and closes.
    WriteAndClose(Vec<u8>),
    /// Writes these bytes and then nothing more, with the connection open.
    WriteAndHang(Vec<u8>),
    /// Writes a head and a body without end.
    Flood,
    /// Resets the connection.
    Reset,
}

pub(crate) struct RawServer {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl RawServer {
    /// `script` says what to do with the request of this number, counted from 0.
    pub(crate) async fn start(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(script);
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&shared)));
            }
        });
        Self { url, heard }
    }

    /// The idempotency keys of the requests heard so far, in order; empty for a GET.
    pub(crate) fn heard(&self) -> Vec<String> {
        let requests = self.requests();
        let key = |request: &String| header(request, "idempotency-key").unwrap_or_default();
        requests.iter().map(key).collect()
    }

    /// The requests heard so far, in order: heads and bodies as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// A header's value, whatever the case of its name.
pub(crate) fn header(request: &str, name: &str) -> Option<String> {
    let (head, _) = request.split_once("\r\n\r\n")?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.to_owned())
}

/// A whole answer that leaves the connection open.
pub(crate) fn answer(body: &str) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<impl Fn(usize) -> Act>,
    heard: Arc<Mutex<Vec<String>>>,
) {
    while let Some(request) = hear(&mut stream).await {
        let number = {
            let mut heard = heard.lock().unwrap();
            heard.push(request);
            heard.len() - 1
        };
        match script(number) {
            Act::Write(bytes) => stream.write_all(&bytes).await.unwrap(),
            Act::WriteAndClose(bytes) => {
                // The client may be gone already; that is the point of some tests.
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
                return;
            }
            Act::WriteAndHang(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                // Ends when the client gives up.
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Act::Flood => {
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
                stream.write_all(head.as_bytes()).await.unwrap();
                while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
                return;
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// Reads one whole request; `None` at the end of the connection.
async fn hear(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((_, body)) = text.split_once("\r\n\r\n") {
            let length = header(&text, "content-length");
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}
