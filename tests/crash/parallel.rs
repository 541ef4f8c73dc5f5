//! Many cases side by side: most of their time is waiting.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

/// Does `work` for every case, so many at once, and returns what came of them in the cases' order. The first panic ends it.
pub(crate) fn each<C, T, W>(cases: Vec<C>, at_once: usize, work: W) -> Vec<T>
where
    C: Send,
    T: Send,
    W: Fn(C) -> T + Sync,
{
    let total = cases.len();
    let left = Mutex::new(cases.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(total));
    let broken = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..at_once.min(total) {
            scope.spawn(|| {
                while broken.lock().unwrap().is_none() {
                    let Some((index, case)) = left.lock().unwrap().next() else { return };
                    match catch_unwind(AssertUnwindSafe(|| work(case))) {
                        Ok(outcome) => done.lock().unwrap().push((index, outcome)),
                        Err(panic) => *broken.lock().unwrap() = Some(panic),
                    }
                }
            });
        }
    });
    if let Some(caught) = broken.into_inner().unwrap() {
        resume_unwind(caught);
    }
    let mut done = done.into_inner().unwrap();
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, came)| came).collect()
}
