-- The payments that wait for an operator, written together with their status: few rows, so that
-- their number can be watched however many payments there are. Times are microseconds since
-- 1970-01-01T00:00:00Z.
CREATE TABLE IF NOT EXISTS payment_quarantine (
    order_id       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    quarantined_at BIGINT NOT NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO payment_quarantine (order_id, quarantined_at)
SELECT order_id, updated_at FROM payment_event WHERE status = 'QUARANTINED';
