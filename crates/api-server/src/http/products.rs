//! Products: what buyers read, and the operators' calls.

use actix_web::{HttpResponse, web};
use kernel::{ProductId, SellerId};
use product_domain::Adjustment;
use product_domain::model::{NewProduct, Product, ProductPatch, Stock};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Admin, Operator};
use super::body::Json;
use super::envelope::{Data, ErrorEnvelope};
use super::wire::Won;
use super::{Api, ApiError, Code};

/// The longest reason of a stock adjustment, in characters.
const REASON_CHARS_MAX: usize = 200;
/// Products of one page when the client does not say, and at most.
const PAGE_MAX: u32 = 100;

/// A product.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProductResponse {
    product_id: i64,
    #[schema(example = "코튼 티셔츠")]
    name: String,
    description: String,
    /// In won.
    #[schema(example = 50_000)]
    price: i64,
    /// Pieces that nobody holds.
    #[schema(example = 59)]
    stock: i64,
    seller_id: i64,
}

impl From<Product> for ProductResponse {
    fn from(product: Product) -> Self {
        Self {
            product_id: product.id.get(),
            name: product.name,
            description: product.description,
            price: product.price.won(),
            stock: product.stock.get(),
            seller_id: product.seller_id.get(),
        }
    }
}

/// Which products to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only products with ids above this one.
    #[param(value_type = Option<i64>, minimum = 1)]
    after: Option<ProductId>,
    /// At most so many, 1 to 100 (the default).
    #[param(minimum = 1, maximum = 100)]
    size: Option<u32>,
}

/// A product to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateRequest {
    /// 1 to 100 characters.
    name: String,
    /// At most 2000 characters.
    #[serde(default)]
    description: String,
    /// In won, above zero.
    #[schema(value_type = i64, minimum = 1)]
    price: serde_json::Number,
    /// Pieces to begin with.
    #[schema(minimum = 0)]
    stock: i64,
    #[schema(value_type = i64, minimum = 1)]
    seller_id: SellerId,
}

/// What to change of a product; absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct UpdateRequest {
    /// 1 to 100 characters.
    name: Option<String>,
    /// At most 2000 characters.
    description: Option<String>,
    /// In won, above zero.
    #[schema(value_type = Option<i64>, minimum = 1)]
    price: Option<serde_json::Number>,
}

/// A correction of a stock.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct AdjustRequest {
    /// Pieces to add, or to take when negative; not zero.
    #[schema(example = -3)]
    delta: i64,
    /// Why, 1 to 200 characters.
    reason: String,
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/api/v1/products")
                .route(web::get().to(list))
                .route(web::post().to(create)),
        )
        .service(
            web::resource("/api/v1/products/{productId}")
                .route(web::get().to(read))
                .route(web::patch().to(update)),
        )
        .service(
            web::resource("/api/v1/products/{productId}/stock-adjustments")
                .route(web::post().to(adjust)),
        );
}

/// A price as operators write it: what cannot be a price at all is E01004.
fn price(number: &serde_json::Number) -> Result<kernel::Money, ApiError> {
    let text = number.to_string();
    let won: Won = serde_json::from_str(&text).map_err(|_| ApiError::from(Code::PriceInvalid))?;
    Ok(won.0)
}

/// Text that cannot be a product id names no product.
fn product_id(text: &str) -> Result<ProductId, ApiError> {
    let unknown = || ApiError::from(Code::ProductNotFound);
    text.parse::<i64>()
        .ok()
        .and_then(|id| ProductId::new(id).ok())
        .ok_or_else(unknown)
}

