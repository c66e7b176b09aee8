//! The calls this crate knows.

use std::fmt;

/// One call of the API. Errors and spans carry it, and [`classify`](crate::classify) needs it:
/// one code can mean two things at two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /v1/payments/confirm`
    ConfirmPayment,
    /// `GET /v1/payments/{paymentKey}`
    GetPayment,
    /// `GET /v1/payments/orders/{orderId}`
    GetPaymentByOrder,
    /// `POST /v1/payments/{paymentKey}/cancel`
    CancelPayment,
    /// `GET /v1/transactions`
    ListTransactions,
}

impl Endpoint {
    /// Method and path template, without any value of a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConfirmPayment => "POST /v1/payments/confirm",
            Self::GetPayment => "GET /v1/payments/{paymentKey}",
            Self::GetPaymentByOrder => "GET /v1/payments/orders/{orderId}",
            Self::CancelPayment => "POST /v1/payments/{paymentKey}/cancel",
            Self::ListTransactions => "GET /v1/transactions",
        }
    }

    /// Whether the call only reads: whatever happened to it, no money moved.
    pub fn is_read(self) -> bool {
        match self {
            Self::GetPayment | Self::GetPaymentByOrder | Self::ListTransactions => true,
            Self::ConfirmPayment | Self::CancelPayment => false,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
