//! Scenarios: whole servers over real HTTP, with a sandbox in Toss's place that keeps the books and
//! fails on command. Each runs on SQLite, and on MySQL where there is one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test whose surroundings fail cannot go on"
)]

mod backlog;
mod browser;
mod buying;
mod crowd;
mod events;
#[cfg(feature = "failpoints")]
mod failpoints;
mod faults;
mod hooks;
mod interruptions;
mod keys;
mod malformed;
mod mysql;
mod operators;
mod program;
mod readme;
mod reconcile;
mod records;
mod refunds;
mod repeats;
mod shop;
mod stage;
mod surface;
mod webhooks;

use std::time::{Duration, Instant};

/// How long anything may take to come true; ends only tests that fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks again and again until it is so.
async fn until(goal: &str, is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never came true: {goal}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One test per scenario and database. All of one database stand together, so that they share one
/// container.
macro_rules! scenarios {
    ($($module:ident { $($scenario:ident,)* })*) => {
        mod on_mysql {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $scenario() {
                    if let Some(stage) = crate::stage::Stage::on_mysql().await {
                        crate::$module::$scenario(&stage).await;
                        stage.clear().await;
                    }
                }
            )* })*
        }

        mod on_sqlite {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $scenario() {
                    let stage = crate::stage::Stage::on_sqlite().await;
                    crate::$module::$scenario(&stage).await;
                    stage.clear().await;
                }
            )* })*
        }
    };
}

scenarios! {
    buying {
        a_confirmed_order_is_paid_and_its_stock_is_taken,
        a_wrong_user_or_amount_is_refused_without_asking_toss,
        a_wrong_payment_key_leaves_the_order_payable,
        a_paid_order_refuses_another_payment_key,
        the_same_checkout_again_is_the_same_order,
        a_checkout_key_makes_one_order_however_many_come_at_once,
        an_order_that_cannot_be_filled_is_refused,
        an_order_past_its_time_expires,
        a_virtual_account_waits_for_its_deposit,
    }
    repeats {
        a_repeated_confirm_gets_the_first_answer,
        many_identical_confirms_make_one_approval,
        two_servers_with_one_database_make_one_approval,
        different_payment_keys_at_once_make_one_approval,
        a_confirm_that_takes_too_long_is_answered_before_it_ends,
        a_confirm_that_nobody_waits_for_goes_on_by_itself,
        a_confirm_that_nobody_waits_for_is_refused_before_it_begins,
    }
    crowd {
        a_thousand_orders_empty_a_stock_of_a_thousand,
        the_last_fifty_of_a_thousand_orders_find_no_stock,
        waiting_for_toss_holds_no_database_connection,
    }
    faults {
        declines_fail_the_order_and_return_its_stock,
        lost_and_unclear_answers_are_cleared_up,
        a_payment_that_toss_has_already_processed_is_done,
        a_wrong_amount_from_toss_is_given_back_and_quarantined,
        refused_credentials_leave_the_order_payable,
        a_closed_toss_is_survived,
        an_unknown_payment_outlives_the_server,
        a_made_up_key_in_an_outage_does_not_lose_the_order,
        a_truth_that_cannot_be_learned_is_quarantined,
        a_repeated_confirm_settles_what_nobody_works_on,
        long_pauses_end_when_toss_is_back,
    }
    backlog {
        two_servers_share_a_backlog_and_ask_toss_once_per_payment,
    }
    interruptions {
        a_client_that_hangs_up_cancels_nothing,
        a_stopping_server_finishes_its_confirms,
        a_stopping_server_does_not_wait_for_idle_connections,
        confirms_above_the_limit_are_shed,
        too_many_requests_of_one_client_are_refused,
    }
    malformed {
        malformed_checkouts_are_refused,
        malformed_confirms_are_refused,
        malformed_requests_of_operators_are_refused,
        broken_bodies_are_refused_everywhere,
        unknown_paths_and_methods_are_refused,
        bad_idempotency_keys_are_refused,
        messages_are_korean_or_english,
    }
    refunds {
        parts_and_then_the_rest_leave_nothing,
        twenty_cancels_at_once_give_back_no_more_than_was_paid,
        the_same_cancel_many_times_gives_back_once,
        lost_and_unclear_answers_to_a_cancel_are_cleared_up,
        what_cannot_go_back_is_refused_and_moves_nothing,
        a_virtual_account_s_money_goes_to_the_named_account,
        money_given_back_at_toss_is_booked_by_a_look,
    }
    operators {
        operator_routes_need_the_key,
        a_product_is_created_changed_and_listed,
        impossible_products_are_refused,
        a_stock_is_adjusted_but_never_below_zero,
        a_new_user_can_buy,
    }
    keys {
        every_operation_asks_for_a_key_of_its_scope,
        a_changed_file_of_keys_is_read_again,
        wrong_keys_are_limited_and_right_ones_are_not,
    }
    webhooks {
        a_deposit_is_booked_when_toss_tells_of_it,
        a_forged_webhook_changes_nothing,
        the_same_event_fifty_times_at_once_changes_the_payment_once,
        a_webhook_waits_until_toss_answers,
        what_is_no_event_is_refused,
    }
    hooks {
        a_merchant_is_told_signed_and_in_order,
        every_kind_of_end_is_told_to_whoever_chose_it,
        a_slow_server_of_a_merchant_delays_no_other,
        a_server_that_dies_between_sending_and_noting_repeats,
        secrets_are_rotated_and_events_sent_again,
        a_server_that_is_gone_is_turned_off_and_a_redirect_is_not_followed,
        addresses_of_this_network_are_not_called,
    }
    records {
        payments_are_listed_newest_first,
        a_list_is_filtered_and_odd_filters_are_refused,
        paging_meets_every_order_once_while_others_are_made,
        a_history_tells_a_payment_s_whole_life,
        a_history_rebuilds_the_payment_at_every_moment,
    }
    events {
        a_stream_follows_a_confirm_of_another_server,
        a_stream_goes_on_where_another_ended,
        streams_are_bounded_and_end_with_the_server,
    }
    surface {
        health_is_up,
        the_sandbox_is_there_only_without_a_secret_key,
        the_openapi_document_lists_every_route,
    }
}
