//! Payouts, sellers, balances: API version 2.
//!
//! Registering and changing a seller and asking for payouts carry account numbers, so Toss takes
//! them only encrypted (`ENCRYPTION` mode) with the merchant's security key; their answers come
//! encrypted too. The rest is plain.

use futures_util::Stream;
use http::{HeaderName, HeaderValue, header};
use serde_json::Value;

use super::{TossClient, exchange::Call, pages};
use crate::{
    Acknowledged, Answer, Balances, Endpoint, Error, IdempotencyKey, Page, Payout, PayoutRequest,
    SecurityKey, Seller, SellerRequest, request,
    request::{books::Query, payout::PAYOUTS_MAX},
};

const MODE_HEADER: HeaderName = HeaderName::from_static("tosspayments-api-security-mode");

fn path(endpoint: Endpoint, stem: &str, id: &str, end: &str) -> Result<String, Error> {
    request::named_segment("id", id, 200)
        .map(|segment| format!("{stem}/{segment}{end}"))
        .map_err(|reason| Error::InvalidRequest { endpoint, reason })
}

/// The call with its body encrypted. The key is bound to the plain body.
fn sealed<'a>(mut call: Call<'a>, security_key: &'a SecurityKey) -> Call<'a> {
    call.seal = Some(security_key);
    call.header(MODE_HEADER, HeaderValue::from_static("ENCRYPTION"))
        .header(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"))
}

impl TossClient {
    /// What can be paid out. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn balances(&self) -> Result<Answer<Balances>, Error> {
        self.call(Call::read(Endpoint::GetBalance, "/v2/balances"))
            .await
    }

    /// Asks for 1 to 100 payouts, all or none of which Toss accepts. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`]; the rejection names the first payout that is wrong.
    pub async fn request_payouts(
        &self,
        payouts: &[PayoutRequest],
        security_key: &SecurityKey,
        key: &IdempotencyKey,
    ) -> Result<Answer<Vec<Payout>>, Error> {
        let endpoint = Endpoint::RequestPayouts;
        let invalid = |reason| Error::InvalidRequest { endpoint, reason };
        if payouts.is_empty() || payouts.len() > PAYOUTS_MAX {
            return Err(invalid(format!("1 to {PAYOUTS_MAX} payouts a request")));
        }
        let rows: Result<Vec<Value>, String> =
            payouts.iter().map(|payout| payout.0.value()).collect();
        let body = Value::Array(rows.map_err(invalid)?).to_string();
        let call = Call::act(endpoint, "/v2/payouts", body.into_bytes(), key);
        self.call(sealed(call, security_key)).await
    }

    /// One page of payouts, from a cursor on; `limit` rows.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn payouts(
        &self,
        cursor: Option<&str>,
        limit: Option<u16>,
    ) -> Result<Answer<Page<Payout>>, Error> {
        self.call(Call::read(
            Endpoint::ListPayouts,
            list_path("/v2/payouts", cursor, limit),
        ))
        .await
    }

    /// All payouts. Each item can be an error, after which the stream ends.
    pub fn all_payouts(&self) -> impl Stream<Item = Result<Payout, Error>> {
        pages::cursors(Endpoint::ListPayouts, move |cursor| async move {
            Ok(self.payouts(cursor.as_deref(), None).await?.value)
        })
    }

    /// One payout, by Toss's id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn payout(&self, id: &str) -> Result<Answer<Payout>, Error> {
        let endpoint = Endpoint::GetPayout;
        self.call(Call::read(endpoint, path(endpoint, "/v2/payouts", id, "")?))
            .await
    }

    /// Takes a payout back that is still `REQUESTED`. Sent without a body, and so without
    /// encryption (documented).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn cancel_payout(
        &self,
        id: &str,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payout>, Error> {
        let endpoint = Endpoint::CancelPayout;
        let path = path(endpoint, "/v2/payouts", id, "/cancel")?;
        self.call(Call::bare_post(endpoint, path, key)).await
    }

    /// Registers a seller. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn register_seller(
        &self,
        seller: &SellerRequest,
        security_key: &SecurityKey,
        key: &IdempotencyKey,
    ) -> Result<Answer<Seller>, Error> {
        let call = Call::post(Endpoint::RegisterSeller, "/v2/sellers", &seller.0, key)?;
        self.call(sealed(call, security_key)).await
    }

    /// One page of sellers, from a cursor on; `limit` rows.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn sellers(
        &self,
        cursor: Option<&str>,
        limit: Option<u16>,
    ) -> Result<Answer<Page<Seller>>, Error> {
        self.call(Call::read(
            Endpoint::ListSellers,
            list_path("/v2/sellers", cursor, limit),
        ))
        .await
    }

    /// All sellers. Each item can be an error, after which the stream ends.
    pub fn all_sellers(&self) -> impl Stream<Item = Result<Seller, Error>> {
        pages::cursors(Endpoint::ListSellers, move |cursor| async move {
            Ok(self.sellers(cursor.as_deref(), None).await?.value)
        })
    }

    /// One seller, by Toss's id.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn seller(&self, id: &str) -> Result<Answer<Seller>, Error> {
        let endpoint = Endpoint::GetSeller;
        self.call(Call::read(endpoint, path(endpoint, "/v2/sellers", id, "")?))
            .await
    }

    /// Changes a seller. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn update_seller(
        &self,
        id: &str,
        seller: &SellerRequest,
        security_key: &SecurityKey,
        key: &IdempotencyKey,
    ) -> Result<Answer<Seller>, Error> {
        let endpoint = Endpoint::UpdateSeller;
        let path = path(endpoint, "/v2/sellers", id, "")?;
        let call = Call::post(endpoint, path, &seller.0, key)?;
        self.call(sealed(call, security_key)).await
    }

    /// Deletes a seller.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn delete_seller(&self, id: &str) -> Result<Answer<Acknowledged>, Error> {
        let endpoint = Endpoint::DeleteSeller;
        self.call(Call::delete(
            endpoint,
            path(endpoint, "/v2/sellers", id, "")?,
        ))
        .await
    }
}

