//! F27: `up` whose own Postgres died starts it again, or ends.
//! Goes to services/sortie/tests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn up_notices_that_its_postgres_died() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let flags = ["up", "--port", "0", "--json", "--data-dir", folder.path().to_str().unwrap()];
    let mut up = Command::new(env!("CARGO_BIN_EXE_sortie"));
    let mut up = up.args(flags).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("ready"));
    let postmaster = || {
        let file = fs::read_to_string(folder.path().join("postgres/postmaster.pid"));
        file.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
    };
    let before = postmaster();
    assert!(Command::new("kill").args(["-KILL", &before]).status().unwrap().success());
    let began = Instant::now();
    let mut noticed = false;
    while !noticed && began.elapsed() < Duration::from_secs(30) {
        let is_another = postmaster() != before && !postmaster().is_empty();
        noticed = is_another || up.try_wait().unwrap().is_some();
        std::thread::yield_now();
    }
    drop(up.kill());
    drop(up.wait());
    assert!(noticed, "F27: `up` runs on for 30 s without its Postgres");
}
