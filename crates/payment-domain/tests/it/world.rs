//! Everything that outlives a server: the database, the shelf, the bank and the clock; and the
//! promises that must hold whatever servers did in it.

use std::sync::Arc;

use futures::FutureExt;
use kernel::{Clock, Fence};
use payment_domain::model::{
    GatewayStatus, NewsKind, Payment, PaymentStatus, Policy, running_cancel, still_sold,
};
use payment_domain::port::{LookUp, NewsPort, PaymentGateway, PaymentRepository, ProductPort};
use payment_domain::testing::{
    FixedRandomness, InMemoryPayments, Listener, ManualClock, NumberedIds, Shelf, order_id,
    payment_key,
};
use payment_domain::{
    ConfirmError, ConfirmOutcome, Examined, PaymentReceiver, PaymentService, Ports,
};

use crate::bank::{Bank, Mishap};
use crate::faults::{Fuse, Fused};
use crate::shop::{KEY, OneBuyer, Shop, claim, order};

const STOCK: [i64; 2] = [10, 10];

pub(crate) struct World {
    pub(crate) payments: Arc<InMemoryPayments>,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) listener: Arc<Listener>,
    pub(crate) bank: Arc<Bank>,
    pub(crate) clock: Arc<ManualClock>,
    gateway: Arc<dyn PaymentGateway>,
    ids: Arc<NumberedIds>,
}

impl World {
    /// Nothing is checked out.
    pub(crate) fn empty() -> Self {
        let bank = Arc::new(Bank::default());
        Self {
            payments: Arc::new(InMemoryPayments::new()),
            shelf: Arc::new(Shelf::with_stock(&STOCK)),
            listener: Arc::new(Listener::awake()),
            gateway: bank.clone(),
            bank,
            clock: Arc::new(ManualClock::default()),
            ids: Arc::default(),
        }
    }

    /// `order-000001` is checked out, its buyer has authenticated it under `KEY`, and this goes
    /// wrong with the confirm.
    pub(crate) async fn with_order(mishap: Mishap) -> Self {
        let world = Self::empty();
        let server = world.server(Fuse::sound());
        let payment = server.check_out(order()).await.unwrap().payment;
        world.bank.open(&payment, KEY);
        world.bank.expect(mishap);
        world
    }

    /// The world of a shop whose gateway is scripted.
    pub(crate) fn over(shop: &Shop) -> Self {
        Self {
            payments: shop.payments.clone(),
            shelf: shop.shelf.clone(),
            listener: shop.listener.clone(),
            bank: Arc::default(),
            clock: shop.clock.clone(),
            gateway: shop.gateway.clone(),
            ids: Arc::default(),
        }
    }

    /// One more server in this world.
    pub(crate) fn server(&self, fuse: Arc<Fuse>) -> PaymentService {
        let payments: Arc<dyn PaymentRepository> = self.payments.clone();
        let products: Arc<dyn ProductPort> = self.shelf.clone();
        let news: Arc<dyn NewsPort> = self.listener.clone();
        let ports = Ports {
            payments: Arc::new(Fused {
                fuse: fuse.clone(),
                port: payments,
            }),
            records: self.payments.clone(),
            news: Arc::new(Fused {
                fuse: fuse.clone(),
                port: news,
            }),
            products: Arc::new(Fused {
                fuse: fuse.clone(),
                port: products,
            }),
            buyers: Arc::new(OneBuyer),
            gateway: Arc::new(Fused {
                fuse,
                port: self.gateway.clone(),
            }),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            randomness: Arc::new(FixedRandomness(0)),
        };
        PaymentService::new(ports, Policy::default())
    }

    pub(crate) async fn payment(&self) -> Payment {
        let found = self.payments.find(&order_id("order-000001")).await.unwrap();
        found.unwrap()
    }

    /// Whether a worker has anything to do now or later, apart from an expiry.
    async fn next_work(&self) -> Option<kernel::Timestamp> {
        let payment = self.payment().await;
        let look = payment
            .due_at
            .filter(|_| payment.status != PaymentStatus::Ready);
        let messages = self.payments.messages_of(&payment.order_id).await.unwrap();
        messages
            .iter()
            .map(|message| message.due_at)
            .chain(look)
            .min()
    }

    /// What workers do once faults have ended, until nothing is left but perhaps an expiry.
    pub(crate) async fn heal(&self) {
        let server = self.server(Fuse::sound());
        for _ in 0..200 {
            let Some(next) = self.next_work().await else {
                return;
            };
            if let Ok(pause) = (next - self.clock.now()).to_std() {
                self.clock.advance(pause);
            }
            for due in server.due(None, 100).await.unwrap() {
                server.recover(&due.order_id).await.unwrap();
            }
            server.deliver_due(100).await.unwrap();
            self.assert_sound("while healing").await;
        }
        panic!("not decided in bounded time: {:?}", self.payment().await);
    }

    /// The buyer's time passes.
    pub(crate) async fn lapse(&self) {
        self.clock.advance(Policy::default().payment_expiry);
        let server = self.server(Fuse::sound());
        for due in server.due(None, 100).await.unwrap() {
            server.recover(&due.order_id).await.unwrap();
        }
        self.heal().await;
    }

