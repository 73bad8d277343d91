//! One suite over both implementations of the bus, and what Redis does when it is away.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use sortie_control::access::AccessKeys;
use sortie_control::bus::seal::Seal;
use sortie_control::bus::{Bus, Heard, Rate, Subscription, redis};
use sortie_control::clock::Clock;
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(5);

/// A Redis of its own on a socket in a folder of its own; ends with the test.
struct Redis {
    /// Of the deployment that it belongs to.
    seal: Seal,
    child: Child,
    folder: TempDir,
}

impl Redis {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = spawn(folder.path());
        let seal = Seal::new(&AccessKeys::generate(), &Clock::default());
        let redis = Self { seal, child, folder };
        redis.wait_until_there().await;
        redis
    }

    fn url(&self) -> String {
        format!("redis+unix://{}/redis.sock", self.folder.path().display())
    }

    async fn bus(&self) -> Bus {
        self.bus_of(redis::PREFIX).await
    }

    async fn bus_of(&self, prefix: &str) -> Bus {
        redis::connect(&self.url(), prefix, self.seal.clone()).await.unwrap()
    }

    async fn wait_until_there(&self) {
        let socket = self.folder.path().join("redis.sock");
        let connects = async || tokio::net::UnixStream::connect(&socket).await.is_ok();
        eventually("Redis listens", connects).await;
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.child = spawn(self.folder.path());
        self.wait_until_there().await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Ended already, in the tests that kill it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(folder: &Path) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
        .arg(folder.join("redis.sock"))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is not installed: run `infra/dev/install`")
}

