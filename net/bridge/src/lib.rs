//! Wire to simulation and back: commands in, snapshots out.
