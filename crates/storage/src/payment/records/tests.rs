//! Every list goes along an index, and the indexes that lists need draw nobody else off theirs.

use diesel::debug_query;
use diesel::mysql::Mysql;
use diesel::sql_types::Nullable;
use diesel::sqlite::Sqlite;
use diesel_async::{AsyncConnection as _, AsyncMysqlConnection};

use super::*;
use crate::testing::{TestMySql, execute, sqlite_file};
use crate::{Database, DatabaseSettings, DatabaseUrl};

/// Rows enough for a planner to mind.
const ROWS: i64 = 20_000;

#[derive(QueryableByName)]
struct SqlitePlan {
    #[diesel(sql_type = Text)]
    detail: String,
}

#[derive(QueryableByName)]
struct MysqlPlan {
    #[diesel(sql_type = Nullable<Text>)]
    key: Option<String>,
    #[diesel(sql_type = Nullable<Text>, column_name = "Extra")]
    extra: Option<String>,
}

/// Most payments are done, one buyer has a tenth of all, the others have a few each.
async fn filled(url: DatabaseUrl) -> Database {
    let settings = DatabaseSettings::new(url);
    let database = Database::connect(&settings).await.unwrap();
    database.migrate().await.unwrap();
    let order_id = if database.is_sqlite() {
        "'order-' || n"
    } else {
        "CONCAT('order-', n)"
    };
    let series = format!(
        "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {ROWS}) \
         SELECT {order_id}, 'x', CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + n % 2000 END, 'c', \
         1000, n * 1000, n * 1000 + 500, 0, \
         CASE WHEN n % 100 = 0 THEN 'UNKNOWN' WHEN n % 50 = 1 THEN 'READY' ELSE 'DONE' END, \
         1, CASE WHEN n % 50 < 2 THEN n * 1000 ELSE NULL END, 0, 0, 0, n * 1000 FROM series"
    );
    let insert = format!(
        "INSERT /*+ SET_VAR(cte_max_recursion_depth = 1000000) */ INTO payment_event (order_id, order_name, user_id, customer_key, total_amount, \
         created_at, expires_at, balance_amount, status, fence, due_at, attempts, looks, absences, \
         updated_at) {series}"
    );
    execute(&database, &insert).await.unwrap();
    database
}

/// The statement with its values in it.
fn written_out(shown: &str) -> String {
    let (statement, binds) = shown.split_once(" -- binds: [").unwrap();
    let mut values = binds.trim_end_matches(']').split(", ");
    let mut parts = statement.split('?');
    let mut written = parts.next().unwrap().to_owned();
    for part in parts {
        written.push_str(&values.next().unwrap().replace('"', "'"));
        written.push_str(part);
    }
    assert_eq!(values.next(), None, "{shown}");
    written
}

