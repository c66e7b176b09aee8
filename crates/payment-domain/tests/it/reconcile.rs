//! The books against Toss: every kind of break, what is mended, and that a second run is clean.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kernel::{Clock, OrderId};
use payment_domain::model::{FindingKind, GatewayPayment, GatewayStatus, PaymentStatus, Period};
use payment_domain::port::{
    Found, LookUp, PaymentRepository as _, ReconcileRepository, RejectionKind, Run, Totals,
};
use payment_domain::testing::{NumberedIds, ScriptedLedger, order_id};
use payment_domain::{
    PaymentReceiver, ReconcileError, ReconcileObserver, ReconcilePorts, ReconcileWish, Reconciler,
};

use crate::shop::{KEY, SECOND, Shop, done, found, order, rejected, won};

/// What the run told.
#[derive(Default)]
struct Told {
    found: Mutex<Vec<Found>>,
    progress: Mutex<Vec<Totals>>,
}

impl ReconcileObserver for Told {
    fn found(&self, found: &Found) {
        self.found.lock().unwrap().push(found.clone());
    }

    fn progress(&self, totals: &Totals) {
        self.progress.lock().unwrap().push(*totals);
    }
}

struct Desk {
    shop: Shop,
    ledger: Arc<ScriptedLedger>,
    reconciler: Reconciler,
}

impl Desk {
    fn over(shop: Shop) -> Self {
        let ledger = Arc::new(ScriptedLedger::default());
        let reconciler = Reconciler::new(ReconcilePorts {
            books: shop.payments.clone(),
            payments: shop.payments.clone(),
            receiver: shop.service.clone(),
            gateway: shop.gateway.clone(),
            ledger: ledger.clone(),
            stock: shop.shelf.clone(),
            products: shop.shelf.clone(),
            clock: shop.clock.clone(),
            ids: Arc::new(NumberedIds::default()),
        });
        Self {
            shop,
            ledger,
            reconciler,
        }
    }

    async fn run(&self, mends: bool) -> (Run, Vec<Found>) {
        let now = self.shop.clock.now();
        let period = Period::new(now - Duration::from_hours(48), now + SECOND).unwrap();
        let told = Told::default();
        let wish = ReconcileWish { period, mends };
        let run = self.reconciler.run(wish, &told).await.unwrap();
        let stored = self.shop.payments.run(&run.id).await.unwrap().unwrap();
        assert_eq!(stored, run);
        let found = told.found.into_inner().unwrap();
        let breaks: Vec<_> = found
            .iter()
            .filter(|f| f.kind.is_break())
            .cloned()
            .collect();
        let kept = self.shop.payments.breaks(&run.id, 1, 1_000).await.unwrap();
        assert_eq!(kept, breaks);
        assert_eq!(run.totals.breaks, breaks.len() as u64);
        (run, found)
    }

    /// The kinds of what is found without mending.
    async fn kinds(&self) -> Vec<FindingKind> {
        let (_, found) = self.run(false).await;
        found.into_iter().map(|found| found.kind).collect()
    }

    /// Mends, and returns what was found then; a second run must be clean.
    async fn mend(&self) -> Vec<Found> {
        let (run, found) = self.run(true).await;
        assert!(run.totals.mended > 0, "{found:?}");
        assert!(found.iter().all(|found| found.mended), "{found:?}");
        found
    }

    async fn is_clean(&self) {
        let (_, found) = self.run(false).await;
        assert!(found.is_empty(), "{found:?}");
    }
}

fn id() -> OrderId {
    order_id("order-000001")
}

async fn paid() -> Desk {
    let shop = Shop::with_order().await;
    shop.gateway.on_confirm(done(shop.approved().await));
    shop.confirm(KEY).await.unwrap();
    shop.service.deliver(&id()).await.unwrap();
    let desk = Desk::over(shop);
    desk.ledger.moved(&id(), 210_000);
    desk
}

/// Toss declined, the last look found nothing, and nobody will ask again.
async fn failed() -> Desk {
    let shop = Shop::with_order().await;
    shop.gateway
        .on_confirm(rejected(RejectionKind::Declined, "REJECT_CARD_PAYMENT"));
    assert!(shop.confirm(KEY).await.is_err());
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted));
    shop.look().await;
    assert_eq!(shop.payment().await.due_at, None);
    Desk::over(shop)
}

async fn canceled(shop: &Shop) -> GatewayPayment {
    GatewayPayment {
        status: GatewayStatus::Canceled,
        balance: Some(won(0)),
        ..shop.approved().await
    }
}

