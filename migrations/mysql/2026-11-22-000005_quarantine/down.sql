DROP TABLE payment_quarantine;