fn list_path(path: &str, cursor: Option<&str>, limit: Option<u16>) -> String {
    Query::new(path)
        .with_some("startingAfter", cursor)
        .with_some("limit", limit)
        .text()
}

#[cfg(test)]
#[cfg(feature = "testing")]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::{
        SecretKey, jwe,
        testing::{ManualRuntime, MockTransport, Play},
    };

    fn security_key() -> SecurityKey {
        SecurityKey::parse(&"a".repeat(64)).unwrap()
    }

    /// The outcome of asking for one payout when Toss answers so, encrypted; and what was sent.
    async fn asked(status: u16, answer: &str) -> (Result<Answer<Vec<Payout>>, Error>, Vec<u8>) {
        let runtime = ManualRuntime::default();
        let sealed = jwe::seal(&security_key(), answer.as_bytes(), &runtime).unwrap();
        let transport = MockTransport::new([Play::answer(status, sealed)]);
        let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
            .build_on(transport.clone(), runtime)
            .unwrap();
        let payout = PayoutRequest::express("p-1", "seller-1", Decimal::from(1_000));
        let key = IdempotencyKey::parse("k").unwrap();
        let outcome = client
            .request_payouts(&[payout], &security_key(), &key)
            .await;
        let body = transport.sent()[0].body.clone().unwrap();
        (outcome, body)
    }

    #[tokio::test]
    async fn a_payout_is_sent_encrypted_and_its_answer_decrypted() {
        let answer = r#"{"entityBody": {"items": [{"id": "FPA_1", "status": "REQUESTED"}]}}"#;
        let (outcome, sent) = asked(200, answer).await;
        assert_eq!(outcome.unwrap()[0].id(), "FPA_1");
        let plain: Value =
            serde_json::from_slice(&jwe::open(&security_key(), &sent).unwrap()).unwrap();
        assert_eq!(plain[0]["refPayoutId"], "p-1");
    }

    #[tokio::test]
    async fn an_encrypted_error_is_a_rejection() {
        let answer = r#"{"traceId": "t", "error": {"code": "UNAUTHORIZED_KEY", "message": "말"}}"#;
        let (outcome, _) = asked(401, answer).await;
        match outcome.unwrap_err() {
            Error::Rejected(rejection) => {
                assert_eq!(rejection.code, "UNAUTHORIZED_KEY");
                assert_eq!(rejection.trace_id.as_deref(), Some("t"));
            }
            error => panic!("{error:?}"),
        }
    }

    #[tokio::test]
    async fn an_answer_that_does_not_decrypt_counts_as_executed() {
        let runtime = ManualRuntime::default();
        let other = SecurityKey::parse(&"b".repeat(64)).unwrap();
        let sealed = jwe::seal(&other, b"{}", &runtime).unwrap();
        let client = TossClient::builder(SecretKey::parse("test_sk_1").unwrap())
            .build_on(MockTransport::new([Play::answer(200, sealed)]), runtime)
            .unwrap();
        let payout = PayoutRequest::express("p-1", "seller-1", Decimal::from(1_000));
        let key = IdempotencyKey::parse("k").unwrap();
        let error = client
            .request_payouts(&[payout], &security_key(), &key)
            .await
            .unwrap_err();
        assert!(
            matches!(error, Error::Undecodable { status: 200, .. }),
            "{error:?}"
        );
    }
}
