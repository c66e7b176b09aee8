DROP TABLE checkout_idempotency;
DROP TABLE payment_outbox;
DROP TABLE payment_transaction;
DROP TABLE payment_history;
DROP TABLE payment_attempt;
DROP TABLE payment_order;
DROP TABLE payment_event;
