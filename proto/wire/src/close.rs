//! Why a connection ends. The number travels as the QUIC application error code, and in a
//! [`Leaving`](crate::message::ServerMessage::Leaving) message while there is time for one.

macro_rules! close_codes {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $number:literal, $final:literal, $text:literal;
    )+) => {
        /// Why a connection ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum CloseCode {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl CloseCode {
            /// All, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The code of a number from outside; `None` for one that this version lacks.
            pub fn from_number(number: u64) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// What a player reads.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// Whether trying again with the same credential is pointless. A client that holds a
            /// resume token and meets any other code, or none, comes back by itself.
            pub fn is_final(self) -> bool {
                match self {
                    $(Self::$name => $final,)+
                }
            }
        }
    };
}

close_codes! {
    /// Ended in order, nothing to add.
    Normal = 0, true, "closed";
    /// The client left the battle for good.
    Left = 1, true, "left the battle";
    /// Client and server speak different versions of this protocol.
    ProtocolVersion = 2, true, "client and server are of different versions";
    /// Bytes that no correct client sends: a broken message, or too many broken datagrams.
    Malformed = 3, true, "the client sent malformed data";
    /// The first message did not come in time, or was no hello.
    HelloExpected = 4, true, "no hello came";
    /// The ticket's signature or layout is wrong.
    TicketInvalid = 5, true, "the join ticket is invalid";
    /// The ticket's time is over.
    TicketExpired = 6, true, "the join ticket has expired";
    /// The ticket was used before.
    TicketUsed = 7, true, "the join ticket was used already";
    /// The ticket is for another battle or another server.
    TicketWrongBattle = 8, true, "the join ticket is for another battle";
    /// The resume token is not of this battle, or its player is gone for good.
    ResumeUnknown = 9, true, "there is nothing to resume";
    /// The same player connected again; the newer connection stays.
    Replaced = 10, true, "replaced by a newer connection";
    /// No place is left.
    BattleFull = 11, true, "the battle is full";
    /// The server is overloaded and takes nobody new for now.
    Overloaded = 12, true, "the server takes no new players at the moment";
    /// Nothing came from the client for the idle time.
    Idle = 13, false, "the connection was idle";
    /// An operator removed the player.
    Kicked = 14, true, "removed by an operator";
    /// The round is over and the battle closed.
    RoundOver = 15, true, "the round is over";
    /// The server shuts down.
    ShuttingDown = 16, true, "the server is shutting down";
    /// More messages or datagrams than any correct client sends.
    Flood = 17, true, "the client sent too much";
    /// The client reads its messages too slowly; it may resume.
    SlowClient = 18, false, "the client is too slow";
    /// The server failed inside; the client may resume.
    Internal = 19, false, "the server failed";
    /// The ticket names a key that the server does not hold: it was taken away, or is too new.
    TicketKeyUnknown = 20, true, "the server does not know the key of the join ticket";
}

impl CloseCode {
    /// The number on the wire.
    pub fn number(self) -> u16 {
        self as u16
    }
}

impl core::fmt::Display for CloseCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_codes_are_one_to_one() {
        for (number, &code) in CloseCode::ALL.iter().enumerate() {
            assert_eq!(usize::from(code.number()), number);
            assert_eq!(CloseCode::from_number(number as u64), Some(code));
        }
        assert_eq!(CloseCode::from_number(CloseCode::ALL.len() as u64), None);
        assert_eq!(CloseCode::from_number(u64::MAX), None);
    }
}
