//! Fields this crate does not know.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{DecodeError, Timestamp, amount};

/// Fields by name, as they came: those this crate does not know, and known ones whose value has
/// an unexpected shape. They serialise back in place. `Debug` shows only the names, for a value
/// can be about a person.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(Map<String, Value>);

impl Extra {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// One field's value.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text, if the field is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// An amount, if the field is a number or a numeric string.
    pub fn amount(&self, name: &str) -> Option<Decimal> {
        amount::from_value(self.get(name)?)
    }

    /// A time, if the field is a text.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        self.text(name).map(Timestamp::new)
    }

    /// Any other type that can be read from the field.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        T::deserialize(self.get(name)?).ok()
    }

    /// The whole as a payment, if it is one.
    #[cfg(feature = "webhooks")]
    pub(crate) fn to_payment(&self) -> Option<crate::Payment> {
        self.0.clone().try_into().ok()
    }

    /// The objects of a list; entries that are none are left out.
    pub(crate) fn objects(&self, name: &str) -> impl Iterator<Item = Extra> {
        let rows = self.get(name).and_then(Value::as_array);
        rows.into_iter().flatten().filter_map(|row| match row {
            Value::Object(fields) => Some(Extra(fields.clone())),
            _ => None,
        })
    }

    /// An object that has these texts; else `Err` with what is missing.
    pub(crate) fn with_texts(
        value: Value,
        required: &'static [&'static str],
    ) -> Result<Self, DecodeError> {
        let Value::Object(fields) = value else {
            return Err(DecodeError::Shape("object"));
        };
        let extra = Extra(fields);
        match required.iter().find(|name| extra.text(name).is_none()) {
            None => Ok(extra),
            Some(name) => Err(DecodeError::Field(name)),
        }
    }

    /// All fields, in alphabetical order unless `serde_json` is told to keep theirs.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
