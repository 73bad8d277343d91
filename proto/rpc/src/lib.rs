//! What the control plane and battle servers say to each other over gRPC.
//!
//! What is made from `proto/sortie/…` has its documentation there. Where a message says by words
//! what happened, there is an enum that both sides read it with: [`ranking::Receipt`],
//! [`ranking::EndedBy`], [`game::GameMode`]. What is made
//! lies in `src/generated`, so that nobody who builds a server has to
//! build a compiler of `.proto` files first; a test makes it anew and compares. Rules, stores and
//! transports are the services' own.

mod ended_by;
mod mode;
mod receipt;
mod words;

/// Battle servers: registration, heartbeats, orders.
pub mod fleet {
    #[allow(missing_docs, unused_qualifications, reason = "made from the .proto files")]
    #[allow(clippy::all, reason = "made from the .proto files")]
    pub mod v1 {
        include!("generated/sortie.fleet.v1.rs");
    }
}

/// Running and finished battles, for players, spectators and tools.
pub mod game {
    pub use crate::mode::GameMode;

    #[allow(missing_docs, unused_qualifications, reason = "made from the .proto files")]
    #[allow(clippy::all, reason = "made from the .proto files")]
    pub mod v1 {
        include!("generated/sortie.game.v1.rs");
    }
}

/// Results of battles and what they do to ratings.
pub mod ranking {
    pub use crate::ended_by::EndedBy;
    pub use crate::receipt::{Receipt, RefusalCode};

    #[allow(missing_docs, unused_qualifications, reason = "made from the .proto files")]
    #[allow(clippy::all, reason = "made from the .proto files")]
    pub mod v1 {
        include!("generated/sortie.ranking.v1.rs");
    }
}

/// All services' descriptors, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!("generated/descriptors.bin");
