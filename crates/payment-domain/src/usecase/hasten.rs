//! After a long silence of Toss, payments may sit in pauses of minutes. When Toss answers again,
//! nobody has to wait for longer than a lease.

use std::sync::atomic::Ordering;

use kernel::StoreError;

use super::PaymentService;

/// Payments made due in one transaction.
const AT_ONCE: u32 = 500;

impl PaymentService {
    /// A lease is due a lease after the change that took it. What is due later than that after its
    /// last change only pauses between two looks, so nobody who works is disturbed, however late the
    /// store does this. Shorter pauses end within a lease by themselves.
    pub(super) async fn hasten_undecided(&self) -> Result<usize, StoreError> {
        if self.ports.gateway.is_back().await {
            self.toss_is_back.store(true, Ordering::SeqCst);
        }
        if !self.toss_is_back.load(Ordering::SeqCst) {
            return Ok(0);
        }
        let now = self.ports.clock.now();
        let mut hastened = 0;
        loop {
            let payments = &self.ports.payments;
            let more = payments.hasten(self.policy.lease, now, AT_ONCE).await?;
            hastened += more;
            if more < AT_ONCE as usize {
                break;
            }
        }
        self.toss_is_back.store(false, Ordering::SeqCst);
        if hastened > 0 {
            tracing::info!(
                hastened,
                "Toss answers again: undecided payments are looked at now"
            );
        }
        Ok(hastened)
    }
}
