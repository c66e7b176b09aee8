//! The in-memory repository keeps the same contract as the real ones, and the service its own.

use std::sync::Arc;

use kernel::{Money, ProductId, SellerId, SystemClock};
use product_domain::model::{InvalidProduct, NewProduct, ProductPatch, Stock};
use product_domain::testing::{InMemoryProducts, contract};
use product_domain::{
    AdjustError, Adjustment, CreateError, MockProductRepository, ProductReceiver, ProductService,
    UpdateError,
};

#[tokio::test]
async fn the_fake_keeps_the_repository_s_contract() {
    contract::all(Arc::new(InMemoryProducts::new())).await;
}

#[tokio::test]
async fn a_product_without_a_price_reaches_no_store() {
    let untouched = MockProductRepository::new();
    let service = ProductService::new(Arc::new(untouched), Arc::new(SystemClock));
    let free = NewProduct {
        name: "free".into(),
        description: String::new(),
        price: Money::ZERO,
        stock: Stock::new(1).unwrap(),
        seller_id: SellerId::new(1).unwrap(),
    };
    let refused = service.create(&free).await;
    assert!(matches!(
        refused,
        Err(CreateError::Invalid(InvalidProduct::Price))
    ));
}

#[tokio::test]
async fn unknown_products_are_named_in_the_refusal() {
    let service = ProductService::new(Arc::new(InMemoryProducts::new()), Arc::new(SystemClock));
    let id = ProductId::new(7).unwrap();
    let adjustment = Adjustment {
        product_id: id,
        delta: 1,
        reason: "count".into(),
    };
    assert!(
        matches!(service.adjust(&adjustment).await, Err(AdjustError::UnknownProduct(at)) if at == id)
    );
    let refused = service.update(id, &ProductPatch::default()).await;
    assert!(matches!(refused, Err(UpdateError::UnknownProduct(at)) if at == id));
}
