//! Channels: how clients name them, and what a name means.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::ChatError;

/// Longest `about` that is looked at: two ids and a dot.
const ABOUT_BYTES_MAX: usize = 73;

/// Squads of a team are numbered from 0 to this.
const SQUAD_MAX: u16 = 255;

/// What kind of channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChannelKind)]
pub enum Kind {
    /// One channel that every player may join.
    Global,
    /// Both teams of a battle.
    Battle,
    /// One team of a battle.
    Team,
    /// One squad of a team.
    Squad,
    /// A party.
    Party,
    /// Two players.
    Whisper,
}

impl Kind {
    /// As the database and paths name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Battle => "battle",
            Self::Team => "team",
            Self::Squad => "squad",
            Self::Party => "party",
            Self::Whisper => "whisper",
        }
    }
}

/// A channel as clients name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelName {
    /// What kind.
    pub kind: Kind,
    /// Nothing for global; a battle's or party's id; `BATTLE.TEAM`; `BATTLE.TEAM.SQUAD`; the
    /// other player's id for a whisper.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The channel that every player may join.
    Global,
    /// Both teams of a battle.
    Battle(Uuid),
    /// A team, 0 or 1, of a battle.
    Team(Uuid, i16),
    /// A squad of a team of a battle.
    Squad(Uuid, i16, u16),
    /// A party.
    Party(Uuid),
    /// Two players, the lower id first.
    Whisper(Uuid, Uuid),
}

impl ChannelName {
    /// What it means when `reader` says it.
    ///
    /// # Errors
    /// It means nothing, or a whisper to oneself.
    pub fn place(&self, reader: Uuid) -> Result<Place, ChatError> {
        if self.about.len() > ABOUT_BYTES_MAX {
            return Err(ChatError::Channel);
        }
        let mut parts = self.about.split('.');
        let mut part = || parts.next().ok_or(ChatError::Channel);
        let place = match self.kind {
            Kind::Global => match part()? {
                "" | "-" => Place::Global,
                _ => return Err(ChatError::Channel),
            },
            Kind::Battle => Place::Battle(id(part()?)?),
            Kind::Team => Place::Team(id(part()?)?, team(part()?)?),
            Kind::Squad => Place::Squad(id(part()?)?, team(part()?)?, number(part()?, SQUAD_MAX)?),
            Kind::Party => Place::Party(id(part()?)?),
            Kind::Whisper => {
                let other = id(part()?)?;
                if other == reader {
                    return Err(ChatError::Yourself);
                }
                Place::Whisper(reader.min(other), reader.max(other))
            }
        };
        if parts.next().is_some() { Err(ChatError::Channel) } else { Ok(place) }
    }
}

fn id(text: &str) -> Result<Uuid, ChatError> {
    text.parse().map_err(|_| ChatError::Channel)
}

fn number(text: &str, max: u16) -> Result<u16, ChatError> {
    text.parse().ok().filter(|number| *number <= max).ok_or(ChatError::Channel)
}

fn team(text: &str) -> Result<i16, ChatError> {
    number(text, 1).map(|team| i16::from(team == 1))
}

impl Place {
    /// What kind of channel.
    pub fn kind(self) -> Kind {
        match self {
            Self::Global => Kind::Global,
            Self::Battle(_) => Kind::Battle,
            Self::Team(..) => Kind::Team,
            Self::Squad(..) => Kind::Squad,
            Self::Party(_) => Kind::Party,
            Self::Whisper(..) => Kind::Whisper,
        }
    }

    /// As the database keeps it: the same for everybody.
    pub fn about(self) -> String {
        match self {
            Self::Global => String::new(),
            Self::Battle(id) | Self::Party(id) => id.to_string(),
            Self::Team(battle, team) => format!("{battle}.{team}"),
            Self::Squad(battle, team, squad) => format!("{battle}.{team}.{squad}"),
            Self::Whisper(low, high) => format!("{low}.{high}"),
        }
    }

    /// Of what the database keeps.
    pub fn kept(kind: &str, about: &str) -> Option<Self> {
        let kinds = [Kind::Global, Kind::Battle, Kind::Team, Kind::Squad, Kind::Party];
        if kind == Kind::Whisper.name() {
            let (low, high) = about.split_once('.')?;
            return Some(Self::Whisper(low.parse().ok()?, high.parse().ok()?));
        }
        let kind = kinds.into_iter().find(|known| known.name() == kind)?;
        ChannelName { kind, about: about.to_owned() }.place(Uuid::nil()).ok()
    }

    /// As `reader` names it.
    pub fn name_for(self, reader: Uuid) -> ChannelName {
        let about = match self {
            Self::Whisper(low, high) => (if reader == low { high } else { low }).to_string(),
            other => other.about(),
        };
        ChannelName { kind: self.kind(), about }
    }
}

/// As the database keeps it: kind, and what it is about.
impl Serialize for Place {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.kind().name(), self.about()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (kind, about) = <(String, String)>::deserialize(from)?;
        Self::kept(&kind, &about).ok_or_else(|| D::Error::custom("no place of chat"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(kind: Kind, about: &str) -> ChannelName {
        ChannelName { kind, about: about.to_owned() }
    }

    #[test]
    fn names_mean_places_and_places_have_names() {
        let (me, other, battle) = (Uuid::from_u128(5), Uuid::from_u128(3), Uuid::from_u128(9));
        for (kind, about, place) in [
            (Kind::Global, String::new(), Place::Global),
            (Kind::Battle, battle.to_string(), Place::Battle(battle)),
            (Kind::Team, format!("{battle}.1"), Place::Team(battle, 1)),
            (Kind::Squad, format!("{battle}.0.17"), Place::Squad(battle, 0, 17)),
            (Kind::Party, battle.to_string(), Place::Party(battle)),
            (Kind::Whisper, other.to_string(), Place::Whisper(other, me)),
        ] {
            let name = name(kind, &about);
            assert_eq!(name.place(me), Ok(place));
            assert_eq!(place.name_for(me), name);
            assert_eq!(Place::kept(kind.name(), &place.about()), Some(place));
        }
        assert_eq!(Place::Whisper(other, me).name_for(other).about, me.to_string());
    }

    #[test]
    fn names_that_mean_nothing_are_refused() {
        let (me, id) = (Uuid::from_u128(5), Uuid::from_u128(9).to_string());
        for (kind, about) in [
            (Kind::Global, "x".to_owned()),
            (Kind::Battle, String::new()),
            (Kind::Battle, format!("{id}.0")),
            (Kind::Team, id.clone()),
            (Kind::Team, format!("{id}.2")),
            (Kind::Squad, format!("{id}.0.256")),
            (Kind::Squad, format!("{id}.0.1.1")),
            (Kind::Party, "9".repeat(10_000)),
        ] {
            assert_eq!(name(kind, &about).place(me), Err(ChatError::Channel), "{kind:?} {about}");
        }
        assert_eq!(name(Kind::Whisper, &me.to_string()).place(me), Err(ChatError::Yourself));
    }
}
