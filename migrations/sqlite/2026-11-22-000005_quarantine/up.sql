-- The payments that wait for an operator, written together with their status: few rows, so that
-- their number can be watched however many payments there are. Times are microseconds since
-- 1970-01-01T00:00:00Z.
CREATE TABLE payment_quarantine (
    order_id       TEXT    NOT NULL PRIMARY KEY REFERENCES payment_event (order_id),
    quarantined_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO payment_quarantine (order_id, quarantined_at)
SELECT order_id, updated_at FROM payment_event WHERE status = 'QUARANTINED';
