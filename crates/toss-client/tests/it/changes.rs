//! What Toss may change in an answer without notice, made up and done to recorded ones.

use proptest::{collection::vec, prelude::*, sample::Index};
use serde_json::{Map, Value, json};

/// The fields without which there is no payment; they stay as they are.
pub(crate) const KEY_FIELDS: [&str; 4] = ["paymentKey", "orderId", "status", "totalAmount"];

/// One change that Toss may make without notice.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Drop(Index),
    Null(Index),
    Reword(Index, String),
    Reshape(Index, Value),
    Add(Index, String, Value),
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z]{1,6}", inner), 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

pub(crate) fn any_change() -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        index().prop_map(Change::Drop),
        index().prop_map(Change::Null),
        (index(), "\\PC{0,20}").prop_map(|(at, word)| Change::Reword(at, word)),
        (index(), any_value()).prop_map(|(at, value)| Change::Reshape(at, value)),
        // No name of Toss begins so, hence the field is unknown wherever it lands.
        (index(), "new[A-Z][a-z]{2,6}", any_value())
            .prop_map(|(at, name, value)| Change::Add(at, name, value)),
    ]
}

/// Pointers to every object, or to every field that is not one of the key fields.
fn places(value: &Value, objects: bool) -> Vec<String> {
    fn walk(value: &Value, at: &str, objects: bool, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                if objects {
                    found.push(at.to_owned());
                }
                for (name, value) in fields {
                    let here = format!("{at}/{name}");
                    if !objects && !KEY_FIELDS.contains(&name.as_str()) {
                        found.push(here.clone());
                    }
                    walk(value, &here, objects, found);
                }
            }
            Value::Array(items) => {
                for (number, value) in items.iter().enumerate() {
                    walk(value, &format!("{at}/{number}"), objects, found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", objects, &mut found);
    found
}

fn object_at<'a>(value: &'a mut Value, pointer: &str) -> Option<&'a mut Map<String, Value>> {
    value.pointer_mut(pointer)?.as_object_mut()
}

pub(crate) fn apply(value: &mut Value, change: &Change) {
    let pick = |at: &Index, objects, value: &Value| {
        let places = places(value, objects);
        (!places.is_empty()).then(|| places[at.index(places.len())].clone())
    };
    match change {
        Change::Drop(at) => {
            let Some(place) = pick(at, false, value) else {
                return;
            };
            let (parent, name) = place.rsplit_once('/').unwrap();
            if let Some(fields) = object_at(value, parent) {
                fields.remove(name);
            }
        }
        Change::Null(at) => set(value, pick(at, false, value), Value::Null),
        Change::Reword(at, word) => set(value, pick(at, false, value), json!(word)),
        Change::Reshape(at, new) => set(value, pick(at, false, value), new.clone()),
        Change::Add(at, name, new) => {
            let Some(place) = pick(at, true, value) else {
                return;
            };
            if let Some(fields) = object_at(value, &place) {
                fields.insert(name.clone(), new.clone());
            }
        }
    }
}

fn set(value: &mut Value, place: Option<String>, new: Value) {
    if let Some(field) = place.and_then(|place| value.pointer_mut(&place)) {
        *field = new;
    }
}
