-- For the operators' list, newest first: each filter has an index whose order is the list's, so a
-- page reads about as many rows as it shows, however many payments there are. The list without a
-- filter has payment_event_created_at. `due_at` stays in an index of its own.
CREATE INDEX payment_event_status_created_at ON payment_event (status, created_at, order_id);
CREATE INDEX payment_event_user_created_at ON payment_event (user_id, created_at, order_id);
