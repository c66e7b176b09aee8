//! Taking an object apart field by field, so that one odd field never spoils the rest.

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{amount, model::extra::Extra};

/// Why an object cannot be what it should be. Names the field, never its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A field without which the object says nothing.
    #[error("`{0}` is missing or has an unexpected shape")]
    Field(&'static str),
    /// Not the kind of JSON value that was expected.
    #[error("it is not a JSON {0}")]
    Shape(&'static str),
}

/// A value that an answer's body can hold.
pub(crate) trait Decode: Sized {
    fn decode(value: Value) -> Result<Self, DecodeError>;
}

/// An object whose fields are taken out one by one; what is not taken is kept.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// The field, or `None` if it is absent, null, or of an unexpected shape; the last stays in
    /// the rest.
    pub(crate) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        self.take(name, |value| T::deserialize(value).ok())
    }

    /// As [`optional`](Self::optional), for a number or numeric string.
    pub(crate) fn amount(&mut self, name: &str) -> Option<Decimal> {
        self.take(name, amount::from_value)
    }

    pub(crate) fn required<T: DeserializeOwned>(
        &mut self,
        name: &'static str,
    ) -> Result<T, DecodeError> {
        self.optional(name).ok_or(DecodeError::Field(name))
    }

    pub(crate) fn required_amount(&mut self, name: &'static str) -> Result<Decimal, DecodeError> {
        self.amount(name).ok_or(DecodeError::Field(name))
    }

    pub(crate) fn rest(self) -> Extra {
        Extra::new(self.0)
    }

    fn take<T>(&mut self, name: &str, read: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let value = self.0.get(name)?;
        let taken = read(value);
        // Null says what absence says.
        if taken.is_some() || value.is_null() {
            self.0.remove(name);
        }
        taken
    }
}
