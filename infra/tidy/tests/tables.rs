//! Each table has one owner. This is the list; docs/decisions/0013 says why.

use sortie_tidy::tables::{Function, Owners, findings};
use sortie_tidy::{SourceFile, assert_none, migrations, rust_sources, workspace_root};

const OWNERS: Owners = Owners {
    tables: &[
        (
            "services/control",
            &[
                "audit",
                "audit_head",
                "idempotency_key",
                "inbox",
                "name_look",
                "outbox",
                "write_probe",
            ],
        ),
        (
            "services/battles",
            &["battle", "battle_server", "server_order", "battle_log", "result_review"],
        ),
        ("services/messages", &["chat_channel", "chat_whisper", "chat_message", "chat_mute"]),
        ("services/sanctions", &["ban", "report"]),
        ("services/whereabouts", &["ticket_open", "party_member", "room_player", "battle_player"]),
        (
            "services/account",
            &[
                "player",
                "personal.identity",
                "personal.credential",
                "personal.login_session",
                "personal.refresh_token",
                "personal.reset_token",
                "personal.login_failure",
            ],
        ),
        (
            "services/admin",
            &[
                "role",
                "player_role",
                "personal.first_admin_link",
                "personal.staff_note",
                "flag",
                "chat_word",
            ],
        ),
        (
            "services/matchmaking",
            &[
                "party",
                "room",
                "ticket",
                "ticket_player",
                "match_proposal",
                "match_answer",
                "queue_battle",
                "queue_pause",
            ],
        ),
        (
            "services/ranking",
            &[
                "season",
                "season_carrying",
                "rating",
                "rating_change",
                "player_statistics",
                "weapon_statistics",
                "replay",
            ],
        ),
    ],
    functions: &[
        // The end of the audit log moves with each row of it.
        own("audit_chain", "services/control"),
        // A look goes with its name, whoever changes that.
        own("name_look_forget", "services/control"),
        own("battle_log_expire", "services/battles"),
        own("kick_player", "services/battles"),
        // Of nodes before owners erased, which may run beside ours while they are replaced.
        Function {
            name: "forget_name",
            owner: "",
            also: &["idempotency_key", "room", "server_order"],
        },
        Function {
            name: "leave_lost_battles",
            owner: "services/whereabouts",
            also: &["server_order"],
        },
        own("withdraw_player", "services/whereabouts"),
        // Whoever leaves a queue ends the ticket, and the match that asks for it, for all.
        Function {
            name: "withdraw_tickets",
            owner: "services/whereabouts",
            also: &["match_proposal", "ticket", "ticket_player"],
        },
    ],
    beneath: &[
        "services/battles",
        "services/messages",
        "services/sanctions",
        "services/whereabouts",
    ],
};

/// A function of the database that writes what is its owner's.
const fn own(name: &'static str, owner: &'static str) -> Function {
    Function { name, owner, also: &[] }
}

#[test]
fn each_table_is_written_by_its_owner() {
    let mut sources = rust_sources();
    sources.retain(is_of_services);
    assert!(sources.len() > 100, "the walk found only {} sources", sources.len());
    for (owner, _) in OWNERS.tables {
        assert!(workspace_root().join(owner).is_dir(), "there is no crate {owner}");
    }
    let findings = findings(&OWNERS, &sources, &migrations());
    assert_none("a table is written by its owner; call the owner's function:", &findings);
}

/// The strictest test of erasure is that of accounts; it goes by the program's list.
#[test]
fn erasure_is_tested_with_the_erasers_of_the_program() {
    let list = |path: &str| {
        let text = std::fs::read_to_string(workspace_root().join(path)).unwrap();
        let list = text.split_once("const ERASERS: &[Eraser] = &[").expect("a list").1;
        list.split_once("];").expect("its end").0.to_owned()
    };
    let program = list("services/sortie_control/src/control_plane/services.rs");
    assert_eq!(list("services/account/tests/account/common.rs"), program);
}

/// Benches fill a database of their own with what they measure, and so do helpers of tests.
fn is_of_services(file: &SourceFile) -> bool {
    file.path.starts_with("services/") && !file.path.starts_with("services/testing/")
}

/// What the checker finds in houses that are out of order.
mod planted {
    use super::*;

    const SCHEMA: &str = "
        create table nut (a integer);
        create table if not exists personal.bolt (a integer) partition by range (a);
        create table personal.bolt_rest partition of personal.bolt default;
        create function drop_nut() returns void language sql as $$ delete from nut $$;
        create function drop_all() returns void language sql as $$ select drop_nut() $$;
        create function count_nuts() returns void language sql as $$ select 1 from nut $$;
        create trigger nut_drops after update on nut execute function drop_nut();";

    const HOUSE: Owners = Owners {
        tables: &[("services/a", &["nut"]), ("services/b", &["personal.bolt"])],
        functions: &[own("drop_nut", "services/a"), own("drop_all", "services/a")],
        beneath: &["services/b"],
    };

    fn found_in(owners: &Owners, path: &str, text: &str) -> Vec<String> {
        findings(owners, &[SourceFile::parse(path, text)], SCHEMA)
    }

    /// What is found in a source of `services/b`.
    fn found(text: &str) -> Vec<String> {
        found_in(&HOUSE, "services/b/src/lib.rs", text)
    }

    const NUT: &str = "services/b/src/lib.rs:1: writes nut, which is services/a's";

