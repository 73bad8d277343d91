//! Both backends do the same, as far as both can.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::{BATCH, DATAGRAM_BYTES_MAX, SocketOptions};

/// Long enough for any machine, and never waited for where all is well.
const PATIENCE: Duration = Duration::from_secs(5);

macro_rules! tests_of {
    ($backend:ident) => {
        mod $backend {
            use super::super::$backend::{
                Handle, Waited, is_full, open, receive, recv_buffer_bytes, send, wait,
            };
            use super::*;

            fn bind(ip: &str) -> (Handle, SocketAddr) {
                let address = SocketAddr::new(ip.parse().unwrap(), 0);
                open(address, SocketOptions::client(), None).unwrap()
            }

            /// Takes in `count` datagrams, or those that come until patience ends.
            fn take(socket: &Handle, count: usize) -> Vec<(SocketAddr, Vec<u8>, bool)> {
                let mut arena = vec![[0; DATAGRAM_BYTES_MAX]; BATCH];
                let (mut out, mut all) = ([None; BATCH], Vec::new());
                let deadline = Instant::now() + PATIENCE;
                while all.len() < count && Instant::now() < deadline {
                    let mut waited = [Waited::readable(socket)];
                    if wait(&mut waited, Duration::from_millis(100)).unwrap() == 0 {
                        continue;
                    }
                    assert!(waited[0].is_ready());
                    let got = receive(socket, &mut arena, &mut out).unwrap();
                    for (slot, received) in arena.iter().zip(out).take(got) {
                        let received = received.unwrap();
                        let bytes = slot[..received.length].to_vec();
                        all.push((received.from, bytes, received.truncated));
                    }
                }
                all
            }

            #[test]
            fn a_hundred_datagrams_arrive_in_order() {
                for ip in ["127.0.0.1", "::1"] {
                    let ((server, to), (client, from)) = (bind(ip), bind(ip));
                    let packets: Vec<_> = (0..100_u8).map(|k| (to, vec![k; 3])).collect();
                    let mut sent = 0;
                    while sent < packets.len() {
                        sent += send(&client, &packets[sent..]).unwrap();
                    }
                    let all = take(&server, 100);
                    let expected: Vec<_> = (0..100_u8).map(|k| (from, vec![k; 3], false)).collect();
                    assert_eq!(all, expected);
                }
            }

            #[test]
            fn what_exceeds_a_slot_is_cut_and_told() {
                let ((server, to), (client, _)) = (bind("127.0.0.1"), bind("127.0.0.1"));
                let sizes = [DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MAX + 1, 0];
                for size in sizes {
                    assert_eq!(send(&client, &[(to, vec![7; size])]).unwrap(), 1);
                }
                let told: Vec<_> = take(&server, 3)
                    .into_iter()
                    .map(|(_, bytes, cut)| (bytes.len(), cut))
                    .collect();
                let whole = DATAGRAM_BYTES_MAX;
                assert_eq!(told, [(whole, false), (whole, true), (0, false)]);
            }

            #[test]
            fn an_empty_socket_gives_nothing_and_is_waited_for_no_longer_than_asked() {
                let (socket, _) = bind("127.0.0.1");
                let mut arena = vec![[0; DATAGRAM_BYTES_MAX]; BATCH];
                let error = receive(&socket, &mut arena, &mut [None; BATCH]).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                assert!(is_full(&error));
                let (began, asked) = (Instant::now(), Duration::from_millis(20));
                let mut waited = [Waited::readable(&socket)];
                assert_eq!(wait(&mut waited, asked).unwrap(), 0);
                assert!(!waited[0].is_ready() && began.elapsed() >= asked);
            }

            #[test]
            fn a_socket_of_both_families_hears_ipv4() {
                let ((server, at), (client, _)) = (bind("::"), bind("127.0.0.1"));
                let to = SocketAddr::new("127.0.0.1".parse().unwrap(), at.port());
                assert_eq!(send(&client, &[(to, b"ping".to_vec())]).unwrap(), 1);
                assert_eq!(take(&server, 1)[0].1, b"ping");
                assert!(recv_buffer_bytes(&server).unwrap() > 0);
            }
        }
    };
}

#[cfg(target_os = "linux")]
tests_of!(linux);
tests_of!(portable);

#[test]
fn nothing_steers_shards_where_the_kernel_does_not() {
    let address = "127.0.0.1:0".parse().unwrap();
    let refused = super::portable::open(address, SocketOptions::client(), Some(1)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::Unsupported);
}
