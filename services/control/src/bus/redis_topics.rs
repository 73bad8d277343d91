//! Topics on Redis: one subscriber a node, and from there to everyone here who listens.
//!
//! Redis forgets subscriptions with the connection, and what was published meanwhile is lost. So
//! after every reconnect all topics are subscribed again, and then everyone hears a gap: in this
//! order, so that whoever reads Postgres after the gap misses nothing. A topic that could not be
//! subscribed (Redis away, a command lost) is tried again each second, and a gap told when it
//! could. A silent connection owes nothing and would never be found dead, hence the ping.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::prelude::{Client, ClientLike, EventInterface, FredResult, PubsubInterface};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;

use super::redis_link::Link;
use super::seal::Seal;
use super::{BusError, Heard, Subscription, Topics};
use crate::hearing::Hearing;

/// Messages that a slow subscriber may be behind before it hears a gap.
const BACKLOG: usize = 1_024;

/// Topics in one `SUBSCRIBE`.
const SUBSCRIBE_MAX: usize = 256;

const PING_EVERY: Duration = Duration::from_secs(1);
/// So many, and the connection is made anew.
const SILENCES_MAX: u64 = 2;

pub(super) struct RedisTopics {
    publisher: Arc<Link>,
    shared: Arc<Shared>,
    listening: tokio::task::JoinHandle<()>,
}

struct Shared {
    subscriber: Client,
    /// What names of channels begin with, before the topic.
    channels: String,
    /// Tells nodes from others.
    seal: Seal,
    topics: Mutex<HashMap<String, Topic>>,
    /// Counts connections: what an older one knew, Redis has forgotten.
    connection: AtomicU64,
    /// Pings without an answer, one after another.
    silences: AtomicU64,
    /// Whether Redis answers.
    hearing: Hearing,
    /// Held while subscriptions change, so that Redis hears of changes in their order.
    changing: tokio::sync::Mutex<()>,
}

struct Topic {
    sender: broadcast::Sender<Heard>,
    /// Whether Redis knows of it.
    is_live: bool,
}

impl RedisTopics {
    pub(super) fn new(publisher: Arc<Link>, subscriber: Client, prefix: &str, seal: Seal) -> Self {
        let channels = format!("{prefix}:topic:");
        let changing = tokio::sync::Mutex::default();
        let (topics, connection) = (Mutex::default(), AtomicU64::new(0));
        let silences = AtomicU64::new(0);
        let hearing = Hearing::new("redis_topics", "this node does not hear the others");
        hearing.show(false);
        let shared = Arc::new(Shared {
            subscriber,
            channels,
            seal,
            topics,
            connection,
            silences,
            hearing,
            changing,
        });
        let listening = tokio::spawn(Arc::clone(&shared).keep_listening());
        Self { publisher, shared, listening }
    }
}

impl Drop for RedisTopics {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

#[async_trait]
impl Topics for RedisTopics {
    async fn publish(&self, topic: &str, body: Bytes) -> Result<(), BusError> {
        let channel = self.shared.channel(topic);
        let body = self.shared.seal.close(&channel, &body);
        let _: u64 = self.publisher.ask(async |client| client.publish(channel, body).await).await?;
        Ok(())
    }

