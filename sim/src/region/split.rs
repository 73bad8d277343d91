//! Hot regions split, what is cold together merges, both only after a while.
//!
//! A region splits along its longer side, at the place that halves its load, and so do its parts
//! at once, as long as they are hotter than the ceiling: a crowd is divided in one tick, however
//! many cuts it takes. That is why no region stays above the ceiling for longer than
//! `split_after_ticks`. Regions too narrow to cut are the exception, and none of them holds more
//! soldiers than fit on `side_min_m`².
//!
//! A cut stays while there is load to share out below it, so a crowd that wanders drags a chain of
//! old cuts along. When a hot region finds no room for one more cut, in depth or in count, the
//! whole map is divided anew, at most once every `merge_after_ticks`.

use super::load::Share;
use super::tree::{Cut, DEPTH_MAX, Leaf, Node, Rect, Tree};
use crate::config::RegionRules;
use crate::event::TickReport;

/// Applies the tick's loads to the tree.
pub(super) fn adapt(tree: &mut Tree, shares: &mut [Share], rules: &RegionRules) -> TickReport {
    let mut adapting = Adapting {
        rules,
        room: usize::from(rules.regions_max).saturating_sub(tree.leaf_count()),
        splits: 0,
        merges: 0,
        load_max: 0,
        cramped: false,
    };
    adapting.node(&mut tree.root, shares, 0);
    tree.age_ticks = tree.age_ticks.saturating_add(1);
    if adapting.cramped && tree.age_ticks >= rules.merge_after_ticks {
        tree.age_ticks = 0;
        let whole = adapting.merge(&mut tree.root);
        tree.root = adapting.divided(whole, shares, 0);
    }
    let Adapting { splits, merges, load_max, .. } = adapting;
    if splits + merges > 0 {
        tree.flatten();
    }
    let regions = tree.leaf_count() as u32;
    TickReport { regions, splits, merges, load_max, load_sum: 0 }
}

struct Adapting<'a> {
    rules: &'a RegionRules,
    /// How many more regions there may be.
    room: usize,
    splits: u32,
    merges: u32,
    load_max: u32,
    /// A hot region found no room for a cut.
    cramped: bool,
}

impl Adapting<'_> {
    /// Gives the node's work units. `shares` are those that lie in it; their order is free.
    fn node(&mut self, node: &mut Node, shares: &mut [Share], depth: usize) -> u32 {
        match node {
            Node::Leaf(leaf) => {
                let units = leaf.load_units;
                self.load_max = self.load_max.max(units);
                let hot = units > self.rules.ceiling_units;
                leaf.hot_ticks = if hot { leaf.hot_ticks.saturating_add(1) } else { 0 };
                if leaf.hot_ticks >= self.rules.split_after_ticks {
                    *node = self.divided(*leaf, shares, depth);
                }
                units
            }
            Node::Cut(cut) => {
                let (across_x, at_m) = (cut.across_x, cut.at_m);
                let (low, high) = part(shares, |share| place_m(share, across_x) < at_m);
                let low_units = self.node(&mut cut.low, low, depth + 1);
                let units = low_units.saturating_add(self.node(&mut cut.high, high, depth + 1));
                let cold = units < self.rules.low_water_units;
                cut.cold_ticks = if cold { cut.cold_ticks.saturating_add(1) } else { 0 };
                if cut.cold_ticks >= self.rules.merge_after_ticks {
                    self.merge(node);
                }
                units
            }
        }
    }

    /// Makes everything below `node` one region, and returns it.
    fn merge(&mut self, node: &mut Node) -> Leaf {
        let (rect, load_units, regions) = node.summed();
        self.merges += regions - 1;
        self.room += regions as usize - 1;
        let leaf = Leaf { rect, load_units, hot_ticks: 0 };
        *node = Node::Leaf(leaf);
        leaf
    }

    /// Cuts a hot region until no part is hot or can be cut.
    fn divided(&mut self, leaf: Leaf, shares: &mut [Share], depth: usize) -> Node {
        let hot = leaf.load_units > self.rules.ceiling_units;
        let place = if hot { self.place_to_cut(&leaf.rect, shares, depth) } else { None };
        let Some((across_x, at_m)) = place else { return Node::Leaf(leaf) };
        self.room -= 1;
        self.splits += 1;
        let [low_rect, high_rect] = leaf.rect.cut(across_x, at_m);
        let (low, high) = part(shares, |share| place_m(share, across_x) < at_m);
        let half = |rect, shares: &[Share]| {
            let units = shares.iter().fold(0u32, |sum, share| sum.saturating_add(share.units));
            Leaf { rect, load_units: units, hot_ticks: 0 }
        };
        let (low_leaf, high_leaf) = (half(low_rect, low), half(high_rect, high));
        Node::Cut(Cut {
            across_x,
            at_m,
            cold_ticks: 0,
            low: Box::new(self.divided(low_leaf, low, depth + 1)),
            high: Box::new(self.divided(high_leaf, high, depth + 1)),
        })
    }

    /// Across the longer side, where the load halves, as near as there is room for both parts; the
    /// other side when that one is too short.
    fn place_to_cut(
        &mut self,
        rect: &Rect,
        shares: &mut [Share],
        depth: usize,
    ) -> Option<(bool, f32)> {
        if self.room == 0 || depth >= DEPTH_MAX {
            self.cramped = true;
            return None;
        }
        let least_m = self.rules.side_min_m;
        let wide = rect.x_high - rect.x_low >= rect.z_high - rect.z_low;
        [wide, !wide].into_iter().find_map(|across_x| {
            let (low_m, high_m) = rect.side(across_x);
            let (first_m, last_m) = (low_m + least_m, high_m - least_m);
            // Near the edge of a region only a worse cut than the middle of the load has room.
            (first_m <= last_m)
                .then(|| (across_x, median_m(shares, across_x).clamp(first_m, last_m)))
        })
    }
}

