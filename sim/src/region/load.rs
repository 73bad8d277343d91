//! How much work each region was this tick.

use bevy_ecs::prelude::*;
use sortie_field::Vec3;

use super::Regions;
use super::tree::{Node, Tree};
use crate::components::{Identity, Pose, Roster, Vitals};
use crate::facts::Work;

/// Who worked how much and where, this tick.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// One a soldier in the field, by slot.
    pub(crate) shares: Vec<Share>,
    /// Units by region.
    units: Vec<u32>,
}

/// One soldier's part of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) pos: Vec3,
    pub(crate) units: u32,
}

/// Adds up this tick's work units where the soldiers stand now.
pub(super) fn weigh_regions(
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
            load.shares.push(Share { pos: pose.0.pos, units });
        }
    }
    weigh(tree, &load.shares, &mut load.units);
    report.load_sum = load.units.iter().fold(0, |sum, &units| sum.saturating_add(units));
}

/// Writes each region's load into the tree. `units` is scratch and ends as the loads by region.
pub(super) fn weigh(tree: &mut Tree, shares: &[Share], units: &mut Vec<u32>) {
    units.clear();
    units.resize(tree.leaf_count(), 0);
    for share in shares {
        let region = &mut units[usize::from(tree.leaf_at(share.pos))];
        *region = region.saturating_add(share.units);
    }
    write_loads(&mut tree.root, &mut units.iter());
}

fn write_loads<'a>(node: &mut Node, loads: &mut impl Iterator<Item = &'a u32>) {
    match node {
        Node::Leaf(leaf) => leaf.load_units = loads.next().copied().unwrap_or_default(),
        Node::Cut(cut) => {
            write_loads(&mut cut.low, loads);
            write_loads(&mut cut.high, loads);
        }
    }
}
