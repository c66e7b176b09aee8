//! What Toss's list shows, in a few bytes per order.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::model::Listed;

/// The most orders that are remembered, at about 50 bytes each. What the list shows of further ones
/// is compared at once, by asking Toss.
const ORDERS_MAX: usize = 500_000;

/// Sums per order, under a 64-bit digest of its id. Of half a million orders, two share a digest once
/// in a hundred million runs; their sums then show as an amount that differs.
#[derive(Default)]
pub(super) struct Evidence {
    orders: HashMap<u64, Mark>,
}

#[derive(Default)]
struct Mark {
    listed: Listed,
    checked: bool,
}

impl Evidence {
    /// Adds to an order's sums. Returns whether they are remembered.
    pub(super) fn note(&mut self, order_id: &str, seen: &Listed) -> bool {
        let digest = digest(order_id);
        if self.orders.len() >= ORDERS_MAX && !self.orders.contains_key(&digest) {
            return false;
        }
        let listed = &mut self.orders.entry(digest).or_default().listed;
        listed.approved_won = listed.approved_won.saturating_add(seen.approved_won);
        listed.returned_won = listed.returned_won.saturating_add(seen.returned_won);
        listed.unreadable |= seen.unreadable;
        true
    }

    /// What the list shows of this order, as far as it is remembered.
    pub(super) fn of(&self, order_id: &str) -> Option<Listed> {
        let mark = self.orders.get(&digest(order_id))?;
        Some(mark.listed)
    }

    /// Whether this is the first time that the order is checked by itself. An order that is not
    /// remembered always is.
    pub(super) fn first_check(&mut self, order_id: &str) -> bool {
        let mark = self.orders.get_mut(&digest(order_id));
        mark.is_none_or(|mark| !std::mem::replace(&mut mark.checked, true))
    }
}

/// Adds one row of the list.
pub(super) fn add(listed: &mut Listed, moved_won: Option<i64>) {
    match moved_won {
        None => listed.unreadable = true,
        Some(won) if won >= 0 => {
            listed.approved_won = listed.approved_won.saturating_add(won);
        }
        Some(won) => {
            let returned = won.saturating_neg();
            listed.returned_won = listed.returned_won.saturating_add(returned);
        }
    }
}

fn digest(order_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    order_id.hash(&mut hasher);
    hasher.finish()
}
