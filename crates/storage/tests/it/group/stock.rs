//! Holds, releases and sales of several orders in one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use diesel_async::{
    AsyncConnection as _, AsyncMysqlConnection, RunQueryDsl as _,
    SimpleAsyncConnection as AsyncSimple,
};
use futures::FutureExt as _;
use futures::future::join_all;
use kernel::{Fence, OrderId, ProductId};
use product_domain::model::Hold;
use product_domain::{HoldOutcome, ProductRepository};

use super::{one_piece, share};
use crate::{Fresh, PATIENCE, line, now, order, product, stock};

/// A sequence that is always the same (a linear congruential generator's upper bits).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn fence(&mut self) -> Fence {
        Fence::from_stored(i64::try_from(2 + self.below(4)).unwrap())
    }
}

#[derive(Debug, Clone)]
enum Ask {
    Hold(Hold),
    Release(OrderId, Fence),
    Sell(OrderId),
}

async fn ask(products: &dyn ProductRepository, ask: &Ask) -> String {
    match ask {
        Ask::Hold(hold) => format!("{:?}", products.hold(hold, now()).await.unwrap()),
        Ask::Release(id, fence) => {
            products.release(id, *fence, now()).await.unwrap();
            String::new()
        }
        Ask::Sell(id) => format!("{:?}", products.sell(id, now()).await.unwrap()),
    }
}

/// One call for each order, about few products.
fn asks(dice: &mut Dice, ids: &[OrderId], shelf: &[ProductId]) -> Vec<Ask> {
    let mut asks = Vec::new();
    for id in ids {
        asks.push(match dice.below(6) {
            0 => Ask::Sell(id.clone()),
            1 | 2 => Ask::Release(id.clone(), dice.fence()),
            _ => {
                let (a, b) = (dice.below(4), dice.below(3));
                let mut lines = vec![line(shelf[usize::try_from(a).unwrap()], 1)];
                let other = shelf[usize::try_from((a + 1 + b) % 4).unwrap()];
                lines.extend((b > 0).then(|| line(other, i64::try_from(b).unwrap())));
                Ask::Hold(Hold {
                    order_id: id.clone(),
                    fence: dice.fence(),
                    lines,
                })
            }
        });
    }
    asks
}

#[tokio::test]
async fn orders_that_share_a_transaction_are_told_what_they_would_be_told_one_after_another() {
    for (fresh, mirror) in Fresh::all().await.into_iter().zip(Fresh::all().await) {
        let (grouped, plain) = (fresh.database.products(), mirror.plain().await.products());
        let mut shelf = Vec::new();
        for pieces in [3, 5, 8, 0] {
            shelf.push(product(&fresh.database, pieces).await);
            product(&mirror.database, pieces).await;
        }
        // Nobody has ever heard of this one.
        shelf[3] = ProductId::new(77).unwrap();
        let ids: Vec<_> = (0..24).map(|n| order(&format!("order-{n:02}"))).collect();
        let (mut dice, mut told_of_each_kind) = (Dice(7), BTreeSet::new());
        for round in 0..12 {
            let asks = asks(&mut dice, &ids, &shelf);
            let calls = asks.iter().map(|each| ask(&*grouped, each).boxed());
            let told = share(&fresh, calls.collect()).await;
            for (each, told) in asks.iter().zip(told) {
                assert_eq!(told, ask(&*plain, each).await, "round {round}: {each:?}");
                told_of_each_kind.insert(told.split('(').next().unwrap().to_owned());
            }
            for id in &ids {
                let (kept, wanted) = (grouped.reservation(id).await, plain.reservation(id).await);
                assert_eq!(kept.unwrap(), wanted.unwrap(), "round {round}");
            }
            let (have, want) = (
                grouped.balances(None, 9).await,
                plain.balances(None, 9).await,
            );
            assert_eq!(have.unwrap(), want.unwrap(), "round {round}");
        }
        let kinds = "|AlreadySold|Held|NotHeld|Sell|Short|Superseded|UnknownProduct";
        let told: Vec<_> = told_of_each_kind.into_iter().collect();
        assert_eq!(told.join("|"), kinds, "every answer was given");
    }
}

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}

