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

use bevy_ecs::prelude::*;

use super::Regions;
use super::load::Share;
use super::tree::{Cut, DEPTH_MAX, Leaf, Node, Rect};
use crate::config::RegionRules;
use crate::world::Rules;

/// Applies the tick's loads to the tree.
pub(super) fn adapt_regions(rules: Res<Rules>, mut regions: ResMut<Regions>) {
    let Regions { tree, load, report, .. } = &mut *regions;
    let mut adapting = Adapting {
        rules: &rules.region,
        room: usize::from(rules.region.regions_max).saturating_sub(tree.leaf_count()),
        splits: 0,
        merges: 0,
        load_max: 0,
        cramped: false,
    };
    adapting.node(&mut tree.root, &mut load.shares, 0);
    tree.age_ticks = tree.age_ticks.saturating_add(1);
    if adapting.cramped && tree.age_ticks >= rules.region.merge_after_ticks {
        tree.age_ticks = 0;
        let whole = adapting.merge(&mut tree.root);
        tree.root = adapting.divided(whole, &mut load.shares, 0);
    }
    let Adapting { splits, merges, load_max, .. } = adapting;
    if splits + merges > 0 {
        tree.flatten();
    }
    report.regions = tree.leaf_count() as u32;
    report.splits = splits;
    report.merges = merges;
    report.load_max = load_max;
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
