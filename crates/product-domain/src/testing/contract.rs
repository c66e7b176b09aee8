//! The contract of [`ProductRepository`]: every adapter passes [`all`] on an empty store.

mod restock;

use std::sync::Arc;

use kernel::{Clock, Fence, Money, OrderId, ProductId, Quantity, SellerId, SystemClock, Timestamp};

use crate::model::{
    Hold, NewProduct, Product, ProductPatch, ReservationLine, ReservationState, SellDecision,
    Stock, StockBalance,
};
use crate::port::{AdjustOutcome, Adjustment, HoldOutcome, ProductRepository};

type Repository = Arc<dyn ProductRepository>;

/// Runs the whole contract against one store that has no products yet.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(repository: Repository) {
    numbers_products_from_one(&repository).await;
    numbers_products_apart_when_created_at_once(&repository).await;
    changes_only_what_a_patch_names(&repository).await;
    adjusts_within_bounds(&repository).await;
    holds_all_lines_or_none(&repository).await;
    repeats_change_nothing(&repository).await;
    a_release_before_the_hold_wins(&repository).await;
    a_later_fence_may_hold_again(&repository).await;
    a_late_release_spares_a_later_hold(&repository).await;
    sold_stock_stays_sold(&repository).await;
    restock::sold_pieces_go_back_once_and_never_more_than_were_sold(&repository).await;
    restock::many_returns_at_once_give_back_what_was_sold(&repository).await;
    concurrent_holds_never_oversell(&repository).await;
    one_order_held_at_once_by_many_takes_stock_once(&repository).await;
    every_piece_is_accounted_for(&repository).await;
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn fence(number: i64) -> Fence {
    Fence::from_stored(number)
}

fn order(name: &str) -> OrderId {
    name.parse().expect("an order id")
}

fn unused_product() -> ProductId {
    ProductId::new(9_999_999).expect("a product id")
}

async fn product(repository: &Repository, stock: i64) -> Product {
    let new = NewProduct {
        name: "캔버스 토트백".into(),
        description: "A bag, with 'quotes' and 한글".into(),
        price: Money::from_won(30_000).expect("a price"),
        stock: Stock::new(stock).expect("a stock"),
        seller_id: SellerId::new(2).expect("a seller"),
    };
    repository.insert(&new, now()).await.expect("insert")
}

async fn stock(repository: &Repository, id: ProductId) -> i64 {
    repository
        .find(&[id])
        .await
        .expect("find")
        .first()
        .expect("the product")
        .stock
        .get()
}

fn line(product_id: ProductId, pieces: i64) -> ReservationLine {
    ReservationLine {
        product_id,
        quantity: Quantity::new(pieces).expect("a quantity"),
    }
}

fn hold(order_id: &OrderId, at: i64, lines: &[ReservationLine]) -> Hold {
    Hold {
        order_id: order_id.clone(),
        fence: fence(at),
        lines: lines.to_vec(),
    }
}

async fn state(repository: &Repository, order_id: &OrderId) -> Option<ReservationState> {
    repository
        .reservation(order_id)
        .await
        .expect("reservation")
        .map(|kept| kept.state)
}

async fn numbers_products_from_one(repository: &Repository) {
    let first = product(repository, 5).await;
    let second = product(repository, 6).await;
    assert_eq!((first.id.get(), second.id.get()), (1, 2));
    assert_eq!(
        repository
            .find(&[second.id, unused_product()])
            .await
            .expect("find"),
        vec![second.clone()]
    );
    assert_eq!(
        repository.list(None, 1).await.expect("list"),
        vec![first.clone()]
    );
    assert_eq!(
        repository.list(Some(first.id), 10).await.expect("list"),
        vec![second]
    );
    assert!(repository.find(&[]).await.expect("find nothing").is_empty());
}

