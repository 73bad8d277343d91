//! D20: 180 clients that say nothing do not keep `/healthz` from its answer.
//! Goes to services/kit/tests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sortie_kit::health::Health;
use sortie_kit::ops::OpsListener;

#[test]
fn silent_clients_do_not_hold_health_up() {
    let recorder = sortie_kit::metrics::recorder().unwrap();
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let ops = OpsListener::start(listen, Health::default(), recorder).unwrap();
    let _silent: Vec<_> = (0..180).map(|_| TcpStream::connect(ops.addr()).unwrap()).collect();
    let began = Instant::now();
    let mut client = TcpStream::connect(ops.addr()).unwrap();
    write!(client, "GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    client.read_to_string(&mut String::new()).unwrap();
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "D20: /healthz took {took:.1?}");
}
