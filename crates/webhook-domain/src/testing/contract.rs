//! The contract of [`WebhookRepository`]. It runs against the in-memory repository, SQLite and MySQL.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kernel::{SystemRandomness, Timestamp};

use super::{endpoint, event, noon};
use crate::model::{
    Delivery, DeliveryState, ENDPOINTS_MAX, Endpoint, EndpointState, Event, EventType, LEASE, Sent,
    SigningSecret,
};
use crate::port::{DeliveryFilter, Due, Vitals, WebhookRepository};

type Repository = Arc<dyn WebhookRepository>;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_hours(24);

/// Runs the whole contract against a repository that has nothing yet.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(repository: Repository) {
    keeps_endpoints_as_they_are(&repository).await;
    lets_one_of_many_changes_through(&repository).await;
    publishes_an_event_once_to_whoever_wants_it(&repository).await;
    gives_a_delivery_to_one_of_many(&repository).await;
    keeps_the_order_of_an_order(&repository).await;
    lists_and_counts(&repository).await;
    resends_and_leaves_out_what_is_off_or_gone(&repository).await;
    forgets_what_is_old_and_nothing_else(&repository).await;
    never_keeps_more_endpoints_than_there_may_be(&repository).await;
}

fn token(number: u32) -> String {
    format!("{number:032x}")
}

async fn clear(repository: &Repository) {
    for endpoint in repository.endpoints().await.expect("endpoints") {
        let deleted = repository.delete_endpoint(&endpoint.id, noon()).await;
        assert!(deleted.expect("delete"));
    }
    let never = noon() + 1_000 * DAY;
    while repository.forget(never, never, 100).await.expect("forget") > 0 {}
}

async fn register(repository: &Repository, id: &str) -> Endpoint {
    let endpoint = endpoint(id);
    let stored = repository.insert_endpoint(&endpoint).await;
    assert!(stored.expect("insert"));
    endpoint
}

async fn publish(repository: &Repository, event: &Event, number: u32) -> Vec<Delivery> {
    publish_to(repository, event, number, None).await
}

async fn publish_to(
    repository: &Repository,
    event: &Event,
    number: u32,
    only: Option<&str>,
) -> Vec<Delivery> {
    let token = token(number);
    let published = repository.publish(event, &token, only, noon()).await;
    published.expect("publish")
}

async fn due(repository: &Repository, endpoint: &str, now: Timestamp) -> Vec<Due> {
    repository.due(endpoint, now, 100).await.expect("due")
}

async fn due_ids(repository: &Repository, endpoint: &str, now: Timestamp) -> Vec<String> {
    let due = due(repository, endpoint, now).await;
    due.into_iter().map(|due| due.delivery.event_id).collect()
}

async fn list(repository: &Repository, filter: &DeliveryFilter) -> Vec<Delivery> {
    let listed = repository.deliveries(filter, None, 100).await;
    listed.expect("list")
}

fn status(status: u16) -> Sent {
    Sent::Answered {
        status,
        retry_after: None,
    }
}

/// Takes a delivery and settles it, as a worker does.
async fn sent(
    repository: &Repository,
    delivery: &Delivery,
    with: &Sent,
    at: Timestamp,
) -> Delivery {
    let taken = delivery.clone().taken(at);
    assert!(repository.take(delivery, &taken).await.expect("take"));
    let after = taken.clone().after(with, at, &SystemRandomness);
    assert!(repository.settle(&taken, &after).await.expect("settle"));
    after
}

