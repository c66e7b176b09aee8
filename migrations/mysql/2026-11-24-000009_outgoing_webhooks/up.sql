-- Webhooks to merchants. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE IF NOT EXISTS webhook_endpoint (
    endpoint_id      VARCHAR(64)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    -- One of the places that there are; NULL once the endpoint is removed.
    slot             BIGINT,
    url              VARCHAR(2000) NOT NULL,
    -- Separated by commas; empty for all.
    types            VARCHAR(510)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    description      VARCHAR(200)  NOT NULL,
    state            VARCHAR(16)   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- Empty once the endpoint is removed.
    secret           VARCHAR(120)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    old_secret       VARCHAR(120)  CHARACTER SET ascii COLLATE ascii_bin,
    old_secret_until BIGINT,
    revision         BIGINT        NOT NULL,
    created_at       BIGINT        NOT NULL,
    updated_at       BIGINT        NOT NULL,
    deleted_at       BIGINT,
    CHECK (state IN ('ENABLED', 'DISABLED', 'GONE')),
    UNIQUE KEY webhook_endpoint_slot (slot)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS webhook_event (
    event_id    VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    body        MEDIUMTEXT   NOT NULL,
    occurred_at BIGINT       NOT NULL,
    created_at  BIGINT       NOT NULL,
    KEY webhook_event_created_at (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS webhook_delivery (
    delivery_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    endpoint_id    VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    event_id       VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    event_type     VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    order_id       VARCHAR(64)  CHARACTER SET ascii COLLATE ascii_bin,
    sequence       BIGINT       NOT NULL,
    created_at     BIGINT       NOT NULL,
    state          VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    -- NULL when nothing is to be done.
    due_at         BIGINT,
    tries          BIGINT       NOT NULL,
    first_tried_at BIGINT,
    last_status    BIGINT,
    last_error     VARCHAR(200),
    ended_at       BIGINT,
    CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
    KEY webhook_delivery_due_at (endpoint_id, due_at),
    KEY webhook_delivery_order (order_id, endpoint_id, sequence),
    KEY webhook_delivery_event (event_id),
    KEY webhook_delivery_ended_at (state, ended_at),
    KEY webhook_delivery_endpoint (endpoint_id, delivery_id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
