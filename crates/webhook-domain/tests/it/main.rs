//! The in-memory repository keeps the same contract as the real ones, and the service its own: sent at
//! least once, in order, signed with the right keys, and nobody in another's way.
#![expect(clippy::unwrap_used, reason = "tests")]

mod examples;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use kernel::Clock as _;
use webhook_domain::model::{
    Delivery, DeliveryState, EndpointPatch, EndpointState, EventType, LEASE, NewEndpoint, Sent,
    TargetRules, WINDOW, sign,
};
use webhook_domain::testing::{
    InMemoryWebhooks, ManualClock, NumberedIds, ScriptedSender, Steady, contract, event,
};
use webhook_domain::{
    DeliveryFilter, EndpointError, Ports, ResendError, WebhookReceiver as _, WebhookService,
};

const SECOND: Duration = Duration::from_secs(1);

/// Servers that share one store, and one clock.
struct World {
    repository: Arc<InMemoryWebhooks>,
    clock: Arc<ManualClock>,
    ids: Arc<NumberedIds>,
    randomness: Arc<Steady>,
}

impl World {
    fn new() -> Self {
        Self {
            repository: Arc::default(),
            clock: Arc::default(),
            ids: Arc::default(),
            randomness: Arc::default(),
        }
    }

    fn server(&self) -> (WebhookService, Arc<ScriptedSender>) {
        let sender = Arc::new(ScriptedSender::default());
        let ports = Ports {
            repository: self.repository.clone(),
            sender: sender.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            randomness: self.randomness.clone(),
        };
        let rules = TargetRules {
            allow_private: false,
        };
        (WebhookService::new(ports, rules), sender)
    }
}

async fn list(server: &WebhookService) -> Vec<Delivery> {
    let every = DeliveryFilter::default();
    server.deliveries(&every, None, 10).await.unwrap()
}

fn new() -> NewEndpoint {
    NewEndpoint {
        url: "https://hooks.example.com/payments".to_owned(),
        types: Vec::new(),
        description: String::new(),
        enabled: true,
    }
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    contract::all(Arc::new(InMemoryWebhooks::default())).await;
}

#[tokio::test]
async fn an_event_is_sent_signed_and_once() {
    let world = World::new();
    let (server, sender) = world.server();
    assert!(!server.is_awaited());
    let endpoint = server.register(new()).await.unwrap();
    assert!(server.is_awaited());
    let event = event("order-000001", 3);
    for _ in 0..3 {
        server.publish(&event).await.unwrap();
    }
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 0);
    let sent = sender.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].url.as_str(), endpoint.url);
    assert_eq!((&sent[0].id, &sent[0].body), (&event.id, &event.body));
    assert_eq!(sent[0].timestamp, world.clock.now().timestamp());
    let expected = sign(
        [&endpoint.secret],
        &event.id,
        sent[0].timestamp,
        &event.body,
    );
    assert_eq!(sent[0].signature, expected);
    let listed = list(&server).await;
    assert_eq!(listed[0].state, DeliveryState::Delivered);
    assert_eq!((listed[0].tries, listed[0].last_status), (1, Some(204)));
}

#[tokio::test]
async fn a_later_event_waits_for_the_earlier_one_through_its_failures() {
    let world = World::new();
    let (server, sender) = world.server();
    let endpoint = server.register(new()).await.unwrap();
    for (order, sequence) in [
        ("order-000001", 3),
        ("order-000001", 5),
        ("order-000002", 2),
    ] {
        server.publish(&event(order, sequence)).await.unwrap();
    }
    let first = "evt_order-000001_3";
    sender.status(first, 500);
    sender.answer(first, Sent::Failed("no connection".to_owned()));
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 2);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 0);
    world.clock.advance(30 * SECOND);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    world.clock.advance(30 * SECOND);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    let expected = [
        first,
        "evt_order-000002_2",
        first,
        first,
        "evt_order-000001_5",
    ];
    assert_eq!(sender.sent_ids(), expected);
}