async fn keeps_endpoints_as_they_are(repository: &Repository) {
    assert_eq!(repository.endpoints().await.expect("endpoints"), []);
    let second = register(repository, "ep_2").await;
    let mut first = endpoint("ep_1");
    first.types = vec![EventType::PaymentFailed, EventType::PaymentCanceled];
    first.state = EndpointState::Disabled;
    let stored = repository.insert_endpoint(&first).await;
    assert!(stored.expect("insert"));
    let all = repository.endpoints().await.expect("endpoints");
    assert_eq!(all, [first.clone(), second.clone()]);
    let found = repository.endpoint("ep_2").await.expect("endpoint");
    assert_eq!(found, Some(second.clone()));
    assert_eq!(repository.endpoint("ep_3").await.expect("endpoint"), None);

    let now = noon() + SECOND;
    let changed = second
        .rotated(SigningSecret::random(&SystemRandomness), now)
        .gone(now);
    // Two revisions at once are one too many.
    assert!(
        !repository
            .replace_endpoint(&changed)
            .await
            .expect("replace")
    );
    let changed = Endpoint {
        revision: 1,
        ..changed
    };
    assert!(
        repository
            .replace_endpoint(&changed)
            .await
            .expect("replace")
    );
    let found = repository.endpoint("ep_2").await.expect("endpoint");
    assert_eq!(found, Some(changed));
    let unknown = Endpoint {
        revision: 1,
        ..endpoint("ep_3")
    };
    assert!(
        !repository
            .replace_endpoint(&unknown)
            .await
            .expect("replace")
    );

    let delete = |id| repository.delete_endpoint(id, noon());
    assert!(delete("ep_1").await.expect("delete"));
    assert!(!delete("ep_1").await.expect("delete"));
    assert!(!delete("ep_3").await.expect("delete"));
    assert_eq!(repository.endpoint("ep_1").await.expect("endpoint"), None);
    assert_eq!(repository.endpoints().await.expect("endpoints").len(), 1);
    clear(repository).await;
}

async fn lets_one_of_many_changes_through(repository: &Repository) {
    let endpoint = register(repository, "ep_1").await;
    let changes = (0..8).map(|_| {
        let secret = SigningSecret::random(&SystemRandomness);
        let changed = endpoint.clone().rotated(secret, noon());
        async move {
            repository
                .replace_endpoint(&changed)
                .await
                .expect("replace")
        }
    });
    let through = join_all(changes).await;
    assert_eq!(through.iter().filter(|through| **through).count(), 1);
    clear(repository).await;
}

async fn publishes_an_event_once_to_whoever_wants_it(repository: &Repository) {
    register(repository, "ep_1").await;
    for (id, types, state) in [
        ("ep_2", vec![EventType::PaymentDone], EndpointState::Enabled),
        (
            "ep_3",
            vec![EventType::PaymentFailed],
            EndpointState::Enabled,
        ),
        ("ep_4", vec![], EndpointState::Disabled),
        ("ep_5", vec![], EndpointState::Gone),
    ] {
        let new = Endpoint {
            types,
            state,
            ..endpoint(id)
        };
        let stored = repository.insert_endpoint(&new).await;
        assert!(stored.expect("insert"));
    }
    let event = event("order-000001", 3);
    let tries = (0..8).map(|number| {
        let event = event.clone();
        async move { publish(repository, &event, number).await.len() }
    });
    let mut counts = join_all(tries).await;
    counts.sort_unstable();
    assert_eq!(counts, [0, 0, 0, 0, 0, 0, 0, 2]);
    for id in ["ep_1", "ep_2"] {
        let due = due(repository, id, noon()).await;
        assert_eq!(due.len(), 1, "{id}");
        assert_eq!(due[0].body, event.body);
        let delivery = &due[0].delivery;
        assert_eq!(delivery.endpoint_id, id);
        assert_eq!((&delivery.event_id, delivery.sequence), (&event.id, 3));
        assert_eq!(delivery.order_id, event.order_id);
        assert_eq!(delivery.state, DeliveryState::Pending);
        assert_eq!((delivery.tries, delivery.due_at), (0, Some(noon())));
    }
    for id in ["ep_3", "ep_4", "ep_5", "ep_6"] {
        assert_eq!(due_ids(repository, id, noon()).await.len(), 0, "{id}");
    }

    // To one of them alone; and one that is off takes nothing.
    let test = Event {
        id: "evt_test_1".to_owned(),
        event_type: EventType::Test,
        order_id: None,
        ..event.clone()
    };
    let off = publish_to(repository, &test, 20, Some("ep_4")).await;
    assert_eq!(off, []);
    let only = publish_to(repository, &test, 21, Some("ep_3")).await;
    assert_eq!(only.len(), 1);
    assert_eq!(due(repository, "ep_3", noon()).await[0].delivery, only[0]);
    assert_eq!(due_ids(repository, "ep_1", noon()).await.len(), 1);
    clear(repository).await;
}

