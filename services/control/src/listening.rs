//! The loop of a job that listens to the bus or to notifications of the database: what
//! [`rounds`](crate::rounds) is for work that is done again and again.
//!
//! What a job listens to ends when the other side goes away. That is warned of once, and the job
//! begins to listen again, soon at first and ever more rarely while it fails. Each failure is
//! counted, and `sortie_job_listening` tells whether the job hears, so that a deaf one can be seen
//! from outside. A panic is not caught: it ends the job, and with it the node.

use crate::bus::BusError;
pub use crate::hearing::Hearing;
use crate::rounds::varied;
use crate::service::Stop;

/// Why a job does not hear.
#[derive(Debug, thiserror::Error)]
pub enum DeafError {
    /// Nobody can be heard.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The database is away.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// There is nothing more to be heard where it listened.
    #[error("what it listened to has ended")]
    Ended,
}

/// Listens until the stop is asked for: calls `begin`, and again whenever it ends. `begin` tells
/// the [`Hearing`] when it hears, which is when whatever it may have missed is made up for.
///
/// ```ignore
/// let hearing = Hearing::new("wakes", "orders are not announced");
/// listen(hearing, stop, |hearing| follow(db.clone(), hearing)).await;
/// ```
pub async fn listen<F>(hearing: Hearing, mut stop: Stop, mut begin: impl FnMut(Hearing) -> F)
where
    F: Future<Output = Result<(), DeafError>>,
{
    hearing.show(false);
    loop {
        let ended = tokio::select! {
            ended = begin(hearing.clone()) => ended,
            () = stop.asked() => return,
        };
        hearing.fails(&ended.err().unwrap_or(DeafError::Ended));
        if !stop.wait(varied(hearing.retry())).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::stop;

    #[tokio::test]
    async fn it_listens_again_when_that_ends_and_until_the_stop() {
        let (stopper, stop) = stop();
        let (told, mut tries) = tokio::sync::mpsc::unbounded_channel();
        let mut number = 0;
        let job = listen(Hearing::new("test", "nothing is heard"), stop, move |hearing| {
            let told = told.clone();
            number += 1;
            let number = number;
            async move {
                told.send(number).unwrap();
                if number == 1 {
                    return Ok(());
                }
                hearing.works();
                std::future::pending().await
            }
        });
        let job = tokio::spawn(job);
        for number in 1..=2 {
            assert_eq!(tries.recv().await, Some(number));
        }
        stopper.stop();
        job.await.unwrap();
        assert_eq!(tries.recv().await, None);
    }
}
