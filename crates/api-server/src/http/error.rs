//! Every refusal and its place in the contract: code, status, message, whether to try again.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use kernel::StoreError;
use payment_domain::model::{CancelRefusalKind, CheckoutRefusal};
use payment_domain::{CancelError, CheckoutError, ConfirmError, ReadError, ResolveError};
use product_domain::model::InvalidProduct;
use product_domain::{AdjustError, CreateError, UpdateError};
use serde_json::{Value, json};
use user_domain::PutError;
use webhook_domain::{EndpointError, ResendError};

use crate::cancel_desk::CancelDeskError;
use crate::confirm_desk::DeskError;

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// The default.
    Korean,
    /// With `Accept-Language: en`.
    English,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $status:ident, $retryable:literal, $korean:literal, $english:literal;)*) => {
        /// The contract's error codes that this server answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code as clients read it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status it comes with.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// Whether the same request may succeed later.
            pub const fn retryable(self) -> bool {
                match self { $(Self::$name => $retryable,)* }
            }

            /// What people read.
            pub const fn message(self, language: Language) -> &'static str {
                match (self, language) {
                    $((Self::$name, Language::Korean) => $korean,
                      (Self::$name, Language::English) => $english,)*
                }
            }
        }
    };
}

codes! {
    /// A stock below zero.
    NegativeStock = "E01001", BAD_REQUEST, false, "재고는 0 이상이어야 합니다.", "A stock must not be negative.";
    /// An adjustment out of range.
    NotEnoughStock = "E01002", CONFLICT, false, "재고가 부족합니다.", "The stock does not suffice.";
    /// No such product.
    ProductNotFound = "E01003", NOT_FOUND, false, "상품을 찾을 수 없습니다.", "There is no such product.";
    /// A price that is not above zero.
    PriceInvalid = "E01004", BAD_REQUEST, false, "가격은 0보다 커야 합니다.", "A price must be above zero.";
    /// No such user.
    UserNotFound = "E02001", NOT_FOUND, false, "사용자를 찾을 수 없습니다.", "There is no such user.";
    /// No such order.
    PaymentNotFound = "E03001", NOT_FOUND, false, "주문을 찾을 수 없습니다.", "There is no such order.";
    /// The order cannot be paid in its state.
    InvalidStatus = "E03002", CONFLICT, false, "지금 상태에서는 결제할 수 없는 주문입니다.", "The order cannot be paid in its present state.";
    /// Another user's order.
    InvalidUser = "E03004", BAD_REQUEST, false, "주문한 사용자가 아닙니다.", "The order belongs to another user.";
    /// Another order's payment key.
    InvalidPaymentKey = "E03005", BAD_REQUEST, false, "이 주문의 결제 키가 아닙니다.", "The payment key is not this order's.";
    /// Another amount.
    InvalidAmount = "E03006", BAD_REQUEST, false, "결제 금액이 주문 금액과 다릅니다.", "The amount is not the order's.";
    /// No certain answer yet.
    OutcomeUnknown = "E03009", SERVICE_UNAVAILABLE, true, "결제 결과를 아직 확인하지 못했습니다. 중복 결제되지 않으니 잠시 후 다시 확인해 주세요.", "The outcome is not known yet. Nothing is charged twice; please try again or read the payment.";
    /// Declined by Toss.
    Declined = "E03010", PAYMENT_REQUIRED, false, "결제가 거절되었습니다.", "The payment was declined.";
    /// An ordered product is short of stock.
    OrderedStockShort = "E03013", CONFLICT, false, "주문한 상품의 재고가 부족합니다.", "An ordered product is short of stock.";
    /// The same confirm is still running.
    ConfirmRunning = "E03017", CONFLICT, true, "같은 결제를 처리하고 있습니다. 잠시 후 다시 확인해 주세요.", "The same confirm is still running; please try again.";
    /// An idempotency key used for something else.
    KeyReused = "E03018", UNPROCESSABLE_ENTITY, false, "이미 다른 요청에 사용된 Idempotency-Key입니다.", "The Idempotency-Key was used for another request.";
    /// Toss refuses our configuration.
    GatewayConfiguration = "E03019", BAD_GATEWAY, false, "결제 설정에 문제가 있습니다. 상점에 문의해 주세요.", "Toss refuses the shop's configuration; please tell the shop.";
    /// No money that could go back, or Toss refuses to give it back.
    NotCancelable = "E03020", CONFLICT, false, "취소할 수 없는 결제입니다.", "The payment cannot be canceled.";
    /// More than what is left.
    CancelAmountExceeded = "E03021", BAD_REQUEST, false, "취소할 수 있는 금액을 초과했습니다.", "More is to go back than is left.";
    /// A virtual account's money needs an account to go to.
    RefundAccountRequired = "E03022", BAD_REQUEST, false, "환불 받을 계좌가 필요합니다.", "A valid refund account is needed.";
    /// An operator's word against Toss's.
    ResolutionContradicted = "E03023", CONFLICT, false, "토스페이먼츠의 기록과 다릅니다.", "Toss's records say otherwise.";
    /// Another cancel of the payment is running.
    CancelRunning = "E03024", CONFLICT, true, "이 결제의 다른 취소를 처리하고 있습니다. 잠시 후 다시 시도해 주세요.", "Another cancel of the payment is running; please try again.";
    /// A malformed request.
    InvalidInput = "E99001", BAD_REQUEST, false, "요청 값이 올바르지 않습니다.", "The request is malformed.";
    /// No or a wrong operator key.
    Unauthorized = "E99003", UNAUTHORIZED, false, "인증이 필요합니다.", "A valid operator key is needed.";
    /// No such path.
    NotFound = "E99004", NOT_FOUND, false, "요청한 경로를 찾을 수 없습니다.", "There is no such path.";
    /// A path that does not know the method.
    MethodNotAllowed = "E99005", METHOD_NOT_ALLOWED, false, "지원하지 않는 메서드입니다.", "This path does not support the method.";
    /// A body above the limit.
    PayloadTooLarge = "E99006", PAYLOAD_TOO_LARGE, false, "요청 본문이 너무 큽니다.", "The request body is too large.";
    /// Too many requests of one client.
    TooManyRequests = "E99007", TOO_MANY_REQUESTS, true, "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.", "Too many requests; please try again later.";
    /// A key whose scope does not suffice.
    Forbidden = "E99008", FORBIDDEN, false, "이 작업을 할 권한이 없는 키입니다.", "The key's scope does not suffice.";
    /// A fault of ours that will not pass by itself.
    Internal = "E99999", INTERNAL_SERVER_ERROR, false, "서버 오류가 발생했습니다.", "Something went wrong on our side.";
}

