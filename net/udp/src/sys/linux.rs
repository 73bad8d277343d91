//! Linux, with batched system calls: the only unsafe code of the project.
//!
//! Rules of this file: every function is safe to call with any arguments; every pointer handed to
//! the kernel comes from a reference that outlives the call; lengths come from the same slice as
//! the pointer; what the kernel filled in is read only as far as it says it did.
#![expect(unsafe_code, reason = "recvmmsg, sendmmsg, ppoll and socket options have no safe form")]

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use super::Received;
use crate::steer::{LONG_HEADER_CID, SHORT_HEADER_CID};
use crate::{BATCH, DATAGRAM_BYTES_MAX, SocketOptions};

/// An open socket.
pub(crate) type Handle = OwnedFd;

/// Opens and binds a nonblocking socket, as one of a steered group when there is a mask; gives the
/// address that it is bound to.
pub(crate) fn open(
    address: SocketAddr,
    options: SocketOptions,
    steer: Option<u32>,
) -> io::Result<(Handle, SocketAddr)> {
    let handle = new_socket(address.is_ipv6())?;
    let fd = handle.as_fd();
    let set = |level, name, value| set_option(fd, level, name, value);
    if address.is_ipv6() {
        set(libc::IPPROTO_IPV6, libc::IPV6_V6ONLY, 0)?;
        set(libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE)?;
    }
    // Never fragment: path MTU discovery belongs to QUIC. A dual-stack socket sends IPv4 too.
    set(libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)?;
    let clamp = |bytes: usize| bytes.min(i32::MAX as usize) as i32;
    set(libc::SOL_SOCKET, libc::SO_RCVBUF, clamp(options.recv_buffer_bytes))?;
    set(libc::SOL_SOCKET, libc::SO_SNDBUF, clamp(options.send_buffer_bytes))?;
    if steer.is_some() {
        set(libc::SOL_SOCKET, libc::SO_REUSEPORT, 1)?;
    }
    bind(fd, address)?;
    if let Some(mask) = steer {
        attach_steering(fd, mask)?;
    }
    let local = local_address(fd)?;
    Ok((handle, local))
}

/// Room of the receive buffer as the kernel granted it, in bytes.
pub(crate) fn recv_buffer_bytes(handle: &Handle) -> io::Result<usize> {
    let bytes = option(handle.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF)?;
    Ok(bytes.max(0) as usize)
}

/// Whether the kernel has no room for more just now.
pub(crate) fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Opens a nonblocking UDP socket of the address's family.
fn new_socket(ipv6: bool) -> io::Result<OwnedFd> {
    let family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no pointers; the descriptor is fresh and owned by nobody else.
    let fd = check(unsafe { libc::socket(family, kind, 0) })?;
    // SAFETY: `fd` is a valid descriptor that only this value owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an integer socket option.
fn set_option(
    fd: BorrowedFd<'_>,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the pointer and length describe `value`, which lives through the call.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Reads an integer socket option.
fn option(fd: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: both pointers describe locals that live through the call.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    })?;
    Ok(value)
}

