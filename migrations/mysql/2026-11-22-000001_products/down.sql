DROP TABLE stock_adjustment;
DROP TABLE stock_reservation_line;
DROP TABLE stock_reservation;
DROP TABLE product_sequence;
DROP TABLE product;
