-- Webhooks to merchants. Times are microseconds since 1970-01-01T00:00:00Z.
CREATE TABLE webhook_endpoint (
    endpoint_id      TEXT    NOT NULL PRIMARY KEY,
    -- One of the places that there are; NULL once the endpoint is removed.
    slot             INTEGER UNIQUE,
    url              TEXT    NOT NULL,
    -- Separated by commas; empty for all.
    types            TEXT    NOT NULL,
    description      TEXT    NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('ENABLED', 'DISABLED', 'GONE')),
    -- Empty once the endpoint is removed.
    secret           TEXT    NOT NULL,
    old_secret       TEXT,
    old_secret_until INTEGER,
    revision         INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    deleted_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_event (
    event_id    TEXT    NOT NULL PRIMARY KEY,
    body        TEXT    NOT NULL,
    occurred_at INTEGER NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;

CREATE INDEX webhook_event_created_at ON webhook_event (created_at);

CREATE TABLE webhook_delivery (
    delivery_id    TEXT    NOT NULL PRIMARY KEY,
    endpoint_id    TEXT    NOT NULL,
    event_id       TEXT    NOT NULL,
    event_type     TEXT    NOT NULL,
    order_id       TEXT,
    sequence       INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('PENDING', 'DELIVERED', 'DEAD')),
    -- NULL when nothing is to be done.
    due_at         INTEGER,
    tries          INTEGER NOT NULL,
    first_tried_at INTEGER,
    last_status    INTEGER,
    last_error     TEXT,
    ended_at       INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_delivery_due_at ON webhook_delivery (endpoint_id, due_at);
CREATE INDEX webhook_delivery_order ON webhook_delivery (order_id, endpoint_id, sequence);
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id);
CREATE INDEX webhook_delivery_ended_at ON webhook_delivery (state, ended_at);
CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (endpoint_id, delivery_id);
