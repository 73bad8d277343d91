//! What a document must satisfy before anything is built from it.

use core::ops::RangeInclusive;

use super::{
    document::{Document, ObstacleEntry, limits},
    error::{
        Fault,
        Step::{self, Index, Key},
    },
};
use crate::{obstacle::Shape, polygon::inside_polygon};

type Checked = Result<(), Fault>;

/// Refuses what is not finite, out of range, outside the map, inverted or too many.
pub(super) fn check(document: &Document) -> Checked {
    name(&[Key("name")], &document.name)?;
    within(&[Key("size_m")], document.size_m, limits::SIZE_M)?;
    boundary(document)?;
    terrain(document)?;
    scatter(document)?;
    points(document)?;
    bases(document)?;
    obstacles(document)
}

fn boundary(document: &Document) -> Checked {
    let corners = &document.boundary;
    count(&[Key("boundary")], corners.len(), 0..=limits::BOUNDARY_COUNT_MAX)?;
    if (1..3).contains(&corners.len()) {
        return Err(Fault::new(&[Key("boundary")], "a boundary needs at least three corners"));
    }
    for (at, corner) in corners.iter().enumerate() {
        for (axis, &coordinate) in corner.iter().enumerate() {
            let path = [Key("boundary"), Index(at), Index(axis)];
            within(&path, coordinate, 0.0..=document.size_m)?;
        }
    }
    Ok(())
}

fn terrain(document: &Document) -> Checked {
    let terrain = &document.terrain;
    let field = |name: &'static str| [Key("terrain"), Key(name)];
    within(&field("hills_m"), terrain.hills_m, 0.0..=60.0)?;
    within(&field("ridge_m"), terrain.ridge_m, -60.0..=60.0)?;
    count(&field("octaves"), usize::from(terrain.octaves), 0..=6)?;
    if terrain.hills_m > 0.0 {
        within(&field("wavelength_m"), terrain.wavelength_m, 16.0..=4_000.0)?;
    }
    within(&field("wavelength_m"), terrain.wavelength_m, 0.0..=4_000.0)?;
    if terrain.ridge_m != 0.0 {
        within(&field("ridge_reach_m"), terrain.ridge_reach_m, 4.0..=4_000.0)?;
    }
    within(&field("ridge_reach_m"), terrain.ridge_reach_m, 0.0..=4_000.0)?;
    let rows = &terrain.heights_m;
    if rows.is_empty() {
        return Ok(());
    }
    count(&field("heights_m"), rows.len(), limits::HEIGHT_ROWS)?;
    for (at, row) in rows.iter().enumerate() {
        let path = [Key("terrain"), Key("heights_m"), Index(at)];
        if row.len() != rows.len() {
            let what = format!("{} heights in a row of a table of {} rows", row.len(), rows.len());
            return Err(Fault::new(&path, what));
        }
        for (column, &height_m) in row.iter().enumerate() {
            let path = [path[0], path[1], path[2], Index(column)];
            within(&path, height_m, -limits::HEIGHT_M_MAX..=limits::HEIGHT_M_MAX)?;
        }
    }
    Ok(())
}

fn scatter(document: &Document) -> Checked {
    let scatter = &document.scatter;
    let counts = [
        ("houses", scatter.houses),
        ("crates", scatter.crates),
        ("walls", scatter.walls),
        ("platforms", scatter.platforms),
    ];
    for (name, amount) in counts {
        let path = [Key("scatter"), Key(name)];
        count(&path, amount as usize, 0..=limits::SCATTER_COUNT_MAX as usize)?;
    }
    within(&[Key("scatter"), Key("near_points")], scatter.near_points, 0.0..=1.0)
}

