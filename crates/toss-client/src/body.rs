//! The body of a request, put together field by field.

use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::amount;

/// A JSON object and the first documented limit that one of its fields breaks. Fields are set by
/// the constructors of requests, limits are reported when it is sent. `Debug` shows names alone,
/// for a value can be a card number.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Body {
    fields: Map<String, Value>,
    broken: Option<String>,
}

impl Body {
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// A text of 1 to `chars_max` characters.
    pub(crate) fn text(self, name: &str, text: impl Into<String>, chars_max: usize) -> Self {
        let text = text.into();
        let checked = self.held(length(name, &text, chars_max));
        checked.set(name, text)
    }

    /// A text of digits alone, as many as the range says.
    pub(crate) fn digits(
        self,
        name: &str,
        text: impl Into<String>,
        counts: std::ops::RangeInclusive<usize>,
    ) -> Self {
        let text = text.into();
        let good = counts.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let limit = || {
            format!(
                "{name} must be {} to {} digits",
                counts.start(),
                counts.end()
            )
        };
        let checked = self.held(if good { Ok(()) } else { Err(limit()) });
        checked.set(name, text)
    }

    /// A positive amount in the currency's main unit.
    pub(crate) fn amount(self, name: &str, amount: Decimal) -> Self {
        let checked = self.held(positive(name, amount));
        checked.set(name, amount::to_value(amount))
    }

    /// An amount that may be zero.
    pub(crate) fn part(self, name: &str, amount: Decimal) -> Self {
        let checked = self.held(not_negative(name, amount));
        checked.set(name, amount::to_value(amount))
    }

    /// An object inside, with its limits.
    pub(crate) fn object(self, name: &str, inner: &Self) -> Self {
        let broken = inner.broken.as_ref();
        let checked = self.held(broken.map_or(Ok(()), |limit| Err(format!("{name}: {limit}"))));
        checked.set(name, inner.fields.clone())
    }

    /// Remembers the first limit that is broken.
    pub(crate) fn held(mut self, limit: Result<(), String>) -> Self {
        if let (None, Err(limit)) = (&self.broken, limit) {
            self.broken = Some(limit);
        }
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    pub(crate) fn str(&self, name: &str) -> Option<&str> {
        self.fields.get(name)?.as_str()
    }

    /// The object, or the first broken limit.
    pub(crate) fn value(&self) -> Result<Value, String> {
        match &self.broken {
            Some(limit) => Err(limit.clone()),
            None => Ok(Value::Object(self.fields.clone())),
        }
    }

    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        match &self.broken {
            Some(limit) => Err(limit.clone()),
            None => serde_json::to_vec(&self.fields).map_err(|error| error.to_string()),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.fields.keys()).finish()
    }
}

pub(crate) fn length(name: &str, text: &str, chars_max: usize) -> Result<(), String> {
    match text.chars().count() {
        0 => Err(format!("{name} is empty")),
        chars if chars > chars_max => Err(format!(
            "{name} has {chars} characters, at most {chars_max} are allowed"
        )),
        _ => Ok(()),
    }
}

pub(crate) fn positive(name: &str, amount: Decimal) -> Result<(), String> {
    if amount.is_zero() {
        return Err(format!("{name} must be positive"));
    }
    not_negative(name, amount)
}

pub(crate) fn not_negative(name: &str, amount: Decimal) -> Result<(), String> {
    if amount < Decimal::ZERO {
        return Err(format!("{name} must not be negative"));
    }
    if !amount::is_exact(amount) {
        return Err(format!(
            "{name} has more digits than a JSON number carries exactly"
        ));
    }
    Ok(())
}
