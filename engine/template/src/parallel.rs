//! Work on many things at once.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Stack of a worker, in bytes: work may recurse, as deep as its own limit allows.
const STACK: usize = 64 << 20;
/// More threads than this gain nothing on what charts hold.
const MAX_THREADS: usize = 8;
/// Bytes of work below which a thread costs more than it saves.
const WORTH_A_THREAD: usize = 1 << 20;

/// Does some work on each item, on several processors if there is enough of it; results are in the items' order.
/// `size` is an item's amount of work, in bytes.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], size: impl Fn(&T) -> usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let total: usize = items.iter().map(size).sum();
    let wanted = items.len().min(total / WORTH_A_THREAD);
    if wanted < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let some = || {
        let mut own = Vec::new();
        while let Some((index, item)) =
            Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, items.get(at)?)))
        {
            own.push((index, work(item)));
        }
        own
    };
    let mut done: Vec<(usize, R)> = at_once(wanted, some).into_iter().flatten().collect();
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Does the same on this thread and on others, at most on so many in all and on one for each processor; on this one alone
/// where no other can be had.
pub fn at_once<R: Send>(most: usize, work: impl Fn() -> R + Sync) -> Vec<R> {
    // Finding out how many processors there are reads files of the system's: not for nothing.
    let threads = if most < 2 { 1 } else { processors().min(MAX_THREADS).min(most) };
    if threads < 2 {
        return vec![work()];
    }
    let done = Mutex::new(Vec::with_capacity(threads));
    let keep = |result| done.lock().unwrap_or_else(PoisonError::into_inner).push(result);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            if std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || keep(work())).is_err() {
                break;
            }
        }
        keep(work());
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order() {
        for count in [0, 1, 7, 1000] {
            let items: Vec<usize> = (0..count).collect();
            let doubled = in_parallel(&items, |_| 1 << 20, |item| item * 2);
            assert_eq!(doubled, (0..count).map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
