//! The gate of a listener: how many may be connected, and how long they may do nothing.
//!
//! Connections are counted, in all and by address. A peer that does not read what it asked for
//! would hold its place for good, and so would one that connects to a gRPC listener and says
//! nothing: both have a time.

use std::collections::HashMap;
use std::future::Future;
use std::io::{self, ErrorKind, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::address::counts_as;

/// Connections at a time; more wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 4_096;

/// Connections at a time from one address.
pub(crate) const PER_ADDRESS_MAX: usize = 256;

/// How long a peer may take none of what is sent to it.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// After an accept that failed.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Lets connections in.
#[derive(Debug)]
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    per_address_max: usize,
    /// These have no such limit.
    trusted: Vec<IpAddr>,
}

impl Gate {
    pub(crate) fn new(
        connections_max: usize,
        per_address_max: usize,
        trusted: Vec<IpAddr>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(connections_max));
        let trusted = trusted.iter().map(IpAddr::to_canonical).collect();
        Self { places, counts: Arc::default(), per_address_max, trusted }
    }

    /// The next connection that there is room for. Nothing is lost when this is dropped.
    pub(crate) async fn next(&self, listener: &TcpListener) -> (Guarded, SocketAddr) {
        loop {
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else {
                // Nobody closes it.
                return std::future::pending().await;
            };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file handles, mostly: waiting is all that helps.
                    tracing::debug!(%error, "cannot accept");
                    sleep(ACCEPT_AGAIN).await;
                    continue;
                }
            };
            // Who has too many is closed at once: that costs us least.
            if let Some(counted) = self.count(peer.ip()) {
                drop(stream.set_nodelay(true));
                return (Guarded::new(stream, place, counted), peer);
            }
        }
    }

    /// `None`: the address has too many. An IPv6 network of 64 bits counts as one address.
    fn count(&self, peer: IpAddr) -> Option<Counted> {
        let is_trusted = self.trusted.contains(&peer.to_canonical());
        let address = counts_as(peer);
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(address).or_default();
        if *count >= self.per_address_max && !is_trusted {
            return None;
        }
        *count += 1;
        drop(all);
        Some(Counted { counts: Arc::clone(&self.counts), address })
    }
}

/// A connection in its address's count.
#[derive(Debug)]
struct Counted {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
    address: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.address);
            }
        }
    }
}

