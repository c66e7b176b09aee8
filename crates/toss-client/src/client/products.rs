//! Payments without a window: key-in, virtual accounts, billing keys.

use super::{TossClient, exchange::Call};
use crate::{
    Acknowledged, Answer, BillingKey, BillingKeyRequest, BillingRequest, CardBillingKeyRequest,
    Endpoint, Error, IdempotencyKey, KeyInRequest, Payment, VirtualAccountRequest, request,
};

/// A billing key as the end of a path.
fn billing_path(endpoint: Endpoint, billing_key: &str) -> Result<String, Error> {
    request::billing_key_segment(billing_key)
        .map(|segment| format!("/v1/billing/{segment}"))
        .map_err(|reason| Error::InvalidRequest { endpoint, reason })
}

impl TossClient {
    /// Charges a card by its own numbers. Needs an API key and an extra contract.
    ///
    /// # Errors
    /// See [`Error`]; after a lost answer ask with [`resolve_order`](Self::resolve_order).
    pub async fn key_in(
        &self,
        request: &KeyInRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let path = "/v1/payments/key-in";
        self.call(Call::post(Endpoint::KeyInPayment, path, &request.0, key)?)
            .await
    }

    /// Issues a virtual account; the payment waits for its deposit. Store its `secret`, which
    /// authenticates the deposit's webhook. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`]; after a lost answer ask with [`resolve_order`](Self::resolve_order).
    pub async fn issue_virtual_account(
        &self,
        request: &VirtualAccountRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let (endpoint, path) = (Endpoint::IssueVirtualAccount, "/v1/virtual-accounts");
        self.call(Call::post(endpoint, path, &request.0, key)?)
            .await
    }

    /// Exchanges the billing window's `authKey` for a billing key. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`]. The `authKey` works once, so after a lost answer only the same idempotency
    /// key can still bring the billing key.
    pub async fn issue_billing_key(
        &self,
        request: &BillingKeyRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<BillingKey>, Error> {
        let (endpoint, path) = (
            Endpoint::IssueBillingKey,
            "/v1/billing/authorizations/issue",
        );
        self.call(Call::post(endpoint, path, &request.0, key)?)
            .await
    }

    /// Makes a billing key from a card's own numbers. Needs an API key and an extra contract.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn issue_billing_key_by_card(
        &self,
        request: &CardBillingKeyRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<BillingKey>, Error> {
        let (endpoint, path) = (
            Endpoint::IssueBillingKeyByCard,
            "/v1/billing/authorizations/card",
        );
        self.call(Call::post(endpoint, path, &request.0, key)?)
            .await
    }

    /// Charges a billing key; may take up to 60 s (documented). Needs an API key.
    ///
    /// # Errors
    /// See [`Error`]; after a lost answer ask with [`resolve_billing`](Self::resolve_billing).
    pub async fn approve_billing(
        &self,
        billing_key: &str,
        request: &BillingRequest,
        key: &IdempotencyKey,
    ) -> Result<Answer<Payment>, Error> {
        let endpoint = Endpoint::ApproveBilling;
        let path = billing_path(endpoint, billing_key)?;
        self.call(Call::post(endpoint, path, &request.body, key)?)
            .await
    }

    /// Deletes a billing key; Toss answers with an empty body (measured by others). A later charge
    /// is refused with `ALREADY_REMOVED_BILLING_KEY`. Needs an API key.
    ///
    /// # Errors
    /// See [`Error`]. Toss says nothing of idempotency here, so this is never repeated once sent.
    pub async fn delete_billing_key(
        &self,
        billing_key: &str,
    ) -> Result<Answer<Acknowledged>, Error> {
        let endpoint = Endpoint::DeleteBillingKey;
        let path = billing_path(endpoint, billing_key)?;
        self.call(Call::delete(endpoint, path)).await
    }
}
