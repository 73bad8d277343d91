//! Real sockets on loopback, on ports that the kernel chooses.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sortie_udp::{
    BATCH, DATAGRAM_BYTES_MAX, PollSet, RecvBatch, SendBatch, Socket, SocketOptions, shard_of,
};

fn local(ip: &str) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), 0)
}

fn bind(ip: &str) -> Socket {
    Socket::bind(local(ip), SocketOptions::default()).unwrap()
}

/// Takes `count` datagrams in, or as many as arrive within five seconds.
fn receive(socket: &Socket, batch: &mut RecvBatch, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut all = Vec::new();
    while all.len() < count && socket.wait_readable_until(deadline).unwrap() {
        batch.receive(socket).unwrap();
        all.extend(batch.iter().map(|(from, bytes)| (from, bytes.to_vec())));
    }
    all
}

#[test]
fn two_hundred_datagrams_arrive_in_order_in_few_calls() {
    for ip in ["127.0.0.1", "::1"] {
        let (server, client) = (bind(ip), bind(ip));
        let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
        for k in 0..200_u16 {
            tx.push(&client, server.local_addr(), &k.to_be_bytes());
        }
        tx.flush(&client);
        let all = receive(&server, &mut rx, 200);
        let sent: Vec<Vec<u8>> = (0..200_u16).map(|k| k.to_be_bytes().to_vec()).collect();
        assert_eq!(all.iter().map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>(), sent);
        assert!(all.iter().all(|(from, _)| *from == client.local_addr()));
        assert_eq!((tx.counters().packets, tx.counters().bytes), (200, 400));
        assert_eq!(tx.counters().syscalls, 200_u64.div_ceil(BATCH as u64));
        assert_eq!((rx.counters().packets, rx.counters().bytes), (200, 400));
        assert!(rx.counters().syscalls <= 8, "{:?}", rx.counters());
    }
}

#[test]
fn a_dual_stack_socket_talks_to_ipv4_and_reads_it_as_ipv4() {
    let (server, client) = (bind("::"), bind("127.0.0.1"));
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    let to = SocketAddr::new("127.0.0.1".parse().unwrap(), server.local_addr().port());
    tx.push(&client, to, b"ping");
    tx.flush(&client);
    let all = receive(&server, &mut rx, 1);
    assert_eq!(all, [(client.local_addr(), b"ping".to_vec())]);
    tx.push(&server, client.local_addr(), b"pong");
    tx.flush(&server);
    assert_eq!(receive(&client, &mut rx, 1)[0].1, b"pong");
}

#[test]
fn an_empty_socket_gives_nothing_and_waits_no_longer_than_asked() {
    let socket = bind("127.0.0.1");
    let mut rx = RecvBatch::new();
    assert_eq!(rx.receive(&socket).unwrap(), 0);
    assert_eq!(rx.iter().count(), 0);
    let before = Instant::now();
    assert!(!socket.wait_readable_until(before + Duration::from_millis(20)).unwrap());
    assert!(before.elapsed() >= Duration::from_millis(20));
    // A deadline in the past is a look, not a wait.
    assert!(!socket.wait_readable_until(before).unwrap());
}

#[test]
fn a_datagram_longer_than_the_slot_is_dropped_and_counted() {
    let (server, client) = (bind("127.0.0.1"), bind("127.0.0.1"));
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    tx.push(&client, server.local_addr(), &[7; DATAGRAM_BYTES_MAX + 1]);
    tx.push(&client, server.local_addr(), &[8; DATAGRAM_BYTES_MAX]);
    tx.flush(&client);
    let all = receive(&server, &mut rx, 1);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].1, [8; DATAGRAM_BYTES_MAX]);
    assert_eq!(rx.counters().dropped, 1);
}

#[test]
fn what_the_kernel_refuses_costs_only_itself() {
    let (server, client) = (bind("127.0.0.1"), bind("127.0.0.1"));
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    tx.push(&client, server.local_addr(), b"first");
    tx.push(&client, local("::1"), b"wrong family");
    tx.push(&client, server.local_addr(), &[0; 70_000]);
    tx.push(&client, server.local_addr(), b"last");
    tx.flush(&client);
    assert_eq!(tx.counters().dropped_refused, 2);
    let all = receive(&server, &mut rx, 2);
    assert_eq!(all.iter().map(|(_, b)| b.as_slice()).collect::<Vec<_>>(), [&b"first"[..], b"last"]);
}

#[test]
fn a_set_names_the_socket_that_is_ready() {
    let sockets = [bind("127.0.0.1"), bind("127.0.0.1"), bind("127.0.0.1")];
    let mut tx = SendBatch::new();
    tx.push(&sockets[0], sockets[2].local_addr(), b"x");
    tx.flush(&sockets[0]);
    let mut set = PollSet::new();
    sockets.iter().for_each(|socket| set.push(socket));
    assert_eq!(set.wait_until(Instant::now() + Duration::from_secs(5)).unwrap(), 1);
    assert_eq!([0, 1, 2, 3].map(|k| set.is_ready(k)), [false, false, true, false]);
}

#[test]
fn the_kernel_steers_by_connection_id_whatever_the_source() {
    let shards = Socket::bind_shards(local("127.0.0.1"), 2, SocketOptions::default()).unwrap();
    assert_eq!(shards[0].local_addr(), shards[1].local_addr());
    let (mut rx, mut tx) = (RecvBatch::new(), SendBatch::new());
    // 128 fresh source addresses, half of them short headers and half long ones.
    for k in 0..128_u8 {
        let client = bind("127.0.0.1");
        let datagram = match k % 4 {
            0 => [0x40, k, 0xff, 0xff, 0xff, 0xff, 0xff],
            1 => [0x40, k, 0, 0, 0, 0, 0],
            2 => [0xc0, 0xff, 0, 0, 1, 8, k],
            _ => [0xc0, 0, 0, 0, 1, 8, k],
        };
        tx.push(&client, shards[0].local_addr(), &datagram);
        tx.flush(&client);
    }
    for (index, shard) in shards.iter().enumerate() {
        let all = receive(shard, &mut rx, 64);
        assert_eq!(all.len(), 64);
        assert!(all.iter().all(|(_, bytes)| shard_of(bytes, 2) == index));
    }
}

#[test]
fn a_shard_count_that_no_mask_expresses_is_refused() {
    for count in [0, 3, 512] {
        let error = Socket::bind_shards(local("127.0.0.1"), count, SocketOptions::default());
        assert_eq!(error.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    let first = bind("127.0.0.1");
    let second = Socket::bind(first.local_addr(), SocketOptions::default());
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn a_flood_into_a_full_socket_is_bounded_and_never_blocks() {
    let options = SocketOptions { recv_buffer_bytes: 4 << 20, send_buffer_bytes: 1 };
    let client = Socket::bind(local("127.0.0.1"), options).unwrap();
    let server = bind("127.0.0.1");
    let mut tx = SendBatch::new();
    for _ in 0..20_000 {
        tx.push(&client, server.local_addr(), &[0; 1_200]);
    }
    tx.flush(&client);
    let counters = tx.counters();
    assert_eq!(counters.packets + counters.dropped_full + counters.dropped_refused, 20_000);
}