/// A row that was not there when the transaction looked must stop it, not be written over. The look
/// waits at the last order's row, and has passed the place where the new one then comes.
#[tokio::test]
async fn a_reservation_that_another_process_stores_meanwhile_is_not_overwritten() {
    let Some(fresh) = Fresh::mysql().await else {
        return;
    };
    let shirt = product(&fresh.database, 10).await;
    let mut stranger = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
    let products = fresh.database.products();
    let last = order("round-0-order-4");
    products.release(&last, Fence::FIRST, now()).await.unwrap();
    let lock =
        "BEGIN; SELECT * FROM stock_reservation WHERE order_id = 'round-0-order-4' FOR UPDATE";
    AsyncSimple::batch_execute(&mut stranger, lock)
        .await
        .unwrap();
    let calls = (0..5).map(|n| {
        let (products, hold) = (Arc::clone(&products), one_piece(0, n, shirt));
        async move { products.hold(&hold, now()).await.unwrap() }.boxed()
    });
    let held = share(&fresh, calls.collect());
    let committed = async {
        let mut observer = AsyncMysqlConnection::establish(&fresh.text).await.unwrap();
        let patience = Instant::now();
        loop {
            let waiting = "SELECT COUNT(*) AS count FROM performance_schema.data_locks \
                           WHERE object_schema = DATABASE() AND lock_status = 'WAITING'";
            let waiting = diesel::sql_query(waiting);
            let Count { count } = waiting.get_result(&mut observer).await.unwrap();
            if count > 0 {
                break;
            }
            assert!(patience.elapsed() < PATIENCE);
        }
        let store = "INSERT INTO stock_reservation VALUES ('round-0-order-2', 9, 'RELEASED', 0, 0); \
                     COMMIT";
        AsyncSimple::batch_execute(&mut stranger, store)
            .await
            .unwrap();
    };
    let (told, ()) = tokio::join!(held, committed);
    for (n, told) in told.into_iter().enumerate() {
        let expected = [HoldOutcome::Held, HoldOutcome::Superseded][usize::from(n == 2)];
        assert_eq!(told, expected, "order {n}");
    }
    assert_eq!(stock(&fresh.database, shirt).await, 6);
}

/// Two processes that share transactions and one that does not, all after the same few products.
#[tokio::test]
async fn several_processes_after_the_same_products_never_oversell_and_never_fail() {
    for fresh in Fresh::all().await {
        let (scarce, plenty) = (
            product(&fresh.database, 40).await,
            product(&fresh.database, 999).await,
        );
        let others = [fresh.second().await, fresh.plain().await];
        let databases = [fresh.database.clone(), others[0].clone(), others[1].clone()];
        let buy = |n: usize| {
            let products = databases[n % 3].products();
            async move {
                let order_id = order(&format!("crowd-{n}"));
                let mut lines = vec![line(scarce, 1), line(plenty, 2)];
                if n.is_multiple_of(2) {
                    lines.reverse();
                }
                let fence = Fence::from_stored(2);
                let hold = Hold {
                    order_id,
                    fence,
                    lines,
                };
                let id = &hold.order_id;
                let held = products.hold(&hold, now()).await.unwrap();
                match n % 5 {
                    _ if held != HoldOutcome::Held => {}
                    0 => drop(products.sell(id, now()).await.unwrap()),
                    1 => products
                        .release(id, Fence::from_stored(3), now())
                        .await
                        .unwrap(),
                    _ => {}
                }
            }
        };
        let crowd = (0..120).map(|n| tokio::spawn(buy(n)));
        for buyer in join_all(crowd).await {
            buyer.unwrap();
        }
        let balances = fresh.database.products().balances(None, 9).await.unwrap();
        for balance in &balances {
            assert_eq!(balance.excess(), 0, "{balances:?}");
            assert!(balance.available >= 0);
        }
        assert_eq!(
            2 * (balances[0].held + balances[0].sold),
            balances[1].held + balances[1].sold
        );
    }
}
