//! F28: a battle server takes several addresses of the control plane.
//! Goes to services/battle/tests.

use sortie_battle::fleet::{FleetConfig, Secret};

#[test]
fn several_control_planes_are_taken() {
    let secret = || Secret::new("sixteen characters and more").unwrap();
    let one = FleetConfig::new("http://127.0.0.1:1", secret(), "eu-1").unwrap();
    let addresses = "http://127.0.0.1:1,http://127.0.0.1:2";
    let two = FleetConfig::new(addresses, secret(), "eu-1").unwrap();
    assert_eq!(one.control_plane, "http://127.0.0.1:1");
    // One text with a comma in it is one address, that nobody can connect to.
    let is_one = two.control_plane == addresses;
    assert!(!is_one, "F28: two addresses are taken for one, {addresses}");
}