#[tokio::test]
async fn books_that_agree_are_clean_and_need_no_question() {
    let desk = paid().await;
    let calls = desk.shop.gateway.calls().len();
    let (run, found) = desk.run(false).await;
    assert!(found.is_empty(), "{found:?}");
    let totals = Totals {
        payments: 1,
        transactions: 1,
        products: 2,
        ..Totals::default()
    };
    assert_eq!(run.totals, totals);
    assert_eq!(desk.shop.gateway.calls().len(), calls);
    assert!(run.finished_at.is_some());
}

#[tokio::test]
async fn a_payment_that_the_list_does_not_show_yet_is_asked_for() {
    let shop = paid().await.shop;
    let desk = Desk::over(shop);
    desk.shop.gateway.on_look(found(desk.shop.approved().await));
    desk.is_clean().await;
}

#[tokio::test]
async fn a_paid_order_without_an_approval_at_toss_is_missing_there() {
    let desk = Desk::over(paid().await.shop);
    desk.shop.gateway.on_look(LookUp::Absent);
    desk.shop.gateway.on_order_look(LookUp::Absent);
    assert_eq!(desk.kinds().await, [FindingKind::MissingThere]);
}

#[tokio::test]
async fn another_amount_at_toss_is_a_break_that_nobody_mends() {
    let desk = Desk::over(paid().await.shop);
    desk.ledger.moved(&id(), 210_001);
    let truth = GatewayPayment {
        total: Some(won(210_001)),
        balance: Some(won(210_001)),
        ..desk.shop.approved().await
    };
    desk.shop.gateway.on_look(found(truth));
    let before = desk.shop.payment().await;
    let (run, found) = desk.run(true).await;
    assert_eq!(found[0].kind, FindingKind::Amount);
    assert_eq!((run.totals.breaks, run.totals.mended), (1, 0));
    assert_eq!(found[0].action, None);
    assert_eq!(desk.shop.payment().await, before);
}

#[tokio::test]
async fn a_payment_that_toss_has_canceled_is_a_break_of_status() {
    let desk = paid().await;
    desk.ledger.moved(&id(), -210_000);
    desk.shop.gateway.on_look(found(canceled(&desk.shop).await));
    assert_eq!(desk.kinds().await, [FindingKind::Status]);
}

#[tokio::test]
async fn an_order_charged_twice_is_a_break_of_amount() {
    let desk = paid().await;
    desk.ledger.moved(&id(), 210_000);
    desk.shop.gateway.on_look(found(desk.shop.approved().await));
    let second = GatewayPayment {
        payment_key: "tgen_second".into(),
        ..desk.shop.approved().await
    };
    desk.shop.gateway.on_order_look(found(second));
    assert_eq!(desk.kinds().await, [FindingKind::Amount]);
}

