//! Reads just enough of replicon's messages to know which updates an app never shows.
//!
//! When two ticks arrive between two looks of a client, its app shows the newer one only. The
//! older one was delivered all the same, and that is what the server is judged by.

use bevy_replicon::bytes::{Buf, Bytes};
use bevy_replicon::postcard;
use bevy_replicon::postcard_utils::{entity_from_buf, from_buf};

const USERDATA: u8 = 0b0000_0001;
const MUTATIONS: u8 = 0b0000_0100;

/// The tick of a mutate message, and how many entities it tells of.
pub fn updates(message: &Bytes) -> postcard::Result<(u32, usize)> {
    let mut message = message.clone();
    let flags: u8 = from_buf(&mut message)?;
    let _index: [u8; 2] = from_buf(&mut message)?;
    let _update_tick: u32 = from_buf(&mut message)?;
    let tick: u32 = from_buf(&mut message)?;
    if flags & USERDATA != 0 {
        skip(&mut message)?;
    }
    let mut count = 0;
    while flags & MUTATIONS != 0 && message.has_remaining() {
        entity_from_buf(&mut message)?;
        skip(&mut message)?;
        count += 1;
    }
    Ok((tick, count))
}

/// Leaves out bytes that stand behind their number.
fn skip(message: &mut Bytes) -> postcard::Result<()> {
    let size: usize = from_buf(message)?;
    if size > message.len() {
        return Err(postcard::Error::DeserializeUnexpectedEnd);
    }
    message.advance(size);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_of_a_message_are_counted_without_their_data() {
        // Flags, index, update tick 5, tick 300, userdata of one byte, two entities.
        let bytes = [0b101, 0, 0, 5, 0xac, 0x02, 1, 9, 4, 2, 0, 0, 6, 1, 0];
        assert_eq!(updates(&Bytes::copy_from_slice(&bytes)), Ok((300, 2)));
        assert!(updates(&Bytes::copy_from_slice(&bytes[..14])).is_err());
    }
}
