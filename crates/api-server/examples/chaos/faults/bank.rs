//! The bank: faults of its answers, and SIGKILL with a restart on its journal.

use rand::RngExt;
use serde_json::{Value, json};

use super::Storm;

/// What may go wrong: the effect, calls that it hits, and whether it makes sense for any call.
fn effects() -> Vec<(Value, u64, bool)> {
    let error = |code: &str| json!({"type": "error", "code": code});
    let unclear = "FAILED_INTERNAL_SYSTEM_PROCESSING";
    vec![
        (
            json!({"type": "delay", "minMs": 50, "maxMs": 400}),
            30,
            true,
        ),
        // Longer than the servers wait.
        (
            json!({"type": "delay", "minMs": 900, "maxMs": 2500}),
            3,
            true,
        ),
        (json!({"type": "approveThenSilence"}), 2, true),
        (json!({"type": "approveThenReset"}), 3, true),
        (json!({"type": "silenceWithoutApproval"}), 2, true),
        (json!({"type": "resetWithoutApproval"}), 3, true),
        (json!({"type": "html502", "executed": true}), 3, true),
        (json!({"type": "html502", "executed": false}), 3, true),
        (
            json!({"type": "approveThenError", "code": unclear}),
            3,
            true,
        ),
        (error(unclear), 3, true),
        (error("PROVIDER_ERROR"), 3, false),
        (error("REJECT_CARD_PAYMENT"), 8, false),
        (error("INVALID_STOPPED_CARD"), 8, false),
        (error("UNAUTHORIZED_KEY"), 1, false),
        (json!({"type": "wrongAmount"}), 2, false),
    ]
}

/// Injects faults until the storm is over, and then ends all of them.
pub(super) async fn confuse(mut storm: Storm) -> anyhow::Result<()> {
    let effects = effects();
    let faults = format!("{}/sandbox/faults", storm.stage.bank);
    while !storm.is_over() {
        storm.pause(200..1_200).await;
        let (effect, times, anywhere) = &effects[storm.random.random_range(0..effects.len())];
        let others = ["get", "get", "getByOrder", "cancel"];
        let endpoint = if *anywhere && storm.random.random_bool(0.3) {
            others[storm.random.random_range(0..others.len())]
        } else {
            "confirm"
        };
        let fault = json!({"target": {"endpoint": endpoint}, "effect": effect, "times": times});
        let sent = storm.stage.http.post(&faults).json(&fault).send().await;
        // The bank may be down, which is a fault of its own.
        if sent.is_ok_and(|answer| answer.status().is_success()) {
            let name = match (&effect["type"], &effect["code"]) {
                (Value::String(name), Value::String(code)) => format!("{name} {code}"),
                (name, _) => name.as_str().unwrap_or("?").to_owned(),
            };
            *storm.stage.tally().bank_faults.entry(name).or_default() += times;
        }
    }
    storm.stage.bank_is_up().await?;
    let ended = storm.stage.http.delete(&faults).send().await?;
    ended.error_for_status()?;
    Ok(())
}

/// Kills the bank now and then; what it has said is in its journal.
pub(super) async fn kill(mut storm: Storm) -> anyhow::Result<()> {
    loop {
        storm.pause(6_000..20_000).await;
        if storm.is_over() {
            return Ok(());
        }
        storm.stage.kill_bank();
        storm.stage.tally().bank_kills += 1;
        storm.pause(0..1_000).await;
        storm.stage.start_bank()?;
    }
}
