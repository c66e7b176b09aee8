//! What each call of the API does.

use chrono::{DateTime, Utc};

use super::{
    ApiError, Engine, Ticket, find_error, json,
    payment::Payment,
    promotions::promotions,
    request::{CancelBody, parse},
    transactions::TransactionQuery,
    writing,
};
use crate::{endpoint::Endpoint, fault::Effect};

impl Engine {
    pub(super) fn execute(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<String, ApiError> {
        let request = &ticket.request;
        if let Some(code) = &request.test_code {
            // Answered before the payment key is looked at, so it works with a made-up one.
            return Err(find_error(code).map_or_else(
                || ApiError::new("INVALID_TEST_CODE"),
                |spec| ApiError::new(spec.code),
            ));
        }
        if ticket.widget && !is_for_widgets(request.endpoint) {
            return Err(ApiError::with_fallback("NOT_SUPPORTED_WIDGET_KEY", 400));
        }
        let (subject, body, language) = (&request.subject, &request.body, request.language());
        match request.endpoint {
            Endpoint::Confirm
            | Endpoint::Get
            | Endpoint::GetByOrder
            | Endpoint::Cancel
            | Endpoint::KeyIn
            | Endpoint::IssueAccount
            | Endpoint::ChargeBilling => {
                let key = self.work_on_payment(now, ticket)?.key.clone();
                self.payment_body(now, ticket, &key)
            }
            Endpoint::Transactions => {
                let query = TransactionQuery::parse(subject)?;
                let negative = self.cancel_amounts_negative;
                let rows = self
                    .bank
                    .transactions(&query, writing!(self, language), negative)?;
                Ok(json(&rows))
            }
            Endpoint::IssueBilling => self.issue_billing(now, body, language),
            Endpoint::IssueBillingByCard => self.issue_billing_by_card(now, body, language),
            Endpoint::RemoveBilling => self.remove_billing(subject),
            Endpoint::Settlements => self.settlements(now, subject, language),
            Endpoint::RequestSettlement => self.request_settlement(now, body),
            Endpoint::IssueCashReceipt => self.issue_receipt(now, body, language),
            Endpoint::CancelCashReceipt => self.cancel_receipt(now, subject, body, language),
            Endpoint::CashReceipts => self.receipts(now, subject, language),
            Endpoint::Promotions => Ok(promotions(language, true)),
            Endpoint::CardPromotions => Ok(promotions(language, false)),
            Endpoint::BrandpayTerms
            | Endpoint::AgreeBrandpayTerms
            | Endpoint::BrandpayToken
            | Endpoint::BrandpayMethods
            | Endpoint::BrandpayMethodsOf
            | Endpoint::RemoveBrandpayCard
            | Endpoint::RemoveBrandpayAccount
            | Endpoint::RemoveBrandpayCustomer
            | Endpoint::ConfirmBrandpay
            | Endpoint::PayBrandpay
            | Endpoint::BrandpayCardPromotions
            | Endpoint::BrandpayBankPromotions => self.execute_brandpay(now, ticket),
            Endpoint::Balances
            | Endpoint::RequestPayouts
            | Endpoint::Payouts
            | Endpoint::Payout
            | Endpoint::CancelPayout
            | Endpoint::RegisterSeller
            | Endpoint::Sellers
            | Endpoint::Seller
            | Endpoint::UpdateSeller
            | Endpoint::RemoveSeller => {
                let (entity, body) = self.execute_v2(now, ticket)?;
                let envelope = serde_json::json!({
                    "version": self.version.name(),
                    "traceId": self.random.trace_id(),
                    "entityType": entity,
                    "entityBody": body,
                });
                Ok(envelope.to_string())
            }
        }
    }

    /// Does the work of a call whose answer is a payment.
    fn work_on_payment(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
    ) -> Result<&Payment, ApiError> {
        let request = &ticket.request;
        let unknown = || ApiError::new("NOT_FOUND_PAYMENT");
        match request.endpoint {
            Endpoint::KeyIn => return self.key_in(now, &request.body),
            Endpoint::ChargeBilling => {
                return self.charge_billing(now, &request.subject, &request.body);
            }
            _ => {}
        }
        let (bank, random) = (&mut self.bank, &mut self.random);
        match request.endpoint {
            Endpoint::Confirm => {
                let body = match &ticket.confirm {
                    Some(Ok(body)) => body,
                    Some(Err(error)) => return Err(error.clone()),
                    None => return Err(ApiError::new("INVALID_REQUEST")),
                };
                bank.confirm(now, random, body, &self.mismatch, ticket.widget)
            }
            Endpoint::Get => bank.find(now, &request.subject).ok_or_else(unknown),
            Endpoint::GetByOrder => bank
                .find_by_order(now, &request.subject)
                .ok_or_else(unknown),
            Endpoint::Cancel => {
                let body = parse::<CancelBody>(&request.body)?;
                let escrow = &self.unknowns.escrow_partial_cancel;
                bank.cancel(now, random, &request.subject, &body, escrow)
            }
            Endpoint::IssueAccount => {
                let new = parse::<super::direct::AccountBody>(&request.body)?.checked(now)?;
                bank.charge(now, random, new)
            }
            _ => Err(ApiError::new("NOT_FOUND")),
        }
    }

    /// The Payment object as a call's answer.
    pub(super) fn payment_body(
        &mut self,
        now: DateTime<Utc>,
        ticket: &Ticket,
        key: &str,
    ) -> Result<String, ApiError> {
        let payment = self.bank.booked(key)?;
        let mut view = payment.view(now, writing!(self, ticket.request.language()));
        if ticket.effect == Some(Effect::WrongAmount) {
            view.total_amount = view.total_amount.raised();
        }
        Ok(json(&view))
    }
}

/// What the key of widgets is good for: the payments opened with them.
fn is_for_widgets(endpoint: Endpoint) -> bool {
    matches!(
        endpoint,
        Endpoint::Confirm
            | Endpoint::Get
            | Endpoint::GetByOrder
            | Endpoint::Cancel
            | Endpoint::Transactions
            | Endpoint::Settlements
    )
}
