CREATE TABLE IF NOT EXISTS user_account (
    user_id      BIGINT       NOT NULL PRIMARY KEY,
    username     VARCHAR(100) NOT NULL,
    email        VARCHAR(254) NOT NULL,
    customer_key VARCHAR(300) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at   BIGINT       NOT NULL,
    updated_at   BIGINT       NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
