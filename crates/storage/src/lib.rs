#![doc = include_str!("../README.md")]

// First, because the macros of a file are known only to the files after it.
#[macro_use]
mod transaction;
#[macro_use]
mod bulk;

mod blocking;
mod database;
mod demo;
mod error;
mod group;
mod lease;
mod migrations;
mod payment;
mod product;
mod servers;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
mod user;
mod webhook;

pub use blocking::{Blocking, BlockingRunner, ThreadPool};
pub use database::{ConnectError, Database, DatabaseSettings, MySqlServer, PoolStatus, SqliteFile};
pub use error::BoxError;
pub use group::SharedWrites;
pub use migrations::{MigrateError, SchemaState};
pub use url::{DatabaseUrl, InvalidDatabaseUrl};

// Bundles SQLite's own source into the program; nothing of it is called from here.
use libsqlite3_sys as _;
