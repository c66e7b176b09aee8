use kernel::ProductId;

/// One product's pieces as they are counted in one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockBalance {
    /// Which product.
    pub product_id: ProductId,
    /// Pieces when the product was created.
    pub initial: i64,
    /// The sum of all adjustments since, in pieces; negative when more was taken than added.
    pub adjusted: i64,
    /// Pieces that nobody holds.
    pub available: i64,
    /// Pieces that orders hold and nobody has paid for yet.
    pub held: i64,
    /// Pieces that are sold.
    pub sold: i64,
}

impl StockBalance {
    /// Pieces that are counted and came from nowhere, or (negative) that are gone without a trace.
    /// Zero as long as no stock was lost: initial + adjusted = available + held + sold.
    pub fn excess(&self) -> i64 {
        let counted = [self.available, self.held, self.sold];
        let counted = counted.into_iter().fold(0_i64, i64::saturating_add);
        counted.saturating_sub(self.initial.saturating_add(self.adjusted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_appear_or_vanish_show_in_the_excess() {
        let sound = StockBalance {
            product_id: ProductId::new(1).unwrap(),
            initial: 10,
            adjusted: -2,
            available: 5,
            held: 1,
            sold: 2,
        };
        assert_eq!(sound.excess(), 0);
        let lost = StockBalance {
            available: 4,
            ..sound
        };
        assert_eq!(lost.excess(), -1);
        let doubled = StockBalance { sold: 4, ..sound };
        assert_eq!(doubled.excess(), 2);
    }
}
