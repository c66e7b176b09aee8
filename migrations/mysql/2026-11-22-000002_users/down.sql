DROP TABLE user_account;
