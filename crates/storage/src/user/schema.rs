diesel::table! {
    user_account (user_id) {
        user_id -> BigInt,
        username -> Text,
        email -> Text,
        customer_key -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}
