//! Buyers: the table `user_account`.

mod schema;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use kernel::{StoreError, Timestamp, UserId, micros};
use user_domain::{User, UserProfile, UserRepository};

use self::schema::user_account;
use crate::database::Database;
use crate::error::{Fault, raced};
use crate::transaction::End;

/// The repository of buyers.
pub(crate) struct Users {
    database: Database,
}

impl Users {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = user_account)]
struct UserRow {
    user_id: i64,
    username: String,
    email: String,
    customer_key: String,
}

impl UserRow {
    fn decode(self) -> Result<User, Fault> {
        Ok(User {
            id: UserId::new(self.user_id)?,
            profile: UserProfile {
                username: self.username,
                email: self.email,
            },
            customer_key: self.customer_key,
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = user_account)]
struct NewUser<'a> {
    user_id: i64,
    username: &'a str,
    email: &'a str,
    customer_key: &'a str,
    created_at: i64,
    updated_at: i64,
}

#[async_trait]
impl UserRepository for Users {
    async fn find(&self, id: UserId) -> Result<Option<User>, StoreError> {
        with_conn!(&self.database, "find a user", |connection| {
            let query = user_account::table
                .find(id.get())
                .select(UserRow::as_select());
            let row = query.first(connection).await.optional()?;
            row.map(UserRow::decode).transpose()
        })
    }

    async fn put(
        &self,
        id: UserId,
        profile: &UserProfile,
        customer_key: &str,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let UserProfile { username, email } = profile;
        let at = micros(now);
        let new = || NewUser {
            user_id: id.get(),
            username,
            email,
            customer_key,
            created_at: at,
            updated_at: at,
        };
        with_tx!(&self.database, "store a user", |connection| {
            let changed = diesel::update(user_account::table.find(id.get()))
                .set((
                    user_account::username.eq(username),
                    user_account::email.eq(email),
                    user_account::updated_at.eq(at),
                ))
                .execute(connection)
                .await?;
            if changed == 0 {
                let insert = diesel::insert_into(user_account::table).values(new());
                insert.execute(connection).await.map_err(raced)?;
            }
            let query = user_account::table
                .find(id.get())
                .select(UserRow::as_select());
            Ok(End::Commit(query.first(connection).await?.decode()?))
        })
    }
}