/// A refusal on its way to the client. The envelope around it is written by
/// [`envelope`](super::envelope), which knows the request's language and id.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The contract's code.
    pub code: Code,
    /// The status: the code's, but 503 for a part that is down.
    pub status: StatusCode,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What exactly was wrong, in English, appended to the message.
    pub reason: Option<String>,
    /// Machine-readable particulars.
    pub details: Option<Value>,
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self {
            code,
            status: code.status(),
            retryable: code.retryable(),
            reason: None,
            details: None,
        }
    }
}

impl ApiError {
    /// A malformed request, and what is wrong with it.
    pub fn invalid(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Code::InvalidInput.into()
        }
    }

    /// A fault of ours; the cause goes to the log only.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause, "internal error");
        Code::Internal.into()
    }

    /// A part is down and comes back by itself: 503.
    pub fn unavailable(part: &str) -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            retryable: true,
            ..Self::from(Code::Internal).with(json!({ "failing": part }))
        }
    }

    fn with(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status);
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<&StoreError> for ApiError {
    fn from(error: &StoreError) -> Self {
        match error {
            StoreError::Unavailable { source, .. } => {
                tracing::warn!(%error, cause = %source, "the database does not answer");
                Self::unavailable("database")
            }
            StoreError::Corrupt { source, .. } => {
                tracing::error!(%error, cause = %source, "the database holds or refuses something impossible");
                Code::Internal.into()
            }
        }
    }
}

impl From<EndpointError> for ApiError {
    fn from(error: EndpointError) -> Self {
        match error {
            EndpointError::Unknown(_) => Code::NotFound.into(),
            EndpointError::Invalid(_) | EndpointError::TooMany | EndpointError::Off(_) => {
                Self::invalid(error.to_string())
            }
            EndpointError::Store(error) => error.into(),
        }
    }
}

impl From<ResendError> for ApiError {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::Unknown(_) => Code::NotFound.into(),
            ResendError::Pending(_) => Self::invalid(error.to_string()),
            ResendError::Store(error) => error.into(),
        }
    }
}

impl From<CheckoutError> for ApiError {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::UnknownUser(_) => Code::UserNotFound.into(),
            CheckoutError::UnknownProduct(id) => {
                Self::from(Code::ProductNotFound).with(json!({ "productId": id.get() }))
            }
            CheckoutError::StockShort(id) => {
                Self::from(Code::OrderedStockShort).with(json!({ "productId": id.get() }))
            }
            CheckoutError::Refused(
                refusal @ (CheckoutRefusal::LineCount
                | CheckoutRefusal::DuplicateProduct(_)
                | CheckoutRefusal::TotalTooLarge),
            ) => Self::invalid(refusal.to_string()),
            CheckoutError::KeyReused => Code::KeyReused.into(),
            CheckoutError::Store(error) => error.into(),
        }
    }
}

