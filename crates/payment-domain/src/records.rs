//! What operators, and whoever watches a payment, may ask about it: a receiver of its own, because
//! none of it changes anything.

use std::sync::Arc;

use async_trait::async_trait;
use kernel::StoreError;

use crate::port::{PaymentFilter, PaymentPage, PaymentRecords, Place};

/// Reads payments.
#[async_trait]
pub trait PaymentReader: Send + Sync {
    /// Payments that the filter covers, newest first, at most `limit`: the first ones, or those
    /// behind `after`.
    ///
    /// A payment keeps its place for good. One whose status comes to fit the filter, or ceases to,
    /// is listed if it fits when its page is read; none is listed twice, and none that fits all the
    /// while is missed. What is checked out meanwhile comes before the first page.
    async fn list(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError>;
}

/// The [`PaymentReader`] over a store.
pub struct RecordService {
    records: Arc<dyn PaymentRecords>,
}

impl RecordService {
    /// A reader of this store.
    pub fn new(records: Arc<dyn PaymentRecords>) -> Self {
        Self { records }
    }
}

#[async_trait]
impl PaymentReader for RecordService {
    async fn list(
        &self,
        filter: &PaymentFilter,
        after: Option<&Place>,
        limit: u32,
    ) -> Result<PaymentPage, StoreError> {
        self.records.page(filter, after, limit).await
    }
}