#[tokio::test]
async fn money_for_an_order_that_nobody_knows_is_missing_here() {
    let desk = paid().await;
    let stranger = order_id("order-of-another-shop");
    desk.ledger.moved(&stranger, 5_000);
    let mut truth = desk.shop.approved().await;
    truth.order_id = stranger.to_string();
    desk.shop.gateway.on_order_look(found(truth));
    // Given back in whole: no matter. A name that is no order id here: believed by the list.
    desk.ledger.add(Some("주문"), Some(7_000));
    desk.ledger.add(Some("gone"), Some(7_000));
    desk.ledger.add(Some("gone"), Some(-7_000));
    desk.ledger.add(None, Some(1));
    let (_, found) = desk.run(true).await;
    let mut seen: Vec<_> = found
        .iter()
        .map(|found| (found.kind, found.order_id.as_deref(), found.mended))
        .collect();
    seen.sort();
    let here = FindingKind::MissingHere;
    let expected = [
        (here, None, false),
        (here, Some("order-of-another-shop"), false),
        (here, Some("주문"), false),
    ];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn money_for_a_failed_order_is_given_back_and_then_clean() {
    let desk = failed().await;
    desk.is_clean().await;
    desk.ledger.moved(&id(), 210_000);
    for _ in 0..2 {
        desk.shop.gateway.on_look(found(desk.shop.approved().await));
    }
    desk.shop
        .gateway
        .on_cancel(done(canceled(&desk.shop).await));
    desk.shop.gateway.on_look(found(canceled(&desk.shop).await));
    let found = desk.mend().await;
    assert_eq!(found[0].kind, FindingKind::MissingHere);
    assert_eq!(desk.shop.status().await, PaymentStatus::Failed);
    assert_eq!(desk.shop.movements().await, [210_000, -210_000]);
    desk.ledger.moved(&id(), -210_000);
    desk.is_clean().await;
}

#[tokio::test]
async fn money_under_a_key_that_was_never_sent_is_found_by_the_order() {
    let desk = failed().await;
    desk.ledger.moved(&id(), 210_000);
    let aborted = desk.shop.shown(GatewayStatus::Aborted).await;
    let foreign = GatewayPayment {
        payment_key: "tgen_foreign".into(),
        ..desk.shop.approved().await
    };
    for _ in 0..2 {
        desk.shop.gateway.on_look(found(aborted.clone()));
        desk.shop.gateway.on_order_look(found(foreign.clone()));
    }
    // The cancel is not heard of: the payment stays due, and the key is asked about from now on.
    desk.shop.gateway.on_look(found(aborted.clone()));
    desk.shop.gateway.on_order_look(found(foreign.clone()));
    let (run, _) = desk.run(true).await;
    assert_eq!((run.totals.breaks, run.totals.mended), (1, 0));
    assert_eq!(desk.shop.payment().await.balance.won(), 210_000);

    desk.shop.gateway.on_look(found(aborted));
    desk.shop.gateway.on_look(found(foreign.clone()));
    let back = GatewayPayment {
        status: GatewayStatus::Canceled,
        balance: Some(won(0)),
        ..foreign
    };
    desk.shop.gateway.on_cancel(done(back));
    desk.shop.look().await;
    assert_eq!(desk.shop.movements().await, [210_000, -210_000]);
    desk.ledger.moved(&id(), -210_000);
    desk.is_clean().await;
}

#[tokio::test]
async fn an_undecided_payment_is_pending_and_settled_when_mended() {
    let shop = Shop::with_unheard_confirm().await;
    let desk = Desk::over(shop);
    desk.ledger.moved(&id(), 210_000);
    desk.shop.gateway.on_look(found(desk.shop.approved().await));
    let (run, told) = desk.run(false).await;
    assert_eq!(told[0].kind, FindingKind::Pending);
    assert_eq!((run.totals.breaks, run.totals.pending), (0, 1));
    assert_eq!(desk.shop.status().await, PaymentStatus::Unknown);

    for _ in 0..3 {
        desk.shop.gateway.on_look(found(desk.shop.approved().await));
    }
    let mended = desk.mend().await;
    let action = mended[0].action.as_deref().unwrap();
    assert!(action.ends_with("now DONE"), "{action}");
    assert!(desk.shop.shelf.is_sold(&id()));
    desk.is_clean().await;
}

#[tokio::test]
async fn a_quarantined_payment_is_pending_and_left_to_an_operator() {
    let shop = Shop::with_unheard_confirm().await;
    while shop.status().await != PaymentStatus::Quarantined {
        shop.look().await;
    }
    let desk = Desk::over(shop);
    let before = desk.shop.payment().await;
    let (run, found) = desk.run(true).await;
    assert_eq!(found[0].kind, FindingKind::Pending);
    assert_eq!((found[0].action.as_ref(), run.totals.breaks), (None, 0));
    assert_eq!(desk.shop.payment().await, before);
}

#[tokio::test]
async fn an_undelivered_sale_is_told_to_the_stock_again() {
    let shop = Shop::with_order().await;
    shop.gateway.on_confirm(done(shop.approved().await));
    shop.confirm(KEY).await.unwrap();
    shop.shelf.set_broken(true);
    shop.service.deliver(&id()).await.unwrap();
    shop.shelf.set_broken(false);
    let desk = Desk::over(shop);
    desk.ledger.moved(&id(), 210_000);
    for _ in 0..3 {
        desk.shop.gateway.on_look(found(desk.shop.approved().await));
    }
    assert_eq!(desk.kinds().await, [FindingKind::Stock]);
    let found = desk.mend().await;
    assert_eq!(found[0].kind, FindingKind::Stock);
    assert!(desk.shop.shelf.is_sold(&id()));
    assert_eq!(desk.shop.messages().await, 0);
    desk.is_clean().await;
}

#[tokio::test]
async fn stock_that_a_failed_order_still_holds_is_released() {
    let shop = Shop::with_unheard_confirm().await;
    shop.shelf.set_broken(true);
    let aborted = shop.shown(GatewayStatus::Aborted).await;
    shop.gateway.on_look(found(aborted));
    shop.look().await;
    // The instruction to release was lost with a database that was brought back from a backup.
    for message in shop.payments.messages_of(&id()).await.unwrap() {
        shop.payments.message_delivered(&message.key).await.unwrap();
    }
    shop.shelf.set_broken(false);
    let desk = Desk::over(shop);
    assert_eq!(desk.shop.shelf.stock(), [7, 8]);
    for _ in 0..3 {
        let aborted = desk.shop.shown(GatewayStatus::Aborted).await;
        desk.shop.gateway.on_look(found(aborted));
    }
    assert_eq!(desk.kinds().await, [FindingKind::Stock]);
    desk.mend().await;
    assert_eq!(desk.shop.shelf.stock(), [10, 10]);
    desk.is_clean().await;
}

#[tokio::test]
async fn a_piece_that_vanished_is_a_break_of_its_product() {
    let desk = paid().await;
    let (product, _) = order().lines[1];
    desk.shop.shelf.lose_a_piece(product);
    let (_, found) = desk.run(true).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].kind, FindingKind::Stock);
    assert_eq!(
        (found[0].product_id, found[0].mended),
        (Some(product), false)
    );
}

