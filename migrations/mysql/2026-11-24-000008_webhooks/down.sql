DROP TABLE toss_webhook;
