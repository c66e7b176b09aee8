//! Many rows in one statement, on both databases.
//!
//! A statement for many rows has a text for every number of them. Preparing one costs the server more
//! than running it does, and it keeps only so many (`max_prepared_stmt_count`, 16,382 by default).
//! So the numbers are few: [`keys`] fills lists up, [`portion`] parts rows, and [`Reused`] keeps what
//! was prepared.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};

/// Rows of one statement: up to this many, or a multiple of it.
const PORTION: usize = 16;
/// The most rows of one statement.
const PORTION_MAX: usize = 128;

/// A query whose prepared statement is kept by its text. Its texts must be few.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reused<Q>(pub(crate) Q);

impl<Q> QueryId for Reused<Q> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for Reused<Q> {
    type SqlType = Q::SqlType;
}

impl<Q: QueryFragment<DB>, DB: Backend> QueryFragment<DB> for Reused<Q> {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(out)
    }

    // Diesel hides this method, and says no by itself for every list and every batch of rows.
    fn is_safe_to_cache_prepared(&self, _backend: &DB) -> QueryResult<bool> {
        Ok(true)
    }
}

/// These keys for `IN (…)`, the last of them repeated up to the next power of two.
pub(crate) fn keys<K: Clone>(keys: impl IntoIterator<Item = K>) -> Vec<K> {
    let mut keys: Vec<K> = keys.into_iter().collect();
    if let Some(last) = keys.last().cloned() {
        keys.resize(keys.len().next_power_of_two(), last);
    }
    keys
}

/// Takes the next statement's rows off the front.
pub(crate) fn portion<R>(rows: &mut Vec<R>) -> Vec<R> {
    let whole = rows.len().min(PORTION_MAX) / PORTION * PORTION;
    let size = if whole == 0 { rows.len() } else { whole };
    let rest = rows.split_off(size);
    std::mem::replace(rows, rest)
}

/// Runs a statement for rows that are already a [`portion`].
pub(crate) async fn store<Q>(
    connection: &mut diesel_async::AsyncMysqlConnection,
    statement: Q,
) -> QueryResult<()>
where
    Q: QueryFragment<Mysql> + Send,
{
    diesel_async::RunQueryDsl::execute(Reused(statement), connection).await?;
    Ok(())
}

/// A connection that stores rows of this kind.
pub(crate) trait Inserts<R> {
    /// Stores new rows, in this order. One that exists fails them all.
    fn insert_all(&mut self, rows: Vec<R>) -> impl Future<Output = QueryResult<()>> + Send;
}

/// A connection that writes rows of this kind back.
pub(crate) trait Replaces<R> {
    /// Overwrites what may change of rows that exist, and stores those that do not. Where one must
    /// exist it MUST be locked by this transaction.
    fn replace_all(&mut self, rows: Vec<R>) -> impl Future<Output = QueryResult<()>> + Send;
}

/// `bulk!(Row => table)` implements [`Inserts`] for an `Insertable` whose `None` is NULL, and
/// `bulk!(Row => table, key (…), changes […])` also [`Replaces`].
///
/// SQLite's connection takes many rows at once only on its own thread: diesel-async has no such
/// statement for it.
macro_rules! bulk {
    ($row:ty => $table:ident) => {
        impl $crate::bulk::Inserts<$row> for diesel_async::AsyncMysqlConnection {
            async fn insert_all(&mut self, mut rows: Vec<$row>) -> diesel::QueryResult<()> {
                while !rows.is_empty() {
                    let portion = $crate::bulk::portion(&mut rows);
                    let insert = diesel::insert_into($table::table).values(portion);
                    $crate::bulk::store(self, insert).await?;
                }
                Ok(())
            }
        }

        impl $crate::bulk::Inserts<$row> for $crate::database::SqliteConn {
            async fn insert_all(&mut self, rows: Vec<$row>) -> diesel::QueryResult<()> {
                if rows.is_empty() {
                    return Ok(());
                }
                self.spawn_blocking(move |connection| {
                    let insert = diesel::insert_into($table::table).values(rows);
                    diesel::RunQueryDsl::execute(insert, connection).map(drop)
                })
                .await
            }
        }
    };
    ($row:ty => $table:ident, key $key:expr, changes [$($column:ident),+ $(,)?]) => {
        bulk!($row => $table);

        impl $crate::bulk::Replaces<$row> for diesel_async::AsyncMysqlConnection {
            async fn replace_all(&mut self, mut rows: Vec<$row>) -> diesel::QueryResult<()> {
                while !rows.is_empty() {
                    let portion = $crate::bulk::portion(&mut rows);
                    // `VALUES(…)` is the only spelling that MariaDB knows too.
                    let replace = diesel::insert_into($table::table)
                        .values(portion)
                        .on_conflict(diesel::dsl::DuplicatedKeys)
                        .do_update()
                        .set(($($table::$column.eq(diesel::dsl::sql::<
                            diesel::dsl::SqlTypeOf<$table::$column>,
                        >(concat!("VALUES(", stringify!($column), ")"))),)+));
                    $crate::bulk::store(self, replace).await?;
                }
                Ok(())
            }
        }

        impl $crate::bulk::Replaces<$row> for $crate::database::SqliteConn {
            async fn replace_all(&mut self, rows: Vec<$row>) -> diesel::QueryResult<()> {
                if rows.is_empty() {
                    return Ok(());
                }
                self.spawn_blocking(move |connection| {
                    let replace = diesel::insert_into($table::table)
                        .values(rows)
                        .on_conflict($key)
                        .do_update()
                        .set(($($table::$column.eq(diesel::upsert::excluded($table::$column)),)+));
                    diesel::RunQueryDsl::execute(replace, connection).map(drop)
                })
                .await
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{PORTION_MAX, keys, portion};

    #[test]
    fn a_list_is_filled_up_with_what_it_has() {
        assert_eq!(keys([7]), [7]);
        assert_eq!(keys([7, 8, 9]), [7, 8, 9, 9]);
        assert_eq!(keys(Vec::<i64>::new()), Vec::<i64>::new());
    }

    #[test]
    fn rows_keep_their_order_in_few_sizes() {
        let mut sizes = BTreeSet::new();
        for count in 1..=1_000 {
            let mut rows: Vec<usize> = (0..count).collect();
            let mut stored = Vec::new();
            while !rows.is_empty() {
                let portion = portion(&mut rows);
                sizes.insert(portion.len());
                stored.extend(portion);
            }
            assert_eq!(stored, (0..count).collect::<Vec<_>>());
        }
        assert_eq!(sizes.len(), 23, "{sizes:?}");
        assert_eq!(sizes.last(), Some(&PORTION_MAX));
    }
}
