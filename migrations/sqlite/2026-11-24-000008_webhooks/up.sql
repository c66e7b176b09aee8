-- What Toss's webhooks claim, without their bodies: a hint where to look. Times are microseconds
-- since 1970-01-01T00:00:00Z.
CREATE TABLE toss_webhook (
    webhook_id  TEXT    NOT NULL PRIMARY KEY,
    event_type  TEXT    NOT NULL,
    order_id    TEXT,
    received_at INTEGER NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('RECEIVED', 'DONE', 'DEAD')),
    -- NULL when nothing is to be done.
    due_at      INTEGER,
    tries       INTEGER NOT NULL,
    note        TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX toss_webhook_due_at ON toss_webhook (due_at);
CREATE INDEX toss_webhook_state ON toss_webhook (state, webhook_id);
CREATE INDEX toss_webhook_received_at ON toss_webhook (received_at);
