//! F33: `/metrics` tells of the process: memory, CPU time, open files, and of the build.
//! Goes to services/kit/tests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use sortie_kit::health::Health;
use sortie_kit::ops::OpsListener;

#[test]
fn metrics_tell_of_process_and_build() {
    let recorder = sortie_kit::metrics::recorder().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
    let mut client = TcpStream::connect(ops.addr()).unwrap();
    write!(client, "GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut metrics = String::new();
    client.read_to_string(&mut metrics).unwrap();
    let wanted = ["resident_memory_bytes", "cpu_seconds_total", "open_fds", "build_info"];
    let missing: Vec<_> = wanted.into_iter().filter(|name| !metrics.contains(name)).collect();
    assert!(missing.is_empty(), "F33: /metrics lacks {missing:?}");
}
