//! `/sandbox/journal` and `/sandbox/invariants`: the books for whoever judges by them.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    web::{Bytes, Data, Query},
};
use futures::stream;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{error_response, json_response};
use crate::{JournalFailure, Sandbox, engine::ApiError};

/// Bytes that a streamed chunk has at least, the last one excepted.
const CHUNK: usize = 64 * 1024;

/// Chunks that wait for a slow reader; no more are read from the file meanwhile.
const CHUNKS_MAX: usize = 4;

type Response = Result<HttpResponse, JournalFailure>;

#[derive(Debug, Deserialize)]
pub(super) struct Range {
    #[serde(default = "range_from")]
    from: u64,
    #[serde(default = "range_limit")]
    limit: u64,
}

fn range_from() -> u64 {
    1
}

fn range_limit() -> u64 {
    u64::MAX
}

/// The durable records as JSON lines, streamed.
pub(super) async fn journal(
    sandbox: Data<Sandbox>,
    request: HttpRequest,
    query: Result<Query<Range>, Error>,
) -> Response {
    let Ok(Query(range)) = query else {
        return Ok(error_response(&request, &ApiError::new("INVALID_REQUEST")));
    };
    if sandbox.journal().is_none() {
        return Ok(error_response(&request, &ApiError::new("NOT_FOUND")));
    }
    // What has happened by now is in it.
    sandbox.told(sandbox.act(|_, _| ())).await?;
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let sandbox = sandbox.get_ref().clone();
    tokio::task::spawn_blocking(move || send_records(&sandbox, &range, &sender));
    let chunks = stream::unfold(receiver, |mut receiver| async {
        let chunk = receiver.recv().await?;
        Some((chunk, receiver))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/x-ndjson;charset=UTF-8")
        .streaming(chunks))
}

/// Reads records until they end or nobody listens any more.
fn send_records(
    sandbox: &Sandbox,
    range: &Range,
    sender: &mpsc::Sender<Result<Bytes, std::io::Error>>,
) {
    let Some(journal) = sandbox.journal() else {
        return;
    };
    let mut chunk = Vec::with_capacity(CHUNK * 2);
    let read = journal.export(range.from, range.limit, |line| {
        chunk.extend_from_slice(line);
        chunk.len() < CHUNK
            || sender
                .blocking_send(Ok(Bytes::from(std::mem::take(&mut chunk))))
                .is_ok()
    });
    let last = match read {
        Ok(()) => Ok(Bytes::from(chunk)),
        Err(error) => Err(error),
    };
    // If nobody listens, there is nobody to tell.
    let _unheard = sender.blocking_send(last);
}

/// 200 if the books are consistent, 500 with what is wrong if not.
pub(super) async fn invariants(sandbox: Data<Sandbox>) -> Response {
    let sandbox = sandbox.get_ref().clone();
    let examined = tokio::task::spawn_blocking(move || sandbox.invariants());
    let invariants = examined.await.map_err(|_| JournalFailure)??;
    let status = if invariants.holds { 200 } else { 500 };
    let body = serde_json::to_string(&invariants).unwrap_or_default();
    Ok(json_response(status, body))
}
