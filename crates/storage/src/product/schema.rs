diesel::table! {
    product (product_id) {
        product_id -> BigInt,
        name -> Text,
        description -> Text,
        price -> BigInt,
        stock -> BigInt,
        seller_id -> BigInt,
        adjustments -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    product_sequence (sequence_id) {
        sequence_id -> BigInt,
        last_id -> BigInt,
    }
}

diesel::table! {
    product_initial_stock (product_id) {
        product_id -> BigInt,
        pieces -> BigInt,
    }
}

diesel::table! {
    stock_adjustment (product_id, adjustment_no) {
        product_id -> BigInt,
        adjustment_no -> BigInt,
        delta -> BigInt,
        reason -> Text,
        adjusted_at -> BigInt,
    }
}

diesel::table! {
    stock_reservation (order_id) {
        order_id -> Text,
        fence -> BigInt,
        state -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    stock_reservation_line (order_id, product_id) {
        order_id -> Text,
        product_id -> BigInt,
        quantity -> BigInt,
    }
}

diesel::table! {
    stock_restock (order_id, fence, product_id) {
        order_id -> Text,
        fence -> BigInt,
        product_id -> BigInt,
        quantity -> BigInt,
        restocked_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(product, product_sequence);
