-- What a comparison of the books with Toss found. Times are microseconds since
-- 1970-01-01T00:00:00Z; the period is half open.
CREATE TABLE reconcile_run (
    run_id       TEXT    NOT NULL PRIMARY KEY,
    period_from  INTEGER NOT NULL,
    period_to    INTEGER NOT NULL,
    mends        INTEGER NOT NULL CHECK (mends IN (0, 1)),
    started_at   INTEGER NOT NULL,
    -- NULL while it runs, and for ever when it broke off.
    finished_at  INTEGER,
    payments     INTEGER NOT NULL,
    transactions INTEGER NOT NULL,
    products     INTEGER NOT NULL,
    breaks       INTEGER NOT NULL,
    pending      INTEGER NOT NULL,
    unasked      INTEGER NOT NULL,
    mended       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reconcile_break (
    run_id     TEXT    NOT NULL REFERENCES reconcile_run (run_id),
    break_no   INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    order_id   TEXT,
    product_id INTEGER,
    detail     TEXT    NOT NULL,
    action     TEXT,
    mended     INTEGER NOT NULL CHECK (mended IN (0, 1)),
    PRIMARY KEY (run_id, break_no)
) STRICT, WITHOUT ROWID;

-- With how many pieces each product began. For products that are older than this table it is what
-- the present count implies: from here on no piece may come or go without a trace.
CREATE TABLE product_initial_stock (
    product_id INTEGER NOT NULL PRIMARY KEY,
    pieces     INTEGER NOT NULL
) STRICT;

INSERT INTO product_initial_stock (product_id, pieces)
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

CREATE INDEX payment_event_created_at ON payment_event (created_at, order_id);
