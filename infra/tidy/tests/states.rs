//! The states of a table are spelled by its owner alone; docs/decisions/0015 says why.

use sortie_tidy::states::{States, findings};
use sortie_tidy::{SourceFile, assert_none, migrations, rust_sources};

const TABLES: &[States] = &[
    States { table: "battle", owner: "services/battles" },
    States { table: "battle_server", owner: "services/battles" },
    States { table: "match_proposal", owner: "services/matchmaking" },
    States { table: "report", owner: "services/sanctions" },
    States { table: "room", owner: "services/matchmaking" },
    States { table: "ticket", owner: "services/matchmaking" },
];

/// Files that still spell the states of others. The list may only become shorter.
const NOT_YET: &[&str] = &[];

#[test]
fn the_states_of_a_table_are_spelled_by_its_owner() {
    let mut sources = rust_sources();
    sources.retain(is_of_services);
    assert!(sources.len() > 100, "the walk found only {} sources", sources.len());
    let found = findings(TABLES, &sources, &migrations());
    let is_in = |finding: &&String, path: &str| finding.starts_with(&format!("{path}:"));
    let (late, new): (Vec<_>, Vec<_>) =
        found.iter().partition(|finding| NOT_YET.iter().any(|path| is_in(finding, path)));
    let new: Vec<String> = new.into_iter().cloned().collect();
    assert_none("ask the owner's enum, or its function of the database:", &new);
    for path in NOT_YET {
        assert!(late.iter().any(|finding| is_in(finding, path)), "{path} is mended: take it out");
    }
}

/// Helpers of tests fill tables as they like.
fn is_of_services(file: &SourceFile) -> bool {
    file.path.starts_with("services/") && !file.path.ends_with("/testing.rs")
}

/// The rule against planted sources.
mod planted {
    use super::*;

    const HOUSE: &[States] = &[
        States { table: "nut", owner: "services/a" },
        States { table: "bolt", owner: "services/b" },
    ];
    const SCHEMA: &str = "
        create table nut (
            state text not null constraint nut_state
                check (state in ('loose', 'tight', 'lost'))
        );
        create table bolt (state text not null check (state in ('bent', 'lost')));";

    /// What is found in a source of `services/b`.
    fn found(text: &str) -> Vec<String> {
        findings(HOUSE, &[SourceFile::parse("services/b/src/lib.rs", text)], SCHEMA)
    }

    fn nut(line: usize, word: &str) -> String {
        format!(
            "services/b/src/lib.rs:{line}: spells {word}, a state of nut, which is services/a's"
        )
    }

    #[test]
    fn a_strangers_word_in_sql_is_found() {
        for sql in [
            "select 1 from nut where state = 'loose'",
            "select 1 from nut n where n.state <> 'loose'",
            "select case state when 'loose' then 1 end from nut",
            "select 1 from nut where state is distinct from 'loose'",
            "select 1 from nut where state='loose' and wear > 2",
        ] {
            assert_eq!(found(&format!("q!(\"{sql}\");")), [nut(1, "loose")], "{sql}");
        }
        let list = "q!(r#\"select 1\n from nut\n where n.state not in ('loose', 'tight')\"#);";
        assert_eq!(found(list), [nut(3, "loose"), nut(3, "tight")]);
    }

    #[test]
    fn a_strangers_word_in_rust_is_found() {
        assert_eq!(found("if row.state == \"tight\" {"), [nut(1, "tight")]);
        assert_eq!(found("if nut_state.as_str() == \"tight\" {"), [nut(1, "tight")]);
        assert_eq!(found("match row {\n    \"tight\" => 1,"), [nut(2, "tight")]);
        assert_eq!(found("f([\"tight\", \"loose\"]);"), [nut(1, "tight"), nut(1, "loose")]);
    }

    #[test]
    fn owners_spell_their_own_and_what_is_no_state_is_free() {
        assert_eq!(found("q!(\"select 1 from bolt where state in ('bent', 'lost')\")"), [""; 0]);
        assert_eq!(found("q!(\"select 1 from nut where nut_is_tight(state)\")"), [""; 0]);
        assert_eq!(found("q!(\"select 1 from nut where state = $1 or why = 'loose'\")"), [""; 0]);
        assert_eq!(found("log(\"tight\"); // state: tight"), [""; 0]);
        assert_eq!(found("#[cfg(test)]\nmod tests { f(state == \"tight\"); }"), [""; 0]);
    }

    #[test]
    fn lists_that_do_not_fit_the_migrations_are_found() {
        let list = &[States { table: "screw", owner: "services/a" }];
        assert_eq!(
            findings(list, &[], SCHEMA),
            [
                "nobody owns the states of nut",
                "nobody owns the states of bolt",
                "screw has no states"
            ]
        );
    }
}
