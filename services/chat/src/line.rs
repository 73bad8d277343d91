//! The way to a socket: a bounded queue, and a way to close it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use uuid::Uuid;

use crate::close::{self, Closing};
use crate::wire::{Answer, ChannelEvent};

/// How long a socket is not read while it is owed answers.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Something for a socket.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) text: Utf8Bytes,
    /// Whose doing it is, for mutes; `None`: nobody's.
    pub(crate) author: Option<Uuid>,
    /// An answer, which is owed until it is on its way to the kernel.
    pub(crate) is_answer: bool,
}

impl Outgoing {
    pub(crate) fn event(text: Utf8Bytes, author: Option<Uuid>) -> Self {
        Self { text, author, is_answer: false }
    }
}

/// The way to a socket.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) queue: mpsc::Sender<Outgoing>,
    pub(crate) closing: Arc<watch::Sender<Option<Closing>>>,
    /// Requests without an answer on its way.
    pub(crate) owed: Arc<watch::Sender<usize>>,
}

impl Line {
    /// Puts something into the queue; a full one closes the socket.
    pub(crate) fn push(&self, outgoing: Outgoing) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.queue.try_send(outgoing) {
            self.close(close::SLOW);
        }
    }

    /// The first reason counts.
    pub(crate) fn close(&self, why: Closing) {
        self.closing.send_if_modified(|closing| {
            let is_first = closing.is_none();
            closing.get_or_insert(why);
            is_first
        });
    }

    pub(crate) fn tell(&self, event: &ChannelEvent) {
        self.push(Outgoing::event(json(event), None));
    }

    /// Answers a request that was [`owed`](Self::owe) an answer.
    pub(crate) fn answer(&self, answer: &Answer) {
        self.push(Outgoing { text: json(answer), author: None, is_answer: true });
    }

    /// A request came.
    pub(crate) fn owe(&self) {
        self.owed.send_modify(|owed| *owed += 1);
    }

    /// So many answers are on their way. A batch that was given up may answer twice.
    pub(crate) fn paid(&self, answers: usize) {
        self.owed.send_modify(|owed| *owed = owed.saturating_sub(answers));
    }

    /// Waits until nothing is owed, but not for long.
    pub(crate) async fn settled(&self) {
        let mut owed = self.owed.subscribe();
        // Longer: a store that hangs. Whoever goes on sending is told so soon enough.
        drop(timeout(SETTLE_TIMEOUT, owed.wait_for(|owed| *owed == 0)).await);
    }
}

/// Everything on the wire can be written.
pub(crate) fn json(value: &impl Serialize) -> Utf8Bytes {
    serde_json::to_string(value).expect("chat's own types serialise").into()
}
