//! `GET /metrics`

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use kernel::Timestamp;
use payment_domain::port::Vitals;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::{Api, ApiError};

/// The text format of `OpenMetrics`, which Prometheus asks for.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) fn route(config: &mut web::ServiceConfig) {
    config.service(web::resource("/metrics").route(web::get().to(metrics)));
}

/// What one instance knows at one moment.
struct Readings {
    /// `None` when the database does not answer.
    vitals: Option<Vitals>,
    webhooks: Option<webhook_domain::Vitals>,
    now: Timestamp,
    confirms: usize,
    takes_confirms: bool,
}

/// Shows what to watch and to raise alarms on.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "Metrics in the text format of OpenMetrics",
               body = String, content_type = "application/openmetrics-text"))
)]
pub(super) async fn metrics(api: web::Data<Api>) -> Result<HttpResponse, ApiError> {
    let payments = Arc::clone(&api.payments);
    let vitals = api.on_main(async move { payments.vitals().await }).await?;
    let webhooks = Arc::clone(&api.webhooks);
    let webhooks = api.on_main(async move { webhooks.vitals().await }).await?;
    let readings = Readings {
        vitals: vitals
            .inspect_err(|error| tracing::warn!(%error, "no metrics of the database"))
            .ok(),
        webhooks: webhooks.ok(),
        now: api.clock.now(),
        confirms: api.desk.in_flight(),
        takes_confirms: api.toss.is_closed(),
    };
    let text = render(&readings).map_err(|error| ApiError::internal(&error))?;
    Ok(HttpResponse::Ok().content_type(CONTENT_TYPE).body(text))
}

fn render(readings: &Readings) -> Result<String, std::fmt::Error> {
    let mut registry = Registry::with_prefix("payment");
    let mut gauge = |name: &str, help: &str, unit: Option<Unit>, value: i64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauge),
            None => registry.register(name, help, gauge),
        }
    };
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let is_up = i64::from(readings.vitals.is_some());
    gauge("database_up", "Whether the database answers", None, is_up);
    let confirms = i64::try_from(readings.confirms).unwrap_or(i64::MAX);
    let help = "Confirms that run on this instance";
    gauge("confirms_in_flight", help, None, confirms);
    let help = "Whether confirms are refused on this instance because Toss does not answer";
    let is_open = i64::from(!readings.takes_confirms);
    gauge("toss_breaker_open", help, None, is_open);
    if let Some(vitals) = readings.vitals {
        let lag = |oldest: Option<Timestamp>| {
            oldest.map_or(0, |oldest| (readings.now - oldest).num_seconds().max(0))
        };
        let help = "Payments that wait for an operator";
        gauge("quarantined", help, None, count(vitals.quarantined));
        let help = "Payments whose time-driven work is due";
        gauge("due", help, None, count(vitals.due));
        let help = "For how long the oldest due payment has waited";
        let seconds = || Some(Unit::Seconds);
        gauge("due_lag", help, seconds(), lag(vitals.oldest_due));
        let help = "Stock instructions that are due and not delivered";
        gauge("outbox_due", help, None, count(vitals.messages_due));
        let help = "For how long the oldest due stock instruction has waited";
        gauge("outbox_lag", help, seconds(), lag(vitals.oldest_message));
    }
    if let Some(webhooks) = readings.webhooks {
        let help = "Events that are to be sent to the merchant's servers";
        gauge("webhooks_pending", help, None, count(webhooks.pending));
        let lag = webhooks
            .oldest_due
            .map_or(0, |oldest| (readings.now - oldest).num_seconds().max(0));
        let help = "For how long the oldest due event has waited";
        gauge("webhooks_lag", help, Some(Unit::Seconds), lag);
        let help = "Events that were given up and can be sent again";
        gauge("webhooks_dead", help, None, count(webhooks.dead));
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kernel::{Clock as _, SystemClock};

    use super::*;

    fn readings(vitals: Option<Vitals>) -> Readings {
        Readings {
            vitals,
            webhooks: None,
            now: SystemClock.now(),
            confirms: 3,
            takes_confirms: false,
        }
    }

    #[test]
    fn every_reading_has_its_line() {
        let now = SystemClock.now();
        let vitals = Vitals {
            quarantined: 2,
            due: 5,
            oldest_due: Some(now - Duration::from_secs(61)),
            messages_due: 0,
            oldest_message: None,
        };
        let webhooks = webhook_domain::Vitals {
            pending: 7,
            oldest_due: Some(now - Duration::from_secs(5)),
            dead: 1,
        };
        let text = render(&Readings {
            now,
            webhooks: Some(webhooks),
            ..readings(Some(vitals))
        })
        .unwrap();
        for line in [
            "payment_database_up 1",
            "payment_confirms_in_flight 3",
            "payment_toss_breaker_open 1",
            "payment_quarantined 2",
            "payment_due 5",
            "payment_due_lag_seconds 61",
            "payment_outbox_due 0",
            "payment_outbox_lag_seconds 0",
            "payment_webhooks_pending 7",
            "payment_webhooks_lag_seconds 5",
            "payment_webhooks_dead 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line}:\n{text}");
        }
    }

    #[test]
    fn without_the_database_nothing_is_made_up() {
        let text = render(&readings(None)).unwrap();
        assert!(text.contains("payment_database_up 0"));
        assert!(!text.contains("quarantined"), "{text}");
    }
}
