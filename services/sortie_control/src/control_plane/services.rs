//! The one list of all services, by the role that runs them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sortie_account::pictures::DiskPictures;
use sortie_control::app::AppState;
use sortie_control::erasure::{BLANK, Eraser};
use sortie_control::idempotency;
use sortie_control::service::{Service, Stop};
use sortie_wire::ticket::TicketSigner;

use super::keys::Keys;

/// Everybody who keeps something of a player, in the order in which rows are locked: parties,
/// matches, tickets and rooms; what people wrote; battle servers last.
const ERASERS: &[Eraser] = &[
    |db, player| Box::pin(sortie_matchmaking::erase(db, player)),
    |db, player| Box::pin(sortie_admin::erase(db, player)),
    |db, player| Box::pin(sortie_messages::erase(db, player, BLANK)),
    |db, player| Box::pin(sortie_sanctions::erase(db, player, BLANK)),
    |db, player| Box::pin(idempotency::erase(db, player)),
    |db, player| Box::pin(sortie_battles::order::erase(db, player)),
];

/// What a node of the control plane does.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Accounts, matchmaking, ranking, battles over REST; game state and fleet over gRPC
    Api,
    /// Chat over WebSockets
    Chat,
    /// What staff do
    Admin,
}

impl Role {
    /// Every role.
    pub(crate) const ALL: [Self; 3] = [Self::Api, Self::Chat, Self::Admin];
}

/// The settings of all services.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Passwords, limits, pictures.
    pub account: sortie_account::Settings,
    /// What staff need.
    pub admin: sortie_admin::Settings,
    /// Channels, words, rates.
    pub chat: sortie_chat::Settings,
    /// Times and limits of battle servers.
    pub fleet: sortie_fleet::Settings,
    /// Queues.
    pub matchmaking: sortie_matchmaking::Settings,
    /// Who is rated.
    pub ranking: sortie_ranking::Settings,
}

impl Settings {
    /// The defaults with these keys; services keep what they keep in `data_dir`.
    pub(crate) fn new(keys: &Keys, data_dir: &Path) -> Self {
        let pictures = DiskPictures::new(data_dir.join("pictures"));
        let signer = TicketSigner::from_seed(keys.ticket_seed);
        Self {
            account: sortie_account::Settings {
                pictures: Arc::new(pictures),
                ..Default::default()
            },
            fleet: sortie_fleet::Settings {
                ticket_keys: keys.ticket_public.clone(),
                ..Default::default()
            },
            matchmaking: sortie_matchmaking::Settings {
                ticket_signer: Arc::new(signer),
                ..Default::default()
            },
            ranking: sortie_ranking::Settings::default(),
            chat: sortie_chat::Settings::default(),
            admin: sortie_admin::Settings::default(),
        }
    }
}

/// The services of these roles, started.
pub(crate) fn of_roles(
    app: &AppState,
    settings: &Settings,
    roles: &[Role],
    stop: &Stop,
) -> BTreeMap<Role, Vec<Service>> {
    let services = |role: &Role| match role {
        Role::Api => vec![
            sortie_account::service(app, settings.account.clone(), ERASERS, stop),
            sortie_admin::public_service(app, stop),
            sortie_matchmaking::service(app, settings.matchmaking.clone(), stop),
            sortie_ranking::service(app, settings.ranking.clone(), stop),
            sortie_fleet::service(app, settings.fleet.clone(), stop),
        ],
        Role::Chat => vec![sortie_chat::service(app, settings.chat.clone(), stop)],
        Role::Admin => {
            // Services do not know each other: who opens seasons and who keeps accounts is handed
            // over here.
            let seasons = Some(sortie_ranking::seasons(app));
            let settings = sortie_admin::Settings { seasons, ..settings.admin.clone() };
            let keeper = Arc::new(sortie_account::keeper::AccountKeeper);
            vec![sortie_admin::service(app, settings, keeper, stop)]
        }
    };
    roles.iter().map(|role| (*role, services(role))).collect()
}
