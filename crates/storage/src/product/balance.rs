use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use kernel::{ProductId, StoreError};
use product_domain::model::StockBalance;

use crate::database::Database;
use crate::error::Fault;

/// One statement, because a statement sees one moment on both databases. `SUM` is a decimal on
/// MySQL, so it is cast; SQLite takes `SIGNED` for a numeric type and leaves an integer as it is.
/// A product that somebody put in by hand has no initial stock and counts as begun with none.
const BALANCES: &str = "\
    SELECT p.product_id AS product_id, \
           COALESCE(i.pieces, 0) AS initial, \
           CAST(COALESCE((SELECT SUM(a.delta) FROM stock_adjustment a \
                          WHERE a.product_id = p.product_id), 0) AS SIGNED) AS adjusted, \
           p.stock AS available, \
           CAST(COALESCE(s.held, 0) AS SIGNED) AS held, \
           CAST(COALESCE(s.sold, 0) AS SIGNED) AS sold \
    FROM product p \
    LEFT JOIN product_initial_stock i ON i.product_id = p.product_id \
    LEFT JOIN (SELECT l.product_id AS product_id, \
                      SUM(CASE WHEN r.state = 'HELD' THEN l.quantity ELSE 0 END) AS held, \
                      SUM(CASE WHEN r.state = 'SOLD' THEN l.quantity ELSE 0 END) AS sold \
               FROM stock_reservation_line l \
               JOIN stock_reservation r ON r.order_id = l.order_id \
               WHERE r.state IN ('HELD', 'SOLD') \
               GROUP BY l.product_id) s ON s.product_id = p.product_id \
    WHERE p.product_id > ? ORDER BY p.product_id LIMIT ?";

#[derive(QueryableByName)]
struct BalanceRow {
    #[diesel(sql_type = BigInt)]
    product_id: i64,
    #[diesel(sql_type = BigInt)]
    initial: i64,
    #[diesel(sql_type = BigInt)]
    adjusted: i64,
    #[diesel(sql_type = BigInt)]
    available: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
}

impl BalanceRow {
    fn decode(self) -> Result<StockBalance, Fault> {
        Ok(StockBalance {
            product_id: ProductId::new(self.product_id)?,
            initial: self.initial,
            adjusted: self.adjusted,
            available: self.available,
            held: self.held,
            sold: self.sold,
        })
    }
}

pub(super) async fn count(
    database: &Database,
    after: Option<ProductId>,
    limit: u32,
) -> Result<Vec<StockBalance>, StoreError> {
    let after = after.map_or(0, ProductId::get);
    with_conn!(database, "count every product's pieces", |connection| {
        let query = diesel::sql_query(BALANCES)
            .bind::<BigInt, _>(after)
            .bind::<BigInt, _>(i64::from(limit));
        let rows: Vec<BalanceRow> = query.load(connection).await?;
        rows.into_iter().map(BalanceRow::decode).collect()
    })
}
