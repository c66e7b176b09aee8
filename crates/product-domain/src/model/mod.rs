//! Products and reservations as values, and the pure rules of reservations. No I/O.

mod balance;
mod product;
mod reservation;

pub use balance::StockBalance;
pub use product::{InvalidProduct, NewProduct, Product, ProductPatch, Stock};
pub use reservation::{
    Hold, HoldDecision, ReleaseDecision, Reservation, ReservationLine, ReservationState, Restock,
    RestockOutcome, SellDecision, decide_hold, decide_release, decide_sell,
};
