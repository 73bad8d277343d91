//! Which crate may know which. Arrows point one way; see `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sortie_tidy::{assert_none, cargo};

/// What a service of the control plane may know: they meet in Postgres, over gRPC, or on the bus,
/// and in crates beneath them, each of which owns what several of them write.
const SERVICE: &[&str] = &[
    "sortie-keys",
    "sortie-kit",
    "sortie-control",
    "sortie-rpc",
    "sortie-battles",
    "sortie-messages",
    "sortie-sanctions",
    "sortie-whereabouts",
];

/// Every allowed arrow between crates of this workspace, for code that ships.
const ARROWS: &[(&str, &[&str])] = &[
    ("sortie-keys", &[]),
    ("sortie-wire", &["sortie-keys"]),
    ("sortie-field", &[]),
    ("sortie-udp", &[]),
    ("sortie-sealed", &[]),
    ("sortie-link-sim", &[]),
    ("sortie-kit", &[]),
    ("sortie-rpc", &[]),
    ("sortie-control", &["sortie-keys", "sortie-kit", "sortie-rpc"]),
    ("sortie-private-postgres", &[]),
    // Only tests and benches stand on it.
    ("sortie-testing", &["sortie-control", "sortie-rpc"]),
    // They know no other of their kind.
    ("sortie-battles", &["sortie-control"]),
    ("sortie-messages", &["sortie-control"]),
    ("sortie-sanctions", &["sortie-control"]),
    ("sortie-whereabouts", &["sortie-control"]),
    ("sortie-account", SERVICE),
    ("sortie-ranking", SERVICE),
    ("sortie-chat", SERVICE),
    ("sortie-fleet", SERVICE),
    ("sortie-admin", SERVICE),
    // It signs join tickets.
    (
        "sortie-matchmaking",
        &[
            "sortie-kit",
            "sortie-control",
            "sortie-rpc",
            "sortie-battles",
            "sortie-sanctions",
            "sortie-whereabouts",
            "sortie-wire",
        ],
    ),
    ("sortie-tidy", &[]),
    ("sortie-sim", &["sortie-field"]),
    ("sortie-session", &["sortie-wire"]),
    ("sortie-quic", &["sortie-keys", "sortie-sealed", "sortie-session"]),
    ("sortie-identity", &["sortie-keys", "sortie-quic"]),
    ("sortie-pump", &["sortie-quic", "sortie-sealed", "sortie-session", "sortie-udp"]),
    ("sortie-client", &["sortie-quic", "sortie-sealed", "sortie-session", "sortie-wire"]),
    ("sortie-bridge", &["sortie-sim", "sortie-field", "sortie-session", "sortie-wire"]),
    (
        "sortie-battle",
        &[
            "sortie-keys",
            "sortie-bridge",
            "sortie-sim",
            "sortie-field",
            "sortie-session",
            "sortie-identity",
            "sortie-pump",
            "sortie-quic",
            "sortie-sealed",
            "sortie-udp",
            "sortie-wire",
            "sortie-kit",
            "sortie-rpc",
        ],
    ),
    (
        "sortie-players",
        &[
            "sortie-keys",
            "sortie-client",
            "sortie-bridge",
            "sortie-sim",
            "sortie-field",
            "sortie-link-sim",
            "sortie-quic",
            "sortie-sealed",
            "sortie-session",
            "sortie-udp",
            "sortie-wire",
        ],
    ),
    (
        "sortie-bench",
        &[
            "sortie-players",
            "sortie-client",
            "sortie-bridge",
            "sortie-sim",
            "sortie-field",
            "sortie-identity",
            "sortie-pump",
            "sortie-quic",
            "sortie-sealed",
            "sortie-session",
            "sortie-udp",
            "sortie-wire",
        ],
    ),
    (
        "sortie-guard",
        &[
            "sortie-bench",
            "sortie-players",
            "sortie-field",
            "sortie-sealed",
            "sortie-session",
            "sortie-sim",
            "sortie-wire",
        ],
    ),
    (
        "sortie-bench-control",
        &[
            "sortie-account",
            "sortie-chat",
            "sortie-control",
            "sortie-matchmaking",
            "sortie-private-postgres",
            "sortie-ranking",
            "sortie-rpc",
            "sortie-testing",
        ],
    ),
    ("sortie-cli", &["sortie-kit"]),
    (
        "sortie",
        &[
            "sortie-battle",
            "sortie-players",
            "sortie-cli",
            "sortie-keys",
            "sortie-sim",
            "sortie-field",
            "sortie-wire",
        ],
    ),
    (
        "sortie-control-plane",
        &[
            "sortie-account",
            "sortie-admin",
            "sortie-battles",
            "sortie-chat",
            "sortie-cli",
            "sortie-control",
            "sortie-fleet",
            "sortie-keys",
            "sortie-kit",
            "sortie-matchmaking",
            "sortie-messages",
            "sortie-players",
            "sortie-private-postgres",
            "sortie-ranking",
            "sortie-sanctions",
            "sortie-whereabouts",
            "sortie-wire",
        ],
    ),
];

