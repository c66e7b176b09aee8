//! Baseline (c): actix-web, which reads a confirm and answers one of the same size. What is above
//! its processor time is the payment's own.

use std::net::SocketAddr;

use actix_web::{App, HttpServer, web};
use clap::Args;
use serde::{Deserialize, Serialize};

#[derive(Debug, Args)]
pub(crate) struct EchoOptions {
    #[arg(long)]
    listen: SocketAddr,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    user_id: i64,
    order_id: String,
    amount: i64,
    payment_key: String,
}

#[derive(Debug, Serialize)]
struct Told {
    data: Answer,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    user_id: i64,
    order_id: String,
    amount: i64,
    status: &'static str,
    payment_key: String,
    method: &'static str,
    approved_at: &'static str,
    receipt_url: &'static str,
}

async fn confirm(asked: web::Json<Asked>) -> web::Json<Told> {
    let Asked {
        user_id,
        order_id,
        amount,
        payment_key,
    } = asked.into_inner();
    web::Json(Told {
        data: Answer {
            user_id,
            order_id,
            amount,
            status: "DONE",
            payment_key,
            method: "카드",
            approved_at: "2026-01-01T00:00:00+00:00",
            receipt_url: "http://127.0.0.1:8090/sandbox/receipt/tgen_echo00000000",
        },
    })
}

/// Serves until it is killed.
pub(crate) async fn echo(options: &EchoOptions) -> anyhow::Result<()> {
    let server = HttpServer::new(|| {
        App::new()
            .route("/", web::get().to(async || "ready"))
            .route("/api/v1/payments/confirm", web::post().to(confirm))
    });
    Ok(server.bind(options.listen)?.run().await?)
}
