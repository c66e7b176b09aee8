//! Webhooks: what becomes of a notice, and what a hint leads to.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt as _;
use kernel::{Clock as _, StoreError, Timestamp};
use payment_domain::model::{GatewayStatus, PaymentStatus};
use payment_domain::port::{
    Inbox, InboxEntry, LookUp, MockInbox, Notice, NoticeState, Noticed, PaymentRepository,
};
use payment_domain::testing::{ManualClock, order_id};
use payment_domain::{MockPaymentReceiver, Notices, Observed, PaymentReceiver};

use crate::shop::{Shop, found, won};

fn entry(tries: u32, named: bool) -> InboxEntry {
    let clock = ManualClock::default();
    InboxEntry {
        notice: Notice {
            id: "whtrans_1".into(),
            event_type: "PAYMENT_STATUS_CHANGED".into(),
            order_id: named.then(|| order_id("order-000001")),
            received_at: clock.now(),
        },
        state: NoticeState::Received,
        due_at: Some(clock.now()),
        tries,
        note: None,
    }
}

/// How a notice stands after one round, given what the payment said; `None` when it was not taken.
async fn worked_on(entry: InboxEntry, observed: Observed, taken: bool) -> Option<InboxEntry> {
    let settled = Arc::new(Mutex::new(None));
    let mut inbox = MockInbox::new();
    inbox
        .expect_due_notices()
        .return_once(move |_, _| Ok(vec![entry]));
    inbox.expect_take().return_once(move |_, _| Ok(taken));
    let kept = Arc::clone(&settled);
    inbox.expect_settle().returning(move |entry| {
        *kept.lock().unwrap() = Some(entry.clone());
        Ok(())
    });
    let mut payments = MockPaymentReceiver::new();
    payments.expect_observe().returning(move |_| Ok(observed));
    let clock = Arc::new(ManualClock::default());
    let notices = Notices::new(Arc::new(inbox), Arc::new(payments), clock);
    assert_eq!(notices.work(10).await.unwrap(), 1);
    settled.lock().unwrap().take()
}

#[tokio::test]
async fn a_notice_is_done_whatever_toss_shows_and_waits_while_it_shows_nothing() {
    for observed in [Observed::UnknownOrder, Observed::Nothing, Observed::Acted] {
        let settled = worked_on(entry(3, true), observed, true).await.unwrap();
        assert_eq!((settled.state, settled.due_at), (NoticeState::Done, None));
    }
    let waits = worked_on(entry(0, true), Observed::Unanswered, true).await;
    let waits = waits.unwrap();
    assert_eq!((waits.state, waits.tries), (NoticeState::Received, 1));
    assert!(waits.due_at > entry(0, true).due_at);
    let nameless = worked_on(entry(0, false), Observed::Acted, true).await;
    assert_eq!(nameless.unwrap().note.unwrap(), "it names no order");
}

#[tokio::test]
async fn a_notice_is_given_up_at_last_and_left_alone_when_somebody_else_has_it() {
    let dead = worked_on(entry(11, true), Observed::Unanswered, true).await;
    let dead = dead.unwrap();
    assert_eq!(
        (dead.state, dead.due_at, dead.tries),
        (NoticeState::Dead, None, 12)
    );
    assert_eq!(
        worked_on(entry(0, true), Observed::Acted, false).await,
        None
    );
}

/// Two due notices, of which taking the first never ends; keeps what is settled.
#[derive(Default)]
struct OneIsStuck(Mutex<Vec<String>>);

#[async_trait]
impl Inbox for OneIsStuck {
    async fn due_notices(&self, _: Timestamp, _: u32) -> Result<Vec<InboxEntry>, StoreError> {
        let entries = ["stuck", "other"].map(|id| {
            let mut entry = entry(0, false);
            entry.notice.id = id.into();
            entry
        });
        Ok(entries.into())
    }

    async fn take(&self, entry: &InboxEntry, _: Timestamp) -> Result<bool, StoreError> {
        if entry.notice.id == "stuck" {
            std::future::pending::<()>().await;
        }
        Ok(true)
    }

    async fn settle(&self, entry: &InboxEntry) -> Result<(), StoreError> {
        self.0.lock().unwrap().push(entry.notice.id.clone());
        Ok(())
    }

    async fn store(&self, _: &Notice) -> Result<Noticed, StoreError> {
        unreachable!()
    }

    async fn notices(
        &self,
        _: NoticeState,
        _: Option<String>,
        _: u32,
    ) -> Result<Vec<InboxEntry>, StoreError> {
        unreachable!()
    }

    async fn redrive(&self, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!()
    }

    async fn forget(&self, _: Timestamp, _: u32) -> Result<usize, StoreError> {
        unreachable!()
    }
}

#[tokio::test]
async fn a_notice_that_gets_no_further_holds_up_no_other() {
    let inbox = Arc::new(OneIsStuck::default());
    let payments = Arc::new(MockPaymentReceiver::new());
    let notices = Notices::new(inbox.clone(), payments, Arc::new(ManualClock::default()));
    assert!(notices.work(10).now_or_never().is_none());
    assert_eq!(*inbox.0.lock().unwrap(), ["other"]);
}

async fn observe(shop: &Shop) -> Observed {
    shop.service
        .observe(&order_id("order-000001"))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_hint_that_tells_nothing_new_writes_nothing() {
    let shop = Shop::with_virtual_account().await;
    let before = shop.payment().await;
    let same = shop.shown(GatewayStatus::WaitingForDeposit).await;
    shop.gateway.on_look(found(same));
    assert_eq!(observe(&shop).await, Observed::Nothing);
    shop.gateway.on_look(LookUp::Absent);
    shop.gateway.on_order_look(LookUp::Absent);
    assert_eq!(observe(&shop).await, Observed::Nothing);
    assert_eq!(observe(&shop).await, Observed::Unanswered, "Toss is silent");
    assert_eq!(shop.payment().await, before);
    let nobody = shop.service.observe(&order_id("order-unknown")).await;
    assert_eq!(nobody.unwrap(), Observed::UnknownOrder);
}

#[tokio::test]
async fn a_hint_of_a_deposit_is_followed_at_once() {
    let shop = Shop::with_virtual_account().await;
    for _ in 0..2 {
        let paid = shop.approved().await;
        shop.gateway.on_look(found(paid));
    }
    assert_eq!(observe(&shop).await, Observed::Acted);
    assert_eq!(shop.status().await, PaymentStatus::Done);
    assert_eq!(shop.payment().await.balance, won(210_000));
}

#[tokio::test]
async fn a_hint_about_an_order_that_was_never_confirmed_asks_nobody() {
    let shop = Shop::with_order().await;
    assert_eq!(observe(&shop).await, Observed::Nothing);
    assert_eq!(shop.gateway.calls(), Vec::<String>::new());
    let history = shop.payments.history(&order_id("order-000001")).await;
    assert_eq!(history.unwrap().len(), 1);
}
