//! Many schedules at once: they share nothing, so each thread has a stage of its own.

use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Stage;

struct Queue<N, D> {
    items: N,
    done: D,
    is_over: bool,
}

/// Works on every item, on `jobs` threads with a [`Stage`] each, and hands each result to `done`,
/// in the order in which they come. When `done` breaks, nothing further is begun; what is under way
/// is finished and handed over.
///
/// # Errors
/// The first error of a thread; see [`Stage::run`].
pub fn share<I, R>(
    jobs: usize,
    items: impl Iterator<Item = I> + Send,
    work: impl Fn(&Stage, &I) -> anyhow::Result<R> + Sync,
    done: impl FnMut(I, R) -> ControlFlow<()> + Send,
) -> anyhow::Result<()> {
    let queue = Mutex::new(Queue {
        items,
        done,
        is_over: false,
    });
    std::thread::scope(|scope| {
        let hands: Vec<_> = (0..jobs.max(1))
            .map(|_| scope.spawn(|| labour(&queue, &work)))
            .collect();
        hands.into_iter().try_for_each(|hand| match hand.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}

fn labour<I, R, N: Iterator<Item = I>, D: FnMut(I, R) -> ControlFlow<()>>(
    queue: &Mutex<Queue<N, D>>,
    work: &impl Fn(&Stage, &I) -> anyhow::Result<R>,
) -> anyhow::Result<()> {
    let lock =
        || -> MutexGuard<'_, Queue<N, D>> { queue.lock().unwrap_or_else(PoisonError::into_inner) };
    let stage = Stage::new().inspect_err(|_| lock().is_over = true)?;
    loop {
        let item = {
            let queue = &mut *lock();
            if queue.is_over {
                return Ok(());
            }
            match queue.items.next() {
                Some(item) => item,
                None => return Ok(()),
            }
        };
        let result = work(&stage, &item).inspect_err(|_| lock().is_over = true)?;
        let queue = &mut *lock();
        if (queue.done)(item, result).is_break() {
            queue.is_over = true;
        }
    }
}
