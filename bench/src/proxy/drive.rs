//! Load: as much as goes through, or at a fixed rate.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::results::{Latencies, Slice};
use super::worker::Worker;
use crate::failed::Failed;

/// Longest wait for what is under way at the end.
const END: Duration = Duration::from_secs(20);

/// How long a measurement takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Before anything counts.
    pub(crate) warm_up: Duration,
    /// What counts.
    pub(crate) measured: Duration,
}

/// Has the workers do what they do one after the other without a pause. `usage` reads the processor time used so far: by the proxy, and by
/// everything on its core.
///
/// # Errors
/// A worker fails.
pub(crate) async fn saturate(
    workers: Vec<Worker>,
    times: Times,
    usage: impl Fn() -> Result<(Duration, Duration), Failed>,
) -> Result<Slice, Failed> {
    let done = Rc::new(Cell::new(0_u64));
    let stop = Rc::new(Cell::new(false));
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|mut worker| {
            let (done, stop) = (Rc::clone(&done), Rc::clone(&stop));
            tokio::task::spawn_local(async move {
                while !stop.get() {
                    worker.once().await?;
                    done.set(done.get() + 1);
                }
                Ok(())
            })
        })
        .collect();
    tokio::time::sleep(times.warm_up).await;
    let before = (Instant::now(), done.get(), usage()?);
    tokio::time::sleep(times.measured).await;
    let after = (Instant::now(), done.get(), usage()?);
    stop.set(true);
    finish(tasks).await?;
    Ok(Slice {
        done: after.1 - before.1,
        wall: after.0 - before.0,
        cpu: after.2.0.saturating_sub(before.2.0),
        core: after.2.1.saturating_sub(before.2.1),
    })
}

/// Has the workers together begin `rate` times a second, whatever became of those before: the time counts from when each was due.
///
/// # Errors
/// A worker fails.
pub(crate) async fn steady(
    workers: Vec<Worker>,
    rate: f64,
    times: Times,
) -> Result<Latencies, Failed> {
    let count = workers.len() as f64;
    let start = Instant::now() + Duration::from_millis(5);
    let counted = start + times.warm_up;
    let end = counted + times.measured;
    let took = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = workers
        .into_iter()
        .enumerate()
        .map(|(number, mut worker)| {
            let took = Rc::clone(&took);
            tokio::task::spawn_local(async move {
                let mut turn = number as f64;
                loop {
                    let due = start + Duration::from_secs_f64(turn / rate);
                    if due >= end {
                        return Ok(());
                    }
                    // The runtime's timers are a millisecond coarse. There is a core for this.
                    while Instant::now() < due {
                        tokio::task::yield_now().await;
                    }
                    worker.once().await?;
                    if due >= counted {
                        took.borrow_mut().push(due.elapsed());
                    }
                    turn += count;
                }
            })
        })
        .collect();
    finish(tasks).await?;
    let mut took = took.take();
    Ok(Latencies::of(&mut took))
}

async fn finish(tasks: Vec<JoinHandle<Result<(), Failed>>>) -> Result<(), Failed> {
    let aborts: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
    let all = async {
        let mut outcome = Ok(());
        for task in tasks {
            let ended = task.await;
            let ended = ended.map_err(|_| Failed::Wrong("a worker died".to_owned()));
            outcome = outcome.and_then(|()| ended?);
        }
        outcome
    };
    let outcome = tokio::time::timeout(END, all).await;
    aborts.iter().for_each(tokio::task::AbortHandle::abort);
    outcome.map_err(|_| Failed::Wrong("no answer".to_owned()))?
}
