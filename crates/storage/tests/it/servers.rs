//! Several hosts in one URL.

use kernel::StoreError;
use storage::{Database, DatabaseUrl};

use crate::{Fresh, connected, product, stock};

/// The same database, with this host named before or after its own.
fn beside(text: &str, host: &str, is_first: bool) -> DatabaseUrl {
    let (account, rest) = text.rsplit_once('@').unwrap();
    let (own, name) = rest.split_once('/').unwrap();
    let hosts = if is_first {
        format!("{host},{own}")
    } else {
        format!("{own},{host}")
    };
    DatabaseUrl::parse(&format!("{account}@{hosts}/{name}")).unwrap()
}

#[tokio::test]
async fn the_server_that_takes_writes_is_found_beside_one_that_is_gone() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    // The first refuses; the second, of a range that is documentation's, never answers.
    for gone in ["127.0.0.1:1", "192.0.2.1:3306"] {
        for is_first in [true, false] {
            let database = connected(&beside(&fresh.text, gone, is_first)).await;
            let shirt = product(&database, 7).await;
            assert_eq!(stock(&fresh.database, shirt).await, 7, "{database:?}");
        }
    }
}

#[tokio::test]
async fn without_one_that_takes_writes_the_database_is_unavailable() {
    let url = DatabaseUrl::parse("mysql://nobody@127.0.0.1:1,127.0.0.1:2/nothing").unwrap();
    let database: Database = connected(&url).await;
    let refused = database.ping().await.unwrap_err();
    assert!(
        matches!(refused, StoreError::Unavailable { .. }),
        "{refused}"
    );
}
