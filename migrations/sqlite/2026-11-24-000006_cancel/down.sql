DROP TABLE stock_restock;
DROP TABLE payment_cancel;
