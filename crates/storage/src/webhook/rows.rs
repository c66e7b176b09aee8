//! `webhook_endpoint`, `webhook_event`, `webhook_delivery`, and back.

use diesel::prelude::*;
use kernel::{OrderId, Timestamp, from_micros, micros};
use webhook_domain::model::{
    Delivery, DeliveryState, Endpoint, EndpointState, Event, EventType, SigningSecret,
};

use super::schema::{webhook_delivery, webhook_endpoint, webhook_event};
use crate::error::Fault;

bulk!(DeliveryRow => webhook_delivery);

/// What may change of an endpoint.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoint, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct EndpointTerms {
    url: String,
    types: String,
    description: String,
    state: String,
    secret: String,
    old_secret: Option<String>,
    old_secret_until: Option<i64>,
    revision: i64,
    updated_at: i64,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_endpoint, treat_none_as_default_value = false)]
pub(super) struct EndpointRow {
    endpoint_id: String,
    slot: Option<i64>,
    created_at: i64,
    #[diesel(embed)]
    now: EndpointTerms,
}

impl EndpointTerms {
    pub(super) fn encode(endpoint: &Endpoint) -> Self {
        let types: Vec<_> = endpoint.types.iter().map(|each| each.as_str()).collect();
        let old = endpoint.old_secret.as_ref();
        Self {
            url: endpoint.url.clone(),
            types: types.join(","),
            description: endpoint.description.clone(),
            state: endpoint.state.as_str().to_owned(),
            secret: endpoint.secret.expose().to_owned(),
            old_secret: old.map(|(secret, _)| secret.expose().to_owned()),
            old_secret_until: old.map(|(_, until)| micros(*until)),
            revision: endpoint.revision,
            updated_at: micros(endpoint.updated_at),
        }
    }
}

impl EndpointRow {
    /// An endpoint in this of the places that there are.
    pub(super) fn encode(endpoint: &Endpoint, slot: i64) -> Self {
        Self {
            endpoint_id: endpoint.id.clone(),
            slot: Some(slot),
            created_at: micros(endpoint.created_at),
            now: EndpointTerms::encode(endpoint),
        }
    }

    pub(super) fn decode(self) -> Result<Endpoint, Fault> {
        let now = self.now;
        let types = now.types.split(',').filter(|text| !text.is_empty());
        let old_secret = match (now.old_secret, now.old_secret_until) {
            (Some(text), Some(until)) => Some((secret(&text)?, from_micros(until))),
            (Some(_) | None, _) => None,
        };
        Ok(Endpoint {
            id: self.endpoint_id,
            url: now.url,
            types: types.map(event_type).collect::<Result<_, _>>()?,
            description: now.description,
            state: EndpointState::parse(&now.state)
                .ok_or_else(|| Fault::corrupt(format!("an endpoint is {}", now.state)))?,
            secret: secret(&now.secret)?,
            old_secret,
            revision: now.revision,
            created_at: from_micros(self.created_at),
            updated_at: from_micros(now.updated_at),
        })
    }
}

#[derive(Insertable)]
#[diesel(table_name = webhook_event)]
pub(super) struct EventRow {
    event_id: String,
    body: String,
    occurred_at: i64,
    created_at: i64,
}

impl EventRow {
    pub(super) fn encode(event: &Event, now: Timestamp) -> Self {
        Self {
            event_id: event.id.clone(),
            body: event.body.clone(),
            occurred_at: micros(event.occurred_at),
            created_at: micros(now),
        }
    }
}

/// What changes of a delivery.
#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_delivery, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct DeliveryProgress {
    state: String,
    due_at: Option<i64>,
    tries: i64,
    first_tried_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
    ended_at: Option<i64>,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = webhook_delivery, treat_none_as_default_value = false)]
pub(super) struct DeliveryRow {
    delivery_id: String,
    endpoint_id: String,
    event_id: String,
    event_type: String,
    order_id: Option<String>,
    sequence: i64,
    created_at: i64,
    #[diesel(embed)]
    progress: DeliveryProgress,
}

impl DeliveryProgress {
    pub(super) fn encode(delivery: &Delivery) -> Self {
        Self {
            state: delivery.state.as_str().to_owned(),
            due_at: delivery.due_at.map(micros),
            tries: delivery.tries.into(),
            first_tried_at: delivery.first_tried_at.map(micros),
            last_status: delivery.last_status.map(i64::from),
            last_error: delivery.last_error.clone(),
            ended_at: delivery.ended_at.map(micros),
        }
    }
}

impl DeliveryRow {
    pub(super) fn encode(delivery: &Delivery) -> Self {
        Self {
            delivery_id: delivery.id.clone(),
            endpoint_id: delivery.endpoint_id.clone(),
            event_id: delivery.event_id.clone(),
            event_type: delivery.event_type.as_str().to_owned(),
            order_id: delivery.order_id.as_ref().map(ToString::to_string),
            sequence: delivery.sequence,
            created_at: micros(delivery.created_at),
            progress: DeliveryProgress::encode(delivery),
        }
    }

    pub(super) fn decode(self) -> Result<Delivery, Fault> {
        let progress = self.progress;
        let status = progress.last_status.map(u16::try_from).transpose();
        Ok(Delivery {
            id: self.delivery_id,
            endpoint_id: self.endpoint_id,
            event_id: self.event_id,
            event_type: event_type(&self.event_type)?,
            order_id: self.order_id.map(OrderId::try_from).transpose()?,
            sequence: self.sequence,
            state: DeliveryState::parse(&progress.state)
                .ok_or_else(|| Fault::corrupt(format!("a delivery is {}", progress.state)))?,
            due_at: progress.due_at.map(from_micros),
            tries: number(progress.tries)?,
            first_tried_at: progress.first_tried_at.map(from_micros),
            last_status: status.map_err(|error| Fault::Corrupt(error.into()))?,
            last_error: progress.last_error,
            created_at: from_micros(self.created_at),
            ended_at: progress.ended_at.map(from_micros),
        })
    }
}

fn event_type(text: &str) -> Result<EventType, Fault> {
    EventType::parse(text).ok_or_else(|| Fault::corrupt(format!("an event is {text}")))
}

fn secret(text: &str) -> Result<SigningSecret, Fault> {
    SigningSecret::parse(text).map_err(|error| Fault::Corrupt(error.into()))
}

fn number(stored: i64) -> Result<u32, Fault> {
    u32::try_from(stored).map_err(|error| Fault::Corrupt(error.into()))
}
