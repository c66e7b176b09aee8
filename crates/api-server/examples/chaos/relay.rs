//! The network between one server and MySQL: a relay on loopback that can be cut or go silent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// It carries.
    Up,
    /// It resets what there is and refuses what is new.
    Cut,
    /// It accepts everything and carries nothing, either way. Connections of that time never
    /// recover, as the bytes are lost: to both ends they are open and silent.
    Silent,
}

pub(crate) struct Relay {
    port: u16,
    line: watch::Sender<Line>,
}

impl Relay {
    pub(crate) async fn start(to: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let line = watch::Sender::new(Line::Up);
        tokio::spawn(accept(listener, to, line.clone()));
        Ok(Self { port, line })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn set(&self, line: Line) {
        self.line.send_replace(line);
    }
}

async fn accept(listener: TcpListener, to: SocketAddr, line: watch::Sender<Line>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let now = *line.borrow();
        if now == Line::Cut {
            reset(&client);
            continue;
        }
        tokio::spawn(carry(client, to, line.subscribe(), now == Line::Silent));
    }
}

/// Makes the end of this connection a reset instead of an orderly close.
fn reset(stream: &TcpStream) {
    drop(stream.set_zero_linger());
}

/// Carries both ways until an end closes or the line is cut.
async fn carry(
    mut client: TcpStream,
    to: SocketAddr,
    mut line: watch::Receiver<Line>,
    born_silent: bool,
) {
    let Ok(mut server) = TcpStream::connect(to).await else {
        reset(&client);
        return;
    };
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let silent = AtomicBool::new(born_silent);
    let cut = async {
        while line.changed().await.is_ok() {
            match *line.borrow_and_update() {
                Line::Up => {}
                Line::Cut => return,
                Line::Silent => silent.store(true, Ordering::SeqCst),
            }
        }
    };
    {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let there = pump(&mut from_client, &mut to_server, &silent);
        let back = pump(&mut from_server, &mut to_client, &silent);
        // Not even a close passes a silent line: the other end learns of nothing.
        let both_closed = async { tokio::join!(there, back) };
        tokio::select! {
            () = cut => {}
            _ = both_closed => {}
        }
    }
    reset(&client);
    reset(&server);
}

/// Copies until the end of the stream, and closes the other side then; swallows all that while the
/// line is silent.
async fn pump(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, silent: &AtomicBool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if silent.load(Ordering::SeqCst) {
            if read == 0 {
                return;
            }
            continue;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            drop(to.shutdown().await);
            return;
        }
    }
}