fn points(document: &Document) -> Checked {
    count(&[Key("point")], document.points.len(), 0..=limits::POINT_COUNT_MAX)?;
    for (at, point) in document.points.iter().enumerate() {
        let field = |name: &'static str| [Key("point"), Index(at), Key(name)];
        name(&field("name"), &point.name)?;
        within(&field("radius_m"), point.radius_m, limits::RADIUS_M)?;
        inside(document, &field("x"), &field("z"), point.x, point.z)?;
        if document.points[..at].iter().any(|other| other.name == point.name) {
            let what = format!("a second point named {}", point.name);
            return Err(Fault::new(&field("name"), what));
        }
    }
    Ok(())
}

fn bases(document: &Document) -> Checked {
    count(&[Key("base")], document.bases.len(), 2..=limits::BASE_COUNT_MAX)?;
    for (at, base) in document.bases.iter().enumerate() {
        let field = |name: &'static str| [Key("base"), Index(at), Key(name)];
        if base.team > 1 {
            return Err(Fault::new(&field("team"), format!("team {}; 0 or 1 wanted", base.team)));
        }
        within(&field("radius_m"), base.radius_m, limits::RADIUS_M)?;
        inside(document, &field("x"), &field("z"), base.x, base.z)?;
    }
    for team in [0, 1] {
        if document.bases.iter().all(|base| base.team != team) {
            return Err(Fault::new(&[Key("base")], format!("no base for team {team}")));
        }
    }
    Ok(())
}

fn obstacles(document: &Document) -> Checked {
    let key = Key("obstacle");
    count(&[key], document.obstacles.len(), 0..=limits::OBSTACLE_COUNT_MAX)?;
    for (at, obstacle) in document.obstacles.iter().enumerate() {
        let field = |name: &'static str| [key, Index(at), Key(name)];
        for (name, extent_m) in extents(obstacle) {
            if extent_m < 0.0 {
                let what = format!("{name} is {extent_m}: the obstacle is inverted");
                return Err(Fault::new(&field(name), what));
            }
            within(&field(name), extent_m, limits::EXTENT_M)?;
        }
        within(&field("heading_deg"), obstacle.heading_deg, -360.0..=360.0)?;
        if let Some(bottom_m) = obstacle.bottom_m {
            let height_m = -limits::HEIGHT_M_MAX..=limits::HEIGHT_M_MAX;
            within(&field("bottom_m"), bottom_m, height_m)?;
        }
        within(&field("x"), obstacle.x, 0.0..=document.size_m)?;
        within(&field("z"), obstacle.z, 0.0..=document.size_m)?;
        if obstacle.shape == Shape::Ramp && obstacle.height_m > obstacle.length_m {
            let what = "steeper than 45 degrees: nobody could walk up this ramp";
            return Err(Fault::new(&field("height_m"), what));
        }
    }
    Ok(())
}

