//! The composition root: settings in, a running server out.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::{Context, bail};
use kernel::{Clock, IdGenerator, Randomness, SystemClock, SystemIds, SystemRandomness};
use payment_domain::{
    Notices, PaymentReader, PaymentReceiver, PaymentService, Ports, RecordService,
};
use product_domain::{ProductReceiver, ProductService};
use secrecy::{ExposeSecret, SecretString};
use storage::{Database, SchemaState};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use toss_client::{SecretKey, TossClient};
use toss_sandbox::{RunningSandbox, Sandbox, SandboxConfig};
use user_domain::{UserReceiver, UserService};
use webhook_domain::{WebhookReceiver, WebhookService};

use crate::bridge::{
    BreakerSettings, Buyers, GuardedGateway, HttpSender, MerchantNews, Products, SystemNames, Toss,
};
use crate::cancel_desk::CancelDesk;
use crate::config::Settings;
use crate::confirm_desk::ConfirmDesk;
use crate::event_streams::EventStreams;
use crate::http::envelope::RequestIds;
use crate::http::{self, Api, Draining, RateLimiter, WrongKeys};
use crate::keys::{KeyRing, KeysFile};
use crate::shop::{self, ShopSettings};
use crate::worker;

/// How long a client may take to send its request's head.
const REQUEST_HEAD_MAX: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A server that is up.
pub struct RunningServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// The operators' key, when the server made it up (embedded mode without `API_KEY`).
    pub made_up_api_key: Option<SecretString>,
    /// The sandbox that takes Toss's place, in embedded mode.
    pub sandbox: Option<Sandbox>,
    running_sandbox: Option<RunningSandbox>,
    http: ServerHandle,
    http_task: JoinHandle<std::io::Result<()>>,
    worker: JoinHandle<()>,
    tasks: TaskTracker,
    stop: CancellationToken,
    draining: Draining,
    grace: Duration,
}

/// Opens the database and, on SQLite, brings it up to date; on MySQL that is `migrate`'s work, and
/// a schema that is not this program's stops the start.
///
/// # Errors
/// When the database cannot be reached or its schema does not fit.
pub async fn open_database(
    settings: &Settings,
    ids: &dyn IdGenerator,
    now: kernel::Timestamp,
) -> anyhow::Result<Database> {
    let database = Database::connect(&settings.database()).await?;
    if let SchemaState::Newer(unknown) = database.schema_state().await? {
        bail!(
            "the database's schema is newer than this program (it has {}): run the newer program",
            unknown.join(", ")
        );
    }
    if database.is_sqlite() {
        database
            .migrate()
            .await
            .context("the database's schema could not be brought up to date")?;
        database
            .seed_demo_if_new(ids, now)
            .await
            .context("the demo rows could not be stored")?;
    }
    match database.schema_state().await? {
        SchemaState::UpToDate => Ok(database),
        SchemaState::Missing(names) => bail!(
            "the database's schema lacks {}: run `api-server migrate` first",
            names.join(", ")
        ),
        SchemaState::Newer(names) => {
            bail!(
                "the database's schema is newer than this program (it has {})",
                names.join(", ")
            )
        }
    }
}

/// The real clock, ids and randomness.
pub fn system_ids() -> (Arc<dyn Clock>, Arc<dyn IdGenerator>, Arc<dyn Randomness>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let randomness: Arc<dyn Randomness> = Arc::new(SystemRandomness);
    let ids = Arc::new(SystemIds::new(Arc::clone(&clock), Arc::clone(&randomness)));
    (clock, ids, randomness)
}

