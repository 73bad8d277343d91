//! A client without an app: renet as it is, and replicon's messages read by hand.
//!
//! Apps are what users have, yet a hundred of them fill a core and would limit the server before
//! it is at its own limit. A light client tells the server nothing else than an app does: inputs
//! and acknowledgements, at the same moments.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bevy::ecs::entity::{Entity, EntityHashMap};
use bevy_replicon::bytes::{Buf, Bytes};
use bevy_replicon::postcard;
use bevy_replicon::postcard_utils::{entity_from_buf, from_buf};
use bevy_replicon::shared::backend::channels::{ClientChannel, ServerChannel};
use bevy_replicon_renet::netcode::NetcodeClientTransport;
use bevy_replicon_renet::renet::{ConnectionConfig, RenetClient};
use peers_s1::{POSE_BYTES, Pose, Told};

use crate::protocol::{self, Input};

/// Numbers of the components on the wire: the order in which [`protocol::app`] registers them.
const PLAYER: usize = 0;
const BODY: usize = 1;
const HEALTH: usize = 2;

/// Flags of an update message, and one of a mutate message.
const DESPAWNS: u8 = 0b0000_0100;
const CHANGES: u8 = 0b0001_0000;
const MUTATIONS: u8 = 0b0000_0100;

/// One client.
pub struct Light {
    client: RenetClient,
    transport: NetcodeClientTransport,
    input_channel: u8,
    known: EntityHashMap<Known>,
    last: Instant,
    inputs: u32,
    acks: Vec<u8>,
}

/// What is known of an entity.
#[derive(Clone, Copy, Default)]
struct Known {
    player: u16,
    pose: Pose,
    health: u8,
}

impl Light {
    /// On its way to the server.
    pub fn connect(
        number: usize,
        server: SocketAddr,
        connection: ConnectionConfig,
        input_channel: u8,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            client: RenetClient::new(connection),
            transport: protocol::transport(number, server)?,
            input_channel,
            known: EntityHashMap::default(),
            last: Instant::now(),
            inputs: 0,
            acks: Vec::new(),
        })
    }

    /// Receives, acknowledges, sends an input; adds what it was told. How many bytes that was.
    pub fn turn(&mut self, told: &mut Vec<Told>) -> anyhow::Result<usize> {
        let now = Instant::now();
        let passed = now - std::mem::replace(&mut self.last, now);
        self.advance(passed)?;
        if !self.client.is_connected() {
            self.transport.send_packets(&mut self.client)?;
            return Ok(0);
        }
        let mut bytes = 0;
        while let Some(message) = self.client.receive_message(ServerChannel::Updates as u8) {
            bytes += message.len();
            self.update(message, told)?;
        }
        while let Some(message) = self.client.receive_message(ServerChannel::Mutations as u8) {
            bytes += message.len();
            self.mutate(message, told)?;
        }
        if !self.acks.is_empty() {
            let acks = std::mem::take(&mut self.acks);
            self.client.send_message(ClientChannel::MutationAcks as u8, acks);
        }
        self.inputs += 1;
        let input = Input::new(self.inputs);
        self.client.send_message(self.input_channel, input.0.to_vec());
        self.transport.send_packets(&mut self.client)?;
        Ok(bytes)
    }

    fn advance(&mut self, passed: Duration) -> anyhow::Result<()> {
        self.client.update(passed);
        Ok(self.transport.update(passed, &mut self.client)?)
    }

    /// An ordered message: who went, who came or changed with somebody's coming.
    fn update(&mut self, mut message: Bytes, told: &mut Vec<Told>) -> postcard::Result<()> {
        let flags: u8 = from_buf(&mut message)?;
        let tick: u32 = from_buf(&mut message)?;
        if flags & DESPAWNS != 0 {
            // The last part of a message goes without its length.
            let count = if flags & CHANGES != 0 { from_buf(&mut message)? } else { usize::MAX };
            for _ in 0..count {
                if !message.has_remaining() {
                    break;
                }
                self.known.remove(&entity_from_buf(&mut message)?);
            }
        }
        if flags & CHANGES != 0 {
            while message.has_remaining() {
                let entity = entity_from_buf(&mut message)?;
                self.known.entry(entity).or_default();
                self.components(entity, tick, &mut message, told)?;
            }
        }
        Ok(())
    }

    /// An unreliable message: what changed of those known.
    fn mutate(&mut self, mut message: Bytes, told: &mut Vec<Told>) -> postcard::Result<()> {
        let flags: u8 = from_buf(&mut message)?;
        let index = [from_buf::<u8, _>(&mut message)?, from_buf::<u8, _>(&mut message)?];
        let _update_tick: u32 = from_buf(&mut message)?;
        let tick: u32 = from_buf(&mut message)?;
        self.acks.extend(index);
        while flags & MUTATIONS != 0 && message.has_remaining() {
            let entity = entity_from_buf(&mut message)?;
            self.components(entity, tick, &mut message, told)?;
        }
        Ok(())
    }

    fn components(
        &mut self,
        entity: Entity,
        tick: u32,
        message: &mut Bytes,
        told: &mut Vec<Told>,
    ) -> postcard::Result<()> {
        let size: usize = from_buf(message)?;
        if size > message.len() {
            return Err(postcard::Error::DeserializeUnexpectedEnd);
        }
        let mut data = message.split_to(size);
        let Some(known) = self.known.get_mut(&entity) else { return Ok(()) };
        while data.has_remaining() {
            let component: usize = from_buf(&mut data)?;
            match component {
                PLAYER => known.player = from_buf(&mut data)?,
                BODY => known.pose = Pose(from_buf::<[u8; POSE_BYTES], _>(&mut data)?),
                HEALTH => known.health = from_buf(&mut data)?,
                _ => return Err(postcard::Error::DeserializeBadEncoding),
            }
        }
        let Known { player, pose, health } = *known;
        told.push(Told { tick, player, pose, health });
        Ok(())
    }
}
