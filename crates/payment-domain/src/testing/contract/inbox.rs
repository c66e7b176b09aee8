//! The contract of [`Inbox`].

use std::sync::Arc;
use std::time::Duration;

use super::noon;
use crate::port::{Inbox, InboxEntry, Notice, NoticeState, Noticed};
use crate::testing::order_id;

const SECOND: Duration = Duration::from_secs(1);

fn notice(id: &str) -> Notice {
    Notice {
        id: id.to_owned(),
        event_type: "PAYMENT_STATUS_CHANGED".to_owned(),
        order_id: Some(order_id("order-000001")),
        received_at: noon(),
    }
}

/// Runs the whole contract against an inbox that has nothing yet.
///
/// # Panics
/// When the adapter breaks the contract.
pub async fn all(inbox: Arc<dyn Inbox>) {
    let stores = (0..8).map(|_| {
        let inbox = Arc::clone(&inbox);
        async move { inbox.store(&notice("b")).await.expect("store") }
    });
    let stored = futures::future::join_all(stores).await;
    let new = stored.iter().filter(|stored| **stored == Noticed::New);
    assert_eq!(new.count(), 1, "one of many is new");
    let bare = Notice {
        order_id: None,
        ..notice("a")
    };
    assert_eq!(inbox.store(&bare).await.expect("store"), Noticed::New);

    let due = inbox.due_notices(noon(), 10).await.expect("due");
    let ids = |entries: &[InboxEntry]| -> Vec<String> {
        let ids = entries.iter().map(|entry| entry.notice.id.clone());
        ids.collect()
    };
    assert_eq!(ids(&due), ["a", "b"]);
    assert_eq!(due[0].notice, bare);
    assert_eq!((due[1].state, due[1].tries), (NoticeState::Received, 0));
    let one = inbox.due_notices(noon(), 1).await.expect("due");
    assert_eq!(one.len(), 1);
    let early = inbox.due_notices(noon() - SECOND, 10).await.expect("due");
    assert_eq!(early, []);

    let until = noon() + 60 * SECOND;
    let takes = (0..8).map(|_| {
        let (inbox, entry) = (Arc::clone(&inbox), due[1].clone());
        async move { inbox.take(&entry, until).await.expect("take") }
    });
    let taken = futures::future::join_all(takes).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    let left = inbox.due_notices(noon() + SECOND, 10).await.expect("due");
    assert_eq!(ids(&left), ["a"]);

    let dead = InboxEntry {
        state: NoticeState::Dead,
        due_at: None,
        tries: 12,
        note: Some("Toss does not answer".into()),
        ..due[1].clone()
    };
    inbox.settle(&dead).await.expect("settle");
    let done = InboxEntry {
        state: NoticeState::Done,
        due_at: None,
        ..due[0].clone()
    };
    inbox.settle(&done).await.expect("settle");
    let list = |state| inbox.notices(state, None, 10);
    assert_eq!(list(NoticeState::Dead).await.expect("list"), [dead]);
    assert_eq!(list(NoticeState::Done).await.expect("list"), [done]);
    assert_eq!(list(NoticeState::Received).await.expect("list"), []);
    let behind = inbox.notices(NoticeState::Dead, Some("b".into()), 10);
    assert_eq!(behind.await.expect("list"), []);

    let later = noon() + 90 * SECOND;
    for (id, expected) in [("a", false), ("c", false), ("b", true), ("b", false)] {
        let found = inbox.redrive(id, later).await.expect("redrive");
        assert_eq!(found, expected, "{id}");
    }
    let due = inbox.due_notices(later, 10).await.expect("due");
    assert_eq!((ids(&due), due[0].tries), (vec!["b".to_owned()], 0));

    // Known for as long as it is kept, and what is open is kept.
    assert_eq!(
        inbox.store(&notice("a")).await.expect("store"),
        Noticed::Known
    );
    assert_eq!(inbox.forget(noon(), 10).await.expect("forget"), 0);
    assert_eq!(inbox.forget(later, 10).await.expect("forget"), 1);
    assert_eq!(
        inbox.store(&notice("a")).await.expect("store"),
        Noticed::New
    );
}