/// Lists products, lowest id first.
#[utoipa::path(
    get, path = "/api/v1/products", tag = "products", operation_id = "listProducts", params(ListQuery),
    responses(
        (status = 200, description = "The products", body = Data<Vec<ProductResponse>>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn list(
    api: web::Data<Api>,
    query: Result<web::Query<ListQuery>, actix_web::Error>,
) -> Result<HttpResponse, ApiError> {
    let query = query.map_err(|error| ApiError::invalid(error.to_string()))?;
    let size = query.size.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&size) {
        return Err(ApiError::invalid(format!(
            "size must be from 1 to {PAGE_MAX}"
        )));
    }
    let (products, after) = (api.products.clone(), query.after);
    let page = api
        .on_main(async move { products.products(after, size).await })
        .await??;
    let data: Vec<_> = page.into_iter().map(ProductResponse::from).collect();
    Ok(HttpResponse::Ok().json(Data { data }))
}

/// Reads a product.
#[utoipa::path(
    get, path = "/api/v1/products/{productId}", tag = "products", operation_id = "readProduct",
    params(("productId" = i64, Path, minimum = 1)),
    responses(
        (status = 200, description = "The product", body = Data<ProductResponse>),
        (status = 404, description = "Unknown product (E01003)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn read(
    api: web::Data<Api>,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let id = product_id(&id)?;
    let products = api.products.clone();
    let mut found = api
        .on_main(async move { products.find(&[id]).await })
        .await??;
    let product = found.pop().ok_or(Code::ProductNotFound)?;
    Ok(HttpResponse::Ok().json(Data {
        data: ProductResponse::from(product),
    }))
}

/// Creates a product.
#[utoipa::path(
    post, path = "/api/v1/products", tag = "operators", operation_id = "createProduct",
    request_body = CreateRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "Created", body = Data<ProductResponse>),
        (status = 400, description = "Malformed (E99001), negative stock (E01001), no price (E01004)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn create(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    Json(body): Json<CreateRequest>,
) -> Result<HttpResponse, ApiError> {
    let new = NewProduct {
        name: body.name,
        description: body.description,
        price: price(&body.price)?,
        stock: Stock::new(body.stock)?,
        seller_id: body.seller_id,
    };
    let products = api.products.clone();
    let product = api
        .on_main(async move { products.create(&new).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: ProductResponse::from(product),
    }))
}

/// Changes a product's name, description or price.
#[utoipa::path(
    patch, path = "/api/v1/products/{productId}", tag = "operators", operation_id = "updateProduct",
    params(("productId" = i64, Path, minimum = 1)),
    request_body = UpdateRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "Changed", body = Data<ProductResponse>),
        (status = 400, description = "Malformed (E99001), no price (E01004)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "Unknown product (E01003)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn update(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
    Json(body): Json<UpdateRequest>,
) -> Result<HttpResponse, ApiError> {
    let id = product_id(&id)?;
    let price = body.price.as_ref().map(price).transpose()?;
    let patch = ProductPatch {
        name: body.name,
        description: body.description,
        price,
    };
    let products = api.products.clone();
    let product = api
        .on_main(async move { products.update(id, &patch).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: ProductResponse::from(product),
    }))
}

/// Adds to or takes from a stock.
#[utoipa::path(
    post, path = "/api/v1/products/{productId}/stock-adjustments", tag = "operators", operation_id = "adjustStock",
    params(("productId" = i64, Path, minimum = 1)),
    request_body = AdjustRequest, security(("operator" = ["admin"])),
    responses(
        (status = 200, description = "Adjusted", body = Data<ProductResponse>),
        (status = 400, description = "Malformed (E99001)", body = ErrorEnvelope),
        (status = 401, description = "No operator key (E99003)", body = ErrorEnvelope),
        (status = 403, description = "The key's scope does not suffice (E99008)", body = ErrorEnvelope),
        (status = 404, description = "Unknown product (E01003)", body = ErrorEnvelope),
        (status = 409, description = "The stock would leave its range (E01002)", body = ErrorEnvelope),
        (status = 413, description = "Body too large (E99006)", body = ErrorEnvelope),
        (status = 503, description = "Unavailable (E99999)", body = ErrorEnvelope),
    )
)]
pub(super) async fn adjust(
    api: web::Data<Api>,
    _operator: Operator<Admin>,
    id: web::Path<String>,
    Json(body): Json<AdjustRequest>,
) -> Result<HttpResponse, ApiError> {
    let product_id = product_id(&id)?;
    let reason = body.reason.trim().to_owned();
    if !(1..=REASON_CHARS_MAX).contains(&reason.chars().count()) {
        return Err(ApiError::invalid(format!(
            "reason must have 1 to {REASON_CHARS_MAX} characters"
        )));
    }
    if body.delta == 0 {
        return Err(ApiError::invalid("delta must not be zero"));
    }
    let adjustment = Adjustment {
        product_id,
        delta: body.delta,
        reason,
    };
    let products = api.products.clone();
    let product = api
        .on_main(async move { products.adjust(&adjustment).await })
        .await??;
    Ok(HttpResponse::Ok().json(Data {
        data: ProductResponse::from(product),
    }))
}