    #[test]
    fn owners_write_and_others_read() {
        assert_eq!(
            found("q!(\"select a from nut join personal.bolt using (a) for update\");"),
            [""; 0]
        );
        assert_eq!(
            found("q!(\"delete from personal.bolt; update personal.bolt_rest b set a = 1\")"),
            [""; 0]
        );
        assert_eq!(found("// insert into nut\nfn count_nuts() {}"), [""; 0]);
        let own = "q(\"insert into nut values (1)\"); q(\"select drop_nut(), drop_all()\");";
        assert_eq!(found_in(&HOUSE, "services/a/src/deep/down.rs", own), [""; 0]);
    }

    #[test]
    fn a_strangers_write_is_found_wherever_it_stands() {
        assert_eq!(found("sqlx::query!(\"insert into nut values ($1)\", 1)"), [NUT]);
        assert_eq!(found("sqlx::query(\"DELETE FROM public.Nut\")"), [NUT]);
        assert_eq!(found("q!(r#\"\n  update nut as n\n  set a = '\"'\n\"#)"), [NUT]);
        assert_eq!(
            found(
                "q!(\"with x as (\n insert into\n nut select 1 returning a)\n select a from x\")"
            ),
            [NUT]
        );
        assert_eq!(found("q(\"merge into nut using x on true when matched then delete\")"), [NUT]);
        assert_eq!(found("q(\"truncate personal.bolt, nut\")"), [NUT]);
        assert_eq!(found("q(\"copy nut (a) from stdin\")"), [NUT]);
        let other =
            found_in(&HOUSE, "services/a/src/x.rs", "\n\nq(\"delete from personal.bolt_rest\")");
        assert_eq!(other, ["services/a/src/x.rs:3: writes personal.bolt, which is services/b's"]);
    }

    #[test]
    fn a_strangers_call_of_a_function_that_writes_is_found() {
        let expected = ["drop_nut", "drop_all"]
            .map(|name| format!("services/b/src/lib.rs:1: calls {name}, which is services/a's"));
        assert_eq!(found("q!(\"select drop_nut(), count_nuts(), DROP_ALL ()\")"), expected);
    }

    #[test]
    fn what_cannot_be_read_or_is_not_there_is_found() {
        let nobody = "which has no owner";
        assert_eq!(
            found("q(\"insert into screw values (1)\")"),
            [format!("services/b/src/lib.rs:1: writes screw, {nobody}")]
        );
        assert_eq!(
            found("q(format!(\"delete from {table} where a\"))"),
            [format!(
                "services/b/src/lib.rs:1: writes a table that the text does not name, {nobody}"
            )]
        );
    }

    #[test]
    fn tests_may_write_what_they_like() {
        let write = "q(\"delete from nut\");";
        assert_eq!(found(&format!("fn a() {{}}\n#[cfg(test)]\nmod tests {{ {write} }}")), [""; 0]);
        assert_eq!(found_in(&HOUSE, "services/b/tests/a.rs", write), [""; 0]);
        let sources = [
            SourceFile::parse("services/b/src/a/mod.rs", "#[cfg(test)]\nmod checks;\nmod more;"),
            SourceFile::parse("services/b/src/a/checks.rs", write),
        ];
        assert_eq!(findings(&HOUSE, &sources, SCHEMA), [""; 0]);
        // What follows the declaration is no test.
        let after = found(&format!("#[cfg(test)]\nmod checks;\nfn a() {{ {write} }}"));
        assert_eq!(after, [NUT.replace(":1:", ":3:")]);
    }

    #[test]
    fn lists_that_do_not_fit_the_migrations_are_found() {
        let misfits = |owners: Owners| findings(&owners, &[], SCHEMA);
        let tables: &[(&str, &[&str])] = &[("services/a", &["nut", "screw"])];
        assert_eq!(
            misfits(Owners { tables, beneath: &[], ..HOUSE }),
            ["personal.bolt has no owner", "there is no table screw"]
        );
        let tables: &[(&str, &[&str])] =
            &[("services/a", &["nut"]), ("services/b", &["personal.bolt", "nut"])];
        assert_eq!(misfits(Owners { tables, ..HOUSE }), ["nut has two owners"]);
        const WRONG: &[Function] = &[own("drop_nut", "services/b"), own("count_nuts", "a")];
        assert_eq!(
            misfits(Owners { functions: WRONG, ..HOUSE }),
            [
                "there is no function count_nuts that writes",
                "drop_all writes and has no owner",
                "drop_nut writes nut, which is services/a's"
            ]
        );
        const ALSO: Function = Function { name: "drop_nut", owner: "services/b", also: &["nut"] };
        const TORN: &[Function] = &[ALSO, own("drop_all", "services/a")];
        assert_eq!(
            misfits(Owners { functions: TORN, ..HOUSE }),
            ["drop_all calls drop_nut, which is services/b's"]
        );
    }

    #[test]
    fn a_crate_beneath_the_services_is_small() {
        let tables: &[(&str, &[&str])] = &[
            ("services/a", &["nut"]),
            ("services/b", &["personal.bolt", "b", "c", "d", "e", "f"]),
        ];
        let found = findings(&Owners { tables, ..HOUSE }, &[], SCHEMA);
        assert_eq!(found.last().unwrap(), "services/b owns 6 tables, 5 at most");
        let found = findings(&Owners { beneath: &["services/c"], ..HOUSE }, &[], SCHEMA);
        assert_eq!(found, ["services/c owns nothing"]);
    }
}
