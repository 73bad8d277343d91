//! The clients: a thread with all sockets, some of which speak.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use futures_util::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use sortie_control::access::AccessKeys;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use uuid::Uuid;

use super::node::Node;

/// Sockets that speak, in turn.
const SPEAKERS: usize = 10;

/// Sockets that are opened at the same time.
const OPENED_AT_ONCE: usize = 32;

/// Time for a socket to be open and in the channel.
const ENTER_TIMEOUT: Duration = Duration::from_secs(20);

/// Time without a delivery after which the rest is given up.
const SILENCE: Duration = Duration::from_secs(3);

/// Characters of a message.
const TEXT_CHARS: usize = 64;

type Socket = WebSocketStream<TcpStream>;

/// All sockets, in the channel.
pub(super) struct Crowd {
    orders: mpsc::Sender<Order>,
    tally: Arc<Mutex<Tally>>,
    thread: Option<JoinHandle<()>>,
}

/// What was heard of some messages.
#[derive(Debug)]
pub(super) struct Heard {
    /// Messages.
    pub said: usize,
    /// Messages that came to a socket.
    pub deliveries: usize,
    /// From when a message was due until a socket had it.
    pub delays: Vec<Duration>,
    /// Deliveries that came twice, in another order, or not as they were said.
    pub wrong: usize,
    /// Messages that chat refused.
    pub refused: usize,
    /// Sockets that were closed.
    pub closed: usize,
    /// From the first message to the last delivery.
    pub took: Duration,
}

impl Heard {
    /// Deliveries a second.
    pub(super) fn per_s(&self) -> f64 {
        self.deliveries as f64 / self.took.as_secs_f64()
    }
}

enum Order {
    /// Messages a second, seconds.
    Pace(u32, u32, oneshot::Sender<anyhow::Result<usize>>),
    /// Seconds, messages on the way.
    Flood(u32, usize, oneshot::Sender<anyhow::Result<usize>>),
}

#[derive(Debug, Default)]
struct Tally {
    deliveries: usize,
    delays: Vec<Duration>,
    wrong: usize,
    refused: usize,
    closed: usize,
    last: Option<Instant>,
}

