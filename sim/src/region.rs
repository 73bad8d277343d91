//! Regions: rectangles that divide the map and are the unit of parallel work.
//!
//! Rules, before any mechanism. Every place lies in exactly one region. A region that has been
//! hotter than the ceiling for a number of ticks splits, at once into as many parts as it takes;
//! two siblings that together have been cold for a number of ticks merge. The load is made of
//! work units that are the same on every machine, so regions are the same too, and they are part
//! of the state. What a battle's soldiers do never depends on regions.

mod load;
mod split;
mod tree;

use std::ops::Range;

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use crate::components::{Identity, Pose, Roster, Vitals};
use crate::event::TickReport;
use crate::schedule::{Phase, Timetable};
use crate::transient::Work;
use crate::world::Rules;

pub(crate) use tree::Tree;
pub use tree::{Leaf, Rect};

/// The division of the map, and the order of this tick's rows by it.
#[derive(Resource, Debug)]
pub struct Regions {
    pub(crate) tree: Tree,
    /// Ranges of the rows sorted last, one a region.
    groups: Vec<Range<usize>>,
    /// Scratch: the region of each row.
    region_of: Vec<u16>,
    report: TickReport,
    /// Scratch of the load and split systems.
    load: load::Loads,
}

pub(crate) fn add_systems(timetable: &mut Timetable) {
    timetable.add(Phase::Region, (weigh_regions, adapt_regions).chain());
}

/// Adds up this tick's work units where the soldiers stand now.
fn weigh_regions(
    roster: Res<Roster>,
    work: Res<Work>,
    soldiers: Query<(&Identity, &Pose, &Vitals)>,
    mut regions: ResMut<Regions>,
) {
    let Regions { tree, load, report, .. } = &mut *regions;
    load.shares.clear();
    for (identity, pose, vitals) in soldiers.iter_many(roster.entities()).flatten() {
        let units = work.0[usize::from(identity.slot.0)];
        if vitals.in_field() && units > 0 {
            load.shares.push(load::Share { pos: pose.0.pos, units });
        }
    }
    load::weigh(tree, &load.shares, &mut load.units);
    report.load_sum = load.units.iter().fold(0, |sum, &units| sum.saturating_add(units));
}

/// Applies the tick's loads to the tree.
fn adapt_regions(rules: Res<Rules>, mut regions: ResMut<Regions>) {
    let Regions { tree, load, report, .. } = &mut *regions;
    let load_sum = report.load_sum;
    *report = TickReport { load_sum, ..split::adapt(tree, &mut load.shares, &rules.region) };
}

impl Regions {
    /// One region over the whole map.
    pub fn new(size_m: f32) -> Self {
        Self {
            tree: Tree::new(size_m),
            groups: Vec::new(),
            region_of: Vec::new(),
            report: TickReport::default(),
            load: load::Loads::default(),
        }
    }

    /// The regions in their fixed order.
    pub fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        self.tree.leaves()
    }

    /// What happened to the regions in the last tick.
    pub fn report(&self) -> TickReport {
        self.report
    }

    /// Copies `rows` into `sorted`, region after region, keeping their order within a region.
    /// [`groups`](Self::groups) then are their ranges.
    pub fn sort<T: Copy + Default>(
        &mut self,
        rows: &[T],
        pos: impl Fn(&T) -> Vec3,
        sorted: &mut Vec<T>,
    ) {
        self.groups.clear();
        self.groups.resize(self.tree.leaf_count(), 0..0);
        self.region_of.clear();
        for row in rows {
            let region = self.tree.leaf_at(pos(row));
            self.region_of.push(region);
            self.groups[usize::from(region)].end += 1;
        }
        let mut start = 0;
        for group in &mut self.groups {
            let count = group.end;
            // Empty so far; filling moves the end.
            *group = start..start;
            start += count;
        }
        sorted.clear();
        sorted.resize(rows.len(), T::default());
        for (row, &region) in rows.iter().zip(&self.region_of) {
            let group = &mut self.groups[usize::from(region)];
            sorted[group.end] = *row;
            group.end += 1;
        }
    }

    /// The ranges of the rows sorted last, one a region, without gaps.
    pub fn groups(&self) -> &[Range<usize>] {
        &self.groups
    }
}
