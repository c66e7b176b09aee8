-- Times are microseconds since 1970-01-01T00:00:00Z; amounts are won.

CREATE TABLE payment_event (
    order_id           TEXT    NOT NULL PRIMARY KEY,
    order_name         TEXT    NOT NULL,
    user_id            INTEGER NOT NULL,
    customer_key       TEXT    NOT NULL,
    total_amount       INTEGER NOT NULL CHECK (total_amount >= 0),
    created_at         INTEGER NOT NULL,
    expires_at         INTEGER NOT NULL,
    -- Everything below changes, together with `fence`, by one conditional update.
    balance_amount     INTEGER NOT NULL CHECK (balance_amount >= 0),
    status             TEXT    NOT NULL,
    fence              INTEGER NOT NULL,
    due_at             INTEGER,
    attempts           INTEGER NOT NULL,
    looks              INTEGER NOT NULL,
    absences           INTEGER NOT NULL,
    payment_key        TEXT,
    method             TEXT,
    receipt_url        TEXT,
    approved_at        INTEGER,
    virtual_account    TEXT,
    gateway_secret     TEXT,
    failure_kind       TEXT,
    failure_product_id INTEGER,
    failure_code       TEXT,
    failure_message    TEXT,
    updated_at         INTEGER NOT NULL
) STRICT;

-- Alone: an index on (status, due_at) draws planners off the primary key.
CREATE INDEX payment_event_due_at ON payment_event (due_at);

CREATE TABLE payment_order (
    order_id   TEXT    NOT NULL REFERENCES payment_event (order_id),
    line_no    INTEGER NOT NULL,
    product_id INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    unit_price INTEGER NOT NULL CHECK (unit_price >= 0),
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (order_id, line_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_attempt (
    order_id    TEXT    NOT NULL REFERENCES payment_event (order_id),
    attempt_no  INTEGER NOT NULL,
    purpose     TEXT    NOT NULL,
    payment_key TEXT    NOT NULL,
    amount      INTEGER NOT NULL CHECK (amount >= 0),
    started_at  INTEGER NOT NULL,
    outcome     TEXT,
    code        TEXT,
    message     TEXT,
    trace_id    TEXT,
    finished_at INTEGER,
    PRIMARY KEY (order_id, attempt_no)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_history (
    order_id    TEXT    NOT NULL REFERENCES payment_event (order_id),
    fence       INTEGER NOT NULL,
    from_status TEXT,
    to_status   TEXT    NOT NULL,
    fact        TEXT    NOT NULL,
    note        TEXT,
    changed_at  INTEGER NOT NULL,
    PRIMARY KEY (order_id, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_transaction (
    order_id        TEXT    NOT NULL REFERENCES payment_event (order_id),
    fence           INTEGER NOT NULL,
    kind            TEXT    NOT NULL,
    amount          INTEGER NOT NULL,
    transaction_key TEXT,
    reason          TEXT,
    moved_at        INTEGER NOT NULL,
    PRIMARY KEY (order_id, fence)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_outbox (
    order_id    TEXT    NOT NULL REFERENCES payment_event (order_id),
    fence       INTEGER NOT NULL,
    instruction TEXT    NOT NULL,
    due_at      INTEGER NOT NULL,
    failures    INTEGER NOT NULL,
    PRIMARY KEY (order_id, fence)
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_outbox_due_at ON payment_outbox (due_at);

CREATE TABLE checkout_idempotency (
    user_id         INTEGER NOT NULL,
    idempotency_key TEXT    NOT NULL,
    order_id        TEXT    NOT NULL,
    fingerprint     TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) STRICT, WITHOUT ROWID;