/// A list, and the index that it must go along.
struct List {
    filter: PaymentFilter,
    place: Option<(i64, &'static str)>,
    index: &'static str,
}

fn lists() -> Vec<List> {
    let mut lists = Vec::new();
    let (user, status) = (UserId::new(7).unwrap(), PaymentStatus::Done);
    for (user_id, status, index) in [
        (None, None, "payment_event_created_at"),
        (None, Some(status), "payment_event_status_created_at"),
        (
            None,
            Some(PaymentStatus::Quarantined),
            "payment_event_status_created_at",
        ),
        (Some(user), None, "payment_event_user_created_at"),
        (Some(user), Some(status), "payment_event_user_created_at"),
    ] {
        for created_from in [None, Some(from_micros(5_000_000))] {
            for created_until in [None, Some(from_micros(15_000_000))] {
                for place in [None, Some((10_000_000, "order-10000"))] {
                    let filter = PaymentFilter {
                        status,
                        user_id,
                        created_from,
                        created_until,
                    };
                    lists.push(List {
                        filter,
                        place,
                        index,
                    });
                }
            }
        }
    }
    lists
}

/// What is not a list: the statement and the index, or the primary key, that it must go along.
const OTHERS: [(&str, &str); 4] = [
    (
        "UPDATE payment_event SET status = 'DONE', fence = 2, balance_amount = 1000 \
         WHERE order_id = 'order-5000' AND status = 'UNKNOWN' AND fence = 1",
        "PRIMARY",
    ),
    (
        "SELECT due_at, order_id FROM payment_event WHERE due_at <= 900000 AND due_at >= 1000 \
         AND (due_at > 1000 OR order_id > '') ORDER BY due_at, order_id LIMIT 100",
        "payment_event_due_at",
    ),
    (
        "SELECT order_id FROM payment_event WHERE created_at >= 1000 \
         AND (created_at > 1000 OR order_id > '') AND created_at < 900000 AND updated_at >= 1000 \
         ORDER BY created_at, order_id LIMIT 100",
        "payment_event_created_at",
    ),
    (
        "UPDATE payment_event SET due_at = 5000 WHERE status = 'UNKNOWN' AND due_at > 5000 \
         AND due_at > updated_at + 90 AND order_id IN ('order-100', 'order-200')",
        "PRIMARY",
    ),
];

#[tokio::test]
async fn sqlite_goes_along_the_right_index() {
    let (folder, url) = sqlite_file();
    filled(url).await;
    let file = folder.path().join("payments.db");
    let mut connection =
        <diesel::SqliteConnection as diesel::Connection>::establish(file.to_str().unwrap())
            .unwrap();
    let mut plan = |statement: &str| {
        let explain = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<SqlitePlan> = diesel::RunQueryDsl::load(explain, &mut connection).unwrap();
        let details = plan.into_iter().map(|line| line.detail);
        details.collect::<Vec<_>>().join("; ")
    };
    for List {
        filter,
        place,
        index,
    } in lists()
    {
        let query = listing!(&filter, place, 21);
        let plan = plan(&written_out(&debug_query::<Sqlite, _>(&query).to_string()));
        assert!(plan.contains(index), "{filter:?} {place:?}: {plan}");
        assert!(
            !plan.contains("TEMP B-TREE"),
            "{filter:?} {place:?}: {plan}"
        );
    }
    for (statement, index) in OTHERS {
        let index = if index == "PRIMARY" {
            "sqlite_autoindex_payment_event_1"
        } else {
            index
        };
        let plan = plan(statement);
        assert!(plan.contains(index), "{statement}: {plan}");
    }
}

#[tokio::test]
async fn mysql_goes_along_the_right_index() {
    let Some(server) = TestMySql::get().await else {
        return;
    };
    let (url, text) = server.fresh_database_with_text().await;
    filled(url).await;
    let mut connection = AsyncMysqlConnection::establish(&text).await.unwrap();
    let analyze = diesel::sql_query("ANALYZE TABLE payment_event");
    analyze.execute(&mut connection).await.unwrap();
    let mut statements: Vec<(String, &str)> = lists()
        .iter()
        .map(|list| {
            let query = listing!(&list.filter, list.place, 21);
            let shown = debug_query::<Mysql, _>(&query).to_string();
            (written_out(&shown), list.index)
        })
        .collect();
    statements.extend(OTHERS.map(|(statement, index)| (statement.to_owned(), index)));
    for (statement, index) in statements {
        let explain = diesel::sql_query(format!("EXPLAIN FORMAT=TRADITIONAL {statement}"));
        let plan: MysqlPlan = explain.get_result(&mut connection).await.unwrap();
        let (key, extra) = (plan.key.unwrap_or_default(), plan.extra.unwrap_or_default());
        // Of a list that nothing fits MySQL may know so, and read nothing.
        let reads_nothing = key.is_empty() && extra.contains("no matching row");
        assert!(key == index || reads_nothing, "{statement}: {key} {extra}");
        assert!(!extra.contains("filesort"), "{statement}: {key} {extra}");
    }
}