/// Starts the server on the current runtime, which becomes the one for all I/O.
///
/// # Errors
/// With one clear line when a setting, the database or the address does not work.
pub async fn start(settings: Settings) -> anyhow::Result<RunningServer> {
    let settings = settings.validated()?;
    let (clock, ids, randomness) = system_ids();
    let database = open_database(&settings, ids.as_ref(), clock.now()).await?;
    let listener = TcpListener::bind(settings.listen)
        .with_context(|| format!("cannot listen on {}", settings.listen))?;
    let address = listener.local_addr()?;

    let (toss, running_sandbox, sandbox) = connect_toss(&settings, address).await?;
    let system = System {
        clock: Arc::clone(&clock),
        ids: Arc::clone(&ids),
        randomness: Arc::clone(&randomness),
    };
    let webhooks = webhooks(&database, &system, &settings).await?;
    let Domains {
        payments,
        products,
        users,
        toss,
    } = domains(&database, toss, &webhooks, system, &settings);
    let (tasks, stop, runtime) = (
        TaskTracker::new(),
        CancellationToken::new(),
        Handle::current(),
    );
    let (desk, cancels) = desks(&payments, &clock, &tasks, &runtime, &settings);
    let (keys, made_up_api_key) = operators_keys(&settings, ids.as_ref(), &tasks, &stop)?;
    let worker = tokio::spawn(worker::run(
        Arc::clone(&payments),
        randomness,
        settings.pace(),
        tasks.clone(),
        stop.clone(),
    ));
    let notices = Notices::new(database.inbox(), Arc::clone(&payments), Arc::clone(&clock));
    let notices = Arc::new(notices);
    work_on_webhooks(&notices, &webhooks, &tasks, &stop, &settings);
    let reader: Arc<dyn PaymentReader> = Arc::new(RecordService::new(database.records()));
    let events = event_streams(&reader, &tasks, &stop, &settings);
    let api = Api {
        payments,
        reader,
        products,
        users,
        desk,
        cancels,
        webhooks,
        notices,
        events,
        toss,
        database,
        clock,
        keys,
        runtime,
    };
    let draining = Draining::default();
    let (http, http_task) = serve(
        listener,
        api,
        ids,
        &settings,
        sandbox.clone(),
        draining.clone(),
    )?;
    let grace = settings.shutdown_grace;
    Ok(RunningServer {
        address,
        made_up_api_key,
        sandbox,
        running_sandbox,
        http,
        http_task,
        worker,
        tasks,
        stop,
        draining,
        grace,
    })
}

/// Works on webhooks, Toss's and our own, until `stop`.
fn work_on_webhooks(
    notices: &Arc<Notices>,
    webhooks: &Arc<dyn WebhookReceiver>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
    settings: &Settings,
) {
    let pause = settings.recovery_interval;
    let reading = worker::read_notices(Arc::clone(notices), pause, stop.clone());
    tasks.spawn(reading);
    let (webhooks, sending) = (Arc::clone(webhooks), tasks.clone());
    let sending = worker::send_webhooks(webhooks, pause, sending, stop.clone());
    tasks.spawn(sending);
}

/// Webhooks to merchants, who is told looked up already.
pub(crate) async fn webhooks(
    database: &Database,
    system: &System,
    settings: &Settings,
) -> anyhow::Result<Arc<dyn WebhookReceiver>> {
    let rules = settings.webhook_rules();
    let ports = webhook_domain::Ports {
        repository: database.webhooks(),
        sender: Arc::new(HttpSender::new(Arc::new(SystemNames), rules)?),
        clock: Arc::clone(&system.clock),
        ids: Arc::clone(&system.ids),
        randomness: Arc::clone(&system.randomness),
    };
    let webhooks = WebhookService::new(ports, rules);
    webhooks.look().await.context("who is told of payments")?;
    Ok(Arc::new(webhooks))
}

/// Where confirms meet, and where cancels wait for one another.
fn desks(
    payments: &Arc<dyn PaymentReceiver>,
    clock: &Arc<dyn Clock>,
    tasks: &TaskTracker,
    runtime: &Handle,
    settings: &Settings,
) -> (Arc<ConfirmDesk>, CancelDesk) {
    let wait = settings.confirm_wait;
    let confirms = ConfirmDesk::new(
        Arc::clone(payments),
        tasks.clone(),
        runtime.clone(),
        Arc::clone(clock),
        wait,
        settings.max_in_flight as usize,
    );
    let cancels = CancelDesk::new(Arc::clone(payments), tasks.clone(), runtime.clone(), wait);
    (Arc::new(confirms), cancels)
}

