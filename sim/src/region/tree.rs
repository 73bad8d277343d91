//! The tree of regions: rectangles cut in two, again and again; its leaves are the regions.

use sortie_field::Vec3;

use crate::codec::{Corrupt, Saved, Sink, Source, saved};

/// A rectangle of the map, metres. The high edges belong to the neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// West.
    pub x_low: f32,
    /// East.
    pub x_high: f32,
    /// North.
    pub z_low: f32,
    /// South.
    pub z_high: f32,
}

saved!(Rect { x_low, x_high, z_low, z_high });

/// A region as others see it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Leaf {
    /// What it covers, in metres.
    pub rect: Rect,
    /// Work units of the last tick.
    pub load_units: u32,
    /// For how many ticks in a row it has been above the ceiling.
    pub hot_ticks: u16,
}

saved!(Leaf { rect, load_units, hot_ticks });

/// A node: a region, or a cut with two nodes below it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Leaf(Leaf),
    Cut(Cut),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cut {
    /// Across x, else across z.
    pub(crate) across_x: bool,
    /// Places below go low, the others high, metres.
    pub(crate) at_m: f32,
    /// For how many ticks in a row everything below has been cold together.
    pub(crate) cold_ticks: u16,
    pub(crate) low: Box<Node>,
    pub(crate) high: Box<Node>,
}

/// One step of the flattened tree: what finding a place walks over.
#[derive(Clone, Copy, Debug)]
enum Step {
    Region(u16),
    Cut { across_x: bool, at_m: f32, high: u16 },
}

/// The tree, and the same flattened for finding places fast.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) root: Node,
    /// Ticks since the whole tree was divided anew.
    pub(crate) age_ticks: u16,
    steps: Vec<Step>,
    leaf_count: usize,
}

/// No tree is deeper. Even cuts into 256 regions are 8 deep; a crowd that wanders leaves old cuts
/// behind it, and a tree that got too deep by them is divided anew.
pub(crate) const DEPTH_MAX: usize = 24;

impl Tree {
    pub(crate) fn new(size_m: f32) -> Self {
        let rect = Rect { x_low: 0.0, x_high: size_m, z_low: 0.0, z_high: size_m };
        let root = Node::Leaf(Leaf { rect, ..Leaf::default() });
        Self::of(root, 0)
    }

    fn of(root: Node, age_ticks: u16) -> Self {
        let mut tree = Self { root, age_ticks, steps: Vec::new(), leaf_count: 0 };
        tree.flatten();
        tree
    }

    /// To be called whenever the nodes have changed shape.
    pub(crate) fn flatten(&mut self) {
        self.steps.clear();
        self.leaf_count = 0;
        flatten(&self.root, &mut self.steps, &mut self.leaf_count);
    }

    pub(crate) fn leaf_count(&self) -> usize {
        self.leaf_count
    }

    /// The region of a place, by its number in the order of [`leaves`](Self::leaves). Places
    /// outside the map belong to the nearest region's side of every cut.
    pub(crate) fn leaf_at(&self, pos: Vec3) -> u16 {
        let mut at = 0;
        loop {
            match self.steps[at] {
                Step::Region(region) => return region,
                Step::Cut { across_x, at_m, high } => {
                    let place_m = if across_x { pos.x } else { pos.z };
                    at = if place_m < at_m { at + 1 } else { usize::from(high) };
                }
            }
        }
    }

    pub(crate) fn leaves(&self) -> impl Iterator<Item = Leaf> + '_ {
        let mut open = vec![&self.root];
        std::iter::from_fn(move || {
            loop {
                match open.pop()? {
                    Node::Leaf(leaf) => return Some(*leaf),
                    Node::Cut(cut) => open.extend([&*cut.high, &*cut.low]),
                }
            }
        })
    }
}

fn flatten(node: &Node, steps: &mut Vec<Step>, leaf_count: &mut usize) {
    match node {
        Node::Leaf(_) => {
            steps.push(Step::Region(*leaf_count as u16));
            *leaf_count += 1;
        }
        Node::Cut(cut) => {
            let place = steps.len();
            steps.push(Step::Cut { across_x: cut.across_x, at_m: cut.at_m, high: 0 });
            flatten(&cut.low, steps, leaf_count);
            let here = steps.len() as u16;
            if let Step::Cut { high, .. } = &mut steps[place] {
                *high = here;
            }
            flatten(&cut.high, steps, leaf_count);
        }
    }
}

impl Node {
    /// Rectangle, work units and regions of everything below.
    pub(crate) fn summed(&self) -> (Rect, u32, u32) {
        match self {
            Self::Leaf(leaf) => (leaf.rect, leaf.load_units, 1),
            Self::Cut(cut) => {
                let (low, high) = (cut.low.summed(), cut.high.summed());
                (low.0.joined(&high.0), low.1.saturating_add(high.1), low.2 + high.2)
            }
        }
    }
}

impl Saved for Tree {
    fn save(&self, sink: &mut impl Sink) {
        self.age_ticks.save(sink);
        save_node(&self.root, sink);
    }

    fn load(source: &mut Source<'_>) -> Result<Self, Corrupt> {
        let age_ticks = u16::load(source)?;
        let mut leaves = 0;
        Ok(Self::of(load_node(source, 0, &mut leaves)?, age_ticks))
    }
}

fn save_node(node: &Node, sink: &mut impl Sink) {
    match node {
        Node::Leaf(leaf) => {
            sink.put(0, 1);
            leaf.save(sink);
        }
        Node::Cut(cut) => {
            sink.put(1, 1);
            cut.across_x.save(sink);
            cut.at_m.save(sink);
            cut.cold_ticks.save(sink);
            save_node(&cut.low, sink);
            save_node(&cut.high, sink);
        }
    }
}

/// Bounded in depth and count: the bytes may be anybody's.
fn load_node(source: &mut Source<'_>, depth: usize, leaves: &mut u32) -> Result<Node, Corrupt> {
    if !bool::load(source)? {
        *leaves += 1;
        if *leaves > 4096 {
            return Err(Corrupt("too many regions"));
        }
        return Ok(Node::Leaf(Leaf::load(source)?));
    }
    if depth >= DEPTH_MAX {
        return Err(Corrupt("regions are nested too deep"));
    }
    Ok(Node::Cut(Cut {
        across_x: bool::load(source)?,
        at_m: f32::load(source)?,
        cold_ticks: u16::load(source)?,
        low: Box::new(load_node(source, depth + 1, leaves)?),
        high: Box::new(load_node(source, depth + 1, leaves)?),
    }))
}