impl Rect {
    fn side(&self, across_x: bool) -> (f32, f32) {
        if across_x { (self.x_low, self.x_high) } else { (self.z_low, self.z_high) }
    }

    fn cut(self, across_x: bool, at_m: f32) -> [Self; 2] {
        if across_x {
            [Self { x_high: at_m, ..self }, Self { x_low: at_m, ..self }]
        } else {
            [Self { z_high: at_m, ..self }, Self { z_low: at_m, ..self }]
        }
    }

    pub(super) fn joined(&self, other: &Self) -> Self {
        Self {
            x_low: self.x_low.min(other.x_low),
            x_high: self.x_high.max(other.x_high),
            z_low: self.z_low.min(other.z_low),
            z_high: self.z_high.max(other.z_high),
        }
    }
}

fn place_m(share: &Share, across_x: bool) -> f32 {
    if across_x { share.pos.x } else { share.pos.z }
}

/// The first place, going up, with half of the load below it.
fn median_m(shares: &mut [Share], across_x: bool) -> f32 {
    shares.sort_unstable_by(|a, b| {
        place_m(a, across_x).total_cmp(&place_m(b, across_x)).then(a.units.cmp(&b.units))
    });
    let sum: u64 = shares.iter().map(|share| u64::from(share.units)).sum();
    let mut below = 0;
    for share in shares.iter() {
        below += u64::from(share.units);
        if 2 * below > sum {
            return place_m(share, across_x);
        }
    }
    unreachable!("a region is cut only when it has load")
}

/// Brings the shares that `belongs_low` to the front.
fn part(
    shares: &mut [Share],
    belongs_low: impl Fn(&Share) -> bool,
) -> (&mut [Share], &mut [Share]) {
    let mut count = 0;
    for place in 0..shares.len() {
        if belongs_low(&shares[place]) {
            shares.swap(count, place);
            count += 1;
        }
    }
    shares.split_at_mut(count)
}

#[cfg(test)]
mod tests {
    use sortie_field::Vec3;

    use super::*;
    use crate::codec::{Saved, Source};
    use crate::region::load::weigh;

    const RULES: RegionRules = RegionRules {
        ceiling_units: 100,
        low_water_units: 50,
        split_after_ticks: 3,
        merge_after_ticks: 5,
        side_min_m: 1.0,
        regions_max: 64,
    };

