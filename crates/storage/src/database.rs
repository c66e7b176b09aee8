use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::result::{ConnectionError, ConnectionResult};
use diesel::{Connection as _, SqliteConnection};
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
};
use diesel_async::sync_connection_wrapper::{SpawnBlocking as _, SyncConnectionWrapper};
use diesel_async::{AsyncMysqlConnection, RunQueryDsl};
use futures::FutureExt as _;
use kernel::StoreError;
use payment_domain::port::{Inbox, PaymentRecords, PaymentRepository, ReconcileRepository};
use product_domain::ProductRepository;
use tokio::sync::Mutex;
use user_domain::UserRepository;
use webhook_domain::WebhookRepository;

use crate::blocking::Blocking;
use crate::error::Fault;
use crate::group::{Group, SharedWrites, Turn};
use crate::lease::Lease;
use crate::payment::{PaymentUnit, Payments};
use crate::product::{Products, StockUnit};
use crate::servers::Servers;
use crate::transaction::{Failed, Stage};
use crate::url::{DatabaseUrl, Location};
use crate::user::Users;
use crate::webhook::Webhooks;

pub(crate) type SqliteConn = SyncConnectionWrapper<SqliteConnection, Blocking>;

/// The most connections of one pool.
const POOL_SIZE_MAX: usize = 1_000;
/// Connections for transactions that several writes share: one for each of the [`Groups`].
const SHARING_POOL_SIZE: usize = 2;
/// How many writes of one kind may run in transactions of their own on MySQL, which syncs several of
/// them at once by itself. SQLite has one writer.
const MYSQL_ALONE_MAX: usize = 4;

/// Where the database is and how it is used.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// Which database.
    pub url: DatabaseUrl,
    /// The most connections at once, 1 to 1000. Shared transactions on MySQL have two more.
    pub pool_size: usize,
    /// How long to wait for a connection, default 5 s.
    pub acquire_timeout: Duration,
    /// Whether concurrent writes share transactions, default yes. A lone write never waits for
    /// others to join it.
    pub group_commit: bool,
}

impl DatabaseSettings {
    /// Ten connections, 5 s, shared transactions.
    pub fn new(url: DatabaseUrl) -> Self {
        Self {
            url,
            pool_size: 10,
            acquire_timeout: Duration::from_secs(5),
            group_commit: true,
        }
    }
}

/// Why a database cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The pool size is out of range.
    #[error("the database pool must have 1 to {POOL_SIZE_MAX} connections, not {0}")]
    PoolSize(usize),
    /// The SQLite file's folder cannot be made.
    #[error("the folder of the database file {} cannot be created", path.display())]
    Folder {
        /// The database file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The SQLite file cannot be opened.
    #[error(transparent)]
    Open(#[from] StoreError),
    /// The pool cannot be built.
    #[error("the pool of database connections cannot be built: {0}")]
    Pool(String),
}

/// How full the pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// The most connections.
    pub size_max: usize,
    /// Connections that are open.
    pub open: usize,
    /// Open connections that nobody uses.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

/// A database. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub enum Database {
    /// A MySQL (or MariaDB) server.
    MySql(MySqlServer),
    /// A SQLite file.
    Sqlite(SqliteFile),
}

/// A pool of connections to a MySQL server.
#[derive(Clone)]
pub struct MySqlServer {
    pool: Pool<AsyncMysqlConnection>,
    /// For transactions that several writes share, one of each kind at a time. They prepare
    /// statements for many numbers of rows, which are too many to be kept by every connection.
    sharing: Pool<AsyncMysqlConnection>,
    servers: Arc<Servers>,
    acquire_timeout: Duration,
    jitter: Arc<AtomicU64>,
    groups: Option<Groups>,
}

/// A pool of connections to a SQLite file.
#[derive(Clone)]
pub struct SqliteFile {
    pool: Pool<SqliteConn>,
    acquire_timeout: Duration,
    /// SQLite has one writer at a time. Waiting here is fair and costs nothing; waiting inside
    /// SQLite is a matter of luck and occupies a thread.
    writer: Arc<Mutex<()>>,
    jitter: Arc<AtomicU64>,
    groups: Option<Groups>,
}

/// The calls that may share a transaction, by kind of work.
#[derive(Clone)]
struct Groups {
    payments: Arc<Group<PaymentUnit>>,
    stock: Arc<Group<StockUnit>>,
}

impl Groups {
    fn new(alone_max: usize, patience: Duration) -> Self {
        Self {
            payments: Arc::new(Group::new(alone_max, patience)),
            stock: Arc::new(Group::new(alone_max, patience)),
        }
    }
}

impl Database {
    /// A pool for these settings. Creates a SQLite file and its folder if they are missing; a MySQL
    /// server is first spoken to when it is needed.
    pub async fn connect(settings: &DatabaseSettings) -> Result<Self, ConnectError> {
        Self::connect_with(settings, Blocking::default()).await
    }

