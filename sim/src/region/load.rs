//! How much work each region was this tick.

use sortie_field::Vec3;

use super::tree::{Node, Tree};

/// Who worked how much and where, this tick.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// One a soldier in the field, by slot.
    pub(crate) shares: Vec<Share>,
    /// Units by region.
    pub(crate) units: Vec<u32>,
}

/// One soldier's part of the load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) pos: Vec3,
    pub(crate) units: u32,
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