/// Arrows that only tests may add: a test of a lower layer may stand on the simulated link, and
/// the tests of a composition on the crates that it is composed with.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("sortie-session", &["sortie-link-sim"]),
    ("sortie-quic", &["sortie-link-sim", "sortie-identity", "sortie-udp"]),
    ("sortie-pump", &["sortie-identity"]),
    (
        "sortie-client",
        &["sortie-link-sim", "sortie-bridge", "sortie-sim", "sortie-field", "sortie-identity"],
    ),
    ("sortie-bridge", &["sortie-link-sim", "sortie-client", "sortie-quic"]),
    ("sortie-battle", &["sortie-link-sim", "sortie-client"]),
    ("sortie", &["sortie-bench", "sortie-bridge"]),
    ("sortie-control", &["sortie-private-postgres", "sortie-testing"]),
    ("sortie-control-plane", &["sortie-rpc", "sortie-testing"]),
    // Erasure goes through all who keep something of a player.
    ("sortie-account", &["sortie-admin", "sortie-matchmaking", "sortie-testing"]),
    ("sortie-admin", &["sortie-account", "sortie-testing"]),
    ("sortie-battles", &["sortie-control", "sortie-testing"]),
    ("sortie-chat", &["sortie-testing"]),
    ("sortie-fleet", &["sortie-testing"]),
    ("sortie-matchmaking", &["sortie-testing"]),
    ("sortie-ranking", &["sortie-testing"]),
];

/// Foreign crates that a layer must never see, with the reason.
const FOREIGN: &[(&str, &[&str], &str)] = &[
    (
        "sortie-sim",
        &["tokio", "quinn", "quinn-proto", "rustls", "rand", "libc", "mio", "bincode", "chrono"],
        "the simulation knows no socket, clock, file or chance but its own",
    ),
    (
        "sortie-field",
        &["tokio", "quinn", "quinn-proto", "rand", "libc", "bevy_ecs", "bincode"],
        "the battlefield is a pure function of its map",
    ),
    (
        "sortie-wire",
        &["tokio", "quinn", "quinn-proto", "bevy_ecs", "glam"],
        "the wire knows bytes, neither transports nor the world",
    ),
    (
        "sortie-session",
        &["tokio", "quinn", "quinn-proto", "mio", "libc", "rustls"],
        "the session core is sans-IO",
    ),
    (
        "sortie-sealed",
        &["tokio", "quinn", "quinn-proto", "mio", "libc", "rustls"],
        "the sealed lane is sans-IO, and who exports its secrets is not its matter",
    ),
    ("sortie-link-sim", &["tokio", "mio", "rand"], "the simulated link replays from its seed"),
];

#[test]
fn no_crate_knows_a_crate_beyond_its_arrows() {
    let mut findings = Vec::new();
    for (name, dependencies) in workspace() {
        let Some(allowed) = allowed(ARROWS, &name) else {
            findings.push(format!("{name} is not on the list; add it with its arrows"));
            continue;
        };
        let in_tests = self::allowed(TEST_ARROWS, &name).unwrap_or(&[]);
        for Dependency { name: to, for_tests } in dependencies {
            let ours = to == "sortie" || to.starts_with("sortie-");
            let fits =
                allowed.contains(&&*to) || (for_tests && in_tests.contains(&&*to)) || to == name;
            if ours && !fits {
                findings.push(format!("{name} -> {to}{}", if for_tests { " (tests)" } else { "" }));
            }
        }
    }
    assert_none("arrows between crates may only point the way of docs/architecture.md:", &findings);
}

/// Names of crates that a first build of `sortie` may take: each is paid by whoever tries it out.
const CRATES_MAX: usize = 230;

/// An image for battles holds no SQL, no client of HTTP and none of the control plane, not even by
/// way of others; and whoever builds one does not wait for it.
#[test]
fn the_program_of_battles_holds_nothing_of_the_control_plane() {
    let banned = ["sqlx", "sqlx-core", "fred", "utoipa", "reqwest", "lettre", "argon2", "protox"];
    let tree = resolved("sortie");
    assert!(tree.len() > 100, "the tree is not read whole: {tree:?}");
    assert!(
        tree.len() <= CRATES_MAX,
        "a first battle waits for {} crates, {CRATES_MAX} are the most: see docs/decisions/0012",
        tree.len()
    );
    let findings: Vec<String> = tree
        .into_iter()
        .filter(|name| {
            let services = ["account", "matchmaking", "ranking", "chat", "fleet", "admin"];
            let ours =
                [&services[..], &["control", "battles", "messages", "sanctions", "whereabouts"]]
                    .concat();
            let ours = name.strip_prefix("sortie-").is_some_and(|name| ours.contains(&name));
            ours || banned.contains(&name.as_str())
        })
        .collect();
    assert_none("the program `sortie` is for battles alone:", &findings);
}

