DROP INDEX payment_event_created_at;
DROP TABLE product_initial_stock;
DROP TABLE reconcile_break;
DROP TABLE reconcile_run;