    /// Like [`Database::connect`], with SQLite's blocking work where `blocking` says.
    pub async fn connect_with(
        settings: &DatabaseSettings,
        blocking: Blocking,
    ) -> Result<Self, ConnectError> {
        let &DatabaseSettings {
            ref url,
            pool_size,
            acquire_timeout,
            group_commit,
        } = settings;
        if !(1..=POOL_SIZE_MAX).contains(&pool_size) {
            return Err(ConnectError::PoolSize(pool_size));
        }
        let groups = |alone_max| group_commit.then(|| Groups::new(alone_max, acquire_timeout));
        match &url.0 {
            Location::MySql { urls, .. } => {
                // Conflicts of several processes must not come back in step.
                let jitter = Arc::new(AtomicU64::new(u64::from(std::process::id())));
                let servers = Arc::new(Servers::new(urls));
                let pool = mysql_pool(&servers, pool_size)?;
                let sharing = mysql_pool(&servers, SHARING_POOL_SIZE)?;
                Ok(Self::MySql(MySqlServer {
                    pool,
                    sharing,
                    servers,
                    acquire_timeout,
                    jitter,
                    groups: groups(MYSQL_ALONE_MAX),
                }))
            }
            Location::Sqlite(path) => {
                if let Some(folder) = path.parent() {
                    let made = std::fs::create_dir_all(folder);
                    made.map_err(|source| ConnectError::Folder {
                        path: path.clone(),
                        source,
                    })?;
                }
                let pool = sqlite_pool(path, pool_size, blocking)?;
                let (writer, jitter) = (Arc::default(), Arc::default());
                let database = Self::Sqlite(SqliteFile {
                    pool,
                    acquire_timeout,
                    writer,
                    jitter,
                    groups: groups(1),
                });
                database.ping().await?;
                Ok(database)
            }
        }
    }

    /// Asks the database whether it answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        with_conn!(self, "answer a health check", |connection| {
            diesel::sql_query("SELECT 1").execute(connection).await?;
            Ok(())
        })
    }

    /// Where payments are kept.
    pub fn payments(&self) -> Arc<dyn PaymentRepository> {
        Arc::new(Payments::new(self.clone()))
    }

    /// Where webhooks of Toss are kept.
    pub fn inbox(&self) -> Arc<dyn Inbox> {
        Arc::new(Payments::new(self.clone()))
    }

    /// The payments' books, and where a reconciliation keeps what it found.
    pub fn books(&self) -> Arc<dyn ReconcileRepository> {
        Arc::new(Payments::new(self.clone()))
    }

    /// The payments as operators read them.
    pub fn records(&self) -> Arc<dyn PaymentRecords> {
        Arc::new(Payments::new(self.clone()))
    }

    /// Where products and reservations are kept.
    pub fn products(&self) -> Arc<dyn ProductRepository> {
        Arc::new(Products::new(self.clone()))
    }

    /// Where buyers are kept.
    pub fn users(&self) -> Arc<dyn UserRepository> {
        Arc::new(Users::new(self.clone()))
    }

    /// Where webhooks to merchants are kept.
    pub fn webhooks(&self) -> Arc<dyn WebhookRepository> {
        Arc::new(Webhooks::new(self.clone()))
    }

    /// How many writes shared a transaction with others so far.
    pub fn shared_writes(&self) -> SharedWrites {
        let Some(Groups { payments, stock }) = self.groups() else {
            return SharedWrites::default();
        };
        let (payments, stock) = (payments.shared_writes(), stock.shared_writes());
        SharedWrites {
            transactions: payments.transactions + stock.transactions,
            writes: payments.writes + stock.writes,
        }
    }

    fn groups(&self) -> Option<&Groups> {
        match self {
            Self::MySql(server) => server.groups.as_ref(),
            Self::Sqlite(file) => file.groups.as_ref(),
        }
    }

    /// How the next write of a payment goes.
    pub(crate) fn payment_turn(&self) -> Turn<'_, PaymentUnit> {
        let groups = self.groups();
        groups.map_or(Turn::Alone(None), |groups| groups.payments.turn())
    }

    /// The same of stock.
    pub(crate) fn stock_turn(&self) -> Turn<'_, StockUnit> {
        let groups = self.groups();
        groups.map_or(Turn::Alone(None), |groups| groups.stock.turn())
    }

    /// Whether this is a SQLite file.
    pub fn is_sqlite(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::MySql(_) => false,
        }
    }

    /// How full the pool is.
    pub fn pool_status(&self) -> PoolStatus {
        let status = match self {
            Self::MySql(server) => server.pool.status(),
            Self::Sqlite(file) => file.pool.status(),
        };
        PoolStatus {
            size_max: status.max_size,
            open: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }

    /// Closes the connections that nobody uses.
    pub(crate) fn forget_idle_connections(&self) {
        match self {
            Self::MySql(server) => {
                drop(server.pool.retain(|_, _| false));
                drop(server.sharing.retain(|_, _| false));
            }
            Self::Sqlite(file) => drop(file.pool.retain(|_, _| false)),
        }
    }

    /// A pause between nothing and `longest`, spread evenly; the same sequence in every run on
    /// SQLite, so that a simulated schedule can be repeated.
    pub(crate) fn jitter(&self, longest: Duration) -> Duration {
        let counter = match self {
            Self::MySql(server) => &server.jitter,
            Self::Sqlite(file) => &file.jitter,
        };
        // SplitMix64 (Steele, Lea, Flood 2014): a counter in, well-mixed bits out.
        let mut bits = counter.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or(u32::MAX);
        longest.mul_f64(f64::from(share) / f64::from(u32::MAX))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::MySql(_) => "Database::MySql",
            Self::Sqlite(_) => "Database::Sqlite",
        };
        f.debug_struct(name)
            .field("pool", &self.pool_status())
            .finish()
    }
}

