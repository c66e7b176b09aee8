//! Many rows in one statement, on both databases.

use diesel::QueryResult;

/// A connection that stores rows of this kind.
pub(crate) trait Inserts<R> {
    /// Stores new rows, in this order. One that exists fails them all.
    fn insert_all(&mut self, rows: Vec<R>) -> impl Future<Output = QueryResult<()>> + Send;
}

/// A connection that writes rows of this kind back.
pub(crate) trait Replaces<R> {
    /// Overwrites what may change of rows that exist. They MUST be locked by this transaction: a
    /// row that is not there would be stored as a new one.
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
            async fn insert_all(&mut self, rows: Vec<$row>) -> diesel::QueryResult<()> {
                if rows.is_empty() {
                    return Ok(());
                }
                let insert = diesel::insert_into($table::table).values(rows);
                diesel_async::RunQueryDsl::execute(insert, self).await?;
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
            async fn replace_all(&mut self, rows: Vec<$row>) -> diesel::QueryResult<()> {
                if rows.is_empty() {
                    return Ok(());
                }
                // `VALUES(…)` is the only spelling that MariaDB knows too.
                let replace = diesel::insert_into($table::table)
                    .values(rows)
                    .on_conflict(diesel::dsl::DuplicatedKeys)
                    .do_update()
                    .set(($($table::$column.eq(diesel::dsl::sql::<
                        diesel::dsl::SqlTypeOf<$table::$column>,
                    >(concat!("VALUES(", stringify!($column), ")"))),)+));
                diesel_async::RunQueryDsl::execute(replace, self).await?;
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
