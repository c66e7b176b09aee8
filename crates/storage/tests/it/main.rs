//! The repositories keep their contracts on both databases, and the pool keeps its connections
//! clean whatever happens to the futures that use them.
#![expect(clippy::unwrap_used, reason = "tests")]

mod conflict;
mod contract;
mod demo;
mod group;
mod lease;
mod migration;
mod outage;
mod queue;
mod servers;

use std::sync::Arc;
use std::time::Duration;

use kernel::{Clock as _, Money, OrderId, ProductId, Quantity, SellerId, SystemClock, Timestamp};
use product_domain::model::{NewProduct, ReservationLine, Stock};
use storage::testing::{TestMySql, sqlite_file};
use storage::{Database, DatabaseSettings, DatabaseUrl};

/// A migrated database and whatever must live as long as it.
struct Fresh {
    database: Database,
    url: DatabaseUrl,
    /// The URL of a MySQL database, for clients that are not ours.
    text: String,
    folder: Option<tempfile::TempDir>,
    _server: Option<Arc<TestMySql>>,
}

impl Fresh {
    async fn sqlite() -> Self {
        let (folder, url) = sqlite_file();
        let database = migrated(&url).await;
        Self {
            database,
            url,
            text: String::new(),
            folder: Some(folder),
            _server: None,
        }
    }

    /// `None` where there is no MySQL.
    async fn mysql() -> Option<Self> {
        let server = TestMySql::get().await?;
        let (url, text) = server.fresh_database_with_text().await;
        let database = migrated(&url).await;
        Some(Self {
            database,
            url,
            text,
            folder: None,
            _server: Some(server),
        })
    }

    /// Both, as far as they are to be had.
    async fn all() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::mysql().await);
        all
    }

    /// Another process's view of the same database.
    async fn second(&self) -> Database {
        connected(&self.url).await
    }

    /// The same for a process in which every write has a transaction of its own.
    async fn plain(&self) -> Database {
        let settings = DatabaseSettings {
            group_commit: false,
            ..settings(&self.url)
        };
        Database::connect(&settings).await.unwrap()
    }

    /// A connection to the SQLite file that knows nothing of pools.
    fn stranger(&self) -> diesel::SqliteConnection {
        let file = self.folder.as_ref().unwrap().path().join("payments.db");
        diesel::Connection::establish(file.to_str().unwrap()).unwrap()
    }
}

fn settings(url: &DatabaseUrl) -> DatabaseSettings {
    DatabaseSettings {
        pool_size: 8,
        ..DatabaseSettings::new(url.clone())
    }
}

async fn connected(url: &DatabaseUrl) -> Database {
    Database::connect(&settings(url)).await.unwrap()
}

async fn migrated(url: &DatabaseUrl) -> Database {
    let database = connected(url).await;
    database.migrate().await.unwrap();
    database
}

/// Far longer than anything here takes, for tests that would otherwise hang.
const PATIENCE: Duration = Duration::from_secs(30);

fn now() -> Timestamp {
    SystemClock.now()
}

fn order(id: &str) -> OrderId {
    id.parse().unwrap()
}

fn line(product_id: ProductId, pieces: i64) -> ReservationLine {
    ReservationLine {
        product_id,
        quantity: Quantity::new(pieces).unwrap(),
    }
}

/// A new product with this stock.
async fn product(database: &Database, stock: i64) -> ProductId {
    let new = NewProduct {
        name: "셔츠".into(),
        description: String::new(),
        price: Money::from_won(1_000).unwrap(),
        stock: Stock::new(stock).unwrap(),
        seller_id: SellerId::new(1).unwrap(),
    };
    database.products().insert(&new, now()).await.unwrap().id
}

async fn stock(database: &Database, id: ProductId) -> i64 {
    database.products().find(&[id]).await.unwrap()[0]
        .stock
        .get()
}
