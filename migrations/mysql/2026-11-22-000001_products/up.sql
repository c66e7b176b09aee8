-- Times are microseconds since 1970-01-01T00:00:00Z. `IF NOT EXISTS`, because MySQL commits each
-- table by itself: a migration that broke off halfway can be run again.

CREATE TABLE IF NOT EXISTS product (
    product_id  BIGINT        NOT NULL PRIMARY KEY,
    name        VARCHAR(100)  NOT NULL,
    description VARCHAR(2000) NOT NULL,
    price       BIGINT        NOT NULL CHECK (price > 0),
    stock       BIGINT        NOT NULL CHECK (stock >= 0),
    seller_id   BIGINT        NOT NULL,
    -- How many stock adjustments the product has had; numbers the next one.
    adjustments BIGINT        NOT NULL DEFAULT 0,
    created_at  BIGINT        NOT NULL,
    updated_at  BIGINT        NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One row: its lock lets one product be numbered at a time, and a number is never given twice.
CREATE TABLE IF NOT EXISTS product_sequence (
    sequence_id BIGINT NOT NULL PRIMARY KEY,
    last_id     BIGINT NOT NULL,
    CHECK (sequence_id = 1)
) ENGINE = InnoDB;

INSERT IGNORE INTO product_sequence (sequence_id, last_id) VALUES (1, 0);

CREATE TABLE IF NOT EXISTS stock_reservation (
    order_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    fence      BIGINT      NOT NULL,
    state      VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at BIGINT      NOT NULL,
    updated_at BIGINT      NOT NULL,
    CHECK (state IN ('HELD', 'SOLD', 'RELEASED'))
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS stock_reservation_line (
    order_id   VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    product_id BIGINT      NOT NULL,
    quantity   BIGINT      NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, product_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS stock_adjustment (
    product_id    BIGINT       NOT NULL,
    adjustment_no BIGINT       NOT NULL,
    delta         BIGINT       NOT NULL,
    reason        TEXT         NOT NULL,
    adjusted_at   BIGINT       NOT NULL,
    PRIMARY KEY (product_id, adjustment_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
