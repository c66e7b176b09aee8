//! What the payment use cases need of others. Each method states its obligations; the contract
//! suites in `testing` check every MUST.

mod buyers;
mod gateway;
mod inbox;
mod news;
mod payments;
mod products;
mod reconcile;
mod records;

pub use buyers::BuyerPort;
pub use gateway::{
    CancelPart, CancelRequest, ConfirmRequest, GatewayAnswer, GatewayRejection, LookUp,
    PaymentGateway, RejectionKind,
};
pub use inbox::{Inbox, InboxEntry, Notice, NoticeState, Noticed};
pub use news::{News, NewsPort, NobodyListens};
pub use payments::{Applied, CheckoutKey, DuePayment, Inserted, PaymentRepository, Vitals};
pub use products::{HoldReply, HoldRequest, PricedProduct, ProductPort};
pub use reconcile::{
    Found, GatewayLedger, LedgerRow, LedgerUnavailable, Place, ReconcileRepository, Run, Scope,
    StockLedger, Totals,
};
pub use records::{PaymentFilter, PaymentPage, PaymentRecord, PaymentRecords, PaymentSummary};

#[cfg(any(test, feature = "testing"))]
pub use self::{
    buyers::MockBuyerPort, gateway::MockPaymentGateway, inbox::MockInbox, news::MockNewsPort,
    payments::MockPaymentRepository, products::MockProductPort,
};