fn lock(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crowd {
    /// Opens a socket for every player, in turn on the nodes, and joins the battle's channel.
    pub(super) async fn enter(
        nodes: &[Node],
        keys: &AccessKeys,
        battle: Uuid,
        players: &[Uuid],
    ) -> anyhow::Result<Self> {
        let now = OffsetDateTime::now_utc();
        let addresses = nodes.iter().map(|node| node.address).cycle();
        let seats: Vec<(SocketAddr, String)> = addresses
            .zip(players)
            .map(|(address, player)| (address, keys.issue(*player, *player, false, now)))
            .collect();
        let (orders, mut asked) = mpsc::channel(1);
        let (entered, has_entered) = oneshot::channel();
        let tally = Arc::<Mutex<Tally>>::default();
        let shared = Arc::clone(&tally);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async move {
                match Talk::start(&seats, battle, shared).await {
                    Ok(mut talk) => {
                        drop(entered.send(Ok(())));
                        while let Some(order) = asked.recv().await {
                            talk.follow(order).await;
                        }
                    }
                    Err(error) => drop(entered.send(Err(error))),
                }
            });
        });
        has_entered.await.context("the clients' thread ended")??;
        Ok(Self { orders, tally, thread: Some(thread) })
    }

    /// Says `rate` messages a second for some seconds, on the beat whatever comes of them.
    pub(super) async fn pace(&self, rate: u32, seconds: u32) -> anyhow::Result<Heard> {
        self.hear(|done| Order::Pace(rate, seconds, done)).await
    }

    /// Says the next message as soon as fewer than `most` are on the way, for some seconds.
    pub(super) async fn flood(&self, seconds: u32, most: usize) -> anyhow::Result<Heard> {
        self.hear(|done| Order::Flood(seconds, most, done)).await
    }

    /// Sockets that were closed so far.
    pub(super) fn closed(&self) -> usize {
        lock(&self.tally).closed
    }

    async fn hear(
        &self,
        order: impl FnOnce(oneshot::Sender<anyhow::Result<usize>>) -> Order,
    ) -> anyhow::Result<Heard> {
        let (done, is_done) = oneshot::channel();
        let began = Instant::now();
        let gone = || anyhow!("the clients' thread ended");
        self.orders.send(order(done)).await.map_err(|_| gone())?;
        let said = is_done.await.map_err(|_| gone())??;
        let mut tally = lock(&self.tally);
        let took = tally.last.unwrap_or(began).saturating_duration_since(began);
        let Tally { deliveries, wrong, refused, closed, .. } = *tally;
        let delays = std::mem::take(&mut tally.delays);
        Ok(Heard { said, deliveries, delays, wrong, refused, closed, took })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Closes the channel of orders, which ends the thread.
        self.orders = mpsc::channel(1).0;
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// On the clients' thread: who speaks, and how far they are.
struct Talk {
    speakers: Vec<SplitSink<Socket, Message>>,
    /// Messages of each speaker so far.
    numbers: [u32; SPEAKERS],
    turn: usize,
    sockets: usize,
    battle: Uuid,
    /// What times in messages count from.
    base: Instant,
    tally: Arc<Mutex<Tally>>,
}

impl Talk {
    async fn start(
        seats: &[(SocketAddr, String)],
        battle: Uuid,
        tally: Arc<Mutex<Tally>>,
    ) -> anyhow::Result<Self> {
        let base = Instant::now();
        let mut entering = FuturesUnordered::new();
        let (mut speakers, mut listeners) = (Vec::new(), Vec::new());
        let mut rest = seats.iter();
        loop {
            while entering.len() < OPENED_AT_ONCE
                && let Some((address, token)) = rest.next()
            {
                entering.push(tokio::time::timeout(ENTER_TIMEOUT, enter(*address, token, battle)));
            }
            let Some(entered) = entering.next().await else { break };
            let (sink, stream) = entered.context("a socket does not come in")??.split();
            listeners.push(stream);
            speakers.push(sink);
        }
        for stream in listeners {
            tokio::spawn(listen(stream, Arc::clone(&tally), base));
        }
        // A sink that is dropped closes nothing: the other half holds the socket.
        speakers.truncate(SPEAKERS);
        let sockets = seats.len();
        let (numbers, turn) = ([0; SPEAKERS], 0);
        Ok(Self { speakers, numbers, turn, sockets, battle, base, tally })
    }

    async fn follow(&mut self, order: Order) {
        {
            let mut tally = lock(&self.tally);
            let closed = tally.closed;
            *tally = Tally { closed, ..Tally::default() };
        }
        let (said, done) = match order {
            Order::Pace(rate, seconds, done) => (self.pace(rate, seconds).await, done),
            Order::Flood(seconds, most, done) => (self.flood(seconds, most).await, done),
        };
        let said = match said {
            Ok(said) => {
                self.settle(said * self.sockets).await;
                Ok(said)
            }
            // Told by the closed sockets.
            Err(_) if lock(&self.tally).closed > 0 => Ok(0),
            Err(error) => Err(error),
        };
        drop(done.send(said));
    }

    async fn pace(&mut self, rate: u32, seconds: u32) -> anyhow::Result<usize> {
        let began = Instant::now();
        let count = rate * seconds;
        for number in 0..count {
            let due = began + Duration::from_secs(1) * number / rate;
            tokio::time::sleep_until(due.into()).await;
            self.say(due).await?;
        }
        Ok(count as usize)
    }

    async fn flood(&mut self, seconds: u32, most: usize) -> anyhow::Result<usize> {
        let until = Instant::now() + Duration::from_secs(seconds.into());
        let mut said = 0;
        while Instant::now() < until {
            let come = lock(&self.tally).deliveries / self.sockets;
            while said < come + most {
                self.say(Instant::now()).await?;
                said += 1;
            }
            if lock(&self.tally).closed > 0 {
                bail!("sockets were closed");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(said)
    }

    /// The next speaker says that it was due then.
    async fn say(&mut self, due: Instant) -> anyhow::Result<()> {
        let speaker = self.turn % self.speakers.len();
        let (number, due) = (self.numbers[speaker], (due - self.base).as_micros());
        self.turn += 1;
        self.numbers[speaker] += 1;
        let mut text = format!("@{speaker} {number} {due} ");
        text.extend(std::iter::repeat_n('.', TEXT_CHARS.saturating_sub(text.len())));
        let channel = json!({ "kind": "battle", "about": self.battle });
        let say = json!({ "cid": number + 2, "type": "say", "channel": channel, "text": text });
        self.speakers[speaker].send(Message::text(say.to_string())).await?;
        Ok(())
    }

    /// Waits until everything has come, or nothing comes any more.
    async fn settle(&self, wanted: usize) {
        let mut quiet_since = (Instant::now(), 0);
        loop {
            let (deliveries, closed) = {
                let tally = lock(&self.tally);
                (tally.deliveries, tally.closed)
            };
            if deliveries >= wanted || closed > 0 {
                // A moment longer, for what comes twice.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return;
            }
            if deliveries != quiet_since.1 {
                quiet_since = (Instant::now(), deliveries);
            }
            if quiet_since.0.elapsed() > SILENCE {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Opens a socket and joins the channel.
async fn enter(address: SocketAddr, token: &str, battle: Uuid) -> anyhow::Result<Socket> {
    let mut request = format!("ws://{address}/v1/chat").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
    let channel = json!({ "kind": "battle", "about": battle });
    let join = json!({ "cid": 1, "type": "join", "channel": channel });
    socket.send(Message::text(join.to_string())).await?;
    loop {
        match socket.next().await.context("closed before it was in")?? {
            Message::Text(text) => {
                ensure!(text.contains(r#""type":"ok""#), "not let in: {text}");
                return Ok(socket);
            }
            Message::Close(why) => bail!("closed before it was in: {why:?}"),
            _ => {}
        }
    }
}

/// Hears a socket out: every speaker's messages come once, in order.
async fn listen(mut stream: SplitStream<Socket>, tally: Arc<Mutex<Tally>>, base: Instant) {
    let mut next = [0; SPEAKERS];
    while let Some(Ok(frame)) = stream.next().await {
        let Message::Text(text) = frame else { continue };
        let now = Instant::now();
        let mut tally = lock(&tally);
        if text.starts_with(r#"{"type":"message""#) {
            tally.deliveries += 1;
            tally.last = Some(now);
            match mark(&text) {
                Some((speaker, number, due)) if next[speaker] == number => {
                    next[speaker] += 1;
                    tally.delays.push((now - base).saturating_sub(due));
                }
                _ => tally.wrong += 1,
            }
        } else if text.contains(r#""type":"error""#) {
            tally.refused += 1;
        }
    }
    lock(&tally).closed += 1;
}

/// Who said it, the number among that speaker's messages, and when it was due.
fn mark(text: &str) -> Option<(usize, u32, Duration)> {
    let (_, rest) = text.split_once(r#""text":"@"#)?;
    let mut parts = rest.split(' ');
    let speaker: usize = parts.next()?.parse().ok().filter(|speaker| *speaker < SPEAKERS)?;
    let number = parts.next()?.parse().ok()?;
    let due = Duration::from_micros(parts.next()?.parse().ok()?);
    Some((speaker, number, due))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_who_and_when() {
        let event = r#"{"type":"message","message":{"text":"@3 17 2500 ....","author":{}}}"#;
        assert_eq!(mark(event), Some((3, 17, Duration::from_micros(2_500))));
        for bad in ["", r#""text":"@99 1 1 ""#, r#""text":"@1 x 1 ""#, r#""text":"hello""#] {
            assert_eq!(mark(bad), None);
        }
    }
}
