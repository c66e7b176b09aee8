//! A sandbox with a listener of its own.

use std::{io, net::TcpListener, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle};
use tokio::task::JoinHandle;

use crate::{Sandbox, http};

/// Idle connections are kept longer than clients keep theirs (commonly 60 to 90 seconds), so that
/// the sandbox itself does not close one under a request: only faults do that.
const KEEP_ALIVE: Duration = Duration::from_mins(2);

/// A sandbox that serves HTTP and sends webhooks. Dropping it stops the server without waiting.
#[derive(Debug)]
pub struct RunningSandbox {
    base_url: String,
    handle: ServerHandle,
    task: Option<JoinHandle<io::Result<()>>>,
    sender: JoinHandle<()>,
}

impl RunningSandbox {
    /// Serves on a listener, on worker threads of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// Those of the listener.
    #[expect(
        clippy::unused_async,
        reason = "spawns on the runtime that must be there"
    )]
    pub async fn start(sandbox: Sandbox, listener: TcpListener) -> io::Result<Self> {
        let base_url = format!("http://{}", listener.local_addr()?);
        sandbox.engine().set_base_url_if_unset(&base_url);
        let sender = tokio::spawn(crate::webhook::send_webhooks(sandbox.clone()));
        let workers = sandbox.config().workers.max(1);
        let server = HttpServer::new(move || {
            App::new()
                .configure(sandbox.routes())
                .default_service(actix_web::web::to(http::not_found))
        })
        .on_connect(crate::capture_socket)
        // A client that leaves ends the wait of a call that was silenced.
        .h1_allow_half_closed(false)
        .keep_alive(KEEP_ALIVE)
        .workers(workers)
        .disable_signals()
        .listen(listener)?
        .run();
        let handle = server.handle();
        Ok(Self {
            base_url,
            handle,
            task: Some(tokio::spawn(server)),
            sender,
        })
    }

    /// `http://host:port`, without a trailing slash.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Stops at once: silenced and delayed calls are cut off.
    pub async fn stop(mut self) {
        self.handle.stop(false).await;
        if let Some(task) = self.task.take() {
            // The server's own result says nothing that a stopped sandbox could act on.
            let _stopped = task.await;
        }
    }
}

impl Drop for RunningSandbox {
    fn drop(&mut self) {
        self.sender.abort();
        // The command is sent by the call itself; only its confirmation would have to be awaited.
        drop(self.handle.stop(false));
    }
}
