//! The books: transactions, settlements, cash receipts, promotions; and calls yet unknown.

use http::Method;
use rust_decimal::Decimal;
use serde_json::Value;

use super::{TossClient, exchange::Call};
use crate::{
    Acknowledged, Answer, CashReceipt, CashReceiptQuery, CashReceiptRequest, Endpoint, Error,
    IdempotencyKey, Page, Promotions, Settlement, SettlementQuery, Transaction, TransactionQuery,
    body::Body, request,
};

fn invalid(endpoint: Endpoint) -> impl Fn(String) -> Error {
    move |reason| Error::InvalidRequest { endpoint, reason }
}

impl TossClient {
    /// One page of transactions, for reconciling. An empty page is the last;
    /// [`all_transactions`](Self::all_transactions) turns the pages.
    ///
    /// # Errors
    /// See [`Error`]; a page beyond [`ANSWER_BYTES_MAX`](crate::ANSWER_BYTES_MAX) is
    /// [`Error::Undecodable`].
    pub async fn transactions(
        &self,
        query: &TransactionQuery,
    ) -> Result<Answer<Vec<Transaction>>, Error> {
        let endpoint = Endpoint::ListTransactions;
        query.check().map_err(invalid(endpoint))?;
        self.call(Call::read(endpoint, query.path())).await
    }

    /// One page of settlements. Live keys only.
    ///
    /// # Errors
    /// As for [`transactions`](Self::transactions).
    pub async fn settlements(
        &self,
        query: &SettlementQuery,
    ) -> Result<Answer<Vec<Settlement>>, Error> {
        let endpoint = Endpoint::ListSettlements;
        query.check().map_err(invalid(endpoint))?;
        self.call(Call::read(endpoint, query.path())).await
    }

    /// Asks Toss to settle a payment now. Needs an extra contract.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn request_settlement(
        &self,
        payment_key: &str,
        key: &IdempotencyKey,
    ) -> Result<Answer<Acknowledged>, Error> {
        let body = Body::default().text("paymentKey", payment_key, 200);
        let (endpoint, path) = (Endpoint::RequestSettlement, "/v1/settlements");
        self.call(Call::post(endpoint, path, &body, key)?).await
    }

    /// Issues a cash receipt for a sale that Toss did not process; it is `IN_PROGRESS` until the
    /// tax office has taken it.
    ///
    /// # Errors
    /// See [`Error`]. There is no way to ask for one receipt: after a lost answer repeat with the
    /// same key, or look through the day's list.
    pub async fn issue_cash_receipt(
        &self,
        request: &CashReceiptRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<CashReceipt>, Error> {
        let (endpoint, path) = (Endpoint::IssueCashReceipt, "/v1/cash-receipts");
        self.call(Call::post(endpoint, path, &request.0, key)?)
            .await
    }

    /// Cancels a cash receipt, wholly or by this much of won.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn cancel_cash_receipt(
        &self,
        receipt_key: &str,
        amount: Option<Decimal>,
        key: &IdempotencyKey,
    ) -> Result<Answer<CashReceipt>, Error> {
        let endpoint = Endpoint::CancelCashReceipt;
        let segment =
            request::named_segment("receiptKey", receipt_key, 200).map_err(invalid(endpoint))?;
        let body = Body::default();
        let body = match amount {
            Some(amount) => body.amount("amount", amount),
            None => body,
        };
        let path = format!("/v1/cash-receipts/{segment}/cancel");
        self.call(Call::post(endpoint, path, &body, key)?).await
    }

    /// One page of a day's cash receipts; API version 2022-07-27 or later.
    ///
    /// # Errors
    /// As for [`transactions`](Self::transactions).
    pub async fn cash_receipts(
        &self,
        query: &CashReceiptQuery,
    ) -> Result<Answer<Page<CashReceipt>>, Error> {
        let endpoint = Endpoint::ListCashReceipts;
        query.check().map_err(invalid(endpoint))?;
        self.call(Call::read(endpoint, query.path())).await
    }

    /// The card companies' and banks' current promotions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn promotions(&self) -> Result<Answer<Promotions>, Error> {
        self.call(Call::read(Endpoint::ListPromotions, "/v1/promotions"))
            .await
    }

    /// The card companies' current promotions.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn card_promotions(&self) -> Result<Answer<Promotions>, Error> {
        let path = "/v1/promotions/card";
        self.call(Call::read(Endpoint::ListCardPromotions, path))
            .await
    }

    /// Reads something that this crate has no call for yet. `path` begins with `/` and is sent as
    /// it is: escape what goes into it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn fetch(&self, path: &str) -> Result<Answer<Value>, Error> {
        check_raw(path)?;
        self.call(Call::read(Endpoint::Raw, path)).await
    }

    /// Makes a call that this crate does not know yet: POST with a key and a body, or without one if
    /// it is [`Value::Null`], or DELETE without either. `path` begins with `/` and is sent as it is: escape what goes into it.
    ///
    /// # Errors
    /// See [`Error`]; unknown codes are
    /// [`QueryFirst`](crate::ErrorClass::QueryFirst) here as everywhere.
    /// [`Error::InvalidRequest`] for a DELETE with a body and for any other method.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        key: &IdempotencyKey,
    ) -> Result<Answer<Value>, Error> {
        check_raw(path)?;
        let endpoint = Endpoint::Raw;
        let call = match (method, body) {
            (Method::POST, Value::Null) => Call::bare_post(endpoint, path.to_owned(), key),
            (Method::POST, body) => Call::act(endpoint, path, body.to_string().into_bytes(), key),
            (Method::DELETE, Value::Null) => Call::delete(endpoint, path),
            _ => {
                let reason = "only POST, and DELETE with a null body; `fetch` reads";
                return Err(invalid(endpoint)(reason.to_owned()));
            }
        };
        self.call(call).await
    }
}

/// A path cannot lead to another host, and holds no character that a URL cannot.
fn check_raw(path: &str) -> Result<(), Error> {
    let printable = path.bytes().all(|byte| byte.is_ascii_graphic());
    if path.starts_with('/') && printable && !path.contains(['#', '\\']) {
        Ok(())
    } else {
        Err(invalid(Endpoint::Raw)(
            "the path must begin with / and be escaped".to_owned(),
        ))
    }
}