    /// The promises that hold at every moment.
    pub(crate) async fn assert_sound(&self, when: &str) {
        let payment = self.payment().await;
        let id = &payment.order_id;
        assert!(self.bank.approvals() <= 1, "charged twice, {when}");

        let history = self.payments.history(id).await.unwrap();
        let mut status = None;
        for (fence, entry) in (1..).map(Fence::from_stored).zip(&history) {
            assert_eq!((entry.from, entry.fence), (status, fence), "{when}");
            if let Some(from) = entry.from {
                assert_eq!(entry.fact.apply(from), Ok(entry.to), "{when}");
            }
            status = Some(entry.to);
        }
        assert_eq!(status, Some(payment.status), "{when}");
        assert_eq!(history.last().unwrap().fence, payment.fence, "{when}");

        let transactions = self.payments.transactions(id).await.unwrap();
        let sum: i64 = transactions.iter().map(|moved| moved.amount_won).sum();
        assert_eq!(sum, payment.balance.won(), "{when}");

        let attempts = self.payments.attempts(id).await.unwrap();
        let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
        assert_eq!(
            numbers,
            (1..=payment.attempts).collect::<Vec<_>>(),
            "{when}"
        );

        let (free, held, sold) = (self.shelf.stock(), self.shelf.held(), self.shelf.sold());
        for product in 0..STOCK.len() {
            let pieces = [free[product], held[product], sold[product]];
            assert!(
                pieces.iter().all(|pieces| *pieces >= 0),
                "{pieces:?} {when}"
            );
            assert_eq!(pieces.iter().sum::<i64>(), STOCK[product], "{when}");
        }
        if matches!(
            payment.status,
            PaymentStatus::Failed | PaymentStatus::Expired
        ) {
            assert_eq!(self.bank.net(), 0, "charged for nothing, {when}");
        }
    }

    /// The promises that hold when nothing is left to do.
    pub(crate) async fn assert_settled(&self, when: &str) {
        self.assert_sound(when).await;
        let payment = self.payment().await;
        assert_eq!(self.bank.net(), payment.balance.won(), "{when}");
        assert_eq!(self.next_work().await, None, "{when}");
        self.assert_told(when).await;
        let (held, sold) = (self.shelf.held(), self.shelf.sold());
        match payment.status {
            PaymentStatus::Done => {
                assert_eq!(self.bank.net(), 210_000, "{when}");
                let cancels = self.payments.cancels(&payment.order_id).await.unwrap();
                assert_eq!(running_cancel(&cancels), None, "{when}");
                assert_eq!((held, sold), (vec![0, 0], vec![3, 2]), "{when}");
            }
            PaymentStatus::Ready | PaymentStatus::Failed | PaymentStatus::Expired => {
                assert_eq!(self.bank.net(), 0, "{when}");
                assert_eq!((held, sold), (vec![0, 0], vec![0, 0]), "{when}");
            }
            PaymentStatus::Quarantined => {
                assert_eq!((held, sold), (vec![3, 2], vec![0, 0]), "{when}");
            }
            // What went back on the shelf is the cancels' business.
            PaymentStatus::PartialCanceled | PaymentStatus::Canceled => {
                assert_eq!(held, [0, 0], "{when}");
                let cancels = self.payments.cancels(&payment.order_id).await.unwrap();
                assert_eq!(running_cancel(&cancels), None, "{when}");
                let left = still_sold(&payment, &cancels);
                let left = [1, 2].map(|id| {
                    let id = kernel::ProductId::new(id).unwrap();
                    left.get(&id).copied().map_or(0, i64::from)
                });
                assert_eq!(sold, left, "{when}");
                let nothing_left = payment.balance == kernel::Money::ZERO;
                let canceled = payment.status == PaymentStatus::Canceled;
                assert_eq!(nothing_left, canceled, "{when}");
            }
            PaymentStatus::InProgress
            | PaymentStatus::Unknown
            | PaymentStatus::WaitingForDeposit => panic!("left {} {when}", payment.status),
        }
    }

    /// Merchants were told of every change that concerns them, in order, with the payment as it was.
    async fn assert_told(&self, when: &str) {
        if !self.listener.is_awaited() {
            return;
        }
        let id = self.payment().await.order_id;
        let history = self.payments.history(&id).await.unwrap();
        let news = history
            .iter()
            .filter_map(|entry| Some((entry.fence, NewsKind::of(entry)?, entry.to)));
        let told = self.listener.told(&id);
        let heard = told
            .iter()
            .map(|news| (news.sequence, news.kind, news.payment.status));
        assert_eq!(
            heard.collect::<Vec<_>>(),
            news.collect::<Vec<_>>(),
            "{when}"
        );
        for news in told {
            let moved: i64 = news.transactions.iter().map(|moved| moved.amount_won).sum();
            assert_eq!(news.payment.balance.won(), moved, "{when}");
        }
    }

    /// How the bank stands to the order: `None` when it knows no such payment.
    pub(crate) async fn at_the_bank(&self) -> Option<GatewayStatus> {
        match self.bank.look_up(&payment_key(KEY)).await {
            LookUp::Found(payment) => Some(payment.status),
            LookUp::Absent | LookUp::Unavailable { .. } => None,
        }
    }
}

/// What a server does with the buyer's confirm; `None` when the server died of it.
pub(crate) fn confirm(server: &PaymentService) -> Option<Result<ConfirmOutcome, ConfirmError>> {
    confirming(server, KEY).now_or_never()
}

pub(crate) async fn confirming(
    server: &PaymentService,
    key: &str,
) -> Result<ConfirmOutcome, ConfirmError> {
    let command = claim(key);
    match server.examine(&command).await? {
        Examined::Payable(payment) => server.confirm(*payment, command.payment_key).await,
        Examined::Answered(outcome) => Ok(outcome),
        Examined::Running | Examined::Overdue(_) => Err(ConfirmError::Undecided),
    }
}