/// Asks again and again until it is so.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !is_so().await {
        assert!(Instant::now() < until, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn heard(subscription: &mut Subscription) -> Heard {
    timeout(SOON, subscription.next()).await.expect("something is heard").expect("the bus goes on")
}

/// The next message, whatever gaps are before it.
async fn message(subscription: &mut Subscription) -> Bytes {
    loop {
        if let Heard::Message(body) = heard(subscription).await {
            return body;
        }
    }
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

#[tokio::test]
async fn the_local_bus_does_what_a_bus_does() {
    let bus = Bus::local();
    suite(&bus, &bus).await;
}

#[tokio::test]
async fn redis_does_what_a_bus_does_within_a_node_and_between_nodes() {
    let redis = Redis::start().await;
    let bus = redis.bus().await;
    suite(&bus, &bus).await;
    let other = Redis::start().await;
    suite(&other.bus().await, &other.bus().await).await;
}

#[tokio::test]
async fn deployments_that_share_a_redis_do_not_meet() {
    let redis = Redis::start().await;
    let (blue, green) = (redis.bus_of("blue").await, redis.bus_of("green").await);
    suite(&blue, &blue).await;
    suite(&green, &green).await;
    let mut news = green.topics.subscribe("meet").await.unwrap();
    blue.topics.publish("meet", Bytes::from_static(b"blue")).await.unwrap();
    green.topics.publish("meet", Bytes::from_static(b"green")).await.unwrap();
    assert_eq!(message(&mut news).await, Bytes::from_static(b"green"));
    let once = Rate::per(1, Duration::from_secs(3_600));
    for bus in [&blue, &green] {
        bus.limiter.take("meet", once).await.unwrap();
    }
    blue.boards.put("meet", &[(id(1), 1)]).await.unwrap();
    assert_eq!(green.boards.size("meet").await.unwrap(), 0);
    blue.presence.confirm("meet", id(1), SOON).await.unwrap();
    assert_eq!(green.presence.list("meet", 9).await.unwrap(), (vec![], 0));
    for prefix in ["", "a b", "a:b", &"x".repeat(65)] {
        assert!(
            redis::connect(&redis.url(), prefix, redis.seal.clone()).await.is_err(),
            "{prefix:?}"
        );
    }
}

/// What `here` does, `there` sees.
async fn suite(here: &Bus, there: &Bus) {
    topics(here, there).await;
    limiter(here, there).await;
    boards(here, there).await;
    presence(here, there).await;
}

async fn topics(here: &Bus, there: &Bus) {
    here.topics.publish("news", Bytes::from_static(b"nobody listens")).await.unwrap();
    let mut news = there.topics.subscribe("news").await.unwrap();
    let mut again = there.topics.subscribe("news").await.unwrap();
    let mut other = there.topics.subscribe("other").await.unwrap();
    let mut attempts = 1..=5;
    while !hundred(here, &mut [&mut news, &mut again]).await {
        attempts.next().expect("a hundred without a gap in five attempts");
    }
    here.topics.publish("other", Bytes::from_static(b"\0\xff binary")).await.unwrap();
    assert_eq!(message(&mut other).await, Bytes::from_static(b"\0\xff binary"));
    // A reader that is too far behind hears that it is.
    for _ in 0..3_000 {
        here.topics.publish("news", Bytes::from_static(b"flood")).await.unwrap();
    }
    eventually("a gap", async || heard(&mut again).await == Heard::Gap).await;
}

/// Says a hundred things, and hears each once and in order; whether all were heard. A machine so
/// busy that Redis does not answer in its time may cost some: then a gap is told.
async fn hundred(here: &Bus, subscriptions: &mut [&mut Subscription]) -> bool {
    for n in 0..100_u32 {
        let body = Bytes::copy_from_slice(&n.to_be_bytes());
        here.topics.publish("news", body).await.unwrap();
    }
    let mut is_whole = true;
    for subscription in subscriptions {
        let (mut next, mut is_missing, mut has_gap) = (0_u32, false, false);
        while next < 100 {
            match heard(subscription).await {
                Heard::Gap => has_gap = true,
                Heard::Message(body) => {
                    let n = u32::from_be_bytes(body[..].try_into().unwrap());
                    assert!(n >= next, "{n} after {next}: in order, each once");
                    is_missing |= n != next;
                    next = n + 1;
                }
            }
        }
        if is_missing && !has_gap {
            eventually("a gap", async || heard(subscription).await == Heard::Gap).await;
        }
        is_whole &= !is_missing;
    }
    is_whole
}

async fn limiter(here: &Bus, there: &Bus) {
    let rate = Rate::per(3, Duration::from_secs(3_600));
    for bus in [here, there, here] {
        bus.limiter.take("suite/a", rate).await.unwrap();
    }
    let wait = there.limiter.take("suite/a", rate).await.unwrap_err();
    assert!(wait > Duration::from_secs(1_100) && wait <= Duration::from_secs(1_200), "{wait:?}");
    here.limiter.take("suite/b", rate).await.expect("buckets know nothing of each other");
    // Tokens come back, and no more than fit.
    let quick = Rate { burst: 2, per_s: 5.0 };
    let mut taken = 0;
    while let Ok(()) = here.limiter.take("suite/c", quick).await {
        taken += 1;
    }
    assert_eq!(taken, 2, "as many as fit");
    let wait = there.limiter.take("suite/c", quick).await.unwrap_err();
    assert!(wait <= Duration::from_millis(200), "{wait:?}");
    let back = async || there.limiter.take("suite/c", quick).await.is_ok();
    eventually("a token comes back", back).await;
}

async fn boards(here: &Bus, there: &Bus) {
    assert_eq!(there.boards.size("b").await.unwrap(), 0);
    assert_eq!(there.boards.range("b", 0, 10).await.unwrap(), []);
    assert_eq!(there.boards.place("b", id(1)).await.unwrap(), None);
    let (a, top) = (id(0xa << 120), 1 << 52);
    let rows = [(id(9), 5), (id(2), 5), (a, 5), (id(4), -7), (id(1), 0), (id(3), top)];
    here.boards.put("b", &rows).await.unwrap();
    here.boards.put("b", &[(id(1), 6)]).await.unwrap();
    let order = [(id(3), top), (id(1), 6), (id(2), 5), (id(9), 5), (a, 5), (id(4), -7)];
    assert_eq!(there.boards.range("b", 0, 100).await.unwrap(), order, "equal scores by id");
    assert_eq!(there.boards.range("b", 1, 2).await.unwrap(), order[1..3]);
    assert_eq!(there.boards.range("b", 6, 2).await.unwrap(), []);
    assert_eq!(there.boards.range("b", 0, 0).await.unwrap(), []);
    for (place, (player, score)) in order.into_iter().enumerate() {
        let found = there.boards.place("b", player).await.unwrap();
        assert_eq!(found, Some((place as u64, score)));
    }
    here.boards.remove("b", id(1)).await.unwrap();
    here.boards.remove("b", id(77)).await.unwrap();
    assert_eq!(there.boards.place("b", id(1)).await.unwrap(), None);
    assert_eq!(there.boards.size("b").await.unwrap(), 5);
    let many: Vec<_> = (0..2_500).map(|n| (id(n), n as i64)).collect();
    here.boards.put("many", &many).await.unwrap();
    assert_eq!(there.boards.place("many", id(0)).await.unwrap(), Some((2_499, 0)));
    for board in ["b", "many"] {
        here.boards.clear(board).await.unwrap();
        assert_eq!(there.boards.size(board).await.unwrap(), 0);
    }
}

async fn presence(here: &Bus, there: &Bus) {
    let long = Duration::from_secs(60);
    assert_eq!(there.presence.list("p", 10).await.unwrap(), (Vec::new(), 0));
    for n in [3, 1, 2] {
        here.presence.confirm("p", id(n), long).await.unwrap();
    }
    here.presence.confirm("p", id(4), Duration::from_millis(50)).await.unwrap();
    let there_are = async || {
        let (mut players, count) = there.presence.list("p", 10).await.unwrap();
        players.sort();
        (players, count)
    };
    let three = (vec![id(1), id(2), id(3)], 3);
    eventually("who is not confirmed is gone", async || there_are().await == three).await;
    assert_eq!(there.presence.list("p", 2).await.unwrap().0.len(), 2);
    assert_eq!(there.presence.list("p", 0).await.unwrap(), (Vec::new(), 3));
    here.presence.leave("p", id(2)).await.unwrap();
    assert_eq!(there_are().await, (vec![id(1), id(3)], 2));
}

/// Calls fail or fall back, none takes long.
async fn is_away(bus: &Bus) {
    const QUICK: Duration = Duration::from_millis(300);
    let body = Bytes::from_static(b"lost");
    let quick = "answered within 300 ms";
    assert!(timeout(QUICK, bus.topics.publish("t", body)).await.expect(quick).is_err());
    assert!(timeout(QUICK, bus.boards.size("b")).await.expect(quick).is_err());
    assert!(timeout(QUICK, bus.presence.list("p", 1)).await.expect(quick).is_err());
    timeout(QUICK, bus.topics.subscribe("made meanwhile")).await.expect(quick).unwrap();
    let rate = Rate::per(1, Duration::from_secs(3_600));
    let bucket = Uuid::now_v7().to_string();
    timeout(QUICK, bus.limiter.take(&bucket, rate)).await.expect(quick).unwrap();
    let refused = timeout(QUICK, bus.limiter.take(&bucket, rate)).await.expect(quick);
    refused.expect_err("this node counts by itself meanwhile");
}

/// Everything works again by itself, and every subscription has heard a gap before messages.
async fn is_back(bus: &Bus, subscriptions: Vec<Subscription>) {
    let since = Instant::now();
    for mut subscription in subscriptions {
        // What was published while Redis hung may come before.
        eventually("a gap", async || heard(&mut subscription).await == Heard::Gap).await;
        let body = Bytes::from_static(b"back");
        let publish = async || bus.topics.publish("t", body.clone()).await.is_ok();
        eventually("published", publish).await;
        eventually("heard", async || message(&mut subscription).await == "back").await;
    }
    eventually("boards", async || bus.boards.put("b", &[(id(1), 1)]).await.is_ok()).await;
    assert!(since.elapsed() < SOON, "back after {:?}", since.elapsed());
}

#[tokio::test]
async fn a_redis_that_is_killed_is_found_again_and_a_gap_is_heard() {
    let mut redis = Redis::start().await;
    let bus = redis.bus().await;
    let before = bus.topics.subscribe("t").await.unwrap();
    redis.kill();
    is_away(&bus).await;
    let meanwhile = bus.topics.subscribe("t").await.unwrap();
    redis.restart().await;
    is_back(&bus, vec![before, meanwhile]).await;
}

#[tokio::test]
async fn a_redis_that_hangs_is_left_and_found_again() {
    let redis = Redis::start().await;
    let bus = redis.bus().await;
    let before = bus.topics.subscribe("t").await.unwrap();
    redis.signal(Signal::STOP);
    is_away(&bus).await;
    // Long enough for the silence to be noticed, on the connection that only listens too.
    let (since, mut at_once) = (Instant::now(), 0);
    while since.elapsed() < Duration::from_millis(2_500) {
        let asked = Instant::now();
        assert!(bus.boards.size("b").await.is_err());
        assert!(asked.elapsed() < Duration::from_millis(300));
        at_once += u32::from(asked.elapsed() < Duration::from_millis(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(at_once > 50, "most calls are not held up by a Redis that hangs: {at_once}");
    redis.signal(Signal::CONT);
    is_back(&bus, vec![before]).await;
}

#[tokio::test]
async fn a_topic_that_redis_did_not_confirm_begins_with_a_gap() {
    let redis = Redis::start().await;
    let bus = redis.bus().await;
    redis.signal(Signal::STOP);
    let mut news = bus.topics.subscribe("news").await.unwrap();
    redis.signal(Signal::CONT);
    assert_eq!(heard(&mut news).await, Heard::Gap, "what was said before Redis knew is missing");
    bus.topics.publish("news", Bytes::from_static(b"now")).await.unwrap();
    assert_eq!(message(&mut news).await, Bytes::from_static(b"now"));
}

#[tokio::test]
async fn a_node_starts_without_redis_and_finds_it_later() {
    let mut redis = Redis::start().await;
    redis.kill();
    let bus = redis.bus().await;
    let subscription = bus.topics.subscribe("t").await.unwrap();
    is_away(&bus).await;
    redis.restart().await;
    is_back(&bus, vec![subscription]).await;
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_refused() {
    let seal = Seal::new(&AccessKeys::generate(), &Clock::default());
    assert!(redis::connect("postgres://localhost", redis::PREFIX, seal).await.is_err());
}
