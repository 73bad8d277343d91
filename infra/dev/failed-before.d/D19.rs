//! D19: three waves of forty wrong logins leave no more memory behind than hashes that may run.
//! Goes to services/account/tests.

use sortie_account::hasher::{Cost, Hasher, Pool};

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

#[test]
fn wrong_logins_leave_no_memory_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let hasher = Hasher::new(Cost::default(), Pool { running_max: 2, waiting_max: 64 });
    let before = resident_kib();
    for _ in 0..3 {
        let mut logins = tokio::task::JoinSet::new();
        for number in 0..40 {
            let hasher = hasher.clone();
            let login = async move { hasher.verify(format!("wrong {number}"), None).await };
            logins.spawn_on(login, runtime.handle());
        }
        runtime.block_on(logins.join_all());
    }
    let grown = resident_kib().saturating_sub(before) >> 10;
    // Another hash than the first may run, and some threads.
    assert!(grown <= 19 + 8, "D19: {grown} MiB stayed");
}
