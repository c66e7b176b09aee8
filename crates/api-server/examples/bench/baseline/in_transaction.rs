//! Baseline (b): the predecessor's first design, with the same crates under it. One transaction
//! locks the payment's row, asks Toss, stores the outcome and commits; whoever waits for Toss holds
//! a connection. No claim, no attempts, no recovery: it does less than our server for each payment.

use std::net::SocketAddr;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, ensure};
use clap::Args;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Pool, PoolConstraints, PoolOpts, TxOpts};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::json;
use toss_client::{ConfirmRequest, IdempotencyKey, SecretKey, TossClient};

use crate::mysql;

#[derive(Debug, Args)]
pub(crate) struct InTransactionOptions {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    database_url: String,
    #[arg(long)]
    bank_url: String,
    #[arg(long)]
    secret_key: String,
    #[arg(long)]
    pool: usize,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    order_id: String,
    amount: i64,
    payment_key: String,
}

struct Shop {
    pool: Pool,
    toss: TossClient,
}

impl Shop {
    async fn confirm(&self, asked: &Asked) -> anyhow::Result<()> {
        let mut conn = self.pool.get_conn().await?;
        let mut transaction = conn.start_transaction(TxOpts::default()).await?;
        let order = (&asked.order_id,);
        let found: Option<(String, i64)> = transaction
            .exec_first(
                "SELECT status, total_amount FROM payment_event WHERE order_id = ? FOR UPDATE",
                order,
            )
            .await?;
        let (status, total) = found.context("an unknown order")?;
        ensure!(status == "READY" && total == asked.amount, "not payable");
        let key = IdempotencyKey::parse(asked.order_id.clone())?;
        let (payment_key, order_id) = (asked.payment_key.as_str(), asked.order_id.as_str());
        let request = ConfirmRequest::new(payment_key, order_id, Decimal::from(total));
        let approved = self.toss.confirm(&request, &key).await?;
        ensure!(approved.total_amount == Decimal::from(total), "amounts");
        transaction
            .exec_drop(
                "UPDATE payment_event SET status = 'DONE', fence = fence + 1, due_at = NULL,
                     payment_key = ?, balance_amount = total_amount WHERE order_id = ?",
                (payment_key, order_id),
            )
            .await?;
        transaction
            .exec_drop(
                "UPDATE product JOIN payment_order line ON line.product_id = product.product_id
                 SET product.stock = product.stock - line.quantity WHERE line.order_id = ?",
                order,
            )
            .await?;
        Ok(transaction.commit().await?)
    }
}

async fn confirm(shop: web::Data<Shop>, asked: web::Json<Asked>) -> HttpResponse {
    match shop.confirm(&asked).await {
        Ok(()) => {
            let data = json!({"orderId": asked.order_id, "status": "DONE"});
            HttpResponse::Ok().json(json!({"data": data}))
        }
        Err(error) => HttpResponse::InternalServerError().body(format!("{error:#}")),
    }
}

/// Serves until it is killed.
pub(crate) async fn in_transaction(options: &InTransactionOptions) -> anyhow::Result<()> {
    let size = PoolConstraints::new(options.pool, options.pool).context("a pool's size")?;
    let limits = PoolOpts::default().with_constraints(size);
    let toss = TossClient::builder(SecretKey::parse(&options.secret_key)?);
    let shop = web::Data::new(Shop {
        pool: Pool::new(mysql::opts(&options.database_url)?.pool_opts(limits)),
        toss: toss.base_url(&options.bank_url)?.build()?,
    });
    let server = HttpServer::new(move || {
        App::new()
            .app_data(web::Data::clone(&shop))
            .route("/", web::get().to(async || "ready"))
            .route("/api/v1/payments/confirm", web::post().to(confirm))
    });
    Ok(server.bind(options.listen)?.run().await?)
}
