//! What a person finds in the demo shop on the first start.

use kernel::{IdGenerator, Money, SellerId, StoreError, Timestamp, UserId};
use product_domain::model::{NewProduct, Stock};
use user_domain::{UserProfile, UserRepository as _};

use crate::database::Database;
use crate::error::Fault;
use crate::product::Products;
use crate::user::Users;

const PRODUCTS: [(&str, &str, i64); 2] = [
    (
        "코튼 티셔츠",
        "부드러운 순면으로 만든 기본 티셔츠입니다. 어디에나 잘 어울립니다.",
        50_000,
    ),
    (
        "캔버스 토트백",
        "튼튼한 캔버스 천으로 만든 넉넉한 가방입니다. 매일 들기 좋습니다.",
        30_000,
    ),
];
const STOCK: i64 = 59;
const SELLER: i64 = 2;
const USERS: [(i64, &str, &str); 2] = [
    (1, "김하늘", "haneul@shop.example"),
    (2, "이바다", "bada@shop.example"),
];

impl Database {
    /// Stores two users and two products if this is a SQLite file that has never had a product, and
    /// returns whether it did. What somebody deletes later stays deleted.
    pub async fn seed_demo_if_new(
        &self,
        ids: &dyn IdGenerator,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let products = Products::new(self.clone());
        if !self.is_sqlite() || products.has_ever_had_one().await? {
            return Ok(false);
        }
        // Users first: once the products are there, nobody looks again.
        let users = Users::new(self.clone());
        for (id, username, email) in USERS {
            let id = checked(UserId::new(id))?;
            let profile = UserProfile {
                username: username.into(),
                email: email.into(),
            };
            if users.find(id).await?.is_none() {
                users.put(id, &profile, &ids.token(), now).await?;
            }
        }
        let mut shelf = Vec::new();
        for (name, description, won) in PRODUCTS {
            shelf.push(NewProduct {
                name: name.into(),
                description: description.into(),
                price: checked(Money::from_won(won))?,
                stock: checked(Stock::new(STOCK))?,
                seller_id: checked(SellerId::new(SELLER))?,
            });
        }
        products.insert_first(&shelf, now).await
    }
}

fn checked<T, E>(made: Result<T, E>) -> Result<T, StoreError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    made.map_err(|error| Fault::Corrupt(error.into()).into_store_error("make the demo rows"))
}
