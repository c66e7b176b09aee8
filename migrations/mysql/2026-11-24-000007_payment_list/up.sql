-- For the operators' list, newest first: each filter has an index whose order is the list's, so a
-- page reads about as many rows as it shows, however many payments there are. The list without a
-- filter has payment_event_created_at. `due_at` stays in an index of its own.
-- MySQL knows no CREATE INDEX IF NOT EXISTS, and a broken-off migration must run again.
SET @index_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'payment_event'
       AND index_name = 'payment_event_status_created_at') = 0,
    'CREATE INDEX payment_event_status_created_at ON payment_event (status, created_at, order_id)',
    'DO 0');
PREPARE index_statement FROM @index_statement;
EXECUTE index_statement;
DEALLOCATE PREPARE index_statement;

SET @index_statement = IF(
    (SELECT COUNT(*) FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'payment_event'
       AND index_name = 'payment_event_user_created_at') = 0,
    'CREATE INDEX payment_event_user_created_at ON payment_event (user_id, created_at, order_id)',
    'DO 0');
PREPARE index_statement FROM @index_statement;
EXECUTE index_statement;
DEALLOCATE PREPARE index_statement;
