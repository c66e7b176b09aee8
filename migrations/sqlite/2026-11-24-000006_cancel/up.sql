-- Wishes to give money back, stored before Toss is asked. Times are microseconds since
-- 1970-01-01T00:00:00Z; amounts are won. A refund account (JSON) is here only until its cancel ends.
CREATE TABLE payment_cancel (
    order_id        TEXT    NOT NULL REFERENCES payment_event (order_id),
    cancel_no       INTEGER NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    reason          TEXT    NOT NULL,
    refund_account  TEXT,
    restock         TEXT    NOT NULL,
    idempotency_key TEXT,
    fingerprint     TEXT,
    attempt_no      INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('REQUESTED', 'DONE', 'REFUSED')),
    ended_fence     INTEGER,
    balance_after   INTEGER,
    refusal_kind    TEXT,
    refusal_code    TEXT,
    refusal_message TEXT,
    requested_at    INTEGER NOT NULL,
    PRIMARY KEY (order_id, cancel_no)
) STRICT, WITHOUT ROWID;

-- Sold pieces that went back on the shelf; the fence names the change of the payment that said so.
CREATE TABLE stock_restock (
    order_id     TEXT    NOT NULL REFERENCES stock_reservation (order_id),
    fence        INTEGER NOT NULL,
    product_id   INTEGER NOT NULL REFERENCES product (product_id),
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    restocked_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, fence, product_id)
) STRICT, WITHOUT ROWID;
