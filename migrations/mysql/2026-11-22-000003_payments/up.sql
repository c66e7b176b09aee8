-- Times are microseconds since 1970-01-01T00:00:00Z; amounts are won. What Toss says is TEXT, not
-- VARCHAR: an answer that is longer than expected must not turn a charged payment into an error.
-- No foreign keys: each child row would lock its payment's row for reading, right before the
-- conditional update locks it for writing.

CREATE TABLE IF NOT EXISTS payment_event (
    order_id           VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    order_name         VARCHAR(100) NOT NULL,
    user_id            BIGINT       NOT NULL,
    customer_key       VARCHAR(300) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    total_amount       BIGINT       NOT NULL CHECK (total_amount >= 0),
    created_at         BIGINT       NOT NULL,
    expires_at         BIGINT       NOT NULL,
    -- Everything below changes, together with `fence`, by one conditional update.
    balance_amount     BIGINT       NOT NULL CHECK (balance_amount >= 0),
    status             VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fence              BIGINT       NOT NULL,
    due_at             BIGINT,
    attempts           BIGINT       NOT NULL,
    looks              BIGINT       NOT NULL,
    absences           BIGINT       NOT NULL,
    payment_key        VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin,
    method             TEXT,
    receipt_url        TEXT,
    approved_at        BIGINT,
    virtual_account    TEXT,
    gateway_secret     TEXT,
    failure_kind       VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin,
    failure_product_id BIGINT,
    failure_code       TEXT,
    failure_message    TEXT,
    updated_at         BIGINT       NOT NULL,
    -- Alone: an index on (status, due_at) draws planners off the primary key.
    KEY payment_event_due_at (due_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payment_order (
    order_id   VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    line_no    BIGINT       NOT NULL,
    product_id BIGINT       NOT NULL,
    name       VARCHAR(100) NOT NULL,
    quantity   BIGINT       NOT NULL CHECK (quantity > 0),
    unit_price BIGINT       NOT NULL CHECK (unit_price >= 0),
    amount     BIGINT       NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (order_id, line_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payment_attempt (
    order_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    attempt_no  BIGINT       NOT NULL,
    purpose     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    payment_key VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    amount      BIGINT       NOT NULL CHECK (amount >= 0),
    started_at  BIGINT       NOT NULL,
    outcome     VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin,
    code        TEXT,
    message     TEXT,
    trace_id    TEXT,
    finished_at BIGINT,
    PRIMARY KEY (order_id, attempt_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payment_history (
    order_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fence       BIGINT      NOT NULL,
    from_status VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
    to_status   VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fact        VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    note        TEXT,
    changed_at  BIGINT      NOT NULL,
    PRIMARY KEY (order_id, fence)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payment_transaction (
    order_id        VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fence           BIGINT      NOT NULL,
    kind            VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    amount          BIGINT      NOT NULL,
    transaction_key TEXT,
    reason          TEXT,
    moved_at        BIGINT      NOT NULL,
    PRIMARY KEY (order_id, fence)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS payment_outbox (
    order_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fence       BIGINT      NOT NULL,
    instruction VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    due_at      BIGINT      NOT NULL,
    failures    BIGINT      NOT NULL,
    PRIMARY KEY (order_id, fence),
    KEY payment_outbox_due_at (due_at)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS checkout_idempotency (
    user_id         BIGINT       NOT NULL,
    idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id        VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fingerprint     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at      BIGINT       NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) ENGINE = InnoDB;
