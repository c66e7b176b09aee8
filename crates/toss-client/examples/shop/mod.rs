//! What every example begins with.

use std::{env, error::Error};

use toss_client::{SecretKey, TossClient, TossClientBuilder};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A client in the making, with `TOSS_SECRET_KEY`, at `TOSS_BASE_URL` or Toss's own address. The
/// sandbox of this workspace prints both when it starts. Test keys alone: examples move money.
pub(crate) fn builder() -> Result<TossClientBuilder, Box<dyn Error>> {
    let key = SecretKey::parse(&env::var("TOSS_SECRET_KEY").map_err(|_| "set TOSS_SECRET_KEY")?)?;
    if key.is_live() {
        return Err("a live key moves real money: use a test key".into());
    }
    let builder = TossClient::builder(key);
    Ok(match env::var("TOSS_BASE_URL") {
        Ok(url) => builder.base_url(&url)?,
        Err(_) => builder,
    })
}

/// The arguments, or how to call the example.
pub(crate) fn arguments<const N: usize>(usage: &str) -> Result<[String; N], Box<dyn Error>> {
    let found: Vec<_> = env::args().skip(1).collect();
    found
        .try_into()
        .map_err(|_| format!("usage: {usage}").into())
}
