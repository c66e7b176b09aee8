-- Times are microseconds since 1970-01-01T00:00:00Z.

CREATE TABLE product (
    product_id  INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    description TEXT    NOT NULL,
    price       INTEGER NOT NULL CHECK (price > 0),
    stock       INTEGER NOT NULL CHECK (stock >= 0),
    seller_id   INTEGER NOT NULL,
    -- How many stock adjustments the product has had; numbers the next one.
    adjustments INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

-- One row: its lock lets one product be numbered at a time, and a number is never given twice.
CREATE TABLE product_sequence (
    sequence_id INTEGER NOT NULL PRIMARY KEY CHECK (sequence_id = 1),
    last_id     INTEGER NOT NULL
) STRICT;

INSERT INTO product_sequence (sequence_id, last_id) VALUES (1, 0);

CREATE TABLE stock_reservation (
    order_id   TEXT    NOT NULL PRIMARY KEY,
    fence      INTEGER NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('HELD', 'SOLD', 'RELEASED')),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE stock_reservation_line (
    order_id   TEXT    NOT NULL REFERENCES stock_reservation (order_id),
    product_id INTEGER NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stock_adjustment (
    product_id    INTEGER NOT NULL,
    adjustment_no INTEGER NOT NULL,
    delta         INTEGER NOT NULL,
    reason        TEXT    NOT NULL,
    adjusted_at   INTEGER NOT NULL,
    PRIMARY KEY (product_id, adjustment_no)
) STRICT, WITHOUT ROWID;
