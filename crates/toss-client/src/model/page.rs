//! Lists: plain ones, and pages of longer ones.

use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error as _};
use serde_json::Value;

use crate::{
    Extra,
    model::fields::{Decode, DecodeError},
};

/// Rows of a list and where it goes on. Serialises with version 2's names and reads both versions'.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether there are more.
    pub has_next: bool,
    /// The cursor of the next page; Toss sends a number or a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cursor: Option<String>,
    /// Fields this crate does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The content of a version 2 envelope: `entityBody`, or what has none itself.
pub(crate) fn entity(value: Value) -> Value {
    match value {
        Value::Object(mut fields) if fields.contains_key("entityBody") => {
            fields.remove("entityBody").unwrap_or_default()
        }
        value => value,
    }
}

impl<T> Page<T> {
    /// Version 1 calls the rows `data`, version 2 `items`.
    fn read(
        value: Value,
        rows: impl FnOnce(Value) -> Result<Vec<T>, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let Value::Object(mut fields) = entity(value) else {
            return Err(DecodeError::Shape("object"));
        };
        let items = fields.remove("items").or_else(|| fields.remove("data"));
        let has_next = fields.remove("hasNext") == Some(Value::Bool(true));
        let last_cursor = match fields.remove("lastCursor") {
            Some(Value::String(text)) => Some(text),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        Ok(Self {
            items: rows(items.ok_or(DecodeError::Field("items"))?)?,
            has_next,
            last_cursor,
            extra: Extra::new(fields),
        })
    }
}

impl<T: Decode> Decode for Page<T> {
    fn decode(value: Value) -> Result<Self, DecodeError> {
        Self::read(value, list)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Page<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let rows = |rows| Vec::deserialize(rows).map_err(|_| DecodeError::Field("items"));
        Self::read(Value::deserialize(from)?, rows).map_err(D::Error::custom)
    }
}

pub(crate) fn list<T: Decode>(value: Value) -> Result<Vec<T>, DecodeError> {
    match value {
        Value::Array(rows) => rows.into_iter().map(T::decode).collect(),
        _ => Err(DecodeError::Shape("array")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CashReceipt;
    use serde_json::json;

    #[test]
    fn a_page_is_read_in_both_versions_forms() {
        let one = json!({"hasNext": true, "lastCursor": 7, "data": [{"receiptKey": "r"}]});
        let page = Page::<CashReceipt>::decode(one).unwrap();
        assert_eq!((page.items.len(), page.has_next), (1, true));
        assert_eq!(page.last_cursor.as_deref(), Some("7"));
        let two = json!({"hasNext": false, "lastCursor": "abc", "items": []});
        let page = Page::<CashReceipt>::decode(two).unwrap();
        assert_eq!((page.items.len(), page.has_next), (0, false));
        assert!(Page::<CashReceipt>::decode(json!({"hasNext": false})).is_err());
        assert!(Page::<CashReceipt>::decode(json!({"data": [{}]})).is_err());
    }

    #[test]
    fn a_page_of_either_version_serialises_and_reads_back_whole() {
        let one = json!({"hasNext": true, "lastCursor": 7, "data": [{"receiptKey": "r", "new": 1}],
                         "total": 1});
        let two = json!({"entityBody": {"hasNext": false, "items": []}, "traceId": "t"});
        for page in [one, two] {
            let page = Page::<CashReceipt>::decode(page).unwrap();
            let written = serde_json::to_value(&page).unwrap();
            assert_eq!(
                serde_json::from_value::<Page<CashReceipt>>(written).unwrap(),
                page
            );
        }
        let odd = json!({"hasNext": "yes", "lastCursor": {}, "items": []});
        let page = Page::<CashReceipt>::decode(odd).unwrap();
        let written = serde_json::to_string(&page).unwrap();
        assert_eq!(written, r#"{"items":[],"hasNext":false}"#);
        assert!(serde_json::from_str::<Page<CashReceipt>>("[]").is_err());
        assert!(serde_json::from_str::<Page<CashReceipt>>(r#"{"items":[1]}"#).is_err());
    }
}
