//! Who is near a place: soldiers sorted into the cells of the map, anew every tick.

use sortie_field::Vec3;

/// Side of a cell, metres.
const CELL_M: f32 = 40.0;

/// Soldiers by cell, row by row.
#[derive(Debug, Default)]
pub(super) struct Nearby {
    /// Cells along a side of the map.
    cells: usize,
    /// All soldiers' slots, cell after cell, ascending within a cell.
    slots: Vec<u16>,
    /// Where each cell begins in `slots`; one more than there are cells.
    begins: Vec<u32>,
    cursors: Vec<u32>,
}

impl Nearby {
    /// Takes up where everyone is; `soldiers` come in ascending order of their slots.
    pub(super) fn update(
        &mut self,
        side_m: f32,
        soldiers: impl Iterator<Item = (u16, Vec3)> + Clone,
    ) {
        self.cells = (side_m / CELL_M) as usize + 1;
        self.begins.clear();
        self.begins.resize(self.cells * self.cells + 1, 0);
        for (_, pos) in soldiers.clone() {
            let cell = self.cell_of(pos);
            self.begins[cell + 1] += 1;
        }
        for cell in 1..self.begins.len() {
            self.begins[cell] += self.begins[cell - 1];
        }
        self.slots.clear();
        self.slots.resize(self.begins[self.cells * self.cells] as usize, 0);
        self.cursors.clone_from(&self.begins);
        for (slot, pos) in soldiers {
            let cell = self.cell_of(pos);
            self.slots[self.cursors[cell] as usize] = slot;
            self.cursors[cell] += 1;
        }
    }

    /// Soldiers of all cells that touch the square around `pos`.
    pub(super) fn near(&self, pos: Vec3, radius_m: f32) -> impl Iterator<Item = u16> + '_ {
        let (left, right) = (self.index(pos.x - radius_m), self.index(pos.x + radius_m));
        let rows = self.index(pos.z - radius_m)..=self.index(pos.z + radius_m);
        rows.flat_map(move |row| {
            let begin = self.begins[row * self.cells + left] as usize;
            let end = self.begins[row * self.cells + right + 1] as usize;
            self.slots[begin..end].iter().copied()
        })
    }

    fn cell_of(&self, pos: Vec3) -> usize {
        self.index(pos.z) * self.cells + self.index(pos.x)
    }

    fn index(&self, at_m: f32) -> usize {
        // Negative values saturate at 0.
        ((at_m / CELL_M) as usize).min(self.cells - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_near_is_found_once() {
        let soldiers: Vec<(u16, Vec3)> = (0..300_u16)
            .map(|slot| {
                let place = f32::from(slot);
                (slot, Vec3::new((place * 37.0) % 400.0, 0.0, (place * 91.0) % 400.0))
            })
            .collect();
        let mut nearby = Nearby::default();
        nearby.update(400.0, soldiers.iter().copied());
        for (_, at) in &soldiers {
            let mut near: Vec<u16> = nearby.near(*at, 60.0).collect();
            let found = near.len();
            near.sort_unstable();
            near.dedup();
            assert_eq!(near.len(), found, "somebody is found twice");
            for (slot, pos) in &soldiers {
                assert!(pos.distance(*at) >= 60.0 || near.contains(slot), "{slot} is overlooked");
            }
        }
    }
}