impl MySqlServer {
    pub(crate) async fn lease(&self) -> Result<Lease<Object<AsyncMysqlConnection>>, Failed> {
        self.lease_from(&self.pool).await
    }

    /// A connection for a transaction that several writes share.
    pub(crate) async fn sharing_lease(
        &self,
    ) -> Result<Lease<Object<AsyncMysqlConnection>>, Failed> {
        self.lease_from(&self.sharing).await
    }

    async fn lease_from(
        &self,
        pool: &Pool<AsyncMysqlConnection>,
    ) -> Result<Lease<Object<AsyncMysqlConnection>>, Failed> {
        loop {
            let got = tokio::time::timeout(self.acquire_timeout, pool.get()).await;
            let connection = pooled(got)?;
            if self
                .servers
                .is_current(Object::metrics(&connection).created)
            {
                return Ok(Lease::new(connection, None));
            }
            drop(Object::take(connection));
        }
    }
}

impl SqliteFile {
    /// A connection for reading.
    pub(crate) async fn lease(&self) -> Result<Lease<Object<SqliteConn>>, Failed> {
        let got = tokio::time::timeout(self.acquire_timeout, self.pool.get()).await;
        pooled(got).map(|connection| Lease::new(connection, None))
    }

    /// A connection for writing, after those who asked before.
    pub(crate) async fn writing_lease(&self) -> Result<Lease<Object<SqliteConn>>, Failed> {
        let got = tokio::time::timeout(self.acquire_timeout, async {
            let turn = Arc::clone(&self.writer).lock_owned().await;
            self.pool.get().await.map(|connection| (turn, connection))
        });
        pooled(got.await).map(|(turn, connection)| Lease::new(connection, Some(turn)))
    }
}

/// The connection, or why there is none.
fn pooled<T, E: std::error::Error + Send + Sync + 'static>(
    got: Result<Result<T, E>, tokio::time::error::Elapsed>,
) -> Result<T, Failed> {
    let fault = match got {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(error)) => Fault::of_connecting(error.into()),
        Err(elapsed) => Fault::Lost(elapsed.into()),
    };
    Err(Failed {
        stage: Stage::Connect,
        fault,
    })
}

fn mysql_pool(
    servers: &Arc<Servers>,
    size: usize,
) -> Result<Pool<AsyncMysqlConnection>, ConnectError> {
    let mut config = ManagerConfig::default();
    // No question at every checkout: a connection that has died shows at BEGIN and is replaced.
    config.recycling_method = RecyclingMethod::Fast;
    let servers = Arc::clone(servers);
    config.custom_setup = Box::new(move |_| {
        let servers = Arc::clone(&servers);
        async move { servers.open().await }.boxed()
    });
    // The address is asked of `servers`.
    let manager = AsyncDieselConnectionManager::new_with_config("", config);
    Pool::builder(manager)
        .max_size(size)
        .build()
        .map_err(|error| ConnectError::Pool(error.to_string()))
}

fn sqlite_pool(
    path: &Path,
    size: usize,
    blocking: Blocking,
) -> Result<Pool<SqliteConn>, ConnectError> {
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup =
        Box::new(move |path| open_sqlite(path.to_owned(), blocking.clone()).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(path.to_string_lossy(), config);
    Pool::builder(manager)
        .max_size(size)
        .build()
        .map_err(|error| ConnectError::Pool(error.to_string()))
}

async fn open_sqlite(path: String, mut blocking: Blocking) -> ConnectionResult<SqliteConn> {
    let lock_wait_ms = blocking.lock_wait().as_millis();
    let open = move || {
        let mut connection = SqliteConnection::establish(&path)?;
        // The wait comes first: switching to WAL needs a lock too.
        let pragmas = format!(
            "PRAGMA busy_timeout = {lock_wait_ms}; PRAGMA journal_mode = WAL; \
             PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        );
        let set = connection.batch_execute(&pragmas);
        set.map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    };
    let opened = blocking.spawn_blocking(open).await;
    let opened = opened.map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
    opened.map(|connection| SyncConnectionWrapper::with_runtime(connection, blocking))
}