#[tokio::test]
async fn a_server_that_dies_after_it_has_sent_leads_to_a_repetition_and_no_loss() {
    let world = World::new();
    let (dying, before) = world.server();
    let (other, after) = world.server();
    let endpoint = dying.register(new()).await.unwrap();
    dying.publish(&event("order-000001", 3)).await.unwrap();
    before.set_hanging(true);
    assert!(dying.work(&endpoint.id, 10).now_or_never().is_none());
    assert_eq!(before.sent_ids().len(), 1);

    assert_eq!(other.work(&endpoint.id, 10).await.unwrap(), 0);
    world.clock.advance(LEASE);
    assert_eq!(other.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(after.sent_ids(), before.sent_ids());
    let listed = list(&other).await;
    assert_eq!(listed[0].state, DeliveryState::Delivered);
    assert_eq!(listed[0].tries, 2);
}

#[tokio::test]
async fn servers_that_work_at_once_send_an_event_once() {
    let world = World::new();
    let (left, sent_left) = world.server();
    let (right, sent_right) = world.server();
    let endpoint = left.register(new()).await.unwrap();
    for number in 1..=50 {
        let event = event(&format!("order-{number:06}"), 2);
        left.publish(&event).await.unwrap();
    }
    let (a, b) = tokio::join!(left.work(&endpoint.id, 50), right.work(&endpoint.id, 50));
    assert!(a.unwrap() > 0 && b.unwrap() > 0);
    assert!(!sent_left.sent().is_empty() && !sent_right.sent().is_empty());
    let mut all = [sent_left.sent_ids(), sent_right.sent_ids()].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 50);
    let count = sent_left.sent().len() + sent_right.sent().len();
    assert_eq!(count, 50);
}

#[tokio::test]
async fn what_fails_for_a_day_is_dead_and_can_be_sent_again() {
    let world = World::new();
    let (server, sender) = world.server();
    let endpoint = server.register(new()).await.unwrap();
    server.publish(&event("order-000001", 3)).await.unwrap();
    let id = "evt_order-000001_3";
    let begun = world.clock.now();
    let delivery = async || list(&server).await.remove(0);
    while let Some(due) = delivery().await.due_at {
        if let Ok(pause) = (due - world.clock.now()).to_std() {
            world.clock.advance(pause);
        }
        sender.status(id, 503);
        assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    }
    let dead = delivery().await;
    assert_eq!(dead.state, DeliveryState::Dead);
    assert_eq!((dead.ended_at.unwrap() - begun).to_std(), Ok(WINDOW));
    assert_eq!(server.vitals().await.unwrap().dead, 1);

    let again = server.resend(&dead.id).await.unwrap();
    assert_eq!(again.state, DeliveryState::Pending);
    let twice = server.resend(&dead.id).await;
    assert!(matches!(twice, Err(ResendError::Pending(_))));
    let unknown = server.resend("dlv_unknown").await;
    assert!(matches!(unknown, Err(ResendError::Unknown(_))));
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(delivery().await.state, DeliveryState::Delivered);
    // What was delivered can be sent again too, under the same id.
    server.resend(&dead.id).await.unwrap();
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert!(sender.sent_ids().iter().all(|sent| sent == id));
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_new_one_for_a_day() {
    let world = World::new();
    let (server, sender) = world.server();
    let first = server.register(new()).await.unwrap();
    let second = server.rotate(&first.id).await.unwrap();
    assert_ne!(first.secret, second.secret);
    for (sequence, secrets) in [
        (1, vec![&second.secret, &first.secret]),
        (2, vec![&second.secret]),
    ] {
        server
            .publish(&event("order-000001", sequence))
            .await
            .unwrap();
        assert_eq!(server.work(&first.id, 10).await.unwrap(), 1);
        let sent = sender.sent().pop().unwrap();
        let expected = sign(secrets, &sent.id, sent.timestamp, &sent.body);
        assert_eq!(sent.signature, expected);
        world.clock.advance(WINDOW);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_turned_off_until_it_is_turned_on() {
    let world = World::new();
    let (server, sender) = world.server();
    let endpoint = server.register(new()).await.unwrap();
    for sequence in [1, 2] {
        server
            .publish(&event("order-000001", sequence))
            .await
            .unwrap();
    }
    sender.status("evt_order-000001_1", 410);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    let gone = server.endpoint(&endpoint.id).await.unwrap();
    assert_eq!(gone.state, EndpointState::Gone);
    assert!(!server.is_awaited());
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 0);
    let off = server.test(&endpoint.id).await;
    assert!(matches!(off, Err(EndpointError::Off(_))), "{off:?}");
    server.publish(&event("order-000002", 1)).await.unwrap();

    let on = EndpointPatch {
        enabled: Some(true),
        ..EndpointPatch::default()
    };
    server.change(&endpoint.id, &on).await.unwrap();
    assert!(server.is_awaited());
    // What was pending goes on; what came meanwhile was not for it.
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 0);
    assert_eq!(sender.sent_ids().len(), 2);
}

#[tokio::test]
async fn another_server_s_endpoint_is_known_after_a_look() {
    let world = World::new();
    let (left, _) = world.server();
    let (right, _) = world.server();
    let endpoint = left.register(new()).await.unwrap();
    assert!(!right.is_awaited());
    assert_eq!(
        right.look().await.unwrap(),
        std::slice::from_ref(&endpoint.id)
    );
    assert!(right.is_awaited());
    left.remove(&endpoint.id).await.unwrap();
    assert!(!left.is_awaited());
    assert_eq!(right.look().await.unwrap(), Vec::<String>::new());
    assert!(!right.is_awaited());
    let unknown = left.remove(&endpoint.id).await;
    assert!(matches!(unknown, Err(EndpointError::Unknown(_))));
}

#[tokio::test]
async fn a_test_event_goes_to_one_endpoint_whatever_it_chose() {
    let world = World::new();
    let (server, sender) = world.server();
    let picky = NewEndpoint {
        types: vec![EventType::PaymentQuarantined],
        ..new()
    };
    let endpoint = server.register(picky).await.unwrap();
    server.register(new()).await.unwrap();
    let delivery = server.test(&endpoint.id).await.unwrap();
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    let sent = sender.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].id, delivery.event_id);
    let expected = format!(
        r#"{{"type":"webhook.test","timestamp":"2026-01-05T00:00:00.000000Z","data":{{"endpointId":"{}"}}}}"#,
        endpoint.id
    );
    assert_eq!(sent[0].body, expected);
    assert_eq!(server.vitals().await.unwrap().pending, 0);
}

