//! Chat over WebSockets: channels, history, mutes, reports, presence.