async fn gives_a_delivery_to_one_of_many(repository: &Repository) {
    register(repository, "ep_1").await;
    publish(repository, &event("order-000001", 1), 1).await;
    let due = due(repository, "ep_1", noon()).await;
    let delivery = &due[0].delivery;
    assert_eq!(due_ids(repository, "ep_1", noon() - SECOND).await.len(), 0);
    let at = noon() + SECOND;
    let taken = delivery.clone().taken(at);
    let takes = (0..8).map(|_| repository.take(delivery, &taken));
    let takes = join_all(takes).await;
    let got = takes.into_iter().map(|taken| taken.expect("take"));
    assert_eq!(got.filter(|got| *got).count(), 1);
    assert_eq!(due_ids(repository, "ep_1", at).await.len(), 0);

    // Its worker dies: the lease ends, another one takes it, and what the first says comes too late.
    let later = at + LEASE;
    let again = self::due(repository, "ep_1", later).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].delivery, taken);
    let second = again[0].delivery.clone().taken(later);
    let took = repository.take(&again[0].delivery, &second).await;
    assert!(took.expect("take"));
    let late = taken.clone().after(&status(200), later, &SystemRandomness);
    let settled = repository.settle(&taken, &late).await;
    assert!(!settled.expect("settle"));

    let failed = Sent::Failed("연결할 수 없습니다".to_owned());
    let after = second.clone().after(&failed, later, &SystemRandomness);
    let settled = repository.settle(&second, &after).await;
    assert!(settled.expect("settle"));
    let stored = repository.delivery(&after.id).await.expect("delivery");
    assert_eq!(stored, Some(after.clone()));
    assert_eq!((after.tries, after.first_tried_at), (2, Some(at)));
    let done = sent(repository, &after, &status(204), later + DAY).await;
    assert_eq!(done.last_status, Some(204));
    let stored = repository.delivery(&done.id).await.expect("delivery");
    assert_eq!(stored, Some(done));
    assert_eq!(due_ids(repository, "ep_1", later + 2 * DAY).await.len(), 0);
    clear(repository).await;
}

async fn keeps_the_order_of_an_order(repository: &Repository) {
    register(repository, "ep_1").await;
    register(repository, "ep_2").await;
    // The later one may even come first.
    for (number, (order, sequence)) in (1..).zip([
        ("order-000001", 7),
        ("order-000001", 3),
        ("order-000001", 5),
        ("order-000002", 4),
    ]) {
        publish(repository, &event(order, sequence), number).await;
    }
    let heads = ["evt_order-000001_3", "evt_order-000002_4"];
    assert_eq!(due_ids(repository, "ep_1", noon()).await, heads);
    let one = repository.due("ep_1", noon(), 1).await.expect("due");
    assert_eq!(one.len(), 1);

    // While the first is on its way, and while it waits for another try, the next ones wait.
    let first = due(repository, "ep_1", noon()).await.remove(0).delivery;
    let taken = first.clone().taken(noon());
    assert!(repository.take(&first, &taken).await.expect("take"));
    assert_eq!(due_ids(repository, "ep_1", noon()).await, heads[1..]);
    let failed = taken.clone().after(&status(500), noon(), &SystemRandomness);
    assert!(repository.settle(&taken, &failed).await.expect("settle"));
    assert_eq!(due_ids(repository, "ep_1", noon()).await, heads[1..]);
    // The other endpoint does not.
    for delivery in due(repository, "ep_2", noon()).await {
        sent(repository, &delivery.delivery, &status(200), noon()).await;
    }
    assert_eq!(
        due_ids(repository, "ep_2", noon()).await,
        ["evt_order-000001_5"]
    );

    let later = noon() + DAY;
    sent(repository, &failed, &status(200), later).await;
    let second = due(repository, "ep_1", later).await;
    let ids: Vec<_> = second.iter().map(|due| due.delivery.sequence).collect();
    assert_eq!(ids, [5, 4]);
    // One that is given up lets the next one pass.
    let dead = sent(repository, &second[0].delivery, &status(410), later).await;
    assert_eq!(dead.state, DeliveryState::Dead);
    let third = due_ids(repository, "ep_1", later).await;
    assert_eq!(third, ["evt_order-000001_7", "evt_order-000002_4"]);
    // Sent again it comes before what has not been sent.
    let again = dead.clone().again(later);
    assert!(repository.resend(&dead, &again).await.expect("resend"));
    let again = due_ids(repository, "ep_1", later).await;
    assert_eq!(again, ["evt_order-000002_4", "evt_order-000001_5"]);
    clear(repository).await;
}

