//! Brandpay: a customer agrees, gets a token, pays and leaves.

use toss_client::{
    AccessToken, BrandpayMethods, BrandpayPaymentRequest, BrandpayTerm, ConfirmRequest,
    CustomerIdentity, Error, TokenRequest,
};

use super::{
    payments::{agrees, won},
    world::World,
};

const CUSTOMER: &str = "customer-1";
const SCOPES: [&str; 2] = ["REGISTER", "CARD"];

/// A customer who has agreed to all terms.
async fn joined(world: &World) -> Result<AccessToken, Error> {
    let client = &world.client;
    let terms = client.brandpay_terms(CUSTOMER, &SCOPES).await?;
    let ids: Vec<u64> = terms.iter().filter_map(BrandpayTerm::id).collect();
    assert_eq!(ids.len(), terms.len());
    let agreed = client
        .agree_brandpay_terms(CUSTOMER, &SCOPES, &ids, &world.key())
        .await?;
    let identity = CustomerIdentity::new()
        .name("김토스")
        .mobile_phone("01012345678")
        .rrn("9001011");
    let request = TokenRequest::with_code(CUSTOMER, agreed.text("code").unwrap())
        .customer_identity(&identity);
    let token = client.issue_brandpay_token(&request, &world.key()).await?;
    Ok(token.value)
}

fn key_of(methods: &[toss_client::Extra]) -> String {
    methods[0].text("methodKey").unwrap().to_owned()
}

async fn methods(world: &World, token: &AccessToken) -> Result<BrandpayMethods, Error> {
    let own = world.client.brandpay_methods(token).await?;
    Ok(own.value)
}

pub(super) async fn brandpay_token(world: World) -> Result<(), Error> {
    let token = joined(&world).await?;
    assert!(token.expires_in.is_some());
    let again = TokenRequest::refresh(CUSTOMER, &token.refresh_token.unwrap());
    let token = world
        .client
        .issue_brandpay_token(&again, &world.key())
        .await?;
    assert!(token.refresh_token.is_some());
    Ok(())
}

pub(super) async fn brandpay_methods(world: World) -> Result<(), Error> {
    let token = joined(&world).await?;
    let own = methods(&world, &token).await?;
    let asked = world.client.brandpay_methods_of(CUSTOMER).await?;
    assert_eq!(asked.cards().len(), 1);
    assert_eq!(key_of(&asked.cards()), key_of(&own.cards()));
    Ok(())
}

pub(super) async fn brandpay_removals(world: World) -> Result<(), Error> {
    let client = &world.client;
    let token = joined(&world).await?;
    let own = methods(&world, &token).await?;
    let (card, account) = (key_of(&own.cards()), key_of(&own.accounts()));
    let removed = client
        .remove_brandpay_card(&card, &token, &world.key())
        .await?;
    assert_eq!(removed.text("methodKey"), Some(card.as_str()));
    let removed = client
        .remove_brandpay_account(&account, &token, &world.key())
        .await?;
    assert_eq!(removed.text("methodKey"), Some(account.as_str()));
    client
        .remove_brandpay_customer(&token, &world.key())
        .await
        .map(drop)
}

pub(super) async fn brandpay_payments(world: World) -> Result<(), Error> {
    let client = &world.client;
    let order = world.order();
    let payment_key = world.authenticated(&order, 1_000);
    let request = ConfirmRequest::new(payment_key, &order, won(1_000));
    let confirmed = client
        .confirm_brandpay(CUSTOMER, &request, &world.key())
        .await?;
    agrees(&world, &confirmed, &order, 1_000);
    let token = joined(&world).await?;
    let method = key_of(&methods(&world, &token).await?.cards());
    let order = world.order();
    let request = BrandpayPaymentRequest::new(CUSTOMER, method, &order, "책", won(1_000));
    let paid = client.pay_brandpay(&request, &world.key()).await?;
    agrees(&world, &paid, &order, 1_000);
    Ok(())
}

pub(super) async fn brandpay_promotions(world: World) -> Result<(), Error> {
    let cards = world.client.brandpay_card_promotions().await?;
    assert!(cards.fields().get("interestFreeCards").is_some());
    let banks = world.client.brandpay_bank_promotions().await?;
    assert!(banks.fields().get("discountBanks").is_some());
    Ok(())
}