/// The client library compiles wherever Rust does, and the socket is the application's: no crate of
/// ours in its tree stands on a system's calls, a runtime or a maker of certificates. Crates of
/// others may stand on libc (ring does for its source of randomness), and on no other of these.
#[test]
fn the_client_stands_alone() {
    let tree = resolved("sortie-client");
    assert!(tree.len() > 30, "the tree is not read whole: {tree:?}");
    let findings = beneath_a_client(&tree, &workspace());
    assert_none("below the client there is no socket, no runtime and no system call:", &findings);
}

const SYSTEMS: [&str; 9] =
    ["libc", "rustix", "mio", "rcgen", "tokio", "socket2", "nix", "polling", "windows-sys"];

/// What a client cannot stand on, in a resolved tree of crates.
fn beneath_a_client(tree: &[String], ours: &BTreeMap<String, Vec<Dependency>>) -> Vec<String> {
    let mut findings = Vec::new();
    for name in tree {
        if let Some(dependencies) = ours.get(name) {
            let shipped = dependencies.iter().filter(|dependency| !dependency.for_tests);
            let systems = shipped.filter(|dependency| SYSTEMS.contains(&&*dependency.name));
            findings.extend(systems.map(|system| format!("{name} -> {}", system.name)));
        }
        let is_brought = SYSTEMS.contains(&name.as_str()) && name != "libc";
        let is_socket = ["sortie-udp", "sortie-pump", "sortie-identity"].contains(&name.as_str());
        if is_brought || is_socket {
            findings.push(format!("{name} is in the tree"));
        }
    }
    findings
}

#[test]
fn what_a_client_cannot_stand_on_is_found() {
    let dependency = |name: &str, for_tests| Dependency { name: name.to_owned(), for_tests };
    let of = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let ours = BTreeMap::from([
        ("sortie-client".to_owned(), vec![dependency("sortie-quic", false)]),
        ("sortie-quic".to_owned(), vec![dependency("libc", false), dependency("mio", true)]),
    ]);
    let tree = of(&["libc", "ring", "sortie-client", "sortie-quic"]);
    assert_eq!(beneath_a_client(&tree, &ours), ["sortie-quic -> libc"]);
    let tree = of(&["mio", "ring", "sortie-client", "sortie-udp"]);
    let found = ["mio is in the tree", "sortie-udp is in the tree"];
    assert_eq!(beneath_a_client(&tree, &ours), found);
    assert_eq!(beneath_a_client(&of(&["libc", "ring"]), &ours), [""; 0]);
}

/// Names of all crates that a package is built from and with, as the lock file and the features
/// that are on resolve them; tests left out.
fn resolved(package: &str) -> Vec<String> {
    let tree = ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"];
    let output = cargo(&[&tree[..], &["--format", "{p}", "--package", package]].concat());
    let lines = output.lines().filter_map(|line| line.split(' ').next());
    let names: BTreeSet<&str> = lines.collect();
    names.into_iter().map(str::to_owned).collect()
}

#[test]
fn layers_do_not_see_foreign_crates_of_other_layers() {
    let crates = workspace();
    let mut findings = Vec::new();
    for (name, banned, reason) in FOREIGN {
        let shipped = crates[*name].iter().filter(|dependency| !dependency.for_tests);
        for dependency in shipped.filter(|dependency| banned.contains(&&*dependency.name)) {
            findings.push(format!("{name} -> {}: {reason}", dependency.name));
        }
    }
    assert_none("these layers are kept apart:", &findings);
}

struct Dependency {
    name: String,
    for_tests: bool,
}

fn allowed(
    list: &[(&str, &'static [&'static str])],
    name: &str,
) -> Option<&'static [&'static str]> {
    list.iter().find(|(from, _)| *from == name).map(|(_, to)| *to)
}

/// The workspace's crates with their declared dependencies.
fn workspace() -> BTreeMap<String, Vec<Dependency>> {
    let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    packages.iter().map(|package| (text(&package["name"]), dependencies(package))).collect()
}

fn dependencies(package: &Value) -> Vec<Dependency> {
    let declared = package["dependencies"].as_array().expect("a list of dependencies");
    let read = |dependency: &Value| Dependency {
        name: text(&dependency["name"]),
        for_tests: dependency["kind"] == "dev",
    };
    declared.iter().map(read).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
