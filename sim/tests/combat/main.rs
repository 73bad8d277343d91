//! Fighting as players live it, through commands and the view alone: one file a behaviour. One
//! crate, so that it links once.

mod armour;
mod cheats;
mod conquest;
mod deathmatch;
mod duel;
mod endings;
mod falls;
mod fixture;
mod grenades;
mod kits;
mod leaving;
mod places;
mod revive;
mod rewind;
mod rounds;
mod spotting;
mod squads;
mod weapons;
