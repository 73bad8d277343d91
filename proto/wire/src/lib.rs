//! The game protocol: datagrams, stream messages, bit codec, quantisation, limits, tickets.
