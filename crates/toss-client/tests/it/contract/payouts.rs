//! Sellers and what is paid out to them.

use std::pin::pin;

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use toss_client::{
    BusinessType, Error, PayoutRequest, PayoutStatus, SecurityKey, SellerRequest, SellerStatus,
};

use super::{
    payments::{paid, won},
    world::World,
};

/// The sandbox's; a recorded shape takes any.
fn security_key() -> SecurityKey {
    SecurityKey::parse(toss_sandbox::DEFAULT_SECURITY_KEY).unwrap()
}

fn individual(world: &World) -> SellerRequest {
    SellerRequest::new(world.order(), BusinessType::Individual, "092", "1000", "김").individual(
        "김토스",
        "seller@example.com",
        "01012345678",
    )
}

pub(super) async fn payouts(world: World) -> Result<(), Error> {
    let client = &world.client;
    // What is paid out was sold, and a sale takes some days to become the merchant's.
    for _ in 0..6 {
        paid(&world, &world.order()).await?;
    }
    world.wait_days(7);
    let seller = client
        .register_seller(&individual(&world), &security_key(), &world.key())
        .await?;
    assert!(client.balances().await?.available().is_some());
    let day = world.day() + TimeDelta::days(1);
    let request = PayoutRequest::scheduled(world.order(), seller.id(), won(5_000), day);
    let asked = client
        .request_payouts(&[request], &security_key(), &world.key())
        .await?;
    assert_eq!(asked[0].status(), Some(PayoutStatus::Requested));
    assert_eq!(asked[0].amount(), Some(won(5_000)));
    let id = asked[0].id();
    assert!(!client.payouts(None, None).await?.items.is_empty());
    assert_eq!(client.payout(id).await?.id(), id);
    let canceled = client.cancel_payout(id, &world.key()).await?;
    assert_eq!(canceled.status(), Some(PayoutStatus::Canceled));
    Ok(())
}

pub(super) async fn sellers(world: World) -> Result<(), Error> {
    let client = &world.client;
    let key = security_key();
    let request = individual(&world);
    let registered = client.register_seller(&request, &key, &world.key()).await?;
    assert_eq!(registered.status(), Some(SellerStatus::ApprovalRequired));
    let id = registered.id();
    assert!(!client.sellers(None, None).await?.items.is_empty());
    let all: Vec<_> = pin!(client.all_sellers()).collect().await;
    assert!(all.iter().all(Result::is_ok) && !all.is_empty());
    assert_eq!(client.seller(id).await?.id(), id);
    let updated = client
        .update_seller(id, &request, &key, &world.key())
        .await?;
    assert_eq!(updated.id(), id);
    client.delete_seller(id).await.map(drop)
}
