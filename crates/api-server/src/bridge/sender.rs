//! Sends webhooks. What an operator wrote as a URL decides where this server connects to, so every name
//! is looked up here, at the moment of connecting, and only addresses that passed are connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, header, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use webhook_domain::model::{Sent, TargetRules, is_public};
use webhook_domain::{Outgoing, Sender};

/// How long one try may take, from the look-up of the name to the answer's head.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the rest of an answer is waited for: nobody reads it, but the connection can be used again.
const REST_TIMEOUT: Duration = Duration::from_secs(1);
/// How much of an answer is read.
const REST_BYTES_MAX: usize = 16 * 1024;
/// How long a connection that nobody uses is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Idle connections to one host.
const IDLE_CONNECTIONS_MAX: usize = 8;

/// Looks names up.
#[async_trait]
pub trait Names: Send + Sync {
    /// The addresses that this name leads to now.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own name service.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// The name leads somewhere that must not be called.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to an address that is not public")]
struct NotPublic;

/// Gives the client addresses that it may connect to, and no others.
struct CheckedNames {
    names: Arc<dyn Names>,
    rules: TargetRules,
}

impl Resolve for CheckedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, rules) = (Arc::clone(&self.names), self.rules);
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            // One bad address among good ones is one that somebody put there.
            if !rules.allow_private && !found.iter().all(|address| is_public(*address)) {
                return Err(NotPublic.into());
            }
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}

/// Sends over HTTP/1.1, with TLS by rustls.
pub struct HttpSender {
    http: Client,
}

impl HttpSender {
    /// A sender that looks names up with `names`.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub fn new(names: Arc<dyn Names>, rules: TargetRules) -> anyhow::Result<Self> {
        let http = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .http1_only()
            .user_agent(concat!("payment-server/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(CheckedNames { names, rules }))
            .timeout(TIMEOUT)
            .connect_timeout(TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            // A proxy would look the name up itself.
            .no_proxy()
            .build()?;
        Ok(Self { http })
    }
}

/// rustls with ring (ADR 0013). A machine without any certificate roots can still start, and send
/// where no TLS is needed.
fn tls() -> anyhow::Result<ClientConfig> {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
    };
    match builder()?.with_platform_verifier() {
        Ok(config) => Ok(config.with_no_client_auth()),
        Err(error) => {
            tracing::warn!(%error, "no certificate roots: webhooks to https addresses will fail");
            let none = RootCertStore::empty();
            Ok(builder()?
                .with_root_certificates(none)
                .with_no_client_auth())
        }
    }
}

#[async_trait]
impl Sender for HttpSender {
    async fn send(&self, outgoing: &Outgoing) -> Sent {
        let request = self
            .http
            .post(outgoing.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &outgoing.id)
            .header("webhook-timestamp", outgoing.timestamp.to_string())
            .header("webhook-signature", &outgoing.signature)
            .body(outgoing.body.clone());
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Sent::Failed(why(&error).to_owned()),
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok());
        let retry_after = retry_after.map(ToOwned::to_owned);
        // The status has been told; how the rest ends changes nothing.
        let _ = tokio::time::timeout(REST_TIMEOUT, read_rest(response)).await;
        Sent::Answered {
            status,
            retry_after,
        }
    }
}

async fn read_rest(mut response: Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > REST_BYTES_MAX {
            return;
        }
    }
}

/// What went wrong, without the URL: its query may hold a secret.
fn why(error: &reqwest::Error) -> &'static str {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if cause.is::<NotPublic>() {
            return "the name leads to an address that is not public";
        }
        source = cause.source();
    }
    if error.is_timeout() {
        "no answer within 10 seconds"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke before an answer came"
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;

    /// Every name leads here.
    struct Everywhere(Vec<IpAddr>);

    #[async_trait]
    impl Names for Everywhere {
        async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
            Ok(self.0.clone())
        }
    }

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A server that answers one request with this text; returns its port, and what it got.
    async fn server(answer: &'static str) -> (u16, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut got = vec![0; 4096];
            let read = socket.read(&mut got).await.unwrap();
            got.truncate(read);
            // The client may have gone.
            let _ = socket.write_all(answer.as_bytes()).await;
            String::from_utf8(got).unwrap()
        });
        (port, got)
    }

    async fn send(addresses: &[IpAddr], url: &str, allow_private: bool) -> Sent {
        let names = Arc::new(Everywhere(addresses.to_vec()));
        let sender = HttpSender::new(names, TargetRules { allow_private }).unwrap();
        let outgoing = Outgoing {
            url: url.parse().unwrap(),
            id: "evt_1".to_owned(),
            timestamp: 1_614_265_330,
            signature: "v1,x v1,y".to_owned(),
            body: r#"{"원":"₩"}"#.to_owned(),
        };
        sender.send(&outgoing).await
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_called() {
        let (port, got) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let public = IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8));
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let url = format!("http://hooks.example.com:{port}/");
        for addresses in [vec![LOOPBACK], vec![public, LOOPBACK], vec![mapped]] {
            let sent = send(&addresses, &url, false).await;
            let why = "the name leads to an address that is not public";
            assert_eq!(sent, Sent::Failed(why.to_owned()));
        }
        assert!(!got.is_finished(), "somebody connected");
        // The same server is reached when private networks are allowed, and with what it takes.
        let sent = send(&[LOOPBACK], &url, true).await;
        let answered = Sent::Answered {
            status: 200,
            retry_after: None,
        };
        assert_eq!(sent, answered);
        let got = got.await.unwrap();
        for part in [
            "POST / HTTP/1.1\r\n",
            "host: hooks.example.com:",
            "content-type: application/json\r\n",
            "webhook-id: evt_1\r\n",
            "webhook-timestamp: 1614265330\r\n",
            "webhook-signature: v1,x v1,y\r\n",
            "\r\n\r\n{\"원\":\"₩\"}",
        ] {
            assert!(got.contains(part), "{part}:\n{got}");
        }
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let (other, reached) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let answer = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{other}/\r\n\
             retry-after: 7\r\ncontent-length: 0\r\n\r\n"
        );
        let (port, _) = server(answer.leak()).await;
        let sent = send(&[LOOPBACK], &format!("http://a.example.com:{port}/"), true).await;
        let answered = Sent::Answered {
            status: 307,
            retry_after: Some("7".to_owned()),
        };
        assert_eq!(sent, answered);
        assert!(!reached.is_finished());
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_an_answer_all_the_same() {
        let (port, _) = server("HTTP/1.1 204 No Content\r\n\r\n").await;
        let sent = send(&[LOOPBACK], &format!("http://a.example.com:{port}/"), true).await;
        assert!(matches!(sent, Sent::Answered { status: 204, .. }));
        let endless = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx";
        let (port, _) = server(endless).await;
        let sent = send(&[LOOPBACK], &format!("http://a.example.com:{port}/"), true).await;
        assert!(matches!(sent, Sent::Answered { status: 200, .. }));
        let (port, _) = server("HTTP/1.1 2").await;
        let sent = send(&[LOOPBACK], &format!("http://a.example.com:{port}/"), true).await;
        let why = "the connection broke before an answer came";
        assert_eq!(sent, Sent::Failed(why.to_owned()));
    }

    #[tokio::test]
    async fn nobody_at_home_is_a_failure() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let sent = send(&[LOOPBACK], &format!("http://a.example.com:{port}/"), true).await;
        assert_eq!(sent, Sent::Failed("no connection".to_owned()));
    }
}
