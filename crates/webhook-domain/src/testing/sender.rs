use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;

use crate::model::Sent;
use crate::port::{Outgoing, Sender};

#[derive(Default)]
struct Script {
    sent: Vec<Outgoing>,
    answers: BTreeMap<String, VecDeque<Sent>>,
    hangs: bool,
}

/// Keeps what it is to send, and answers 204 unless a test says otherwise.
#[derive(Default)]
pub struct ScriptedSender {
    script: Mutex<Script>,
}

impl ScriptedSender {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next sending of this event ends like this.
    pub fn answer(&self, event_id: &str, sent: Sent) {
        let mut script = self.script();
        let answers = script.answers.entry(event_id.to_owned()).or_default();
        answers.push_back(sent);
    }

    /// The next sending of this event is answered with this status.
    pub fn status(&self, event_id: &str, status: u16) {
        self.answer(event_id, answered(status));
    }

    /// Whether what is sent from now on arrives, and nobody hears of it: the server dies.
    pub fn set_hanging(&self, hangs: bool) {
        self.script().hangs = hangs;
    }

    /// What was sent, in its order.
    pub fn sent(&self) -> Vec<Outgoing> {
        self.script().sent.clone()
    }

    /// The ids of what was sent, in its order.
    pub fn sent_ids(&self) -> Vec<String> {
        self.sent().into_iter().map(|sent| sent.id).collect()
    }
}

/// Pending once.
async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn answered(status: u16) -> Sent {
    Sent::Answered {
        status,
        retry_after: None,
    }
}

#[async_trait]
impl Sender for ScriptedSender {
    async fn send(&self, outgoing: &Outgoing) -> Sent {
        let (answer, hangs) = {
            let mut script = self.script();
            script.sent.push(outgoing.clone());
            let answers = script.answers.get_mut(&outgoing.id);
            (answers.and_then(VecDeque::pop_front), script.hangs)
        };
        // Sending takes a while: others come in between.
        pause().await;
        if hangs {
            std::future::pending::<()>().await;
        }
        answer.unwrap_or_else(|| answered(204))
    }
}
