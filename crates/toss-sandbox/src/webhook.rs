//! Sends what the engine owes to the merchant: Toss's webhooks.

use std::{sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use reqwest::{Client, redirect, retry};
use ring::hmac;
use rustls::{ClientConfig, RootCertStore, crypto::ring::default_provider};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::sync::Semaphore;

use crate::{
    Sandbox, SandboxConfig,
    engine::{Transmission, korean_time},
};

/// Most transmissions on their way at once.
const IN_FLIGHT_MAX: usize = 32;

/// Longest sleep of the sender: the clock may be put forward without anything else happening.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// Signs with the security key, and with the one before it while both hold.
#[derive(Debug)]
pub(crate) struct Signer(Vec<hmac::Key>);

impl Signer {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let keys = std::iter::once(&config.security_key).chain(&config.previous_security_key);
        let bytes = |key: &String| {
            let decoded = hex::decode(key).ok();
            let decoded = decoded.filter(|_| !config.unknowns.hmac_key_as_text);
            decoded.unwrap_or_else(|| key.clone().into_bytes())
        };
        Self(
            keys.map(|key| hmac::Key::new(hmac::HMAC_SHA256, &bytes(key)))
                .collect(),
        )
    }

    /// `v1:<base64>`, once per key: HMAC-SHA256 over the body, a colon and the time.
    pub(crate) fn sign(&self, body: &str, time: &str) -> String {
        let signed = format!("{body}:{time}");
        let sign = |key: &hmac::Key| {
            let tag = hmac::sign(key, signed.as_bytes());
            format!("v1:{}", STANDARD.encode(tag))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(",")
    }
}

/// Sends events until it is dropped. What is on its way then counts as not sent.
pub(crate) async fn send_webhooks(sandbox: Sandbox) {
    let signer = Arc::new(Signer::new(sandbox.config()));
    let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut tasks = tokio::task::JoinSet::new();
    // Made when there is somebody to tell: it looks for the system's certificates.
    let mut made = None;
    loop {
        // Registered before the engine is looked at, so that nothing is missed in between.
        let woken = sandbox.webhook_wakes().notified();
        if let Some(url) = sandbox.webhook_url() {
            let http = match &made {
                Some(http) => http,
                None => match client(sandbox.config().webhook_timeout) {
                    Ok(http) => made.insert(http),
                    Err(error) => {
                        tracing::error!(%error, "webhooks cannot be sent");
                        return;
                    }
                },
            };
            let free = slots.available_permits();
            let due = sandbox.act(|engine, now| engine.due_webhooks(now, free));
            // What is not on disk is not told.
            let Ok(due) = sandbox.told(due).await else {
                return;
            };
            for transmission in due {
                let Ok(slot) = Arc::clone(&slots).acquire_owned().await else {
                    return;
                };
                let (sandbox, http, url) = (sandbox.clone(), http.clone(), url.clone());
                let signer = Arc::clone(&signer);
                tasks.spawn(async move {
                    let id = transmission.id.clone();
                    let status = send(&http, &url, &signer, sandbox.now(), transmission).await;
                    let tried = sandbox.act(|engine, now| engine.webhook_tried(now, &id, status));
                    // A journal that failed ends the program; there is nobody to tell here.
                    let _told = sandbox.told(tried).await;
                    drop(slot);
                });
            }
        }
        while tasks.try_join_next().is_some() {}
        let sleep = sandbox
            .next_webhook_in()
            .filter(|_| slots.available_permits() > 0)
            .map_or(SLEEP_MAX, |wait| wait.min(SLEEP_MAX));
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(sleep) => {}
        }
    }
}

/// Redirects are not followed and nothing is sent twice: every attempt is the engine's.
fn client(timeout: Duration) -> Result<Client, Box<dyn std::error::Error>> {
    let tls = || {
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
    };
    // A container without any certificates can still be told over plain HTTP.
    let tls = match tls()?.with_platform_verifier() {
        Ok(tls) => tls.with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "no certificates are trusted: webhooks go to http:// alone");
            tls()?
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        }
    };
    Ok(Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(timeout)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .no_proxy()
        .build()?)
}

/// One attempt; the status if it was answered in time.
async fn send(
    http: &Client,
    url: &str,
    signer: &Signer,
    now: DateTime<Utc>,
    transmission: Transmission,
) -> Option<u16> {
    let time = korean_time(now);
    let mut request = http
        .post(url)
        .header("content-type", "application/json;charset=UTF-8")
        .header("tosspayments-webhook-transmission-time", &time)
        .header("tosspayments-webhook-transmission-id", &transmission.id)
        .header(
            "tosspayments-webhook-transmission-retried-count",
            transmission.retried,
        );
    if transmission.signed {
        let signature = signer.sign(&transmission.body, &time);
        request = request.header("tosspayments-webhook-signature", signature);
    }
    match request.body(transmission.body.to_string()).send().await {
        Ok(response) => Some(response.status().as_u16()),
        Err(error) => {
            tracing::debug!(%error, id = transmission.id, "a webhook was not answered");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_made_with_each_key() {
        let config = SandboxConfig {
            previous_security_key: Some("ab".repeat(32)),
            ..SandboxConfig::default()
        };
        let signed = Signer::new(&config).sign("{}", "2026-01-01T00:00:00+09:00");
        let parts: Vec<_> = signed.split(',').collect();
        assert_eq!(parts.len(), 2);
        for (part, key) in parts.iter().zip([&config.security_key, &"ab".repeat(32)]) {
            let tag = STANDARD.decode(part.strip_prefix("v1:").unwrap()).unwrap();
            let key = hmac::Key::new(hmac::HMAC_SHA256, &hex::decode(key).unwrap());
            hmac::verify(&key, b"{}:2026-01-01T00:00:00+09:00", &tag).unwrap();
        }
    }

    #[test]
    fn the_key_can_be_taken_as_text() {
        let mut config = SandboxConfig::default();
        let by_bytes = Signer::new(&config).sign("{}", "t");
        config.unknowns.hmac_key_as_text = true;
        assert_ne!(by_bytes, Signer::new(&config).sign("{}", "t"));
    }
}