fn extents(obstacle: &ObstacleEntry) -> [(&'static str, f32); 3] {
    [
        ("width_m", obstacle.width_m),
        ("height_m", obstacle.height_m),
        ("length_m", obstacle.length_m),
    ]
}

fn name(path: &[Step], name: &str) -> Checked {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > limits::NAME_BYTES_MAX || !name.chars().all(plain) {
        let most = limits::NAME_BYTES_MAX;
        let what = format!("a name is 1 to {most} letters, digits, hyphens or underscores");
        return Err(Fault::new(path, what));
    }
    Ok(())
}

fn within(path: &[Step], value: f32, range: RangeInclusive<f32>) -> Checked {
    if range.contains(&value) {
        return Ok(());
    }
    let name = path.iter().rev().find_map(|step| match step {
        Key(key) => Some(*key),
        Index(_) => None,
    });
    let (name, low, high) = (name.unwrap_or("value"), range.start(), range.end());
    Err(Fault::new(path, format!("{name} is {value}; {low} to {high} allowed")))
}

fn count(path: &[Step], amount: usize, range: RangeInclusive<usize>) -> Checked {
    if range.contains(&amount) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    let name = match path.last() {
        Some(Key(key)) => key,
        _ => "entries",
    };
    Err(Fault::new(path, format!("{amount} {name}; {low} to {high} allowed")))
}

/// Inside the map and inside its boundary.
fn inside(document: &Document, x_path: &[Step], z_path: &[Step], x: f32, z: f32) -> Checked {
    within(x_path, x, 0.0..=document.size_m)?;
    within(z_path, z, 0.0..=document.size_m)?;
    if !inside_polygon(&document.boundary_or_edge(), x, z) {
        return Err(Fault::new(x_path, format!("({x}, {z}) is outside the boundary")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::map::Map;

    const GOOD: &str = "\
name = \"yard\"
size_m = 64.0
[terrain]
heights_m = [
  [0.0, 1.0],
  [0.0, 1.0],
]
[[point]]
name = \"A\"
x = 32.0
z = 32.0
radius_m = 8.0
[[base]]
team = 0
x = 8.0
z = 8.0
radius_m = 4.0
[[base]]
team = 1
x = 56.0
z = 56.0
radius_m = 4.0
[[obstacle]]
shape = \"Box\"
x = 20.0
z = 20.0
width_m = 2.0
height_m = 1.0
length_m = 3.0
heading_deg = 30.0
";

    #[test]
    fn a_good_document_is_taken() {
        let map = Map::parse(GOOD).expect("good");
        assert_eq!((map.points.len(), map.obstacles.len()), (1, 1));
        assert_eq!(map.points[0].pos.y, 0.5);
    }

    #[test]
    fn faults_name_their_line() {
        refuse("[0.0, 1.0],\n]", "[0.0, nan],\n]", 6, "heights_m is NaN");
        refuse("[0.0, 1.0],\n]", "[0.0],\n]", 6, "1 heights in a row");
        refuse("width_m = 2.0", "width_m = -2.0", 27, "inverted");
        refuse("x = 32.0", "x = 132.0", 10, "x is 132; 0 to 64 allowed");
        refuse("x = 32.0", "x = inf", 10, "x is inf");
        refuse("x = 32.0", "x = \"east\"", 10, "expected");
        refuse("team = 1", "team = 2", 19, "team 2");
        refuse("heading_deg = 30.0", "heading = 30.0", 30, "unknown field");
        refuse("size_m = 64.0", "size_m = 64.0\n]", 3, "");
        refuse("size_m = 64.0", "size_m = 9e9", 2, "size_m is 9000000000");
        refuse("shape = \"Box\"", "shape = \"Ramp\"\n bottom_m = nan", 25, "bottom_m is NaN");
        refuse("length_m = 3.0", "length_m = 500.0", 29, "length_m is 500; 0.1 to 200");
    }

    #[test]
    fn counts_are_bounded() {
        refuse("[terrain]", "[scatter]\nhouses = 4000000000\n[terrain]", 4, "4000000000 houses");
        let mut text = GOOD.to_owned();
        for _ in 0..2_000 {
            text.push_str("[[base]]\nteam=0\nx=1\nz=1\nradius_m=1\n");
        }
        assert!(Map::parse(&text).expect_err("too many").what.contains("bytes long"));
        text.truncate(50_000);
        text.truncate(text.rfind("[[base]]").expect("many"));
        assert!(Map::parse(&text).expect_err("too many").what.contains("base; 2 to"));
    }

    #[test]
    fn a_point_beyond_the_boundary_is_refused() {
        let text = GOOD.replace("[terrain]", "boundary = [[0,0],[40,0],[0,40]]\n[terrain]");
        let error = Map::parse(&text).expect_err("outside");
        assert!(error.to_string().contains("outside the boundary"), "{error}");
    }

    /// Replaces one piece of the good document and expects a fault on `line`.
    fn refuse(from: &str, to: &str, line: usize, what: &str) {
        assert!(GOOD.contains(from));
        let error = Map::parse(&GOOD.replacen(from, to, 1)).expect_err(to);
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.what.contains(what), "{error}");
    }
}