async fn lists_and_counts(repository: &Repository) {
    register(repository, "ep_1").await;
    register(repository, "ep_2").await;
    assert_eq!(
        repository.vitals(noon()).await.expect("vitals"),
        Vitals::default()
    );
    for number in 1..=3 {
        let event = event(&format!("order-00000{number}"), 1);
        publish(repository, &event, number).await;
    }
    let vitals = repository.vitals(noon()).await.expect("vitals");
    assert_eq!((vitals.pending, vitals.oldest_due), (6, Some(noon())));
    let early = repository.vitals(noon() - SECOND).await.expect("vitals");
    assert_eq!((early.pending, early.oldest_due), (6, None));

    let all = list(repository, &DeliveryFilter::default()).await;
    let ids: Vec<_> = all.iter().map(|delivery| delivery.id.clone()).collect();
    let mut sorted = ids.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!((ids.len(), &ids), (6, &sorted));
    let every = DeliveryFilter::default();
    let page = repository.deliveries(&every, Some(&ids[1]), 2).await;
    let page = page.expect("list");
    assert_eq!(page, all[2..4]);

    let dead = all.iter().find(|delivery| delivery.endpoint_id == "ep_1");
    let dead = dead.expect("a delivery");
    let dead = sent(repository, dead, &status(410), noon()).await;
    for (filter, count) in [
        (
            DeliveryFilter {
                endpoint_id: Some("ep_1".to_owned()),
                ..DeliveryFilter::default()
            },
            3,
        ),
        (
            DeliveryFilter {
                order_id: Some("order-000002".parse().expect("an order id")),
                ..DeliveryFilter::default()
            },
            2,
        ),
        (
            DeliveryFilter {
                state: Some(DeliveryState::Dead),
                ..DeliveryFilter::default()
            },
            1,
        ),
        (
            DeliveryFilter {
                endpoint_id: Some("ep_2".to_owned()),
                state: Some(DeliveryState::Dead),
                order_id: dead.order_id.clone(),
            },
            0,
        ),
    ] {
        let listed = list(repository, &filter).await;
        assert_eq!(listed.len(), count, "{filter:?}");
        assert!(listed.iter().all(|delivery| filter.covers(delivery)));
    }
    let vitals = repository.vitals(noon()).await.expect("vitals");
    assert_eq!((vitals.pending, vitals.dead), (5, 1));
    clear(repository).await;
}

