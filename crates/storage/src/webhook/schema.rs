diesel::table! {
    webhook_endpoint (endpoint_id) {
        endpoint_id -> Text,
        slot -> Nullable<BigInt>,
        url -> Text,
        types -> Text,
        description -> Text,
        state -> Text,
        secret -> Text,
        old_secret -> Nullable<Text>,
        old_secret_until -> Nullable<BigInt>,
        revision -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        deleted_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    webhook_event (event_id) {
        event_id -> Text,
        body -> Text,
        occurred_at -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_delivery (delivery_id) {
        delivery_id -> Text,
        endpoint_id -> Text,
        event_id -> Text,
        event_type -> Text,
        order_id -> Nullable<Text>,
        sequence -> BigInt,
        created_at -> BigInt,
        state -> Text,
        due_at -> Nullable<BigInt>,
        tries -> BigInt,
        first_tried_at -> Nullable<BigInt>,
        last_status -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(webhook_delivery, webhook_event);
