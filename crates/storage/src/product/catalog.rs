use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{ProductId, StoreError, Timestamp, micros};
use product_domain::model::{NewProduct, Product, ProductPatch, Stock};
use product_domain::{AdjustOutcome, Adjustment};

use super::rows::{NewProductRow, ProductChange, ProductRow};
use super::schema::{product, product_initial_stock, product_sequence, stock_adjustment};
use crate::database::Database;
use crate::error::Fault;
use crate::transaction::{End, Locked};

/// The sequence's one row.
const SEQUENCE: i64 = 1;

pub(super) async fn list(
    database: &Database,
    after: Option<ProductId>,
    limit: u32,
) -> Result<Vec<Product>, StoreError> {
    let after = after.map_or(0, ProductId::get);
    with_conn!(database, "list products", |connection| {
        let query = product::table
            .filter(product::product_id.gt(after))
            .order(product::product_id)
            .limit(i64::from(limit))
            .select(ProductRow::as_select());
        ProductRow::decode_all(query.load(connection).await?)
    })
}

pub(super) async fn find(
    database: &Database,
    ids: &[ProductId],
) -> Result<Vec<Product>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = ids.iter().map(|id| id.get()).collect();
    with_conn!(database, "find products", |connection| {
        let query = product::table
            .filter(product::product_id.eq_any(&ids))
            .select(ProductRow::as_select());
        ProductRow::decode_all(query.load(connection).await?)
    })
}

/// With how many pieces a product began; `balances` counts from here.
macro_rules! store_initial_stock {
    ($connection:ident, $id:expr, $new:expr) => {
        diesel::insert_into(product_initial_stock::table)
            .values((
                product_initial_stock::product_id.eq($id),
                product_initial_stock::pieces.eq($new.stock.get()),
            ))
            .execute($connection)
            .await?;
    };
}

fn row(id: i64, new: &NewProduct, at: i64) -> NewProductRow<'_> {
    NewProductRow {
        product_id: id,
        name: &new.name,
        description: &new.description,
        price: new.price.won(),
        stock: new.stock.get(),
        seller_id: new.seller_id.get(),
        adjustments: 0,
        created_at: at,
        updated_at: at,
    }
}

/// Numbers by a locked row, not by `max + 1` alone: two at once would take the same number.
pub(super) async fn insert(
    database: &Database,
    new: &NewProduct,
    now: Timestamp,
) -> Result<Product, StoreError> {
    let at = micros(now);
    let id = with_tx!(database, "store a product", |connection| {
        let last = product_sequence::table
            .find(SEQUENCE)
            .select(product_sequence::last_id);
        let last: i64 = Locked(last).get_result(connection).await?;
        // Somebody may have put a product in by hand.
        let highest = product::table.select(diesel::dsl::max(product::product_id));
        let highest: Option<i64> = highest.first(connection).await?;
        let id = ProductId::new(last.max(highest.unwrap_or(0)).saturating_add(1))?;
        diesel::insert_into(product::table)
            .values(row(id.get(), new, at))
            .execute(connection)
            .await?;
        store_initial_stock!(connection, id.get(), new);
        diesel::update(product_sequence::table.find(SEQUENCE))
            .set(product_sequence::last_id.eq(id.get()))
            .execute(connection)
            .await?;
        Ok(End::Commit(id))
    })?;
    let NewProduct {
        name,
        description,
        price,
        stock,
        seller_id,
    } = new.clone();
    Ok(Product {
        id,
        name,
        description,
        price,
        stock,
        seller_id,
    })
}

pub(super) async fn has_ever_had_one(database: &Database) -> Result<bool, StoreError> {
    with_conn!(database, "look for products", |connection| {
        let last = product_sequence::table
            .find(SEQUENCE)
            .select(product_sequence::last_id);
        let last: i64 = last.first(connection).await?;
        Ok(last > 0)
    })
}

pub(super) async fn insert_first(
    database: &Database,
    new: &[NewProduct],
    now: Timestamp,
) -> Result<bool, StoreError> {
    let at = micros(now);
    with_tx!(database, "store the first products", |connection| {
        let last = product_sequence::table
            .find(SEQUENCE)
            .select(product_sequence::last_id);
        let last: i64 = Locked(last).get_result(connection).await?;
        if last > 0 {
            return Ok(End::RollBack(false));
        }
        let mut id = 0;
        for new in new {
            id += 1;
            diesel::insert_into(product::table)
                .values(row(id, new, at))
                .execute(connection)
                .await?;
            store_initial_stock!(connection, id, new);
        }
        diesel::update(product_sequence::table.find(SEQUENCE))
            .set(product_sequence::last_id.eq(id))
            .execute(connection)
            .await?;
        Ok(End::Commit(true))
    })
}

pub(super) async fn update(
    database: &Database,
    id: ProductId,
    patch: &ProductPatch,
    now: Timestamp,
) -> Result<Option<Product>, StoreError> {
    let change = || ProductChange {
        name: patch.name.as_deref(),
        description: patch.description.as_deref(),
        price: patch.price.map(kernel::Money::won),
        updated_at: micros(now),
    };
    with_tx!(database, "change a product", |connection| {
        diesel::update(product::table.find(id.get()))
            .set(change())
            .execute(connection)
            .await?;
        let query = product::table
            .find(id.get())
            .select(ProductRow::as_select());
        let row = query.first(connection).await.optional()?;
        Ok(End::Commit(row.map(ProductRow::decode).transpose()?))
    })
}

pub(super) async fn adjust(
    database: &Database,
    adjustment: &Adjustment,
    now: Timestamp,
) -> Result<AdjustOutcome, StoreError> {
    let (id, delta, at) = (adjustment.product_id.get(), adjustment.delta, micros(now));
    // The stocks that stay in range, saturating: the database never adds up an overflow.
    let (least, most) = (
        0_i64.saturating_sub(delta),
        Stock::MAX.saturating_sub(delta),
    );
    with_tx!(database, "adjust a stock", |connection| {
        let fitting = product::table
            .find(id)
            .filter(product::stock.ge(least))
            .filter(product::stock.le(most));
        let adjusted = diesel::update(fitting)
            .set((
                product::stock.eq(product::stock + delta),
                product::adjustments.eq(product::adjustments + 1),
                product::updated_at.eq(at),
            ))
            .execute(connection)
            .await?;
        let query = product::table
            .find(id)
            .select((ProductRow::as_select(), product::adjustments));
        let row: Option<(ProductRow, i64)> = query.first(connection).await.optional()?;
        let Some((row, number)) = row else {
            return Ok(End::RollBack(AdjustOutcome::UnknownProduct));
        };
        if adjusted == 0 {
            return Ok(End::RollBack(AdjustOutcome::OutOfRange));
        }
        diesel::insert_into(stock_adjustment::table)
            .values((
                stock_adjustment::product_id.eq(id),
                stock_adjustment::adjustment_no.eq(number),
                stock_adjustment::delta.eq(delta),
                stock_adjustment::reason.eq(&adjustment.reason),
                stock_adjustment::adjusted_at.eq(at),
            ))
            .execute(connection)
            .await?;
        Ok::<_, Fault>(End::Commit(AdjustOutcome::Adjusted(row.decode()?)))
    })
}