async fn resends_and_leaves_out_what_is_off_or_gone(repository: &Repository) {
    register(repository, "ep_1").await;
    register(repository, "ep_2").await;
    for number in 1..=3 {
        let event = event(&format!("order-00000{number}"), 1);
        publish(repository, &event, number).await;
    }
    let first = due(repository, "ep_1", noon()).await.remove(0).delivery;
    let dead = sent(repository, &first, &status(410), noon()).await;
    let again = dead.clone().again(noon() + SECOND);
    let resends = (0..8).map(|_| repository.resend(&dead, &again));
    let resends = join_all(resends).await;
    let resent = resends.into_iter().map(|resent| resent.expect("resend"));
    assert_eq!(resent.filter(|resent| *resent).count(), 1);
    let stored = repository.delivery(&dead.id).await.expect("delivery");
    assert_eq!(stored, Some(again));

    // What belongs to an endpoint that is off is not late, and to one that was removed is gone.
    let off = endpoint("ep_2").gone(noon());
    assert!(repository.replace_endpoint(&off).await.expect("replace"));
    let vitals = repository.vitals(noon()).await.expect("vitals");
    assert_eq!((vitals.pending, vitals.dead), (3, 0));
    let deleted = repository.delete_endpoint("ep_1", noon()).await;
    assert!(deleted.expect("delete"));
    let vitals = repository.vitals(noon()).await.expect("vitals");
    assert_eq!((vitals.pending, vitals.oldest_due), (0, None));
    let left = list(repository, &DeliveryFilter::default()).await;
    assert!(left.iter().all(|delivery| delivery.endpoint_id == "ep_2"));
    assert_eq!(left.len(), 3);
    assert_eq!(due_ids(repository, "ep_1", noon() + DAY).await.len(), 0);
    let gone = repository.delivery(&dead.id).await.expect("delivery");
    assert_eq!(gone, None);
    clear(repository).await;
}

async fn forgets_what_is_old_and_nothing_else(repository: &Repository) {
    register(repository, "ep_1").await;
    for number in 1..=4 {
        let event = event(&format!("order-00000{number}"), 1);
        publish(repository, &event, number).await;
    }
    let due = due(repository, "ep_1", noon()).await;
    let at = noon() + DAY;
    sent(repository, &due[0].delivery, &status(200), at).await;
    sent(repository, &due[1].delivery, &status(200), at + DAY).await;
    sent(repository, &due[2].delivery, &status(410), at).await;
    let forget = |delivered, dead| repository.forget(delivered, dead, 100);
    assert_eq!(forget(at, at).await.expect("forget"), 0);
    // A delivery with its event.
    let forgotten = forget(at + SECOND, at).await;
    assert_eq!(forgotten.expect("forget"), 2);
    let left = list(repository, &DeliveryFilter::default()).await;
    assert_eq!(left.len(), 3);
    assert_eq!(forget(at, at + SECOND).await.expect("forget"), 2);
    assert_eq!(forget(at + 2 * DAY, at).await.expect("forget"), 2);
    // What is pending is never forgotten, however old it is.
    let left = list(repository, &DeliveryFilter::default()).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].state, DeliveryState::Pending);

    // An event that was forgotten could come again; one that is kept cannot.
    assert_eq!(publish(repository, &event("order-000004", 1), 9).await, []);
    assert_eq!(
        publish(repository, &event("order-000001", 1), 10)
            .await
            .len(),
        1
    );

    // A removed endpoint's deliveries go, bit by bit.
    let deleted = repository.delete_endpoint("ep_1", noon()).await;
    assert!(deleted.expect("delete"));
    let bit = repository.forget(noon(), noon(), 1).await.expect("forget");
    assert_eq!(bit, 1);
    let bit = repository.forget(noon(), noon(), 1).await.expect("forget");
    assert_eq!(bit, 1);
    let bit = repository.forget(noon(), noon(), 1).await.expect("forget");
    assert_eq!(bit, 0);
    clear(repository).await;
}

async fn never_keeps_more_endpoints_than_there_may_be(repository: &Repository) {
    let few = ENDPOINTS_MAX - 3;
    for number in 0..few {
        register(repository, &format!("ep_{number}")).await;
    }
    let more = (few..few + 8).map(|number| async move {
        let endpoint = endpoint(&format!("ep_{number}"));
        let stored = repository.insert_endpoint(&endpoint).await;
        stored.expect("insert")
    });
    let stored = join_all(more).await;
    assert_eq!(stored.iter().filter(|stored| **stored).count(), 3);
    let all = repository.endpoints().await.expect("endpoints");
    assert_eq!(all.len(), ENDPOINTS_MAX as usize);
    // One that goes makes room.
    let deleted = repository.delete_endpoint(&all[0].id, noon()).await;
    assert!(deleted.expect("delete"));
    register(repository, "ep_new").await;
    let none = repository.insert_endpoint(&endpoint("ep_none")).await;
    assert!(!none.expect("insert"));
    clear(repository).await;
}
