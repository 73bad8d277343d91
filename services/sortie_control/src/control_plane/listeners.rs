//! The listeners of a node: one entry each, from which everything else about them follows.
//!
//! An entry says who has a listener, what it serves and within which limits, and where it is unless
//! a flag says otherwise. From [`LISTENERS`] follow flag, variable, configuration key and help of
//! `serve`, the ports of `up`, start, readiness and end ([`node`](super::node)), the lines and the
//! JSON that tell where a node listens, servers of the OpenAPI document, and the table in
//! `docs/operations.md`, which a test compares. A gRPC service is an entry in its listener's list:
//! health and reflection speak of it, and what it does beside calls runs with the node.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};
use sortie_control::app::AppState;
use sortie_control::http::HttpOptions;
use sortie_control::internal::SharedSecret;
use sortie_control::service::{Job, Stop};
use sortie_fleet::RpcHealth;
use tonic::service::{Routes, RoutesBuilder};

use super::services::{Role, Settings};

/// All of them, in the order in which they are shown.
pub(crate) static LISTENERS: &[Listener] = &[
    Listener {
        key: "rest",
        name: "REST",
        about: "REST",
        protocol: None,
        is_inner: false,
        url: ("http", "/v1/openapi.json"),
        flag: "--listen",
        variable: "SORTIE_API_LISTEN",
        default: "127.0.0.1:7700",
        role: Some(Role::Api),
        serves: Serves::Http { routes: |of_role| of_role, limits: |web| web.http.clone() },
    },
    Listener {
        key: "chat",
        name: "chat",
        about: "Chat",
        protocol: Some("WebSockets"),
        is_inner: false,
        url: ("ws", "/v1/chat"),
        flag: "--chat-listen",
        variable: "SORTIE_CHAT_LISTEN",
        default: "127.0.0.1:7701",
        role: Some(Role::Chat),
        serves: Serves::Http { routes: |of_role| of_role, limits: |web| web.http.clone() },
    },
    Listener {
        key: "admin",
        name: "admin",
        about: "What staff do",
        protocol: Some("REST"),
        is_inner: true,
        url: ("http", "/"),
        flag: "--admin-listen",
        variable: "SORTIE_ADMIN_LISTEN",
        default: "127.0.0.1:7702",
        role: Some(Role::Admin),
        serves: Serves::Http {
            routes: |of_role| of_role,
            limits: |web| HttpOptions { origins: web.admin_origins.clone(), ..web.http.clone() },
        },
    },
    Listener {
        key: "grpc",
        name: "game state",
        about: "Game state",
        protocol: Some("gRPC"),
        is_inner: false,
        url: ("grpc", ""),
        flag: "--grpc-listen",
        variable: "SORTIE_GRPC_LISTEN",
        default: "127.0.0.1:7703",
        role: Some(Role::Api),
        serves: Serves::Rpc(&[RpcService {
            name: "sortie.game.v1.Game",
            add: |routes, node| {
                sortie_fleet::game::add_rpc(routes, node.app, &node.settings.fleet, node.stop);
                Vec::new()
            },
        }]),
    },
    Listener {
        key: "fleet",
        name: "fleet",
        about: "Battle servers",
        protocol: Some("gRPC"),
        is_inner: true,
        url: ("grpc", ""),
        flag: "--fleet-listen",
        variable: "SORTIE_FLEET_LISTEN",
        default: "127.0.0.1:7704",
        role: Some(Role::Api),
        serves: Serves::Rpc(&[
            RpcService {
                name: "sortie.fleet.v1.Fleet",
                add: |routes, RpcNode { app, settings, secret, stop }| {
                    vec![sortie_fleet::add_rpc(routes, app, &settings.fleet, secret, stop)]
                },
            },
            RpcService {
                name: "sortie.ranking.v1.Results",
                add: |routes, RpcNode { app, settings, secret, .. }| {
                    let (secret, settings) = ((*secret).clone(), settings.ranking.clone());
                    sortie_ranking::add_rpc(routes, app, secret, settings);
                    Vec::new()
                },
            },
        ]),
    },
    Listener {
        key: "ops",
        name: "operations",
        about: "Metrics and health",
        protocol: Some("HTTP"),
        is_inner: true,
        url: ("http", "/metrics, /healthz, /readyz"),
        flag: "--ops",
        variable: "SORTIE_OPS",
        default: "127.0.0.1:9778",
        role: None,
        serves: Serves::Operations,
    },
];

/// What the HTTP listeners of a node are told.
pub(crate) struct WebOptions {
    /// Limits of all of them.
    pub http: HttpOptions,
    /// Web pages that may call what staff call; those of `http` may not.
    pub admin_origins: Vec<String>,
}

