//! What passwords leave in the memory of the process. A process of its own: nothing else runs here.

use sortie_account::hasher::{Cost, Hasher, Pool};

/// Memory of this process that is in use, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// Three waves of forty wrong logins at a time, as many at once as two processors would compute:
/// the process holds the memory of so many hashes, however many waited and on whatever threads.
#[test]
fn wrong_logins_in_parallel_leave_no_more_than_one_hash_a_thread() {
    let pool = Pool { running_max: 2, waiting_max: 64 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let hasher = Hasher::new(Cost::default(), pool);
    let before = resident_kib();
    for _ in 0..3 {
        let mut logins = tokio::task::JoinSet::new();
        for number in 0..40 {
            let hasher = hasher.clone();
            let login = async move { hasher.verify(format!("wrong {number}"), None).await };
            logins.spawn_on(login, runtime.handle());
        }
        let answers = runtime.block_on(logins.join_all());
        assert_eq!(answers.len(), 40);
        assert!(answers.into_iter().all(|answer| answer.is_ok_and(|is_right| !is_right)));
    }
    let grown = resident_kib().saturating_sub(before);
    // The first one is there from the start; threads and code are the rest.
    let allowed = u64::from(Cost::default().memory_kib) + (8 << 10);
    assert!(grown <= allowed, "{grown} KiB stayed, {allowed} are allowed");
}
