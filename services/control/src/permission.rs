//! What staff may do. Roles are sets of these; a role that is granted `*` has them all.

use std::fmt;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)+) => {
        /// One thing that staff may do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Permission { $($(#[doc = $doc])+ $name,)+ }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As roles in the database and answers name it.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        /// Each permission as a type, for the extractor [`crate::who::Staff`].
        pub mod needs {
            use super::Permission;
            $(
                $(#[doc = $doc])+
                #[derive(Clone, Copy, Debug)]
                pub struct $name;
                impl super::Needs for $name { const PERMISSION: Permission = Permission::$name; }
            )+
        }
    };
}

impl PartialSchema for Permission {
    fn schema() -> RefOr<Schema> {
        names("One thing that staff may do.", Self::ALL.iter().map(|permission| permission.name()))
    }
}

impl ToSchema for Permission {}

/// What a role may be granted: a permission, or all of them.
#[derive(Clone, Copy, Debug)]
pub struct Granted;

impl PartialSchema for Granted {
    fn schema() -> RefOr<Schema> {
        let all = Permission::ALL.iter().map(|permission| permission.name());
        names("One thing that staff may do; `*`: everything.", all.chain(["*"]))
    }
}

impl ToSchema for Granted {}

fn names(about: &str, all: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).description(Some(about));
    text.enum_values(Some(all)).into()
}

/// A type that stands for a permission.
pub trait Needs: Send + Sync + 'static {
    /// Which one.
    const PERMISSION: Permission;
}

permissions! {
    /// Search players and see their accounts.
    UsersRead = "users.read",
    /// Change names and pictures, log players out.
    UsersWrite = "users.write",
    /// Read and write notes on players.
    UsersNotes = "users.notes",
    /// Grant and take roles, define roles.
    RolesWrite = "roles.write",
    /// See bans.
    BansRead = "bans.read",
    /// Ban, lift bans, decide appeals, kick.
    BansWrite = "bans.write",
    /// Delete and edit messages, set slow mode, keep the word list.
    ChatModerate = "chat.moderate",
    /// See reports.
    ReportsRead = "reports.read",
    /// Decide reports.
    ReportsWrite = "reports.write",
    /// List battles with everything about them.
    BattlesRead = "battles.read",
    /// End battles, say something in them.
    BattlesWrite = "battles.write",
    /// Watch battles with positions.
    BattlesWatch = "battles.watch",
    /// List battle servers.
    ServersRead = "servers.read",
    /// Drain battle servers.
    ServersWrite = "servers.write",
    /// See configuration flags.
    FlagsRead = "flags.read",
    /// Set configuration flags.
    FlagsWrite = "flags.write",
    /// See seasons as staff do.
    SeasonsRead = "seasons.read",
    /// Open the next season.
    SeasonsWrite = "seasons.write",
    /// Search the audit log.
    AuditRead = "audit.read",
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything that one member of staff may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Vec<String>);

impl Permissions {
    /// From the names in the roles; unknown ones grant nothing.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort();
        names.dedup();
        Self(names)
    }

    /// Whether `permission` is among them.
    pub fn allow(&self, permission: Permission) -> bool {
        self.0.iter().any(|name| name == "*" || name == permission.name())
    }

    /// Whether there is any: this is a member of staff.
    pub fn is_staff(&self) -> bool {
        !self.0.is_empty()
    }

    /// The names, sorted.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_or_everything() {
        let some = Permissions::new(["bans.read".to_owned(), "no.such".to_owned()]);
        assert!(some.allow(Permission::BansRead) && !some.allow(Permission::BansWrite));
        let all = Permissions::new(["*".to_owned()]);
        assert!(Permission::ALL.iter().all(|&permission| all.allow(permission)));
        assert!(!Permissions::default().allow(Permission::BansRead));
    }
}