/// A listener, wherever it is.
#[derive(Debug)]
pub(crate) struct Listener {
    /// What the JSON that tells addresses calls it.
    pub key: &'static str,
    /// What the lines that tell addresses call it; 11 letters at most.
    pub name: &'static str,
    /// What is there, for the help.
    pub about: &'static str,
    /// What is spoken there, unless that is said already.
    pub protocol: Option<&'static str>,
    /// Whether it is to be kept off the internet.
    pub is_inner: bool,
    /// What stands before its address, and behind it.
    pub url: (&'static str, &'static str),
    /// The flag that says where it is, with its dashes; without them, the key of the
    /// configuration file.
    pub flag: &'static str,
    /// The variable that says it.
    pub variable: &'static str,
    /// Where it is when nobody says it; an address on loopback.
    pub default: &'static str,
    /// Whose nodes have it; `None`: all.
    pub role: Option<Role>,
    /// What it serves.
    pub serves: Serves,
}

/// What a listener serves.
#[derive(Debug)]
pub(crate) enum Serves {
    /// REST, WebSockets.
    Http {
        /// Makes its routes of those of all services of its role.
        routes: fn(Router) -> Router,
        /// Limits of its calls and connections.
        limits: fn(&WebOptions) -> HttpOptions,
    },
    /// These services, with health and reflection. Its limits are those of
    /// [`sortie_control::internal`].
    Rpc(&'static [RpcService]),
    /// Metrics and health. It is there before all others and after them.
    Operations,
}

/// A gRPC service.
#[derive(Debug)]
pub(crate) struct RpcService {
    /// Its full name, like `sortie.game.v1.Game`.
    pub name: &'static str,
    /// Adds it with its own door, and gives the work that goes on beside calls.
    pub add: fn(&mut RoutesBuilder, &RpcNode<'_>) -> Vec<Job>,
}

/// What gRPC services are made of.
pub(crate) struct RpcNode<'a> {
    /// Store, bus and keys.
    pub app: &'a AppState,
    /// Settings of all services.
    pub settings: &'a Settings,
    /// What battle servers show.
    pub secret: &'a SharedSecret,
    /// Ends what is served.
    pub stop: &'a Stop,
}

/// What a gRPC listener serves.
pub(crate) struct Rpc {
    /// Its services.
    pub routes: Routes,
    /// What it says of itself.
    pub health: RpcHealth,
    /// What goes on beside calls.
    pub jobs: Vec<Job>,
}

impl Rpc {
    /// These services, with health and reflection.
    pub(crate) fn new(services: &[RpcService], node: &RpcNode<'_>) -> Self {
        let mut routes = RoutesBuilder::default();
        let add = |service: &RpcService| (service.add)(&mut routes, node);
        let jobs = services.iter().flat_map(add).collect();
        let names = services.iter().map(|service| service.name);
        let health = sortie_fleet::health_and_reflection(&mut routes, names);
        Self { routes: routes.routes(), health, jobs }
    }
}

impl Listener {
    /// The one with this key.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn of_key(key: &str) -> &'static Self {
        let found = LISTENERS.iter().find(|listener| listener.key == key);
        found.expect("the table has a listener of this key")
    }

    /// The one that serves the routes of a role.
    ///
    /// # Panics
    /// There is none.
    pub(crate) fn of_routes(role: Role) -> &'static Self {
        let serves_them = |listener: &&Self| {
            listener.role == Some(role) && matches!(listener.serves, Serves::Http { .. })
        };
        LISTENERS.iter().find(serves_them).expect("each role has a listener of its routes")
    }

    /// Whether a node with these roles has it.
    pub(crate) fn is_of(&self, roles: &[Role]) -> bool {
        self.role.is_none_or(|role| roles.contains(&role))
    }

    /// Where it is when nobody says it.
    ///
    /// # Panics
    /// That is no address.
    pub(crate) fn default_addr(&self) -> SocketAddr {
        self.default.parse().expect("the table has addresses")
    }

    /// Its key in the configuration file: the flag without its dashes.
    fn config_key(&self) -> &'static str {
        self.flag.trim_start_matches('-')
    }

    fn help(&self) -> String {
        let protocol = self.protocol.map(|protocol| format!(" ({protocol})")).unwrap_or_default();
        let warning = if self.is_inner { "; keep it off the internet" } else { "" };
        format!("{}{protocol}{warning}", self.about)
    }

    fn arg(&self) -> Arg {
        let (key, default) = (self.config_key(), self.default);
        Arg::new(key)
            .long(key)
            .value_name("ADDR")
            .help(self.help())
            .help_heading("Listeners")
            .env(self.variable)
            .default_value(default)
            .value_parser(value_parser!(SocketAddr))
    }
}

