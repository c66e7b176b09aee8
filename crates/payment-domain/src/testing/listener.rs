use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use kernel::{Fence, OrderId, StoreError};

use crate::port::{News, NewsPort};

#[derive(Default)]
struct Heard {
    by_change: BTreeMap<(OrderId, Fence), News>,
    /// In the order in which they came first.
    first: Vec<(OrderId, Fence)>,
}

/// Keeps the news that it is told, and cannot listen, or listens in vain, when a test says so.
#[derive(Default)]
pub struct Listener {
    listens: AtomicBool,
    broken: AtomicBool,
    heard: Mutex<Heard>,
}

impl Listener {
    /// Wants to be told.
    pub fn awake() -> Self {
        let listener = Self::default();
        listener.set_listening(true);
        listener
    }

    /// Whether it wants to be told from now on.
    pub fn set_listening(&self, listens: bool) {
        self.listens.store(listens, Ordering::SeqCst);
    }

    /// Whether it fails from now on.
    pub fn set_broken(&self, broken: bool) {
        self.broken.store(broken, Ordering::SeqCst);
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it was told of an order, in the order in which it came first.
    pub fn told(&self, order_id: &OrderId) -> Vec<News> {
        let heard = self.heard();
        let of_order = heard.first.iter().filter(|(id, _)| id == order_id);
        of_order
            .filter_map(|key| heard.by_change.get(key).cloned())
            .collect()
    }
}

#[async_trait]
impl NewsPort for Listener {
    fn is_awaited(&self) -> bool {
        self.listens.load(Ordering::SeqCst)
    }

    async fn tell(&self, news: &News) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable {
                action: "tell",
                source: "the listener is broken".into(),
            });
        }
        let key = (news.order_id().clone(), news.sequence);
        let mut heard = self.heard();
        if heard.by_change.insert(key.clone(), news.clone()).is_none() {
            heard.first.push(key);
        }
        Ok(())
    }
}
