use payment_domain::testing::contract;
use storage::testing::TestMySql;

use crate::Fresh;

#[tokio::test]
async fn sqlite_keeps_the_contract_of_payments() {
    payment_domain::testing::contract::all(Fresh::sqlite().await.database.payments()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_reconciling() {
    let database = Fresh::sqlite().await.database;
    contract::reconcile::all(database.payments(), database.books()).await;
}

#[tokio::test]
async fn mysql_keeps_the_contract_of_reconciling() {
    if let Some(fresh) = Fresh::mysql().await {
        let database = &fresh.database;
        contract::reconcile::all(database.payments(), database.books()).await;
    }
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_webhooks() {
    contract::inbox::all(Fresh::sqlite().await.database.inbox()).await;
}

#[tokio::test]
async fn mysql_keeps_the_contract_of_webhooks() {
    if let Some(fresh) = Fresh::mysql().await {
        contract::inbox::all(fresh.database.inbox()).await;
    }
}

#[tokio::test]
async fn both_keep_the_contract_of_webhooks_to_merchants() {
    for fresh in Fresh::all().await {
        webhook_domain::testing::contract::all(fresh.database.webhooks()).await;
    }
}

#[tokio::test]
async fn both_keep_the_contract_of_records() {
    for fresh in Fresh::all().await {
        let database = &fresh.database;
        contract::records::all(database.payments(), database.records()).await;
    }
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_products() {
    product_domain::testing::contract::all(Fresh::sqlite().await.database.products()).await;
}

#[tokio::test]
async fn sqlite_keeps_the_contract_of_users() {
    user_domain::testing::contract::all(Fresh::sqlite().await.database.users()).await;
}

#[tokio::test]
async fn mysql_keeps_the_contract_of_payments() {
    if let Some(fresh) = Fresh::mysql().await {
        payment_domain::testing::contract::all(fresh.database.payments()).await;
    }
}

#[tokio::test]
async fn mysql_keeps_the_contract_of_products() {
    if let Some(fresh) = Fresh::mysql().await {
        product_domain::testing::contract::all(fresh.database.products()).await;
    }
}

#[tokio::test]
async fn mysql_keeps_the_contract_of_users() {
    if let Some(fresh) = Fresh::mysql().await {
        user_domain::testing::contract::all(fresh.database.users()).await;
    }
}

/// The others share transactions.
#[tokio::test]
async fn payments_with_transactions_of_their_own_keep_the_contract() {
    for fresh in Fresh::all().await {
        payment_domain::testing::contract::all(fresh.plain().await.payments()).await;
    }
}

#[tokio::test]
async fn products_with_transactions_of_their_own_keep_the_contract() {
    for fresh in Fresh::all().await {
        product_domain::testing::contract::all(fresh.plain().await.products()).await;
    }
}

#[tokio::test]
async fn databases_of_tests_do_not_share_rows() {
    let Some(server) = TestMySql::get().await else {
        return;
    };
    assert_ne!(server.fresh_database().await, server.fresh_database().await);
}
