//! QUIC over quinn-proto, driven by the tick.
