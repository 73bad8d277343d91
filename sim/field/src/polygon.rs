//! What lies inside a polygon of the map's plane.

use glam::Vec2;

/// Even-odd rule; the polygon's own edge counts as inside.
pub(crate) fn inside_polygon(corners: &[Vec2], x: f32, z: f32) -> bool {
    let mut inside = false;
    let mut last = match corners.last() {
        Some(&last) => last,
        None => return false,
    };
    for &corner in corners {
        let (low, high) = if last.y <= corner.y { (last, corner) } else { (corner, last) };
        if (low.y..=high.y).contains(&z) {
            let side = (high.x - low.x) * (z - low.y) - (x - low.x) * (high.y - low.y);
            let between = low.x.min(high.x)..=low.x.max(high.x);
            if side == 0.0 && between.contains(&x) {
                return true;
            }
            // Half-open, so that a corner counts for one of its two edges.
            if z < high.y && side > 0.0 {
                inside = !inside;
            }
        }
        last = corner;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_may_be_any_polygon() {
        let arrow = [[0.0, 0.0], [10.0, 0.0], [5.0, 5.0], [10.0, 10.0], [0.0, 10.0]];
        let corners = arrow.map(Vec2::from);
        assert!(inside_polygon(&corners, 2.0, 5.0));
        assert!(!inside_polygon(&corners, 8.0, 5.0));
        assert!(inside_polygon(&corners, 0.0, 5.0), "its edge");
        assert!(inside_polygon(&corners, 10.0, 0.0), "its corner");
        assert!(!inside_polygon(&corners, -1.0, 0.0) && !inside_polygon(&corners, 5.0, f32::NAN));
    }
}