    /// One tick with soldiers of 10 units each.
    fn tick(tree: &mut Tree, places: &[(f32, f32)]) -> TickReport {
        let share = |&(x, z): &(f32, f32)| Share { pos: Vec3::new(x, 0.0, z), units: 10 };
        let mut shares: Vec<Share> = places.iter().map(share).collect();
        weigh(tree, &shares, &mut Vec::new());
        let report = adapt(tree, &mut shares, &RULES);
        for share in &shares {
            let leaf = tree.leaves().nth(tree.leaf_at(share.pos).into()).expect("a region");
            let Rect { x_low, x_high, z_low, z_high } = leaf.rect;
            assert!(
                (x_low..x_high).contains(&share.pos.x) && (z_low..z_high).contains(&share.pos.z)
            );
        }
        report
    }

    fn pass(tree: &mut Tree, ticks: u32, places: &[(f32, f32)]) {
        for _ in 0..ticks {
            tick(tree, places);
        }
    }

    fn row(count: usize, from_x: f32) -> Vec<(f32, f32)> {
        (0..count).map(|index| (from_x + 2.0 * index as f32, 30.0)).collect()
    }

    #[test]
    fn a_hot_region_splits_in_the_middle_of_its_load_and_not_before_its_time() {
        let mut tree = Tree::new(128.0);
        let crowd = row(16, 10.0);
        assert_eq!(tick(&mut tree, &crowd).regions, 1);
        assert_eq!(tick(&mut tree, &crowd).regions, 1);
        let report = tick(&mut tree, &crowd);
        assert_eq!((report.regions, report.splits, report.load_max), (2, 1, 160));
        let loads: Vec<u32> = tree.leaves().map(|leaf| leaf.load_units).collect();
        assert_eq!(loads, [80, 80]);
    }

    #[test]
    fn a_crowd_of_any_size_is_divided_in_one_tick() {
        let mut tree = Tree::new(128.0);
        let crowd: Vec<_> = (0..4).flat_map(|z| row(60, z as f32)).collect();
        pass(&mut tree, 2, &crowd);
        let report = tick(&mut tree, &crowd);
        assert_eq!(report.regions, 1 + report.splits);
        assert!(tree.leaves().all(|leaf| leaf.load_units <= RULES.ceiling_units));
    }

    #[test]
    fn a_moment_of_heat_or_cold_changes_nothing() {
        let mut tree = Tree::new(128.0);
        let crowd = row(16, 10.0);
        for _ in 0..5 {
            tick(&mut tree, &crowd);
            tick(&mut tree, &crowd);
            assert_eq!(tick(&mut tree, &[]).regions, 1);
        }
        pass(&mut tree, 3, &crowd);
        for _ in 0..5 {
            pass(&mut tree, 4, &[]);
            assert_eq!(tick(&mut tree, &crowd).regions, 2);
        }
    }

    #[test]
    fn what_is_cold_together_becomes_one_region_again() {
        let mut tree = Tree::new(128.0);
        pass(&mut tree, 3, &row(60, 2.0));
        let before = tree.leaf_count() as u32;
        assert!(before >= 8);
        (0..4).for_each(|_| assert_eq!(tick(&mut tree, &row(3, 2.0)).merges, 0));
        let report = tick(&mut tree, &row(3, 2.0));
        assert_eq!((report.regions, report.merges), (1, before - 1));
    }

    #[test]
    fn a_crowd_that_wanders_never_runs_out_of_room() {
        let mut tree = Tree::new(4_096.0);
        let mut hottest = 0;
        for step in 0..8_000 {
            let crowd: Vec<_> =
                (0..3).flat_map(|z| row(20, 5.0 + 0.5 * step as f32 + 0.3 * z as f32)).collect();
            tick(&mut tree, &crowd);
            let hot = tree.leaves().map(|leaf| leaf.hot_ticks).max().unwrap_or_default();
            hottest = hottest.max(hot);
            let mut bytes = Vec::new();
            tree.save(&mut bytes);
            assert!(Tree::load(&mut Source::new(&bytes)).is_ok(), "as deep as may be saved");
        }
        assert!(hottest < RULES.split_after_ticks + RULES.merge_after_ticks, "{hottest}");
    }

    #[test]
    fn a_knot_too_tight_to_cut_is_left_alone() {
        let mut tree = Tree::new(1.5);
        for _ in 0..20 {
            let report = tick(&mut tree, &[(0.5, 0.5); 30]);
            assert_eq!((report.regions, report.splits), (1, 0));
        }
    }
}
