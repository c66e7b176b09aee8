use std::sync::Arc;

use kernel::{Clock as _, SystemClock, SystemIds, SystemRandomness, UserId};

use crate::Fresh;

fn ids() -> SystemIds {
    SystemIds::new(Arc::new(SystemClock), Arc::new(SystemRandomness))
}

#[tokio::test]
async fn a_new_sqlite_database_gets_the_demo_rows_once() {
    let fresh = Fresh::sqlite().await;
    let database = &fresh.database;
    assert!(
        database
            .seed_demo_if_new(&ids(), SystemClock.now())
            .await
            .unwrap()
    );
    assert!(
        !database
            .seed_demo_if_new(&ids(), SystemClock.now())
            .await
            .unwrap()
    );

    let products = database.products().list(None, 10).await.unwrap();
    let facts: Vec<_> = products
        .iter()
        .map(|p| (p.id.get(), p.price.won(), p.stock.get(), p.seller_id.get()))
        .collect();
    assert_eq!(facts, [(1, 50_000, 59, 2), (2, 30_000, 59, 2)]);
    assert_eq!(products[0].name, "코튼 티셔츠");

    let mut keys = Vec::new();
    for id in [1, 2] {
        let user = database
            .users()
            .find(UserId::new(id).unwrap())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(user.profile.check(), Ok(()));
        keys.push(user.customer_key);
    }
    assert_ne!(keys[0], keys[1]);
}

#[tokio::test]
async fn what_was_there_before_or_is_mysql_gets_no_demo_rows() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    assert!(
        !fresh
            .database
            .seed_demo_if_new(&ids(), SystemClock.now())
            .await
            .unwrap()
    );
    assert!(
        fresh
            .database
            .products()
            .list(None, 10)
            .await
            .unwrap()
            .is_empty()
    );
}
