//! The battle's own threads. With one thread everything runs inline, and there is no pool.
//!
//! Work is always "the same function on disjoint rows": what comes out cannot depend on the
//! number of threads or on which of them was faster.

use std::ops::Range;

use bevy_ecs::prelude::Resource;
use rayon::ThreadPool;

/// The battle's own threads.
#[derive(Resource, Debug)]
pub struct Workers {
    pool: Option<ThreadPool>,
}

impl Workers {
    /// `threads` below 2 means inline.
    ///
    /// # Panics
    /// The operating system refuses to start a thread.
    pub fn new(threads: usize) -> Self {
        let build = || {
            let name = |index| format!("battle-{index}");
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(name);
            pool.build().expect("threads for the battle can be started")
        };
        Self { pool: (threads > 1).then(build) }
    }

    /// How many threads work.
    pub fn threads(&self) -> usize {
        self.pool.as_ref().map_or(1, ThreadPool::current_num_threads)
    }

    /// The pool, for whoever divides work by another plan; `None` when work runs inline.
    pub fn pool(&self) -> Option<&ThreadPool> {
        self.pool.as_ref()
    }

    /// Calls `work` once for every group with its rows. `groups` are ranges over `rows`,
    /// ascending, without gaps, from 0 to the end; a group may be empty.
    pub fn for_each_group<T: Send>(
        &self,
        rows: &mut [T],
        groups: &[Range<usize>],
        work: impl Fn(usize, &mut [T]) + Sync,
    ) {
        debug_assert_eq!(groups.last().map_or(0, |group| group.end), rows.len());
        match &self.pool {
            Some(pool) if groups.len() > 1 => pool.install(|| halve(rows, groups, 0, &work)),
            _ => inline(rows, groups, 0, &work),
        }
    }

    /// Calls `work` once for every row, with its index; threads take at least `grain` at a time.
    pub fn for_each<T: Send>(
        &self,
        rows: &mut [T],
        grain: usize,
        work: impl Fn(usize, &mut T) + Sync,
    ) {
        match &self.pool {
            Some(pool) if rows.len() > grain => {
                pool.install(|| halve_rows(rows, 0, grain.max(1), &work));
            }
            _ => rows.iter_mut().enumerate().for_each(|(index, row)| work(index, row)),
        }
    }
}

/// Splits the groups in two until one is left; rayon's stealing balances the rest.
fn halve<T: Send>(
    rows: &mut [T],
    groups: &[Range<usize>],
    first: usize,
    work: &(impl Fn(usize, &mut [T]) + Sync),
) {
    if groups.len() < 2 {
        return inline(rows, groups, first, work);
    }
    let (left, right) = groups.split_at(groups.len() / 2);
    let (left_rows, right_rows) = rows.split_at_mut(right[0].start - left[0].start);
    rayon::join(
        || halve(left_rows, left, first, work),
        || halve(right_rows, right, first + left.len(), work),
    );
}

fn inline<T>(
    rows: &mut [T],
    groups: &[Range<usize>],
    first: usize,
    work: &impl Fn(usize, &mut [T]),
) {
    let Some(start) = groups.first().map(|group| group.start) else { return };
    for (index, group) in groups.iter().enumerate() {
        work(first + index, &mut rows[group.start - start..group.end - start]);
    }
}

fn halve_rows<T: Send>(
    rows: &mut [T],
    first: usize,
    grain: usize,
    work: &(impl Fn(usize, &mut T) + Sync),
) {
    if rows.len() <= grain {
        return rows.iter_mut().enumerate().for_each(|(index, row)| work(first + index, row));
    }
    let middle = rows.len() / 2;
    let (left, right) = rows.split_at_mut(middle);
    rayon::join(
        || halve_rows(left, first, grain, work),
        || halve_rows(right, first + middle, grain, work),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_is_called_once_with_its_own_rows() {
        for threads in [1, 3] {
            let workers = Workers::new(threads);
            let mut rows: Vec<usize> = (0..10).collect();
            let groups = [0..3, 3..3, 3..4, 4..10];
            workers.for_each_group(&mut rows, &groups, |group, rows| {
                rows.iter_mut().for_each(|row| *row += 100 * group);
            });
            assert_eq!(rows, [0, 1, 2, 203, 304, 305, 306, 307, 308, 309]);
        }
    }

    #[test]
    fn every_row_knows_its_index() {
        for threads in [1, 2] {
            let mut rows = vec![0; 1_000];
            Workers::new(threads).for_each(&mut rows, 16, |index, row| *row = index);
            assert!(rows.iter().copied().eq(0..1_000));
        }
    }
}
