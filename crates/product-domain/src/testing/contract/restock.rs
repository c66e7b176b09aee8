use std::sync::Arc;

use super::{Repository, fence, futures_join, hold, line, now, order, product, stock};
use crate::model::{ReservationLine, ReservationState, Restock, RestockOutcome};

async fn put_back(
    repository: &Repository,
    id: &kernel::OrderId,
    at: i64,
    lines: &[ReservationLine],
) -> RestockOutcome {
    let restock = Restock {
        order_id: id.clone(),
        fence: fence(at),
        lines: lines.to_vec(),
    };
    repository.restock(&restock, now()).await.expect("restock")
}

pub(super) async fn sold_pieces_go_back_once_and_never_more_than_were_sold(
    repository: &Repository,
) {
    let (shirt, bag) = (
        product(repository, 10).await.id,
        product(repository, 10).await.id,
    );
    let id = order("contract-restock");
    let nothing = put_back(repository, &id, 5, &[line(shirt, 1)]).await;
    assert_eq!(nothing, RestockOutcome::NotSold);
    let lines = [line(shirt, 3), line(bag, 2)];
    repository
        .hold(&hold(&id, 2, &lines), now())
        .await
        .expect("hold");
    let held = put_back(repository, &id, 5, &[line(shirt, 1)]).await;
    assert_eq!(held, RestockOutcome::NotSold, "held is not sold");
    repository.sell(&id, now()).await.expect("sell");

    for expected in [RestockOutcome::Restocked, RestockOutcome::AlreadyRestocked] {
        let outcome = put_back(repository, &id, 5, &[line(shirt, 1)]).await;
        assert_eq!(outcome, expected);
        assert_eq!(stock(repository, shirt).await, 8);
    }
    // All lines or none.
    let too_many = put_back(repository, &id, 7, &[line(bag, 1), line(shirt, 3)]).await;
    assert_eq!(too_many, RestockOutcome::TooMany(shirt));
    assert_eq!(stock(repository, bag).await, 8);
    let rest = put_back(repository, &id, 7, &[line(bag, 2), line(shirt, 2)]).await;
    assert_eq!(rest, RestockOutcome::Restocked, "a refused fence is free");
    assert_eq!(stock(repository, shirt).await, 10);
    assert_eq!(stock(repository, bag).await, 10);
    let more = put_back(repository, &id, 8, &[line(bag, 1)]).await;
    assert_eq!(more, RestockOutcome::TooMany(bag));
    let kept = repository.reservation(&id).await.expect("reservation");
    let kept = kept.expect("the reservation stays");
    assert_eq!((kept.state, kept.lines), (ReservationState::Sold, vec![]));
    let balances = repository.balances(None, 1_000).await.expect("balances");
    assert!(balances.iter().all(|balance| balance.excess() == 0));
}

pub(super) async fn many_returns_at_once_give_back_what_was_sold(repository: &Repository) {
    let shirt = product(repository, 10).await.id;
    let id = order("contract-restock-race");
    repository
        .hold(&hold(&id, 2, &[line(shirt, 5)]), now())
        .await
        .expect("hold");
    repository.sell(&id, now()).await.expect("sell");
    // Twelve at once: six fences, each twice, of one piece each, and five pieces were sold.
    let returns = (0..12).map(|n| {
        let (repository, id) = (Arc::clone(repository), id.clone());
        async move { put_back(&repository, &id, 10 + n / 2, &[line(shirt, 1)]).await }
    });
    let outcomes = futures_join(returns).await;
    let done = outcomes
        .iter()
        .filter(|outcome| **outcome == RestockOutcome::Restocked);
    assert_eq!(done.count(), 5, "{outcomes:?}");
    assert_eq!(stock(repository, shirt).await, 10);
}
