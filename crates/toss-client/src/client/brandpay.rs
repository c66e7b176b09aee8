//! Brandpay: a merchant's own wallet. Needs an API key of a brandpay merchant id.
//!
//! Calls that take an [`AccessToken`] act for a customer (`Bearer`), the others for the merchant.

use http::{HeaderValue, header};
use serde_json::Value;

use super::{TossClient, exchange::Call};
use crate::{
    AccessToken, Acknowledged, Answer, BrandpayMethods, BrandpayPaymentRequest, BrandpayTerm,
    ConfirmRequest, Endpoint, Error, Extra, IdempotencyKey, Payment, Promotions, TokenRequest,
    body::Body,
    model::fields::{Decode, DecodeError},
    request::{
        self,
        books::Query,
        brandpay::{customer as customer_key, with_customer},
    },
};

/// A removed method, or the code that an agreement brings.
impl Decode for Extra {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Self::with_texts(value, &[])
    }
}

fn one_or_two(scopes: &[&str]) -> Result<(), String> {
    match scopes.len() {
        1 | 2 => Ok(()),
        count => Err(format!("scope has {count} entries, 1 or 2 are allowed")),
    }
}

fn bearer<'a>(call: Call<'a>, token: &AccessToken) -> Result<Call<'a>, Error> {
    let text = format!("Bearer {}", token.access_token.expose());
    let mut value = HeaderValue::try_from(text).map_err(|_| Error::InvalidRequest {
        endpoint: call.endpoint,
        reason: "the access token cannot be a header".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok(call.header(header::AUTHORIZATION, value))
}

impl TossClient {
    /// The terms a customer has to agree to, for one or two of the scopes `REGISTER`, `ACCOUNT`,
    /// `BILLING` and `CARD` (documented). A brandpay customer's key has 2 to 50 characters of
    /// `A-Z a-z 0-9 - _ = . @` here and in every call below (documented). Two are sent with a comma between them, which is assumed:
    /// Toss documents a text and shows one.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn brandpay_terms(
        &self,
        customer: &str,
        scopes: &[&str],
    ) -> Result<Answer<Vec<BrandpayTerm>>, Error> {
        let endpoint = Endpoint::GetBrandpayTerms;
        let invalid = |reason| Error::InvalidRequest { endpoint, reason };
        one_or_two(scopes).map_err(invalid)?;
        customer_key(customer).map_err(invalid)?;
        let path = Query::new("/v1/brandpay/terms")
            .with("customerKey", customer)
            .with("scope", scopes.join(","));
        self.call(Call::read(Endpoint::GetBrandpayTerms, path.text()))
            .await
    }

    /// Records that a customer agreed to the terms with these ids; the answer's `code` brings a
    /// token. Toss takes lists, also of one scope.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn agree_brandpay_terms(
        &self,
        customer: &str,
        scopes: &[&str],
        terms: &[u64],
        key: &IdempotencyKey,
    ) -> Result<Answer<Extra>, Error> {
        let some = if terms.is_empty() {
            Err("termsId is empty".to_owned())
        } else {
            Ok(())
        };
        let body = with_customer(Body::default(), customer)
            .held(one_or_two(scopes))
            .set("scope", scopes)
            .held(some)
            .set("termsId", terms);
        let (endpoint, path) = (Endpoint::AgreeBrandpayTerms, "/v1/brandpay/terms/agree");
        self.call(Call::post(endpoint, path, &body, key)?).await
    }

    /// A customer's access token.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn issue_brandpay_token(
        &self,
        request: &TokenRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<AccessToken>, Error> {
        let (endpoint, path) = (
            Endpoint::IssueBrandpayToken,
            "/v1/brandpay/authorizations/access-token",
        );
        self.call(Call::post(endpoint, path, &request.0, key)?)
            .await
    }

    /// The methods of the customer whose token this is.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn brandpay_methods(
        &self,
        token: &AccessToken,
    ) -> Result<Answer<BrandpayMethods>, Error> {
        let path = "/v1/brandpay/payments/methods";
        let call = Call::read(Endpoint::ListBrandpayMethods, path);
        self.call(bearer(call, token)?).await
    }

    /// The methods of a customer, asked by the merchant.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn brandpay_methods_of(
        &self,
        customer: &str,
    ) -> Result<Answer<BrandpayMethods>, Error> {
        let endpoint = Endpoint::ListBrandpayMethodsOfCustomer;
        let segment = customer_key(customer)
            .and_then(|()| request::segment("customerKey", customer))
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        let path = format!("/v1/brandpay/payments/methods/{segment}");
        self.call(Call::read(endpoint, path)).await
    }

    /// Removes a card; answers what was removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_brandpay_card(
        &self,
        method_key: &str,
        token: &AccessToken,
        key: &IdempotencyKey,
    ) -> Result<Answer<Extra>, Error> {
        let body = Body::default().text("methodKey", method_key, 200);
        let path = "/v1/brandpay/payments/methods/card/remove";
        let call = Call::post(Endpoint::RemoveBrandpayCard, path, &body, key)?;
        self.call(bearer(call, token)?).await
    }

    /// Removes an account; answers what was removed.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_brandpay_account(
        &self,
        method_key: &str,
        token: &AccessToken,
        key: &IdempotencyKey,
    ) -> Result<Answer<Extra>, Error> {
        let body = Body::default().text("methodKey", method_key, 200);
        let path = "/v1/brandpay/payments/methods/account/remove";
        let call = Call::post(Endpoint::RemoveBrandpayAccount, path, &body, key)?;
        self.call(bearer(call, token)?).await
    }

    /// Removes the customer and all methods. The token says whom; there is no body (documented).
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn remove_brandpay_customer(
        &self,
        token: &AccessToken,
        key: &IdempotencyKey,
    ) -> Result<Answer<Acknowledged>, Error> {
        let path = "/v1/brandpay/customers/remove".to_owned();
        let call = Call::bare_post(Endpoint::RemoveBrandpayCustomer, path, key);
        self.call(bearer(call, token)?).await
    }

    /// Approves a payment that a customer authenticated in the brandpay window. Compare order,
    /// amount and currency as after [`confirm`](Self::confirm).
    ///
    /// # Errors
    /// See [`Error`]; after a lost answer ask with [`resolve_confirm`](Self::resolve_confirm).
    pub async fn confirm_brandpay(
        &self,
        customer: &str,
        request: &ConfirmRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::ConfirmBrandpay;
        let body = request
            .body()
            .map(|body| with_customer(body, customer))
            .map_err(|reason| Error::InvalidRequest { endpoint, reason })?;
        let path = "/v1/brandpay/payments/confirm";
        self.call(Call::post(endpoint, path, &body, key)?).await
    }

    /// Charges a registered method without a window.
    ///
    /// # Errors
    /// See [`Error`]; after a lost answer ask with [`resolve_order`](Self::resolve_order).
    pub async fn pay_brandpay(
        &self,
        request: &BrandpayPaymentRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let (endpoint, path) = (Endpoint::PayBrandpay, "/v1/brandpay/payments");
        self.call(Call::post(endpoint, path, &request.body, key)?)
            .await
    }

    /// The card companies' promotions for brandpay.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn brandpay_card_promotions(&self) -> Result<Answer<Promotions>, Error> {
        let path = "/v1/brandpay/promotions/card";
        self.call(Call::read(Endpoint::ListBrandpayCardPromotions, path))
            .await
    }

    /// The banks' promotions for brandpay.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn brandpay_bank_promotions(&self) -> Result<Answer<Promotions>, Error> {
        let path = "/v1/brandpay/promotions/bank";
        self.call(Call::read(Endpoint::ListBrandpayBankPromotions, path))
            .await
    }
}