async fn numbers_products_apart_when_created_at_once(repository: &Repository) {
    let many = (0..8).map(|_| product(repository, 1));
    let mut ids: Vec<_> = futures_join(many)
        .await
        .into_iter()
        .map(|made| made.id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

async fn changes_only_what_a_patch_names(repository: &Repository) {
    let before = product(repository, 5).await;
    let patch = ProductPatch {
        price: Money::from_won(1).ok(),
        ..ProductPatch::default()
    };
    let after = repository
        .update(before.id, &patch, now())
        .await
        .expect("update")
        .expect("a product");
    assert_eq!(
        after,
        Product {
            price: Money::from_won(1).expect("won"),
            ..before.clone()
        }
    );
    let same = repository
        .update(before.id, &ProductPatch::default(), now())
        .await
        .expect("update");
    assert_eq!(same, Some(after));
    assert_eq!(
        repository
            .update(unused_product(), &patch, now())
            .await
            .expect("update"),
        None
    );
}

async fn adjusts_within_bounds(repository: &Repository) {
    let id = product(repository, 5).await.id;
    let adjust = |product_id, delta| {
        let reason = "count".to_owned();
        let repository = Arc::clone(repository);
        async move {
            let adjustment = Adjustment {
                product_id,
                delta,
                reason,
            };
            repository.adjust(&adjustment, now()).await.expect("adjust")
        }
    };
    assert!(
        matches!(adjust(id, -5).await, AdjustOutcome::Adjusted(Product { stock, .. }) if stock.get() == 0)
    );
    assert_eq!(adjust(id, -1).await, AdjustOutcome::OutOfRange);
    assert!(matches!(
        adjust(id, Stock::MAX).await,
        AdjustOutcome::Adjusted(_)
    ));
    assert_eq!(adjust(id, 1).await, AdjustOutcome::OutOfRange);
    assert_eq!(adjust(id, i64::MAX).await, AdjustOutcome::OutOfRange);
    assert_eq!(adjust(id, i64::MIN).await, AdjustOutcome::OutOfRange);
    assert_eq!(
        adjust(unused_product(), 1).await,
        AdjustOutcome::UnknownProduct
    );
}

async fn holds_all_lines_or_none(repository: &Repository) {
    let (plenty, scarce) = (
        product(repository, 10).await.id,
        product(repository, 1).await.id,
    );
    let id = order("contract-all-or-none");
    let short = repository
        .hold(&hold(&id, 2, &[line(plenty, 3), line(scarce, 2)]), now())
        .await;
    assert_eq!(short.expect("hold"), HoldOutcome::Short(scarce));
    let unknown = repository
        .hold(
            &hold(&id, 2, &[line(plenty, 3), line(unused_product(), 1)]),
            now(),
        )
        .await;
    assert_eq!(
        unknown.expect("hold"),
        HoldOutcome::UnknownProduct(unused_product())
    );
    assert_eq!(
        (
            stock(repository, plenty).await,
            stock(repository, scarce).await
        ),
        (10, 1)
    );
    assert_eq!(state(repository, &id).await, None);

    let held = repository
        .hold(&hold(&id, 2, &[line(scarce, 1), line(plenty, 3)]), now())
        .await;
    assert_eq!(held.expect("hold"), HoldOutcome::Held);
    assert_eq!(
        (
            stock(repository, plenty).await,
            stock(repository, scarce).await
        ),
        (7, 0)
    );
    let kept = repository
        .reservation(&id)
        .await
        .expect("reservation")
        .expect("kept");
    assert_eq!(kept.lines, vec![line(plenty, 3), line(scarce, 1)]);
    assert_eq!((kept.state, kept.fence), (ReservationState::Held, fence(2)));
}

async fn repeats_change_nothing(repository: &Repository) {
    let id = order("contract-repeats");
    let shirt = product(repository, 10).await.id;
    for _ in 0..3 {
        let outcome = repository
            .hold(&hold(&id, 2, &[line(shirt, 4)]), now())
            .await
            .expect("hold");
        assert_eq!(outcome, HoldOutcome::Held);
        assert_eq!(stock(repository, shirt).await, 6);
    }
    for _ in 0..3 {
        repository
            .release(&id, fence(3), now())
            .await
            .expect("release");
        assert_eq!(stock(repository, shirt).await, 10);
    }
    assert_eq!(
        state(repository, &id).await,
        Some(ReservationState::Released)
    );
    assert_eq!(
        repository.sell(&id, now()).await.expect("sell"),
        SellDecision::NotHeld
    );
}

async fn a_release_before_the_hold_wins(repository: &Repository) {
    let id = order("contract-tombstone");
    let shirt = product(repository, 10).await.id;
    repository
        .release(&id, fence(4), now())
        .await
        .expect("release");
    assert_eq!(
        state(repository, &id).await,
        Some(ReservationState::Released)
    );
    for late in [3, 4] {
        let outcome = repository
            .hold(&hold(&id, late, &[line(shirt, 1)]), now())
            .await
            .expect("hold");
        assert_eq!(outcome, HoldOutcome::Superseded);
    }
    assert_eq!(stock(repository, shirt).await, 10);
}

async fn a_later_fence_may_hold_again(repository: &Repository) {
    let id = order("contract-hold-again");
    let (first, second) = (
        product(repository, 10).await.id,
        product(repository, 10).await.id,
    );
    repository
        .hold(&hold(&id, 2, &[line(first, 1)]), now())
        .await
        .expect("hold");
    repository
        .release(&id, fence(3), now())
        .await
        .expect("release");
    let again = repository
        .hold(&hold(&id, 4, &[line(first, 2), line(second, 1)]), now())
        .await;
    assert_eq!(again.expect("hold"), HoldOutcome::Held);
    assert_eq!(
        (
            stock(repository, first).await,
            stock(repository, second).await
        ),
        (8, 9)
    );
    repository
        .release(&id, fence(5), now())
        .await
        .expect("release");
    assert_eq!(
        (
            stock(repository, first).await,
            stock(repository, second).await
        ),
        (10, 10)
    );
}

async fn a_late_release_spares_a_later_hold(repository: &Repository) {
    let id = order("contract-late-release");
    let shirt = product(repository, 10).await.id;
    repository
        .hold(&hold(&id, 2, &[line(shirt, 1)]), now())
        .await
        .expect("hold");
    repository
        .hold(&hold(&id, 6, &[line(shirt, 1)]), now())
        .await
        .expect("hold again");
    repository
        .release(&id, fence(5), now())
        .await
        .expect("late release");
    assert_eq!(state(repository, &id).await, Some(ReservationState::Held));
    assert_eq!(stock(repository, shirt).await, 9);
}

async fn sold_stock_stays_sold(repository: &Repository) {
    let id = order("contract-sold");
    let shirt = product(repository, 10).await.id;
    assert_eq!(
        repository.sell(&id, now()).await.expect("sell"),
        SellDecision::NotHeld
    );
    repository
        .hold(&hold(&id, 2, &[line(shirt, 4)]), now())
        .await
        .expect("hold");
    assert_eq!(
        repository.sell(&id, now()).await.expect("sell"),
        SellDecision::Sell
    );
    assert_eq!(
        repository.sell(&id, now()).await.expect("sell"),
        SellDecision::AlreadySold
    );
    repository
        .release(&id, fence(9), now())
        .await
        .expect("release");
    assert_eq!(state(repository, &id).await, Some(ReservationState::Sold));
    assert_eq!(stock(repository, shirt).await, 6);
    let held = repository
        .hold(&hold(&id, 10, &[line(shirt, 4)]), now())
        .await
        .expect("hold");
    assert_eq!(
        (held, stock(repository, shirt).await),
        (HoldOutcome::Held, 6)
    );
}

async fn concurrent_holds_never_oversell(repository: &Repository) {
    let (shirt, bag) = (
        product(repository, 10).await.id,
        product(repository, 100).await.id,
    );
    let holds = (0..16).map(|n| {
        let repository = Arc::clone(repository);
        async move {
            let id = order(&format!("contract-race-{n}"));
            // Half of them name the products the other way round: order of locks must not matter.
            let lines = if n % 2 == 0 {
                [line(shirt, 1), line(bag, 1)]
            } else {
                [line(bag, 1), line(shirt, 1)]
            };
            repository
                .hold(&hold(&id, 2, &lines), now())
                .await
                .expect("hold")
        }
    });
    let outcomes = futures_join(holds).await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == HoldOutcome::Held)
            .count(),
        10
    );
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == HoldOutcome::Short(shirt))
            .count(),
        6
    );
    assert_eq!(
        (stock(repository, shirt).await, stock(repository, bag).await),
        (0, 90)
    );
}