/// Steers a `SO_REUSEPORT` group by the low bits of the connection id; see `steer.rs`.
///
/// The program, in words: `A = byte[0]; A = A & 0x80 ? byte[6] : byte[1]; return A & mask`. Offsets
/// count from the UDP payload. A datagram too short for the load selects socket 0.
fn attach_steering(fd: BorrowedFd<'_>, mask: u32) -> io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let load_byte = libc::BPF_LD | libc::BPF_B | libc::BPF_ABS;
    let mut program = [
        statement(load_byte, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16,
            jt: 2,
            jf: 0,
            k: 0x80,
        },
        statement(load_byte, SHORT_HEADER_CID as u32),
        statement(libc::BPF_JMP | libc::BPF_JA, 1),
        statement(load_byte, LONG_HEADER_CID as u32),
        statement(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, mask),
        statement(libc::BPF_RET | libc::BPF_A, 0),
    ];
    let filter =
        libc::sock_fprog { len: program.len() as libc::c_ushort, filter: program.as_mut_ptr() };
    // SAFETY: `filter` points at `program`; both live through the call, which copies them.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const filter).cast(),
            size_of_val(&filter) as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// A socket address in the kernel's form.
#[derive(Clone, Copy)]
#[repr(C)]
union RawAddr {
    family: libc::sa_family_t,
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddr {
    fn zeroed() -> Self {
        // SAFETY: all fields are plain integers, for which zero bytes are a value.
        unsafe { mem::zeroed() }
    }

    /// The address and the number of its bytes that count.
    fn new(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut raw = Self::zeroed();
        let length = match address {
            SocketAddr::V4(v4) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: v4.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(v4.ip().octets()) },
                    sin_zero: [0; 8],
                };
                size_of::<libc::sockaddr_in>()
            }
            SocketAddr::V6(v6) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: v6.port().to_be(),
                    sin6_flowinfo: v6.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: v6.ip().octets() },
                    sin6_scope_id: v6.scope_id(),
                };
                size_of::<libc::sockaddr_in6>()
            }
        };
        (raw, length as libc::socklen_t)
    }

    fn get(&self, length: libc::socklen_t) -> Option<SocketAddr> {
        // SAFETY: every variant starts with the family, and all bytes are initialised integers.
        let family = libc::c_int::from(unsafe { self.family });
        match family {
            libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
                // SAFETY: plain integers, and the family says that the kernel wrote this form.
                let v4 = unsafe { self.v4 };
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
                // SAFETY: as above.
                let v6 = unsafe { self.v6 };
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                let port = u16::from_be(v6.sin6_port);
                Some(SocketAddrV6::new(ip, port, v6.sin6_flowinfo, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

/// Binds a socket.
fn bind(fd: BorrowedFd<'_>, address: SocketAddr) -> io::Result<()> {
    let (raw, length) = RawAddr::new(address);
    // SAFETY: pointer and length describe `raw`, which lives through the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const raw).cast(), length) })?;
    Ok(())
}

/// The address that a socket is bound to.
fn local_address(fd: BorrowedFd<'_>) -> io::Result<SocketAddr> {
    let mut raw = RawAddr::zeroed();
    let mut length = size_of::<RawAddr>() as libc::socklen_t;
    // SAFETY: both pointers describe locals; `length` is the room in `raw`.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut raw).cast(), &raw mut length) })?;
    raw.get(length).ok_or_else(|| io::Error::other("socket is bound to no internet address"))
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: integers and pointers, for which zero bytes (0 and null) are values.
    unsafe { mem::zeroed() }
}

/// Receives up to [`BATCH`] datagrams without waiting; the k-th lies in the k-th slot of `arena`.
/// Returns how many entries of `out` it filled; entries are `None` for senders of no address.
pub(crate) fn receive(
    handle: &Handle,
    arena: &mut [[u8; DATAGRAM_BYTES_MAX]],
    out: &mut [Option<Received>; BATCH],
) -> io::Result<usize> {
    let mut addresses = [RawAddr::zeroed(); BATCH];
    let mut slices = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut headers = [empty_header(); BATCH];
    let slots = arena.len().min(BATCH);
    for (k, slot) in arena.iter_mut().take(slots).enumerate() {
        slices[k] = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
        headers[k].msg_hdr.msg_iov = &raw mut slices[k];
        headers[k].msg_hdr.msg_iovlen = 1;
        headers[k].msg_hdr.msg_name = (&raw mut addresses[k]).cast();
        headers[k].msg_hdr.msg_namelen = size_of::<RawAddr>() as libc::socklen_t;
    }
    // SAFETY: the first `slots` headers point at slots, slices and addresses that live, distinct
    // and borrowed mutably, through the call; the kernel writes within the lengths given.
    let count = check(unsafe {
        libc::recvmmsg(
            handle.as_raw_fd(),
            headers.as_mut_ptr(),
            slots as libc::c_uint,
            libc::MSG_DONTWAIT as _,
            std::ptr::null_mut(),
        )
    })? as usize;
    for k in 0..count {
        let header = &headers[k];
        out[k] = addresses[k].get(header.msg_hdr.msg_namelen).map(|from| Received {
            length: (header.msg_len as usize).min(DATAGRAM_BYTES_MAX),
            from,
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        });
    }
    Ok(count)
}

/// Sends up to [`BATCH`] datagrams without waiting; returns how many the kernel took from the
/// front. An error concerns the first datagram only.
pub(crate) fn send(handle: &Handle, packets: &[(SocketAddr, Vec<u8>)]) -> io::Result<usize> {
    let mut addresses = [RawAddr::zeroed(); BATCH];
    let mut slices = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut headers = [empty_header(); BATCH];
    let count = packets.len().min(BATCH);
    for (k, (to, bytes)) in packets.iter().take(count).enumerate() {
        let (raw, length) = RawAddr::new(*to);
        addresses[k] = raw;
        // The kernel only reads what it sends; the pointer is mutable by the type's accident.
        slices[k] =
            libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        headers[k].msg_hdr.msg_iov = &raw mut slices[k];
        headers[k].msg_hdr.msg_iovlen = 1;
        headers[k].msg_hdr.msg_name = (&raw mut addresses[k]).cast();
        headers[k].msg_hdr.msg_namelen = length;
    }
    // SAFETY: the first `count` headers point at packets, slices and addresses that live through
    // the call, with their true lengths.
    let sent = check(unsafe {
        libc::sendmmsg(
            handle.as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as _,
        )
    })?;
    Ok(sent as usize)
}

/// A descriptor to wait for; [`wait`] notes whether it became readable.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Waited(libc::pollfd);

impl Waited {
    pub(crate) fn readable(handle: &Handle) -> Self {
        Self(libc::pollfd { fd: handle.as_raw_fd(), events: libc::POLLIN, revents: 0 })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.0.revents != 0
    }
}

/// Waits until a descriptor is readable or `timeout` is over; returns how many are ready.
pub(crate) fn wait(waited: &mut [Waited], timeout: Duration) -> io::Result<usize> {
    let mut limit = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: a timespec is two integers (and padding), for which zero bytes are a value.
    let limit = unsafe { limit.assume_init_mut() };
    limit.tv_sec = timeout.as_secs().min(i32::MAX as u64) as libc::time_t;
    limit.tv_nsec = timeout.subsec_nanos() as _;
    // SAFETY: `Waited` is a transparent pollfd; pointer and length come from one slice. A closed
    // or foreign descriptor is reported by the kernel in `revents`, not dereferenced.
    let ready = check(unsafe {
        libc::ppoll(
            waited.as_mut_ptr().cast(),
            waited.len() as libc::nfds_t,
            &raw const *limit,
            std::ptr::null(),
        )
    })?;
    Ok(ready as usize)
}