impl From<ConfirmError> for ApiError {
    fn from(error: ConfirmError) -> Self {
        match error {
            ConfirmError::UnknownOrder(_) => Code::PaymentNotFound.into(),
            ConfirmError::WrongUser => Code::InvalidUser.into(),
            ConfirmError::AmountDiffers => Code::InvalidAmount.into(),
            ConfirmError::WrongPaymentKey => Code::InvalidPaymentKey.into(),
            ConfirmError::NotPayable(status) => {
                Self::from(Code::InvalidStatus).with(json!({ "status": status.as_str() }))
            }
            ConfirmError::StockShort(id) => {
                Self::from(Code::OrderedStockShort).with(json!({ "productId": id.get() }))
            }
            ConfirmError::Declined { code, message } => Self::from(Code::Declined)
                .with(json!({ "gatewayCode": code, "gatewayMessage": message })),
            ConfirmError::Undecided | ConfirmError::LostClaim | ConfirmError::GatewayClosed => {
                Code::OutcomeUnknown.into()
            }
            ConfirmError::Misconfigured { code } => {
                Self::from(Code::GatewayConfiguration).with(json!({ "gatewayCode": code }))
            }
            ConfirmError::Store(error) => match Self::from(error.as_ref()) {
                // Nothing is known of the order at this moment; the client may repeat safely.
                down if down.retryable => Code::OutcomeUnknown.into(),
                broken => broken,
            },
        }
    }
}

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Payment(error) => error.into(),
            DeskError::StillRunning => Code::ConfirmRunning.into(),
            DeskError::Overloaded => Code::OutcomeUnknown.into(),
        }
    }
}

impl From<CancelDeskError> for ApiError {
    fn from(error: CancelDeskError) -> Self {
        match error {
            CancelDeskError::Payment(error) => error.into(),
            CancelDeskError::StillRunning => Code::CancelRunning.into(),
            CancelDeskError::Overloaded => Code::OutcomeUnknown.into(),
            CancelDeskError::Died(error) => Self::internal(&error),
        }
    }
}

impl From<CancelError> for ApiError {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::UnknownOrder(_) => Code::PaymentNotFound.into(),
            CancelError::NotCancelable(status) => {
                Self::from(Code::NotCancelable).with(json!({ "status": status.as_str() }))
            }
            CancelError::AmountExceeded(left) => {
                Self::from(Code::CancelAmountExceeded).with(json!({ "balanceAmount": left.won() }))
            }
            CancelError::RefundAccountRequired => Code::RefundAccountRequired.into(),
            CancelError::Restock(refusal) => {
                Self::invalid(refusal.to_string()).with(json!({ "productId": refusal.0.get() }))
            }
            CancelError::KeyReused => Code::KeyReused.into(),
            CancelError::Running => Code::CancelRunning.into(),
            CancelError::GatewayClosed | CancelError::Undecided => Code::OutcomeUnknown.into(),
            CancelError::Refused(refusal) => {
                let code = match refusal.kind {
                    CancelRefusalKind::NotCancelable => Code::NotCancelable,
                    CancelRefusalKind::AmountExceeded => Code::CancelAmountExceeded,
                    CancelRefusalKind::RefundAccount => Code::RefundAccountRequired,
                    CancelRefusalKind::Configuration => Code::GatewayConfiguration,
                };
                let (code_there, message) = (refusal.code, refusal.message);
                Self::from(code)
                    .with(json!({ "gatewayCode": code_there, "gatewayMessage": message }))
            }
            CancelError::Store(error) => match Self::from(&error) {
                // It may have been begun; with its key the client may repeat it safely.
                down if down.retryable => Code::OutcomeUnknown.into(),
                broken => broken,
            },
        }
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::UnknownOrder(_) => Code::PaymentNotFound.into(),
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<ResolveError> for ApiError {
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::UnknownOrder(_) => Code::PaymentNotFound.into(),
            ResolveError::NotQuarantined(status) => {
                Self::from(Code::InvalidStatus).with(json!({ "status": status.as_str() }))
            }
            ResolveError::Contradicted(what) => {
                Self::from(Code::ResolutionContradicted).with(json!({ "gateway": what }))
            }
            ResolveError::GatewaySilent | ResolveError::Changed => Code::OutcomeUnknown.into(),
            ResolveError::Store(error) => error.into(),
        }
    }
}

impl From<InvalidProduct> for ApiError {
    fn from(error: InvalidProduct) -> Self {
        match error {
            InvalidProduct::Price => Code::PriceInvalid.into(),
            InvalidProduct::NegativeStock => Code::NegativeStock.into(),
            InvalidProduct::StockTooLarge | InvalidProduct::Name | InvalidProduct::Description => {
                Self::invalid(error.to_string())
            }
        }
    }
}

impl From<CreateError> for ApiError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Invalid(error) => error.into(),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl From<UpdateError> for ApiError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::UnknownProduct(_) => Code::ProductNotFound.into(),
            UpdateError::Invalid(error) => error.into(),
            UpdateError::Store(error) => error.into(),
        }
    }
}

impl From<AdjustError> for ApiError {
    fn from(error: AdjustError) -> Self {
        match error {
            AdjustError::UnknownProduct(_) => Code::ProductNotFound.into(),
            AdjustError::OutOfRange(_) => Code::NotEnoughStock.into(),
            AdjustError::Store(error) => error.into(),
        }
    }
}

impl From<PutError> for ApiError {
    fn from(error: PutError) -> Self {
        match error {
            PutError::Invalid(error) => Self::invalid(error.to_string()),
            PutError::Store(error) => error.into(),
        }
    }
}
