use payment_domain::RecordService;
use payment_domain::model::{Payment, PaymentFact};
use payment_domain::port::PaymentRepository;
use payment_domain::testing::{InMemoryPayments, change, order_id, payment};

use super::*;

struct Stage {
    payments: Arc<InMemoryPayments>,
    streams: EventStreams,
    tasks: TaskTracker,
    stop: CancellationToken,
}

fn stage(streams_max: usize) -> Stage {
    let payments = Arc::new(InMemoryPayments::new());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let reader = Arc::new(RecordService::new(payments.clone()));
    let streams = EventStreams::new(
        reader,
        tasks.clone(),
        Handle::current(),
        stop.clone(),
        streams_max,
    );
    Stage {
        payments,
        streams,
        tasks,
        stop,
    }
}

impl Stage {
    async fn check_out(&self) -> Payment {
        let payment = payment();
        self.payments.insert(&payment, None).await.unwrap();
        payment
    }

    async fn happen(&self, payment: &mut Payment, fact: PaymentFact) {
        let change = change(payment, fact, payment.updated_at + POLL);
        self.payments.apply(&change).await.unwrap();
        *payment = change.after;
    }

    async fn open(&self, heard: Option<i64>) -> mpsc::Receiver<Bytes> {
        let heard = heard.map(Fence::from_stored);
        match self.streams.open(payment().order_id, heard).await.unwrap() {
            Opened::Stream(pieces) => pieces,
            Opened::NothingMore => panic!("there is a stream"),
        }
    }
}

/// All events up to the end: number and status.
async fn events(mut pieces: mpsc::Receiver<Bytes>) -> Vec<(i64, String)> {
    let mut text = String::new();
    while let Some(piece) = pieces.recv().await {
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
    let mut events = Vec::new();
    for event in text.split("\n\n").filter(|event| event.contains("data:")) {
        let field = |name: &str| {
            let line = event.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} in {event}")).trim()
        };
        assert_eq!(field("event:"), "status");
        let data: serde_json::Value = serde_json::from_str(field("data:")).unwrap();
        assert_eq!(data["orderId"], json!(payment().order_id.as_str()));
        assert!(data["at"].as_str().unwrap().ends_with('Z'));
        let status = data["status"].as_str().unwrap().to_owned();
        events.push((field("id:").parse().unwrap(), status));
    }
    events
}

fn told(events: &[(i64, &str)]) -> Vec<(i64, String)> {
    let owned = events
        .iter()
        .map(|(id, status)| (*id, (*status).to_owned()));
    owned.collect()
}

#[tokio::test(start_paused = true)]
async fn a_stream_tells_each_change_of_status_and_ends_when_settled() {
    let stage = stage(10);
    let mut payment = stage.check_out().await;
    let pieces = stage.open(None).await;
    let listening = tokio::spawn(events(pieces));
    for fact in [
        PaymentFact::Claimed,
        PaymentFact::AnswerMissing,
        PaymentFact::LookStarted,
        PaymentFact::AnswerMissing,
        PaymentFact::Approved,
    ] {
        tokio::time::sleep(POLL * 2).await;
        stage.happen(&mut payment, fact).await;
    }
    // What changes nothing of the status is not told.
    let expected = [
        (1, "READY"),
        (2, "IN_PROGRESS"),
        (3, "UNKNOWN"),
        (6, "DONE"),
    ];
    assert_eq!(listening.await.unwrap(), told(&expected));
    // However late one comes, it ends at once.
    assert_eq!(events(stage.open(None).await).await, told(&[(6, "DONE")]));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_was_cut_off_hears_what_it_missed() {
    let stage = stage(10);
    let mut payment = stage.check_out().await;
    for fact in [
        PaymentFact::Claimed,
        PaymentFact::AnswerMissing,
        PaymentFact::LookStarted,
        PaymentFact::Approved,
    ] {
        stage.happen(&mut payment, fact).await;
    }
    let done = told(&[(5, "DONE")]);
    let missed = events(stage.open(Some(2)).await).await;
    assert_eq!(missed, told(&[(3, "UNKNOWN"), (5, "DONE")]));
    // The fourth change was none of the status.
    assert_eq!(events(stage.open(Some(4)).await).await, done);
    // An id that this payment never had says nothing.
    assert_eq!(events(stage.open(Some(99)).await).await, done);

    let settled = stage
        .streams
        .open(payment.order_id.clone(), Some(Fence::from_stored(5)));
    assert!(matches!(settled.await.unwrap(), Opened::NothingMore));
    stage
        .happen(&mut payment, PaymentFact::CanceledInFull)
        .await;
    let canceled = told(&[(6, "CANCELED")]);
    assert_eq!(events(stage.open(Some(5)).await).await, canceled);
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_beats_and_ends_in_time() {
    let stage = stage(10);
    stage.check_out().await;
    let mut pieces = stage.open(None).await;
    let began = Instant::now();
    let first = pieces.recv().await.unwrap();
    assert!(first.starts_with(b"retry: 2000\nevent: status\nid: 1\n"));
    let mut beats = 0;
    while let Some(piece) = pieces.recv().await {
        assert_eq!(piece, ":\n\n");
        beats += 1;
    }
    assert!((110..=120).contains(&beats), "{beats}");
    assert!((LIFE_MAX..LIFE_MAX + 2 * POLL).contains(&began.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn streams_are_bounded_and_a_closed_one_makes_room() {
    let stage = stage(2);
    stage.check_out().await;
    let (_one, two) = (stage.open(None).await, stage.open(None).await);
    let open = || stage.streams.open(payment().order_id, None);
    assert!(matches!(open().await, Err(StreamError::Full)));
    drop(two);
    tokio::time::sleep(POLL).await;
    assert!(matches!(open().await, Ok(Opened::Stream(_))));
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_server_stops_or_nobody_reads() {
    let stage = stage(10);
    let mut payment = stage.check_out().await;
    let unread = stage.open(None).await;
    for _ in 0..QUEUE_MAX {
        stage.happen(&mut payment, PaymentFact::Claimed).await;
        tokio::time::sleep(POLL).await;
        stage.happen(&mut payment, PaymentFact::KeyRefused).await;
        tokio::time::sleep(POLL).await;
    }
    assert_eq!((stage.tasks.len(), unread.len()), (0, QUEUE_MAX));

    let pieces = stage.open(None).await;
    stage.stop.cancel();
    stage.tasks.close();
    stage.tasks.wait().await;
    let last = payment.fence.get();
    assert_eq!(events(pieces).await, told(&[(last, "READY")]));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_order_has_no_stream() {
    let stage = stage(1);
    for _ in 0..3 {
        let refused = stage.streams.open(order_id("order-nobody"), None).await;
        let unknown = matches!(refused, Err(StreamError::Read(ReadError::UnknownOrder(_))));
        assert!(unknown, "and a refusal keeps no room");
    }
}
