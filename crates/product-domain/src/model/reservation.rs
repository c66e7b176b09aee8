use kernel::{Fence, OrderId, ProductId, Quantity};

/// Where a reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReservationState {
    /// Stock is taken and waits for the payment's end.
    Held,
    /// The payment is done; the stock is gone for good.
    Sold,
    /// The stock was given back, or was never taken (a tombstone).
    Released,
}

impl ReservationState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Held, Self::Sold, Self::Released];

    /// The stored spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Sold => "SOLD",
            Self::Released => "RELEASED",
        }
    }

    /// The state with this stored spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// So many pieces of one product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReservationLine {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: Quantity,
}

/// An order's wish to take stock, under the fence of its payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// For which order.
    pub order_id: OrderId,
    /// The payment's fence when it asked.
    pub fence: Fence,
    /// What to take; product ids are unique.
    pub lines: Vec<ReservationLine>,
}

/// A stored reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// For which order.
    pub order_id: OrderId,
    /// The highest fence that held or released it.
    pub fence: Fence,
    /// Where it stands.
    pub state: ReservationState,
    /// What it holds, held, or (for a tombstone) nothing.
    pub lines: Vec<ReservationLine>,
}

/// What a hold does to an order's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldDecision {
    /// Take the stock and store the reservation as held under the hold's fence.
    TakeStock,
    /// The stock is taken already: keep it, store the higher fence.
    KeepStock,
    /// The reservation ended under this fence or a higher one: change nothing.
    Superseded,
}

/// What a release does to an order's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReleaseDecision {
    /// Give the stock back and store the reservation as released under this fence.
    ReturnStock,
    /// Nothing is held: store a tombstone under this fence.
    Entomb,
    /// A later hold owns the stock, the stock is sold, or this was done already: change nothing.
    Ignore,
}

/// What a sale does to an order's reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SellDecision {
    /// Store the reservation as sold.
    Sell,
    /// It is sold already: change nothing.
    AlreadySold,
    /// Nothing is held for this order: change nothing and tell an operator.
    NotHeld,
}

/// What became of pieces that were to go back after their sale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestockOutcome {
    /// They are back on the shelf.
    Restocked,
    /// They went back earlier, under the same fence; nothing changed.
    AlreadyRestocked,
    /// The order's stock is not sold; nothing changed.
    NotSold,
    /// The order has fewer sold pieces of this product, or its stock has no room for them; nothing
    /// changed.
    TooMany(ProductId),
}

/// Sold pieces that go back on the shelf, because their money went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restock {
    /// Of which order.
    pub order_id: OrderId,
    /// The payment's fence when it said so; names this return among the order's others.
    pub fence: Fence,
    /// What goes back; product ids are unique.
    pub lines: Vec<ReservationLine>,
}

/// Decides a hold under `fence`, given the stored state and fence, if any.
pub fn decide_hold(stored: Option<(ReservationState, Fence)>, fence: Fence) -> HoldDecision {
    match stored {
        None => HoldDecision::TakeStock,
        Some((ReservationState::Held | ReservationState::Sold, _)) => HoldDecision::KeepStock,
        Some((ReservationState::Released, tombstone)) if fence > tombstone => {
            HoldDecision::TakeStock
        }
        Some((ReservationState::Released, _)) => HoldDecision::Superseded,
    }
}

/// Decides a release under `fence`, given the stored state and fence, if any.
pub fn decide_release(stored: Option<(ReservationState, Fence)>, fence: Fence) -> ReleaseDecision {
    match stored {
        None => ReleaseDecision::Entomb,
        Some((ReservationState::Held, holder)) if fence >= holder => ReleaseDecision::ReturnStock,
        Some((ReservationState::Released, tombstone)) if fence > tombstone => {
            ReleaseDecision::Entomb
        }
        Some((ReservationState::Held | ReservationState::Released | ReservationState::Sold, _)) => {
            ReleaseDecision::Ignore
        }
    }
}

/// Decides a sale, given the stored state, if any.
pub fn decide_sell(stored: Option<ReservationState>) -> SellDecision {
    match stored {
        Some(ReservationState::Held) => SellDecision::Sell,
        Some(ReservationState::Sold) => SellDecision::AlreadySold,
        Some(ReservationState::Released) | None => SellDecision::NotHeld,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const F: fn(i64) -> Fence = Fence::from_stored;

    #[test]
    fn states_survive_their_spelling() {
        for state in ReservationState::ALL {
            assert_eq!(ReservationState::parse(state.as_str()), Some(state));
        }
        assert_eq!(ReservationState::parse("held"), None);
    }

    #[test]
    fn a_late_hold_cannot_resurrect_a_released_reservation() {
        let tombstone = Some((ReservationState::Released, F(5)));
        assert_eq!(decide_hold(tombstone, F(4)), HoldDecision::Superseded);
        assert_eq!(decide_hold(tombstone, F(5)), HoldDecision::Superseded);
        assert_eq!(decide_hold(tombstone, F(6)), HoldDecision::TakeStock);
    }

    #[test]
    fn a_late_release_cannot_take_a_later_hold_s_stock() {
        let held = Some((ReservationState::Held, F(7)));
        assert_eq!(decide_release(held, F(6)), ReleaseDecision::Ignore);
        assert_eq!(decide_release(held, F(7)), ReleaseDecision::ReturnStock);
        assert_eq!(decide_release(held, F(8)), ReleaseDecision::ReturnStock);
    }

    #[test]
    fn repeating_any_step_changes_nothing_more() {
        assert_eq!(
            decide_hold(Some((ReservationState::Held, F(2))), F(2)),
            HoldDecision::KeepStock
        );
        assert_eq!(
            decide_release(Some((ReservationState::Released, F(3))), F(3)),
            ReleaseDecision::Ignore
        );
        assert_eq!(
            decide_sell(Some(ReservationState::Sold)),
            SellDecision::AlreadySold
        );
    }

    #[test]
    fn sold_stock_is_never_released_and_released_stock_never_sold() {
        assert_eq!(
            decide_release(Some((ReservationState::Sold, F(2))), F(9)),
            ReleaseDecision::Ignore
        );
        assert_eq!(
            decide_sell(Some(ReservationState::Released)),
            SellDecision::NotHeld
        );
        assert_eq!(decide_sell(None), SellDecision::NotHeld);
    }
}
