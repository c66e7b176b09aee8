//! Billing keys, from a window and from a card's numbers.

use toss_client::{BillingKeyRequest, BillingRequest, CardBillingKeyRequest, Error};

use super::{
    payments::{agrees, card, won},
    world::World,
};

pub(super) async fn billing_by_window(world: World) -> Result<(), Error> {
    let auth_key = world.registered_card("customer-1").await;
    let request = BillingKeyRequest::new(auth_key, "customer-1");
    let issued = world
        .client
        .issue_billing_key(&request, &world.key())
        .await?;
    assert_eq!(issued.customer_key(), Some("customer-1"));
    Ok(())
}

pub(super) async fn billing(world: World) -> Result<(), Error> {
    let client = &world.client;
    let request = CardBillingKeyRequest::new("customer-1", &card());
    let issued = client
        .issue_billing_key_by_card(&request, &world.key())
        .await?;
    assert_eq!(issued.customer_key(), Some("customer-1"));
    assert!(issued.card().is_some() && issued.authenticated_at().is_some());
    let billing_key = issued.billing_key();
    let order = world.order();
    let charge = BillingRequest::new("customer-1", &order, "구독", won(1_000));
    let payment = client
        .approve_billing(billing_key.expose(), &charge, &world.key())
        .await?;
    agrees(&world, &payment, &order, 1_000);
    client.delete_billing_key(billing_key.expose()).await?;
    Ok(())
}