/// Streams of payments' changes, on the current runtime.
fn event_streams(
    reader: &Arc<dyn PaymentReader>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
    settings: &Settings,
) -> Arc<EventStreams> {
    Arc::new(EventStreams::new(
        Arc::clone(reader),
        tasks.clone(),
        Handle::current(),
        stop.clone(),
        settings.event_streams as usize,
    ))
}

/// The operators' keys, kept up to date until `stop`, and the one that was made up in embedded mode
/// where none was set.
fn operators_keys(
    settings: &Settings,
    ids: &dyn IdGenerator,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> anyhow::Result<(Arc<KeyRing>, Option<SecretString>)> {
    let is_made_up = settings.is_embedded() && settings.api_key.is_none();
    let made_up = is_made_up.then(|| SecretString::from(format!("{}{}", ids.token(), ids.token())));
    let key = settings.api_key.as_ref().or(made_up.as_ref());
    let keys = Arc::new(KeyRing::new(key));
    if let Some(path) = &settings.api_keys_file {
        let file = KeysFile::open(path.into(), Arc::clone(&keys))
            .with_context(|| format!("API_KEYS_FILE ({path}) cannot be used"))?;
        tasks.spawn(file.watch(stop.clone()));
    }
    Ok((keys, made_up))
}

/// Time, ids and randomness.
pub(crate) struct System {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn IdGenerator>,
    pub(crate) randomness: Arc<dyn Randomness>,
}

/// What each domain offers.
pub(crate) struct Domains {
    pub(crate) payments: Arc<dyn PaymentReceiver>,
    pub(crate) products: Arc<dyn ProductReceiver>,
    pub(crate) users: Arc<dyn UserReceiver>,
    pub(crate) toss: Arc<GuardedGateway<Toss>>,
}

/// The domains over storage and Toss, joined by the bridges.
pub(crate) fn domains(
    database: &Database,
    toss: TossClient,
    webhooks: &Arc<dyn WebhookReceiver>,
    system: System,
    settings: &Settings,
) -> Domains {
    let System {
        clock,
        ids,
        randomness,
    } = system;
    let products: Arc<dyn ProductReceiver> =
        Arc::new(ProductService::new(database.products(), Arc::clone(&clock)));
    let users: Arc<dyn UserReceiver> = Arc::new(UserService::new(
        database.users(),
        Arc::clone(&clock),
        Arc::clone(&ids),
    ));
    let toss = Arc::new(GuardedGateway::new(
        Toss::new(toss),
        settings.max_in_flight as usize,
        BreakerSettings::for_lease(settings.confirm_lease),
    ));
    let ports = Ports {
        payments: database.payments(),
        records: database.records(),
        news: Arc::new(MerchantNews::new(Arc::clone(webhooks))),
        products: Arc::new(Products::new(Arc::clone(&products))),
        buyers: Arc::new(Buyers::new(Arc::clone(&users))),
        gateway: toss.clone(),
        clock,
        ids,
        randomness,
    };
    #[cfg(feature = "failpoints")]
    let ports = crate::failpoints::arm(ports, &settings.failpoints);
    let payments = Arc::new(PaymentService::new(ports, settings.policy()));
    Domains {
        payments,
        products,
        users,
        toss,
    }
}

/// The client of Toss, or of a sandbox on a loopback listener of its own.
async fn connect_toss(
    settings: &Settings,
    address: SocketAddr,
) -> anyhow::Result<(TossClient, Option<RunningSandbox>, Option<Sandbox>)> {
    let (key, base_url, running, sandbox) = if let Some(key) = &settings.toss_secret_key {
        (
            key.expose_secret().to_owned(),
            settings.toss_base_url.clone(),
            None,
            None,
        )
    } else {
        let sandbox = Sandbox::new(SandboxConfig {
            public_url: Some(format!("http://{address}")),
            webhook_url: Some(format!("http://{address}/api/v1/webhooks/toss")),
            ..SandboxConfig::default()
        });
        let listener = TcpListener::bind("127.0.0.1:0").context("no port for the sandbox")?;
        let running = RunningSandbox::start(sandbox.clone(), listener).await?;
        let base_url = running.base_url().to_owned();
        (
            sandbox.secret_key().to_owned(),
            Some(base_url),
            Some(running),
            Some(sandbox),
        )
    };
    let client = toss_client(&key, base_url.as_deref(), settings)?;
    Ok((client, running, sandbox))
}

/// A client of Toss with this key, at Toss's own address or another.
pub(crate) fn toss_client(
    key: &str,
    base_url: Option<&str>,
    settings: &Settings,
) -> anyhow::Result<TossClient> {
    let key = SecretKey::parse(key).context("TOSS_SECRET_KEY cannot be used")?;
    let mut builder = TossClient::builder(key).attempt_timeout(settings.toss_timeout);
    if let Some(base_url) = base_url {
        builder = builder
            .base_url(base_url)
            .context("TOSS_BASE_URL cannot be used")?;
    }
    Ok(builder.build()?)
}

fn serve(
    listener: TcpListener,
    api: Api,
    ids: Arc<dyn IdGenerator>,
    settings: &Settings,
    sandbox: Option<Sandbox>,
    draining: Draining,
) -> anyhow::Result<(ServerHandle, JoinHandle<std::io::Result<()>>)> {
    let api = web::Data::new(api);
    let request_ids = web::Data::new(RequestIds(ids));
    let draining = web::Data::new(draining);
    let limiter = web::Data::new(RateLimiter::new(settings.rate_limit));
    let wrong_keys = web::Data::new(WrongKeys::default());
    let server = HttpServer::new(move || {
        let app = App::new()
            .app_data(request_ids.clone())
            .app_data(limiter.clone())
            .app_data(wrong_keys.clone())
            .app_data(draining.clone())
            .wrap(from_fn(http::rate_limit::limit))
            .wrap(from_fn(http::envelope::wrap))
            .wrap(from_fn(http::drain::end_connections))
            .wrap(http::default_headers())
            .configure(http::routes(api.clone()));
        match &sandbox {
            Some(sandbox) => app
                .configure(sandbox.browser_routes())
                .configure(shop::configure(ShopSettings {
                    script_url: "/v2/standard".to_owned(),
                    client_key: sandbox.client_key().to_owned(),
                })),
            None => app,
        }
    })
    .client_request_timeout(REQUEST_HEAD_MAX)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(settings.shutdown_grace.as_secs().max(1))
    .disable_signals()
    .listen(listener)?
    .run();
    let handle = server.handle();
    Ok((handle, tokio::spawn(server)))
}

impl RunningServer {
    /// The address a browser or client uses.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says for `delay` that this server is about to stop, so that a proxy sends what comes to
    /// another, and still serves everything. Every answer ends its connection meanwhile.
    pub async fn drain(&self, delay: Duration) {
        self.stop.cancel();
        self.draining.begin();
        tokio::time::sleep(delay).await;
    }

    /// Stops gracefully: no new connections, then the running requests, confirms and recoveries
    /// end, within the shutdown grace. What is left then is a crash to the payment, and recovery's
    /// work at the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        let deadline = tokio::time::Instant::now() + self.grace;
        self.http.stop(true).await;
        self.tasks.close();
        if tokio::time::timeout_at(deadline, self.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                left = self.tasks.len(),
                "payments still running; recovery finishes them"
            );
        }
        if let Err(error) = self.worker.await {
            tracing::warn!(%error, "the worker did not end well");
        }
        if let Ok(Err(error)) = self.http_task.await {
            tracing::warn!(%error, "the HTTP server did not end well");
        }
        if let Some(sandbox) = self.running_sandbox {
            sandbox.stop().await;
        }
    }
}
