//! Faults on order, for tests: a name, a count, a fault.
//!
//! Always compiled, so that tests break what ships; without orders a point costs one comparison.
//! A process takes orders from the environment variable [`ENVIRONMENT`].

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Orders for a server process, like `after-sync:17:kill,before-write:3:slow-80`.
pub const ENVIRONMENT: &str = "SORTIE_FAILPOINTS";

/// A place where faults can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failpoint {
    /// A block is about to be written.
    BeforeWrite,
    /// Half of a block of ticks is written.
    MidBlock,
    /// Half of a checkpoint is written.
    MidCheckpoint,
    /// A group is written and not yet synced.
    BeforeSync,
    /// A group is synced; nobody knows yet.
    AfterSync,
    /// The end is written; the journal has not become a replay yet.
    AfterEnd,
    /// A result is written and not yet synced.
    SpoolWritten,
    /// A result is synced and has no name yet.
    SpoolSynced,
    /// A result has its name; its folder is not yet synced.
    SpoolRenamed,
    /// A result is in the spool; its battle's folder is still there.
    AfterSpool,
    /// There is a receipt for a result; it is still in the spool.
    SpoolReported,
}

impl Failpoint {
    /// All, with their names.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::BeforeWrite, "before-write"),
        (Self::MidBlock, "mid-block"),
        (Self::MidCheckpoint, "mid-checkpoint"),
        (Self::BeforeSync, "before-sync"),
        (Self::AfterSync, "after-sync"),
        (Self::AfterEnd, "after-end"),
        (Self::SpoolWritten, "spool-written"),
        (Self::SpoolSynced, "spool-synced"),
        (Self::SpoolRenamed, "spool-renamed"),
        (Self::AfterSpool, "after-spool"),
        (Self::SpoolReported, "spool-reported"),
    ];
}

/// What happens at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is gone, as by SIGKILL.
    Kill,
    /// Nothing is written any more, as if the process were gone: for tests in one process.
    Freeze,
    /// The disk is full.
    NoSpace,
    /// The disk takes its time.
    Slow(Duration),
}

#[derive(Debug)]
struct Order {
    point: Failpoint,
    /// Passages left before the fault.
    passages: AtomicU32,
    fault: Fault,
}

/// The faults ordered; none by default.
#[derive(Clone, Debug, Default)]
pub struct Failpoints(Option<Arc<Vec<Order>>>);

/// Marks an error as a [`Fault::Freeze`].
#[derive(Debug, thiserror::Error)]
#[error("frozen by a failpoint")]
pub struct Frozen;

/// Whether a failpoint stopped the server here, as a kill would have.
pub(crate) fn is_frozen(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<Frozen>() || cause.downcast_ref::<io::Error>().is_some_and(is_frozen_io)
    })
}

/// The same of an error of the disk's.
pub(crate) fn is_frozen_io(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Frozen>())
}

impl Failpoints {
    /// No faults.
    pub fn none() -> Self {
        Self::default()
    }

    /// One fault, at the `passage`th passage of a point, counted from 1; slow ones from there on.
    pub fn at(point: Failpoint, passage: u32, fault: Fault) -> Self {
        Self(Some(Arc::new(vec![Order { point, passages: AtomicU32::new(passage), fault }])))
    }

    /// What [`ENVIRONMENT`] orders, if it is set.
    ///
    /// # Errors
    /// Names the order that makes no sense.
    pub fn from_environment() -> anyhow::Result<Option<Self>> {
        let Ok(orders) = std::env::var(ENVIRONMENT) else { return Ok(None) };
        Self::parse(&orders).map(Some).map_err(anyhow::Error::msg)
    }

    /// Reads orders as [`ENVIRONMENT`] holds them; no text, no faults.
    ///
    /// # Errors
    /// Names the order that makes no sense.
    pub fn parse(text: &str) -> Result<Self, String> {
        let orders = text.split(',').filter(|order| !order.trim().is_empty());
        let orders: Vec<Order> = orders.map(parse_order).collect::<Result<_, _>>()?;
        Ok(Self((!orders.is_empty()).then(|| Arc::new(orders))))
    }

    /// Passes a point.
    ///
    /// # Errors
    /// The fault that was ordered.
    #[inline]
    pub fn pass(&self, point: Failpoint) -> io::Result<()> {
        match &self.0 {
            None => Ok(()),
            Some(orders) => orders.iter().try_for_each(|order| order.pass(point)),
        }
    }
}

impl Order {
    fn pass(&self, point: Failpoint) -> io::Result<()> {
        if point != self.point {
            return Ok(());
        }
        let left = self.passages.load(Ordering::Relaxed);
        if left > 1 {
            self.passages.store(left - 1, Ordering::Relaxed);
            return Ok(());
        }
        match self.fault {
            Fault::Kill => {
                let own = rustix::process::getpid();
                let _ = rustix::process::kill_process(own, rustix::process::Signal::KILL);
                Ok(())
            }
            Fault::Freeze => Err(io::Error::other(Frozen)),
            Fault::NoSpace => Err(io::ErrorKind::StorageFull.into()),
            Fault::Slow(delay) => {
                std::thread::sleep(delay);
                Ok(())
            }
        }
    }
}

fn parse_order(order: &str) -> Result<Order, String> {
    let refuse = || format!("failpoint '{order}': write point:passage:fault");
    let mut parts = order.trim().split(':');
    let (Some(point), Some(passage), Some(fault), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(refuse());
    };
    let known = Failpoint::ALL.iter().find(|(_, name)| *name == point);
    let point = known.map(|(point, _)| *point).ok_or_else(refuse)?;
    let passage: u32 = passage.parse().map_err(|_| refuse())?;
    let fault = match fault {
        "kill" => Fault::Kill,
        "freeze" => Fault::Freeze,
        "no-space" => Fault::NoSpace,
        slow => {
            let millis = slow.strip_prefix("slow-").ok_or_else(refuse)?;
            Fault::Slow(Duration::from_millis(millis.parse().map_err(|_| refuse())?))
        }
    };
    Ok(Order { point, passages: AtomicU32::new(passage), fault })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_comes_at_its_passage() {
        let faults = Failpoints::parse("before-sync:3:no-space").unwrap();
        assert!(faults.pass(Failpoint::BeforeSync).is_ok());
        assert!(faults.pass(Failpoint::AfterSync).is_ok());
        assert!(faults.pass(Failpoint::BeforeSync).is_ok());
        let error = faults.pass(Failpoint::BeforeSync).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn orders_that_make_no_sense_are_named() {
        for order in ["nowhere:1:kill", "mid-block:x:kill", "mid-block:1", "mid-block:1:explode"] {
            assert!(Failpoints::parse(order).unwrap_err().contains(order));
        }
        assert!(Failpoints::parse("").unwrap().0.is_none());
    }
}
