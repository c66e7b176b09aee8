-- Wishes to give money back, stored before Toss is asked. Times are microseconds since
-- 1970-01-01T00:00:00Z; amounts are won. A refund account (JSON) is here only until its cancel ends.
CREATE TABLE IF NOT EXISTS payment_cancel (
    order_id        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    cancel_no       BIGINT       NOT NULL,
    amount          BIGINT       NOT NULL CHECK (amount > 0),
    reason          VARCHAR(200) NOT NULL,
    refund_account  TEXT,
    restock         TEXT         NOT NULL,
    idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin,
    fingerprint     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin,
    attempt_no      BIGINT       NOT NULL,
    state           VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    ended_fence     BIGINT,
    balance_after   BIGINT,
    refusal_kind    VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin,
    refusal_code    TEXT,
    refusal_message TEXT,
    requested_at    BIGINT       NOT NULL,
    PRIMARY KEY (order_id, cancel_no),
    CHECK (state IN ('REQUESTED', 'DONE', 'REFUSED'))
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Sold pieces that went back on the shelf; the fence names the change of the payment that said so.
CREATE TABLE IF NOT EXISTS stock_restock (
    order_id     VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fence        BIGINT      NOT NULL,
    product_id   BIGINT      NOT NULL,
    quantity     BIGINT      NOT NULL CHECK (quantity > 0),
    restocked_at BIGINT      NOT NULL,
    PRIMARY KEY (order_id, fence, product_id)
) ENGINE = InnoDB;