/// A connection that holds its place, and fails when its peer takes too long.
#[derive(Debug)]
pub(crate) struct Guarded {
    stream: TcpStream,
    write_timeout: Duration,
    /// Runs while the peer takes nothing.
    write: Option<Pin<Box<Sleep>>>,
    /// Until when the peer has to have said so many bytes.
    greeting: Option<(Pin<Box<Sleep>>, usize)>,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Guarded {
    fn new(stream: TcpStream, place: OwnedSemaphorePermit, counted: Counted) -> Self {
        Self {
            stream,
            write_timeout: WRITE_TIMEOUT,
            write: None,
            greeting: None,
            _place: place,
            _counted: counted,
        }
    }

    /// The peer has to say `bytes` within `time` from now.
    pub(crate) fn with_greeting(mut self, bytes: usize, time: Duration) -> Self {
        self.greeting = Some((Box::pin(sleep(time)), bytes));
        self
    }

    /// Ends the wait of a peer that takes nothing.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write = None;
            return written;
        }
        let time = self.write_timeout;
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(time)));
        ready!(timer.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let Some((timer, missing)) = &mut this.greeting else { return read };
        *missing = missing.saturating_sub(buffer.filled().len() - before);
        if *missing == 0 {
            this.greeting = None;
        } else if timer.as_mut().poll(context).is_ready() {
            let error = io::Error::new(ErrorKind::TimedOut, "the peer does not say what it wants");
            return Poll::Ready(Err(error));
        }
        read
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(context, bytes);
        this.written(context, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(context, parts);
        this.written(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

impl Connected for Guarded {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SOON: Duration = Duration::from_millis(50);

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    fn gate(connections_max: usize, per_address_max: usize) -> Gate {
        Gate::new(connections_max, per_address_max, Vec::new())
    }

    #[tokio::test]
    async fn an_address_has_so_many_connections_and_gets_them_back() {
        let (listener, address) = listener().await;
        let gate = gate(8, 1);
        let _first = TcpStream::connect(address).await.unwrap();
        let (held, _) = gate.next(&listener).await;
        let mut second = TcpStream::connect(address).await.unwrap();
        let next = async { tokio::time::timeout(SOON, gate.next(&listener)).await };
        assert!(next.await.is_err(), "there is no room for it");
        assert_eq!(second.read(&mut [0; 8]).await.unwrap(), 0, "it is closed at once");
        drop(held);
        let _third = TcpStream::connect(address).await.unwrap();
        gate.next(&listener).await;
        assert!(gate.counts.lock().unwrap().is_empty(), "who is gone is forgotten");
    }

    #[test]
    fn a_network_counts_as_one_address_and_ipv4_addresses_apart() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let gate = Gate::new(8, 1, vec![ip("::ffff:10.0.0.1")]);
        let held = gate.count(ip("2001:db8::1"));
        assert!(held.is_some() && gate.count(ip("2001:db8::2:2")).is_none());
        let other = gate.count(ip("2001:db8:0:1::1"));
        assert!(other.is_some(), "another network");
        let mapped = gate.count(ip("::ffff:198.51.100.7"));
        assert!(mapped.is_some() && gate.count(ip("198.51.100.7")).is_none());
        assert!(gate.count(ip("::ffff:198.51.100.8")).is_some());
        let proxies = [ip("10.0.0.1"), ip("::ffff:10.0.0.1")].map(|proxy| gate.count(proxy));
        assert!(proxies.iter().all(Option::is_some), "a proxy stands for many");
    }

    #[tokio::test]
    async fn a_listener_has_so_many_connections() {
        let (listener, address) = listener().await;
        let gate = gate(1, 8);
        let (_first, _second) = (
            TcpStream::connect(address).await.unwrap(),
            TcpStream::connect(address).await.unwrap(),
        );
        let (held, _) = gate.next(&listener).await;
        assert!(tokio::time::timeout(SOON, gate.next(&listener)).await.is_err());
        drop(held);
        gate.next(&listener).await;
    }

    #[tokio::test]
    async fn a_peer_that_does_not_read_is_left() {
        let (listener, address) = listener().await;
        let _peer = TcpStream::connect(address).await.unwrap();
        let (mut guarded, _) = gate(1, 1).next(&listener).await;
        guarded.write_timeout = SOON;
        let written = guarded.write_all(&vec![0; 64 << 20]).await;
        assert_eq!(written.unwrap_err().kind(), ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_left_and_one_that_does_is_not() {
        let (listener, address) = listener().await;
        let gate = gate(8, 8);
        let mut peer = TcpStream::connect(address).await.unwrap();
        let (guarded, _) = gate.next(&listener).await;
        let mut guarded = guarded.with_greeting(4, SOON);
        peer.write_all(b"abc").await.unwrap();
        let mut buffer = [0; 4];
        let read = guarded.read_exact(&mut buffer).await;
        assert_eq!(read.unwrap_err().kind(), ErrorKind::TimedOut);

        let mut peer = TcpStream::connect(address).await.unwrap();
        let (guarded, _) = gate.next(&listener).await;
        let mut guarded = guarded.with_greeting(4, SOON);
        peer.write_all(b"abcd").await.unwrap();
        guarded.read_exact(&mut buffer).await.unwrap();
        let read = tokio::time::timeout(SOON * 2, guarded.read(&mut buffer)).await;
        assert!(read.is_err(), "it may be silent now");
    }
}
