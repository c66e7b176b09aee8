-- What a comparison of the books with Toss found. Times are microseconds since
-- 1970-01-01T00:00:00Z; the period is half open.
CREATE TABLE IF NOT EXISTS reconcile_run (
    run_id       VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    period_from  BIGINT      NOT NULL,
    period_to    BIGINT      NOT NULL,
    mends        BIGINT      NOT NULL CHECK (mends IN (0, 1)),
    started_at   BIGINT      NOT NULL,
    -- NULL while it runs, and for ever when it broke off.
    finished_at  BIGINT,
    payments     BIGINT      NOT NULL,
    transactions BIGINT      NOT NULL,
    products     BIGINT      NOT NULL,
    breaks       BIGINT      NOT NULL,
    pending      BIGINT      NOT NULL,
    unasked      BIGINT      NOT NULL,
    mended       BIGINT      NOT NULL
) ENGINE = InnoDB;

-- An order id is TEXT: Toss may name one that this program would never make.
CREATE TABLE IF NOT EXISTS reconcile_break (
    run_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    break_no   BIGINT      NOT NULL,
    kind       VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id   TEXT,
    product_id BIGINT,
    detail     TEXT        NOT NULL,
    action     TEXT,
    mended     BIGINT      NOT NULL CHECK (mended IN (0, 1)),
    PRIMARY KEY (run_id, break_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- With how many pieces each product began. For products that are older than this table it is what
-- the present count implies: from here on no piece may come or go without a trace.
CREATE TABLE IF NOT EXISTS product_initial_stock (
    product_id BIGINT NOT NULL PRIMARY KEY,
    pieces     BIGINT NOT NULL
) ENGINE = InnoDB;

INSERT IGNORE INTO product_initial_stock (product_id, pieces)
SELECT p.product_id,
       p.stock
       + COALESCE((SELECT SUM(l.quantity)
                   FROM stock_reservation_line l
                   JOIN stock_reservation r ON r.order_id = l.order_id
                   WHERE l.product_id = p.product_id AND r.state IN ('HELD', 'SOLD')), 0)
       - COALESCE((SELECT SUM(a.delta)
                   FROM stock_adjustment a
                   WHERE a.product_id = p.product_id), 0)
FROM product p;

-- MySQL knows no CREATE INDEX IF NOT EXISTS, and a broken-off migration must run again.
SET @index_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'payment_event'
       AND index_name = 'payment_event_created_at') = 0,
    'CREATE INDEX payment_event_created_at ON payment_event (created_at, order_id)',
    'DO 0');
PREPARE index_statement FROM @index_statement;
EXECUTE index_statement;
DEALLOCATE PREPARE index_statement;
