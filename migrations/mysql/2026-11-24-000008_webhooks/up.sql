-- What Toss's webhooks claim, without their bodies: a hint where to look. Times are microseconds
-- since 1970-01-01T00:00:00Z.
CREATE TABLE IF NOT EXISTS toss_webhook (
    webhook_id  VARCHAR(200) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    event_type  VARCHAR(64)  NOT NULL,
    order_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin,
    received_at BIGINT       NOT NULL,
    state       VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- NULL when nothing is to be done.
    due_at      BIGINT,
    tries       BIGINT       NOT NULL,
    note        VARCHAR(200),
    CHECK (state IN ('RECEIVED', 'DONE', 'DEAD')),
    KEY toss_webhook_due_at (due_at),
    KEY toss_webhook_state (state, webhook_id),
    KEY toss_webhook_received_at (received_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
