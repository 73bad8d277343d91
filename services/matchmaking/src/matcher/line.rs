//! Everybody who waits, in a line by rating, from which matches are taken out.
//!
//! Neighbours are found in constant time whatever was taken before (a doubly linked list), and
//! how many players stand in a stretch of the line in O(log n) (a Fenwick tree).

/// No place: beyond either end.
const END: usize = usize::MAX;

/// Tickets in order of rating. Places are 0 to n-1 and do not move.
#[derive(Debug)]
pub(super) struct Line {
    ratings: Vec<f64>,
    sizes: Vec<u32>,
    before: Vec<usize>,
    after: Vec<usize>,
    taken: Vec<bool>,
    /// Fenwick tree over sizes, 1-based.
    tree: Vec<u32>,
}

impl Line {
    /// Of (rating, players) in order of rating.
    pub(super) fn new(sorted: impl Iterator<Item = (f64, u32)>) -> Self {
        let (ratings, sizes): (Vec<f64>, Vec<u32>) = sorted.unzip();
        let count = ratings.len();
        let mut tree = vec![0; count + 1];
        for (at, &size) in sizes.iter().enumerate() {
            let node = at + 1;
            tree[node] += size;
            let parent = node + lowest_bit(node);
            if parent <= count {
                tree[parent] += tree[node];
            }
        }
        let before = (0..count).map(|at| at.checked_sub(1).unwrap_or(END)).collect();
        let after = (0..count).map(|at| if at + 1 < count { at + 1 } else { END }).collect();
        Self { ratings, sizes, before, after, taken: vec![false; count], tree }
    }

    pub(super) fn is_taken(&self, place: usize) -> bool {
        self.taken[place]
    }

    /// Players within `width` of `rating` who are still there.
    pub(super) fn players_within(&self, rating: f64, width: f64) -> u32 {
        let from = self.ratings.partition_point(|&other| other < rating - width);
        let to = self.ratings.partition_point(|&other| other <= rating + width);
        self.players_before(to) - self.players_before(from.min(to))
    }

    fn players_before(&self, mut node: usize) -> u32 {
        let mut players = 0;
        while node > 0 {
            players += self.tree[node];
            node -= lowest_bit(node);
        }
        players
    }

    /// Takes a ticket out.
    pub(super) fn take(&mut self, place: usize) {
        debug_assert!(!self.taken[place]);
        self.taken[place] = true;
        let (before, after) = (self.before[place], self.after[place]);
        if before != END {
            self.after[before] = after;
        }
        if after != END {
            self.before[after] = before;
        }
        let mut node = place + 1;
        while node < self.tree.len() {
            self.tree[node] -= self.sizes[place];
            node += lowest_bit(node);
        }
    }

    /// Who is still there, nearest in rating to `place` first, no further than `width`.
    pub(super) fn nearest(&self, place: usize, width: f64) -> impl Iterator<Item = usize> {
        let rating = self.ratings[place];
        let (mut below, mut above) = (self.before[place], self.after[place]);
        std::iter::from_fn(move || {
            let distance = |at: usize| match self.ratings.get(at) {
                Some(other) => (other - rating).abs(),
                None => f64::INFINITY,
            };
            // Equal distances: above first, where equal ratings are in order of age.
            let (next, distance) = if distance(below) < distance(above) {
                (below, distance(below))
            } else {
                (above, distance(above))
            };
            if next == END || distance > width {
                return None;
            }
            if next == below {
                below = self.before[next];
            } else {
                above = self.after[next];
            }
            Some(next)
        })
    }
}

fn lowest_bit(node: usize) -> usize {
    node & node.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_come_first_and_the_taken_are_passed_by() {
        let mut line =
            Line::new([(10.0, 1), (20.0, 2), (21.0, 3), (24.0, 4), (90.0, 5)].into_iter());
        assert_eq!(line.nearest(2, 15.0).collect::<Vec<_>>(), [1, 3, 0]);
        assert_eq!(line.players_within(21.0, 15.0), 10);
        line.take(1);
        assert_eq!(line.nearest(2, 100.0).collect::<Vec<_>>(), [3, 0, 4]);
        assert_eq!((line.players_within(21.0, 15.0), line.players_within(0.0, 1.0)), (8, 0));
        for place in [0, 2, 3, 4] {
            line.take(place);
        }
        assert_eq!(line.players_within(0.0, 1e9), 0);
    }
}