#[tokio::test]
async fn a_silent_toss_leaves_a_payment_unasked_and_that_is_no_peace() {
    let desk = Desk::over(paid().await.shop);
    let (run, found) = desk.run(true).await;
    assert_eq!(found[0].kind, FindingKind::Unasked);
    assert_eq!((run.totals.breaks, run.totals.unasked), (0, 1));
}

#[tokio::test]
async fn a_payment_from_before_the_period_is_compared_by_what_moved_in_it() {
    let desk = failed().await;
    desk.shop.clock.advance(Duration::from_hours(24 * 30));
    desk.ledger.moved(&id(), 210_000);
    for _ in 0..2 {
        desk.shop.gateway.on_look(found(desk.shop.approved().await));
    }
    let (run, found) = desk.run(false).await;
    assert_eq!(found[0].kind, FindingKind::MissingHere);
    assert_eq!((run.totals.payments, found.len()), (1, 1));
}

#[tokio::test]
async fn a_thousand_and_one_payments_are_walked_page_by_page() {
    let shop = Shop::new();
    for _ in 0..1_001 {
        shop.service.check_out(order()).await.unwrap();
    }
    let desk = Desk::over(shop);
    let (run, found) = desk.run(false).await;
    assert!(found.is_empty());
    assert_eq!(run.totals.payments, 1_001);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_ends_the_run_unfinished() {
    struct Broken;
    #[async_trait::async_trait]
    impl payment_domain::port::GatewayLedger for Broken {
        async fn page(
            &self,
            _period: &Period,
            _after: Option<&str>,
        ) -> Result<Vec<payment_domain::port::LedgerRow>, payment_domain::port::LedgerUnavailable>
        {
            Err(payment_domain::port::LedgerUnavailable {
                reason: "503".into(),
            })
        }
    }
    let desk = paid().await;
    let shop = &desk.shop;
    let reconciler = Reconciler::new(ReconcilePorts {
        books: shop.payments.clone(),
        payments: shop.payments.clone(),
        receiver: shop.service.clone(),
        gateway: shop.gateway.clone(),
        ledger: Arc::new(Broken),
        stock: shop.shelf.clone(),
        products: shop.shelf.clone(),
        clock: shop.clock.clone(),
        ids: Arc::new(NumberedIds::default()),
    });
    let now = shop.clock.now();
    let period = Period::new(now - SECOND, now).unwrap();
    let wish = ReconcileWish {
        period,
        mends: false,
    };
    let ended = reconciler.run(wish, &Told::default()).await;
    assert!(matches!(ended, Err(ReconcileError::Ledger(_))));
    let run = shop.payments.run(&format!("{:032x}", 1)).await.unwrap();
    assert_eq!(run.unwrap().finished_at, None);
}

#[tokio::test]
async fn money_for_an_order_that_was_never_confirmed_here_goes_back_once_it_expires() {
    let desk = Desk::over(Shop::with_order().await);
    desk.shop.clock.advance(Duration::from_hours(1));
    desk.ledger.moved(&id(), 210_000);
    for _ in 0..2 {
        desk.shop
            .gateway
            .on_order_look(found(desk.shop.approved().await));
    }
    desk.shop
        .gateway
        .on_cancel(done(canceled(&desk.shop).await));
    // Asked under the key that the cancel has brought to light.
    desk.shop.gateway.on_look(found(canceled(&desk.shop).await));
    desk.shop
        .gateway
        .on_order_look(found(canceled(&desk.shop).await));
    let found = desk.mend().await;
    assert_eq!(found[0].kind, FindingKind::MissingHere);
    assert_eq!(desk.shop.status().await, PaymentStatus::Expired);
    assert_eq!(desk.shop.movements().await, [210_000, -210_000]);
}
