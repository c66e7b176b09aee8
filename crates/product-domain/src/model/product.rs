use kernel::{Money, ProductId, SellerId};

/// The longest name of a product, in characters.
const NAME_CHARS_MAX: usize = 100;
/// The longest description of a product, in characters.
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// How many pieces can still be sold: 0 to 1 000 000 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Stock(i64);

impl Stock {
    /// The largest stock of one product.
    pub const MAX: i64 = 1_000_000_000;

    /// `pieces`, refused below zero ([`InvalidProduct::NegativeStock`]) and above [`Stock::MAX`].
    pub fn new(pieces: i64) -> Result<Self, InvalidProduct> {
        match pieces {
            ..0 => Err(InvalidProduct::NegativeStock),
            0..=Self::MAX => Ok(Self(pieces)),
            _ => Err(InvalidProduct::StockTooLarge),
        }
    }

    /// The number of pieces.
    pub const fn get(self) -> i64 {
        self.0
    }
}

/// A product as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What buyers read, 1 to 100 characters.
    pub name: String,
    /// What buyers read, at most 2000 characters, may be empty.
    pub description: String,
    /// The price of one piece, above zero.
    pub price: Money,
    /// Pieces that nobody holds.
    pub stock: Stock,
    /// Who sells it.
    pub seller_id: SellerId,
}

/// A product that is about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProduct {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 2000 characters.
    pub description: String,
    /// Above zero.
    pub price: Money,
    /// Pieces to begin with.
    pub stock: Stock,
    /// Who sells it.
    pub seller_id: SellerId,
}

/// What an operator changes of a product; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductPatch {
    /// 1 to 100 characters.
    pub name: Option<String>,
    /// At most 2000 characters.
    pub description: Option<String>,
    /// Above zero.
    pub price: Option<Money>,
}

/// Why a product cannot look like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProduct {
    /// The price is zero.
    #[error("a price must be above zero")]
    Price,
    /// The stock is below zero.
    #[error("a stock must not be negative")]
    NegativeStock,
    /// The stock is above [`Stock::MAX`].
    #[error("a stock must not be above {}", Stock::MAX)]
    StockTooLarge,
    /// The name is empty or too long.
    #[error("a name must have 1 to {NAME_CHARS_MAX} characters")]
    Name,
    /// The description is too long.
    #[error("a description must have at most {DESCRIPTION_CHARS_MAX} characters")]
    Description,
}

fn check_name(name: &str) -> Result<(), InvalidProduct> {
    if !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX {
        Ok(())
    } else {
        Err(InvalidProduct::Name)
    }
}

fn check_description(text: &str) -> Result<(), InvalidProduct> {
    if text.chars().count() <= DESCRIPTION_CHARS_MAX {
        Ok(())
    } else {
        Err(InvalidProduct::Description)
    }
}

fn check_price(price: Money) -> Result<(), InvalidProduct> {
    if price > Money::ZERO {
        Ok(())
    } else {
        Err(InvalidProduct::Price)
    }
}

impl NewProduct {
    /// Refuses names, descriptions and prices out of range.
    pub fn check(&self) -> Result<(), InvalidProduct> {
        check_name(&self.name)?;
        check_description(&self.description)?;
        check_price(self.price)
    }
}

impl ProductPatch {
    /// Refuses names, descriptions and prices out of range.
    pub fn check(&self) -> Result<(), InvalidProduct> {
        self.name.as_deref().map_or(Ok(()), check_name)?;
        self.description
            .as_deref()
            .map_or(Ok(()), check_description)?;
        self.price.map_or(Ok(()), check_price)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shirt() -> NewProduct {
        NewProduct {
            name: "셔츠".into(),
            description: String::new(),
            price: Money::from_won(50_000).unwrap(),
            stock: Stock::new(59).unwrap(),
            seller_id: SellerId::new(2).unwrap(),
        }
    }

    #[test]
    fn a_product_needs_a_name_and_a_price() {
        assert_eq!(shirt().check(), Ok(()));
        assert_eq!(
            NewProduct {
                name: "  ".into(),
                ..shirt()
            }
            .check(),
            Err(InvalidProduct::Name)
        );
        assert_eq!(
            NewProduct {
                price: Money::ZERO,
                ..shirt()
            }
            .check(),
            Err(InvalidProduct::Price)
        );
        let long = "가".repeat(2001);
        assert_eq!(
            NewProduct {
                description: long,
                ..shirt()
            }
            .check(),
            Err(InvalidProduct::Description)
        );
    }

    #[test]
    fn stock_has_both_bounds() {
        assert_eq!(Stock::new(-1), Err(InvalidProduct::NegativeStock));
        assert_eq!(
            Stock::new(Stock::MAX + 1),
            Err(InvalidProduct::StockTooLarge)
        );
    }
}