    /// Never fails: a topic that Redis cannot be told of now begins with a gap later.
    async fn subscribe(&self, topic: &str) -> Result<Subscription, BusError> {
        let _changing = self.shared.changing.lock().await;
        let (receiver, is_live) = {
            let mut topics = self.shared.topics();
            let topic = topics
                .entry(topic.to_owned())
                .or_insert_with(|| Topic { sender: broadcast::channel(BACKLOG).0, is_live: false });
            (topic.sender.subscribe(), topic.is_live)
        };
        if !is_live {
            // The receiver is new: there is nothing that it can have missed before.
            drop(self.shared.make_live(&[topic.to_owned()]).await);
        }
        Ok(Subscription::new(receiver))
    }
}

impl Shared {
    fn channel(&self, topic: &str) -> String {
        format!("{}{topic}", self.channels)
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<String, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells Redis of topics; they are live then, unless the connection changed meanwhile.
    async fn make_live(&self, names: &[String]) -> Result<(), BusError> {
        let connection = self.connection.load(Ordering::SeqCst);
        if !self.subscriber.is_connected() {
            return Err(BusError("not connected".to_owned()));
        }
        let channels: Vec<String> = names.iter().map(|name| self.channel(name)).collect();
        self.subscriber.subscribe(channels).await?;
        // That has only been written. Redis takes a connection's commands in their order: once it
        // answers this one, it knows the topics.
        let _: String = self.subscriber.ping(None).await?;
        let mut topics = self.topics();
        if self.connection.load(Ordering::SeqCst) != connection {
            return Err(BusError("the connection changed".to_owned()));
        }
        for name in names {
            if let Some(topic) = topics.get_mut(name) {
                topic.is_live = true;
            }
        }
        Ok(())
    }

    /// Listens until the client ends, also after a panic: a node that went deaf would not know.
    async fn keep_listening(self: Arc<Self>) {
        loop {
            // Ended with this task.
            let mut listening = JoinSet::new();
            listening.spawn(Arc::clone(&self).listen());
            match listening.join_next().await {
                Some(Err(panic)) => self.hearing.fails(&panic),
                _ => return self.hearing.fails(&"the connection has ended"),
            }
            // Nothing was heard meanwhile: all topics are subscribed anew, with a gap each.
            self.forget_subscriptions();
            tokio::time::sleep(PING_EVERY).await;
        }
    }

    /// Hands on what Redis tells, for good.
    async fn listen(self: Arc<Self>) {
        let mut messages = self.subscriber.message_rx();
        let mut reconnects = self.subscriber.reconnect_rx();
        let mut tick = tokio::time::interval(PING_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // Pings and subscriptions wait for answers: beside the messages, not between them.
        let (wake, mut woken) = tokio::sync::mpsc::channel(1);
        let keeper = Arc::clone(&self);
        let keeping = async move {
            while let Some(()) = woken.recv().await {
                keeper.keep().await;
            }
        };
        let listening = async {
            loop {
                tokio::select! {
                    message = messages.recv() => match message {
                        Ok(message) => self.tell(&message.channel, message.value),
                        Err(RecvError::Lagged(_)) => self.gap_for_all(),
                        Err(RecvError::Closed) => return,
                    },
                    server = reconnects.recv() => {
                        if matches!(server, Err(RecvError::Closed)) {
                            return;
                        }
                        self.forget_subscriptions();
                        // A full channel: somebody is at it, and will see these topics.
                        let _ = wake.try_send(());
                    }
                    _ = tick.tick() => {
                        let _ = wake.try_send(());
                    }
                }
            }
        };
        tokio::select! {
            () = keeping => {}
            () = listening => {}
        }
    }

    /// What no node said is not heard.
    fn tell(&self, channel: &str, value: fred::types::Value) {
        let Some(name) = channel.strip_prefix(&self.channels) else { return };
        let body: FredResult<Bytes> = value.convert();
        let Some(heard) = body.ok().and_then(|body| self.seal.open(channel, &body)) else {
            metrics::counter!("sortie_bus_refused_total").increment(1);
            return;
        };
        if let Some(topic) = self.topics().get(name) {
            // Without a receiver, nobody here listens any more; the next sweep forgets it.
            let _ = topic.sender.send(heard);
        }
    }

    fn gap_for_all(&self) {
        for topic in self.topics().values() {
            let _ = topic.sender.send(Heard::Gap);
        }
    }

    fn forget_subscriptions(&self) {
        let mut topics = self.topics();
        self.connection.fetch_add(1, Ordering::SeqCst);
        for topic in topics.values_mut() {
            topic.is_live = false;
        }
    }

    /// After a silence something may have been missed, even on the same connection. A connection
    /// that stays silent is made anew.
    async fn ping(&self) {
        let answer: FredResult<String> = self.subscriber.ping(None).await;
        if answer.is_ok() {
            self.hearing.works();
            if self.silences.swap(0, Ordering::SeqCst) > 0 {
                self.gap_for_all();
            }
            return;
        }
        self.hearing.fails(&"Redis does not answer");
        let silences = self.silences.fetch_add(1, Ordering::SeqCst) + 1;
        if silences.is_multiple_of(SILENCES_MAX) && self.subscriber.is_connected() {
            let anew = self.subscriber.force_reconnection();
            drop(tokio::time::timeout(PING_EVERY, anew).await);
        }
    }

    /// Makes what Redis knows what we want: pings, subscribes and unsubscribes.
    async fn keep(&self) {
        let _changing = self.changing.lock().await;
        self.ping().await;
        let (unheard, missing) = {
            let mut topics = self.topics();
            let unheard: Vec<String> = topics
                .extract_if(|_, topic| topic.sender.receiver_count() == 0)
                .map(|(topic, _)| topic)
                .collect();
            let missing = topics.iter().filter(|(_, topic)| !topic.is_live);
            (unheard, missing.map(|(name, _)| name.clone()).collect::<Vec<String>>())
        };
        for topics in unheard.chunks(SUBSCRIBE_MAX) {
            let channels: Vec<String> = topics.iter().map(|topic| self.channel(topic)).collect();
            // If this is lost, messages come that nobody wants, until the next reconnect.
            drop(self.subscriber.unsubscribe(channels).await);
        }
        for topics in missing.chunks(SUBSCRIBE_MAX) {
            if self.make_live(topics).await.is_err() {
                return; // A second later, again.
            }
            let all = self.topics();
            for topic in topics.iter().filter_map(|topic| all.get(topic)) {
                let _ = topic.sender.send(Heard::Gap);
            }
        }
    }
}