#[tokio::test]
async fn what_is_old_is_forgotten_and_what_is_dead_is_kept_longer() {
    let world = World::new();
    let (server, sender) = world.server();
    let endpoint = server.register(new()).await.unwrap();
    for order in ["order-000001", "order-000002"] {
        server.publish(&event(order, 1)).await.unwrap();
    }
    sender.status("evt_order-000002_1", 410);
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 2);
    assert_eq!(server.tidy().await.unwrap(), 0);
    world.clock.advance(Duration::from_hours(24 * 30) + SECOND);
    assert_eq!(server.tidy().await.unwrap(), 2, "a delivery and its event");
    assert_eq!(server.vitals().await.unwrap().dead, 1);
    world.clock.advance(Duration::from_hours(24 * 60));
    assert_eq!(server.tidy().await.unwrap(), 2);
    assert_eq!(server.vitals().await.unwrap().dead, 0);
}

#[tokio::test]
async fn a_target_that_is_not_allowed_any_more_is_not_called() {
    let world = World::new();
    let lax = TargetRules {
        allow_private: true,
    };
    let (server, sender) = world.server();
    let ports = Ports {
        repository: world.repository.clone(),
        sender: sender.clone(),
        clock: world.clock.clone(),
        ids: world.ids.clone(),
        randomness: world.randomness.clone(),
    };
    let before = WebhookService::new(ports, lax);
    let private = NewEndpoint {
        url: "http://127.0.0.1:9000/".to_owned(),
        ..new()
    };
    assert!(matches!(
        server.register(private.clone()).await,
        Err(EndpointError::Invalid(_))
    ));
    let endpoint = before.register(private).await.unwrap();
    server.publish(&event("order-000001", 1)).await.unwrap();
    assert_eq!(server.work(&endpoint.id, 10).await.unwrap(), 1);
    assert_eq!(sender.sent(), []);
    let refused = list(&server).await.remove(0);
    assert_eq!(refused.state, DeliveryState::Pending);
    let why = refused.last_error.unwrap();
    assert_eq!(why, "url must begin with https://");
}
