//! What can be heard and felt of a tick: gathered once, asked by every listener.

use sortie_field::{Vec3, Yaw};
use sortie_sim::{
    event::Event,
    id::PlayerSlot,
    view::{SoldierRow, Status, View},
};
use sortie_wire::{
    limits::{HITS_MAX, SOUNDS_MAX},
    snapshot::{HitMarker, Sound, SoundKind},
};

/// Explosions carry so many times as far as shots.
const EXPLOSION_FACTOR: f32 = 3.0;

/// The loud events of one tick.
#[derive(Clone, Debug, Default)]
pub struct Noises {
    loud: Vec<Loud>,
    hits: Vec<Hit>,
}

#[derive(Clone, Copy, Debug)]
struct Loud {
    kind: SoundKind,
    from: Vec3,
    by: Option<PlayerSlot>,
    heard_m: f32,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    shooter: PlayerSlot,
    victim: PlayerSlot,
    damage_hp: u16,
    headshot: bool,
    downed: bool,
}

impl Noises {
    /// Takes up a tick's events.
    pub fn gather(&mut self, events: &[Event], hearing_m: f32) {
        self.loud.clear();
        self.hits.clear();
        for event in events {
            match *event {
                Event::Shot { shooter, origin, .. } => self.loud.push(Loud {
                    kind: SoundKind::SHOT,
                    from: origin,
                    by: Some(shooter),
                    heard_m: hearing_m,
                }),
                Event::Exploded { pos, .. } => self.loud.push(Loud {
                    kind: SoundKind::EXPLOSION,
                    from: pos,
                    by: None,
                    heard_m: hearing_m * EXPLOSION_FACTOR,
                }),
                Event::Hit { shooter, victim, damage_hp, headshot } => {
                    self.hits.push(Hit { shooter, victim, damage_hp, headshot, downed: false });
                }
                Event::Downed { victim, killer: Some(killer), .. } => {
                    let last = self.hits.iter_mut().rev();
                    let deadly = |hit: &&mut Hit| hit.shooter == killer && hit.victim == victim;
                    if let Some(hit) = last.into_iter().find(deadly) {
                        hit.downed = true;
                    }
                }
                _ => {}
            }
        }
    }

    /// What one soldier hears: whence and how far, roughly, and never by whom.
    pub fn sounds_for(&self, listener: &SoldierRow, view: &View, sounds: &mut Vec<Sound>) {
        sounds.clear();
        if !matches!(listener.status, Status::Alive | Status::Down) {
            return;
        }
        let here = listener.body.pos;
        for hit in self.hits.iter().filter(|hit| hit.victim == listener.slot) {
            let shooter = view.soldiers.get(usize::from(hit.shooter.0));
            if let Some(shooter) = shooter.filter(|shooter| shooter.slot != listener.slot) {
                sounds.push(sound(SoundKind::HURT, here, shooter.body.pos));
            }
        }
        for loud in &self.loud {
            let is_own = loud.by == Some(listener.slot);
            if !is_own && loud.from.distance_squared(here) < loud.heard_m * loud.heard_m {
                sounds.push(sound(loud.kind, here, loud.from));
            }
        }
        if sounds.len() > SOUNDS_MAX {
            // The nearest drown the others out; what hurts comes first.
            sounds.sort_by_key(|sound| (sound.kind != SoundKind::HURT, sound.distance));
            sounds.truncate(SOUNDS_MAX);
        }
    }

    /// Whom one soldier hit.
    pub fn hits_by(&self, shooter: PlayerSlot, hits: &mut Vec<HitMarker>) {
        hits.clear();
        let own = |hit: &&Hit| hit.shooter == shooter && hit.victim != shooter;
        hits.extend(self.hits.iter().filter(own).take(HITS_MAX).map(|hit| HitMarker {
            damage_hp: hit.damage_hp.min(127) as u8,
            headshot: hit.headshot,
            downed: hit.downed,
        }));
    }

    /// Who exchanged hits with a soldier in this tick.
    pub(crate) fn opponents_of(&self, slot: PlayerSlot) -> impl Iterator<Item = PlayerSlot> {
        self.hits.iter().filter_map(move |hit| match (hit.shooter == slot, hit.victim == slot) {
            (true, false) => Some(hit.victim),
            (false, true) => Some(hit.shooter),
            _ => None,
        })
    }
}

fn sound(kind: SoundKind, here: Vec3, from: Vec3) -> Sound {
    let way = from - here;
    Sound {
        kind,
        direction: Sound::direction_of(Yaw::towards(way.x, way.z).0),
        distance: Sound::distance_bucket(way.length()),
    }
}
