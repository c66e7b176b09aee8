diesel::table! {
    payment_event (order_id) {
        order_id -> Text,
        order_name -> Text,
        user_id -> BigInt,
        customer_key -> Text,
        total_amount -> BigInt,
        created_at -> BigInt,
        expires_at -> BigInt,
        balance_amount -> BigInt,
        status -> Text,
        fence -> BigInt,
        due_at -> Nullable<BigInt>,
        attempts -> BigInt,
        looks -> BigInt,
        absences -> BigInt,
        payment_key -> Nullable<Text>,
        method -> Nullable<Text>,
        receipt_url -> Nullable<Text>,
        approved_at -> Nullable<BigInt>,
        virtual_account -> Nullable<Text>,
        gateway_secret -> Nullable<Text>,
        failure_kind -> Nullable<Text>,
        failure_product_id -> Nullable<BigInt>,
        failure_code -> Nullable<Text>,
        failure_message -> Nullable<Text>,
        updated_at -> BigInt,
    }
}

diesel::table! {
    payment_order (order_id, line_no) {
        order_id -> Text,
        line_no -> BigInt,
        product_id -> BigInt,
        name -> Text,
        quantity -> BigInt,
        unit_price -> BigInt,
        amount -> BigInt,
    }
}

diesel::table! {
    payment_attempt (order_id, attempt_no) {
        order_id -> Text,
        attempt_no -> BigInt,
        purpose -> Text,
        payment_key -> Text,
        amount -> BigInt,
        started_at -> BigInt,
        outcome -> Nullable<Text>,
        code -> Nullable<Text>,
        message -> Nullable<Text>,
        trace_id -> Nullable<Text>,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    payment_cancel (order_id, cancel_no) {
        order_id -> Text,
        cancel_no -> BigInt,
        amount -> BigInt,
        reason -> Text,
        refund_account -> Nullable<Text>,
        restock -> Text,
        idempotency_key -> Nullable<Text>,
        fingerprint -> Nullable<Text>,
        attempt_no -> BigInt,
        state -> Text,
        ended_fence -> Nullable<BigInt>,
        balance_after -> Nullable<BigInt>,
        refusal_kind -> Nullable<Text>,
        refusal_code -> Nullable<Text>,
        refusal_message -> Nullable<Text>,
        requested_at -> BigInt,
    }
}

diesel::table! {
    payment_history (order_id, fence) {
        order_id -> Text,
        fence -> BigInt,
        from_status -> Nullable<Text>,
        to_status -> Text,
        fact -> Text,
        note -> Nullable<Text>,
        changed_at -> BigInt,
    }
}

diesel::table! {
    payment_transaction (order_id, fence) {
        order_id -> Text,
        fence -> BigInt,
        kind -> Text,
        amount -> BigInt,
        transaction_key -> Nullable<Text>,
        reason -> Nullable<Text>,
        moved_at -> BigInt,
    }
}

diesel::table! {
    payment_outbox (order_id, fence) {
        order_id -> Text,
        fence -> BigInt,
        instruction -> Text,
        due_at -> BigInt,
        failures -> BigInt,
    }
}

diesel::table! {
    payment_quarantine (order_id) {
        order_id -> Text,
        quarantined_at -> BigInt,
    }
}

diesel::table! {
    checkout_idempotency (user_id, idempotency_key) {
        user_id -> BigInt,
        idempotency_key -> Text,
        order_id -> Text,
        fingerprint -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    reconcile_run (run_id) {
        run_id -> Text,
        period_from -> BigInt,
        period_to -> BigInt,
        mends -> BigInt,
        started_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        payments -> BigInt,
        transactions -> BigInt,
        products -> BigInt,
        breaks -> BigInt,
        pending -> BigInt,
        unasked -> BigInt,
        mended -> BigInt,
    }
}

diesel::table! {
    reconcile_break (run_id, break_no) {
        run_id -> Text,
        break_no -> BigInt,
        kind -> Text,
        order_id -> Nullable<Text>,
        product_id -> Nullable<BigInt>,
        detail -> Text,
        action -> Nullable<Text>,
        mended -> BigInt,
    }
}

diesel::table! {
    toss_webhook (webhook_id) {
        webhook_id -> Text,
        event_type -> Text,
        order_id -> Nullable<Text>,
        received_at -> BigInt,
        state -> Text,
        due_at -> Nullable<BigInt>,
        tries -> BigInt,
        note -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(payment_event, payment_order);
