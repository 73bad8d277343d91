//! What the control plane and battle servers say to each other over gRPC.
//!
//! This crate only includes what is made from `proto/sortie/…`; the comments there are the
//! documentation. Rules, stores and transports are the services' own.

#![allow(missing_docs, unused_qualifications, reason = "made from the .proto files")]
#![allow(clippy::all, reason = "made from the .proto files")]

/// Battle servers: registration, heartbeats, orders.
pub mod fleet {
    pub mod v1 {
        tonic::include_proto!("sortie.fleet.v1");
    }
}

/// Running and finished battles, for players, spectators and tools.
pub mod game {
    pub mod v1 {
        tonic::include_proto!("sortie.game.v1");
    }
}

/// Results of battles and what they do to ratings.
pub mod ranking {
    pub mod v1 {
        tonic::include_proto!("sortie.ranking.v1");
    }
}

/// All services' descriptors, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
