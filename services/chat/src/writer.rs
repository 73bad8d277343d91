//! The batch writer: what is said is stored here, and told once it is.
//!
//! One task, one batch at a time: the database makes ids in the order of the queue and by its
//! clock, so that what is said is stored, told and read in its order, whichever node it was said
//! on. While a batch is stored, the next one gathers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sortie_control::service::Stop;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::error::ChatError;
use crate::hub::Hub;
use crate::said::{self, Said};
use crate::store::{self, Line};
use crate::told::{ChatChange, Told};
use crate::wire::{Answer, Done};

/// The job.
pub(crate) async fn run(hub: Arc<Hub>, mut said: mpsc::Receiver<Said>, mut stop: Stop) {
    let batch_max = hub.settings.batch_max.max(1);
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            count = said.recv_many(&mut batch, batch_max) => if count == 0 { return },
            () = stop.asked() => {
                said.close();
                // What was taken in is stored, too.
                while said.recv_many(&mut batch, batch_max).await > 0 {
                    store(&hub, std::mem::take(&mut batch)).await;
                }
                return;
            }
        }
        if batch.len() < batch_max {
            tokio::time::sleep(hub.settings.batch_wait).await;
            while batch.len() < batch_max
                && let Ok(one) = said.try_recv()
            {
                batch.push(one);
            }
        }
        store(&hub, batch).await;
    }
}

/// A batch on its way.
struct Batch {
    said: Vec<Said>,
    /// Its authors know that it takes too long.
    given_up: AtomicBool,
}

/// Stores a batch; when that takes too long, its authors are told, and it goes on nevertheless:
/// a statement that was sent cannot be taken back.
async fn store(hub: &Arc<Hub>, said: Vec<Said>) {
    let batch = Arc::new(Batch { said, given_up: AtomicBool::new(false) });
    let storing = insert(Arc::clone(hub), Arc::clone(&batch));
    let mut storing = hub.app.tasks.spawn("chat_batch", storing);
    if tokio::time::timeout(hub.settings.store_timeout, &mut storing).await.is_ok() {
        return;
    }
    tracing::warn!("a batch of messages takes too long to be stored");
    refuse(&batch, &ChatError::Unavailable);
    batch.given_up.store(true, Ordering::SeqCst);
    hub.store_hangs.store(true, Ordering::SeqCst);
    // A panic in there was logged; the next batch is tried.
    drop(storing.await);
    hub.store_hangs.store(false, Ordering::SeqCst);
}

async fn insert(hub: Arc<Hub>, batch: Arc<Batch>) {
    let start = Instant::now();
    let stored = said::store(&hub.app.db, &batch.said).await;
    metrics::histogram!("sortie_chat_batch_seconds").record(start.elapsed().as_secs_f64());
    match stored {
        Ok(lines) => stored_all(&hub, &batch, &lines).await,
        Err(error @ sqlx::Error::Database(_)) if batch.said.len() > 1 => {
            // One of them may be at fault: the others are stored one by one.
            tracing::debug!(%error, "a batch is stored message by message");
            insert_each(&hub, &batch).await;
        }
        Err(error) => refuse(&batch, &error.into()),
    }
}

async fn insert_each(hub: &Arc<Hub>, batch: &Batch) {
    for said in &batch.said {
        match said::store(&hub.app.db, std::slice::from_ref(said)).await {
            Ok(lines) => match lines.first() {
                Some(Some(line)) => hub.tell_all(vec![stored_one(said, line)]),
                _ => answer_again(hub, said).await,
            },
            Err(error) => said.member.line.answer(&Answer::error(Some(said.cid), &error.into())),
        }
    }
}

/// `lines` are in the order of the batch; `None`: sent before.
async fn stored_all(hub: &Hub, batch: &Batch, lines: &[Option<Line>]) {
    let has_given_up = batch.given_up.load(Ordering::SeqCst);
    let all = batch.said.iter().zip(lines);
    let new = all.clone().filter_map(|(said, line)| Some((said, line.as_ref()?)));
    let told = new.map(|(said, line)| {
        if has_given_up {
            (said.channel, Told { place: said.place, change: ChatChange::Said(line.clone()) })
        } else {
            stored_one(said, line)
        }
    });
    let told: Vec<(Uuid, Told)> = told.collect();
    metrics::counter!("sortie_chat_messages_total").increment(told.len() as u64);
    hub.tell_all(told);
    for (said, _) in all.filter(|(_, line)| line.is_none()) {
        answer_again(hub, said).await;
    }
}

/// Answers a message that came again, at the same time as the first, as that one was answered.
async fn answer_again(hub: &Hub, said: &Said) {
    let Some(client_id) = said.client_id else { return };
    let player = said.member.player;
    let answer = match store::said_before(&hub.app.db, player, client_id).await {
        Ok(Some((place, line))) => {
            Answer::ok(said.cid, Done::of(line.shown(place.name_for(player))))
        }
        Ok(None) => Answer::error(Some(said.cid), &ChatError::Unavailable),
        Err(error) => Answer::error(Some(said.cid), &error.into()),
    };
    said.member.line.answer(&answer);
}

/// Acknowledges a message to its author.
fn stored_one(said: &Said, line: &Line) -> (Uuid, Told) {
    let message = Some(line.shown(said.place.name_for(said.member.player)));
    said.member.line.answer(&Answer::ok(said.cid, Done { message, ..Done::default() }));
    (said.channel, Told { place: said.place, change: ChatChange::Said(line.clone()) })
}

fn refuse(batch: &Batch, error: &ChatError) {
    if batch.given_up.load(Ordering::SeqCst) {
        return; // They know.
    }
    for said in &batch.said {
        said.member.line.answer(&Answer::error(Some(said.cid), error));
    }
}
