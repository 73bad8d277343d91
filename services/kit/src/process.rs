//! What Linux says of this process, and which build it is, as `/metrics` shows it. The names are
//! those that Prometheus' own clients use.

use std::fmt::Write;
use std::fs;

/// Of a second, in `/proc`.
const CLOCK_TICKS_PER_S: f64 = 100.0;

/// Lines for `/metrics`. What cannot be read is left out.
pub(crate) fn render() -> String {
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, help: &str, value: Option<f64>| {
        if let Some(value) = value {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
        }
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let cpu_s = field(&stat, 14).zip(field(&stat, 15));
    let cpu_s = cpu_s.map(|(user, system)| (user + system) / CLOCK_TICKS_PER_S);
    line("process_cpu_seconds_total", "counter", "CPU time, of user and system", cpu_s);
    line("process_resident_memory_bytes", "gauge", "Memory that is in RAM", resident_bytes());
    line("process_virtual_memory_bytes", "gauge", "Memory that is mapped", field(&stat, 23));
    line("process_threads", "gauge", "Threads", field(&stat, 20));
    let files = fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as f64);
    line("process_open_fds", "gauge", "Open files and sockets", files);
    line("process_max_fds", "gauge", "As many may be open", files_max());
    let started_s = field(&stat, 22).zip(booted_s());
    let started_s = started_s.map(|(ticks, booted_s)| booted_s + ticks / CLOCK_TICKS_PER_S);
    line("process_start_time_seconds", "gauge", "When it started, since 1970", started_s);
    let version = env!("CARGO_PKG_VERSION");
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let _ = writeln!(
        text,
        "# HELP sortie_build_info Which build this is; always 1\n# TYPE sortie_build_info gauge\n\
         sortie_build_info{{version=\"{version}\",profile=\"{profile}\",arch=\"{}\"}} 1\n",
        std::env::consts::ARCH
    );
    text
}

/// A field of `/proc/self/stat` by its number in proc(5). The second is a name in parentheses, in
/// which there may be anything.
fn field(stat: &str, number: usize) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

fn resident_bytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1_024.0)
}

fn files_max() -> Option<f64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max open files"))?;
    line.split_ascii_whitespace().nth(3)?.parse().ok()
}

fn booted_s() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18 900 4096 77";
        assert_eq!((field(stat, 14), field(stat, 15)), (Some(250.0), Some(50.0)));
        assert_eq!((field(stat, 22), field(stat, 23)), (Some(900.0), Some(4_096.0)));
        assert_eq!(field("", 14), None);
    }

    #[test]
    fn everything_has_a_value_a_type_and_a_help_text() {
        let text = render();
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_threads",
            "process_open_fds",
            "process_max_fds",
            "process_start_time_seconds",
        ] {
            let value = text.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
            let value: f64 =
                value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap();
            assert!(value > 0.0 || name == "process_cpu_seconds_total", "{name} {value}");
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
        assert!(text.contains("sortie_build_info{version="));
    }
}
