use payment_domain::model::Payment;
use payment_domain::port::Inserted;
use payment_domain::testing::payment;
use storage::Database;
use storage::testing::execute;

use crate::{Fresh, now, order};

/// As many unreadable rows as a worker reads at once come first, and more.
const BAD: u32 = 3;
const PAGE: u32 = 2;

/// A payment that is due, with a message that is due.
async fn due_payment(database: &Database, id: &str) {
    let fresh = Payment {
        order_id: order(id),
        ..payment()
    };
    let stored = database.payments().insert(&fresh, None).await.unwrap();
    assert_eq!(stored, Inserted::Stored);
    let due = format!("UPDATE payment_event SET due_at = 2 WHERE order_id = '{id}'");
    assert_eq!(execute(database, &due).await.unwrap(), 1);
    message(database, id, 2).await;
}

async fn message(database: &Database, id: &str, due_at: i64) {
    let message = format!(
        "INSERT INTO payment_outbox (order_id, fence, instruction, due_at, failures) \
         VALUES ('{id}', 1, 'STOCK_RELEASE', {due_at}, 0)"
    );
    assert_eq!(execute(database, &message).await.unwrap(), 1);
}

#[tokio::test]
async fn rows_that_nobody_can_read_do_not_stop_the_others() {
    for fresh in Fresh::all().await {
        let database = &fresh.database;
        let good = order("order-readable");
        due_payment(database, good.as_str()).await;
        let columns = "order_name, user_id, customer_key, total_amount, created_at, expires_at, \
                       balance_amount, status, fence, attempts, looks, absences, updated_at";
        for number in 0..BAD {
            let payment = format!(
                "INSERT INTO payment_event (order_id, due_at, {columns}) \
                 SELECT 'not an id {number}', 1, {columns} FROM payment_event \
                 WHERE order_id = 'order-readable'"
            );
            assert_eq!(execute(database, &payment).await.unwrap(), 1);
            message(database, &format!("not an id {number}"), 1).await;
        }
        let payments = database.payments();
        let due = payments.due(now(), None, PAGE).await.unwrap();
        assert_eq!(due.len(), 1);
        assert_eq!(due[0].order_id, good);
        let behind = payments.due(now(), Some(due[0].clone()), PAGE).await;
        assert_eq!(behind.unwrap(), []);
        let messages = payments.due_messages(now(), PAGE).await.unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].key.order_id, good);
    }
}
