//! What staff do: players, bans, battles, servers, reports, flags, audit.