async fn one_order_held_at_once_by_many_takes_stock_once(repository: &Repository) {
    let shirt = product(repository, 10).await.id;
    let holds = (0..8).map(|n| {
        let repository = Arc::clone(repository);
        async move {
            let id = order("contract-same-order");
            repository
                .hold(&hold(&id, 2 + n, &[line(shirt, 2)]), now())
                .await
                .expect("hold")
        }
    });
    assert!(
        futures_join(holds)
            .await
            .iter()
            .all(|outcome| *outcome == HoldOutcome::Held)
    );
    assert_eq!(stock(repository, shirt).await, 8);
}

async fn every_piece_is_accounted_for(repository: &Repository) {
    let (shirt, bag) = (
        product(repository, 10).await.id,
        product(repository, 7).await.id,
    );
    let ids: Vec<_> = ["held", "sold", "back", "none"]
        .map(|name| order(&format!("contract-pieces-{name}")))
        .into();
    for id in &ids[..3] {
        let lines = [line(shirt, 2), line(bag, 1)];
        repository
            .hold(&hold(id, 2, &lines), now())
            .await
            .expect("hold");
    }
    repository.sell(&ids[1], now()).await.expect("sell");
    repository
        .release(&ids[2], fence(3), now())
        .await
        .expect("release");
    for delta in [-3, 5, -1] {
        let adjustment = Adjustment {
            product_id: shirt,
            delta,
            reason: "count".into(),
        };
        repository.adjust(&adjustment, now()).await.expect("adjust");
    }

    let mut states = repository.reservation_states(&ids).await.expect("states");
    states.sort_by_key(|(id, _)| id.clone());
    let expected = vec![
        (ids[2].clone(), ReservationState::Released),
        (ids[0].clone(), ReservationState::Held),
        (ids[1].clone(), ReservationState::Sold),
    ];
    assert_eq!(states, expected);
    let nobody = repository.reservation_states(&[]).await.expect("states");
    assert!(nobody.is_empty());

    let last = ProductId::new(shirt.get() - 1).ok();
    let balances = repository.balances(last, 10).await.expect("balances");
    let shirts = StockBalance {
        product_id: shirt,
        initial: 10,
        adjusted: 1,
        available: 7,
        held: 2,
        sold: 2,
    };
    let bags = StockBalance {
        product_id: bag,
        initial: 7,
        adjusted: 0,
        available: 5,
        held: 1,
        sold: 1,
    };
    assert_eq!(balances, vec![shirts, bags]);
    assert!(balances.iter().all(|balance| balance.excess() == 0));
    let one = repository.balances(last, 1).await.expect("balances");
    assert_eq!(one, vec![shirts]);
    let all = repository.balances(None, 1_000).await.expect("balances");
    assert!(all.iter().all(|balance| balance.excess() == 0), "{all:?}");
}

async fn futures_join<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    futures::future::join_all(futures).await
}