/// Listeners with an address each: where a node is to listen (port 0 takes a free one), or where it
/// does. Of the command line: all, each with a flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Addresses(pub Vec<(&'static Listener, SocketAddr)>);

impl Addresses {
    /// That of the listener with this key, if it is among them.
    pub(crate) fn at(&self, key: &str) -> Option<SocketAddr> {
        let found = self.0.iter().find(|(listener, _)| listener.key == key);
        found.map(|(_, addr)| *addr)
    }

    /// A line for each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |(listener, addr): &(&Listener, SocketAddr)| {
            let (scheme, path) = listener.url;
            format!("{:<11} {scheme}://{addr}{path}", listener.name)
        };
        self.0.iter().map(line).collect()
    }

    /// Each by its key.
    pub(crate) fn json(&self) -> Map<String, Value> {
        let told = |(listener, addr): &(&Listener, SocketAddr)| (listener.key.into(), json!(addr));
        self.0.iter().map(told).collect()
    }
}

impl FromArgMatches for Addresses {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let addr = |listener: &Listener| matches.get_one(listener.config_key()).copied();
        let told = |listener| (listener, addr(listener).unwrap_or(listener.default_addr()));
        Ok(Self(LISTENERS.iter().map(told).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Addresses {
    fn augment_args(command: Command) -> Command {
        command.args(LISTENERS.iter().map(Listener::arg))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// As in the configuration file.
impl Serialize for Addresses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(listener, addr)| (listener.config_key(), addr)))
    }
}

impl<'de> Deserialize<'de> for Addresses {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut told = BTreeMap::<String, SocketAddr>::deserialize(deserializer)?;
        let mut take =
            |listener: &'static Listener| Some((listener, told.remove(listener.config_key())?));
        let addresses = LISTENERS.iter().filter_map(&mut take).collect();
        match told.keys().next() {
            None => Ok(Self(addresses)),
            Some(key) => Err(D::Error::custom(format_args!("there is no key `{key}`"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use toml::Table;

    use super::*;
    use crate::command::serve::ServeArgs;

    #[test]
    fn what_names_a_listener_names_no_other() {
        let names = LISTENERS.iter().map(|one| {
            [one.key, one.name, one.flag, one.variable, one.default].map(str::to_lowercase)
        });
        for at in 0..5 {
            let names: BTreeSet<String> = names.clone().map(|names| names[at].clone()).collect();
            assert_eq!(names.len(), LISTENERS.len(), "{names:?}");
        }
        for listener in LISTENERS {
            assert!(listener.default_addr().ip().is_loopback(), "{listener:?}");
            assert!(listener.flag.starts_with("--") && listener.name.len() <= 11, "{listener:?}");
        }
        for role in Role::ALL {
            assert_eq!(Listener::of_routes(role).role, Some(role));
        }
    }

    #[test]
    fn each_service_that_is_described_is_served_once() {
        let served = LISTENERS.iter().filter_map(|listener| match listener.serves {
            Serves::Rpc(services) => Some(services),
            _ => None,
        });
        let mut served: Vec<&str> = served.flatten().map(|service| service.name).collect();
        served.sort_unstable();
        let mut described = sortie_fleet::service_names();
        described.sort_unstable();
        assert_eq!(served, described);
    }

    #[test]
    fn each_has_a_flag_and_a_key_of_the_configuration_file() {
        let command = ServeArgs::augment_args(Command::new("serve"));
        let matches = command.get_matches_from(["serve", "--chat-listen", "127.0.0.1:1"]);
        let args = ServeArgs::from_arg_matches(&matches).unwrap();
        assert_eq!(args.listen.at("chat").unwrap().port(), 1);
        let mut values = Table::try_from(&args).unwrap();
        for listener in LISTENERS {
            let at = if listener.key == "chat" { "127.0.0.1:1" } else { listener.default };
            assert_eq!(values[listener.config_key()].as_str(), Some(at), "{listener:?}");
        }
        let read = ServeArgs::deserialize(values.clone()).unwrap();
        assert_eq!(read.listen.lines(), args.listen.lines(), "in the same order");
        values.insert("chat-lisen".to_owned(), "127.0.0.1:2".into());
        assert!(ServeArgs::deserialize(values).is_err());
    }

    #[test]
    fn the_page_for_operators_has_a_line_for_each() {
        let page = include_str!("../../../../docs/operations.md");
        for listener in LISTENERS {
            let role = listener.role.map_or("all".to_owned(), |role| {
                format!("`{}`", json!(role).as_str().unwrap_or_default())
            });
            let (flag, default) = (listener.flag, listener.default);
            let line = format!("| {role} | {} | `{flag}` | {default} |\n", listener.help());
            assert!(page.contains(&line), "docs/operations.md lacks:\n{line}");
        }
    }
}
