//! What a text looks like: two that look the same have the same look.
//!
//! The look is the skeleton of UTS 39, in lower case and without what is not seen at all. Looks
//! are compared and never shown.
//!
//! The table `name_look` has the look of each name, at most once. Names from before it was made,
//! or made by nodes that did not know of it, get theirs by [`fill`]: of those that look the same,
//! the oldest player has the look, and the others are listed with it (`like_player`) and keep
//! their names until they change them.

use sqlx::{PgConnection, PgPool};
use unicode_normalization::UnicodeNormalization;
use unicode_security::skeleton;
use uuid::Uuid;

/// Names that a round of [`fill`] looks at.
const ROUND: i64 = 1_000;

/// Whether nothing is seen of a character: Unicode's default-ignorable ones, among them those that
/// change the direction of a text.
pub fn is_ignorable(char: char) -> bool {
    // Skeletons leave out exactly these.
    skeleton(char.encode_utf8(&mut [0; 4])).next().is_none()
}

/// What a text looks like.
pub fn of(text: &str) -> String {
    let composed: String = text.nfkc().collect();
    let seen: String = skeleton(&composed).collect();
    // Letters that differ in lower case may look the same in capitals, and the other way round.
    let lower = seen.to_lowercase();
    // A capital I looks like an l, and is an i: all of them are one.
    let look: String = skeleton(&lower).map(|char| if char == 'l' { 'i' } else { char }).collect();
    // A dot above an i is the one that it has anyway: a capital İ is an I with one.
    look.replace("i\u{307}", "i").replace("j\u{307}", "j")
}

/// Notes the look of a player's new name, in the transaction that gives the name.
///
/// # Errors
/// The database is away, or the constraint `name_look_taken` is broken: another player's name
/// looks the same.
pub async fn take(db: &mut PgConnection, player_id: Uuid, name: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into name_look (player_id, look) values ($1, $2)
         on conflict (player_id) do update set look = excluded.look, like_player = null",
        player_id,
        of(name)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes the looks of names that have none yet; gives how many names look like an older one, of
/// those that this call found.
///
/// # Errors
/// The database is away; what was noted stays.
pub async fn fill(db: &PgPool) -> sqlx::Result<u64> {
    let mut found = 0;
    loop {
        let names = sqlx::query!(
            "select player_id, name from player p
             where erased_at is null
                 and not exists (select from name_look l where l.player_id = p.player_id)
             order by player_id limit $1",
            ROUND
        )
        .fetch_all(db)
        .await?;
        if names.is_empty() {
            return Ok(found);
        }
        let ids: Vec<Uuid> = names.iter().map(|row| row.player_id).collect();
        let looks: Vec<String> = names.iter().map(|row| of(&row.name)).collect();
        found += note(db, &ids, &looks).await?;
    }
}

/// The oldest come first, and have the look.
async fn note(db: &PgPool, ids: &[Uuid], looks: &[String]) -> sqlx::Result<u64> {
    let mut tx = db.begin().await?;
    sqlx::query!(
        "insert into name_look (player_id, look)
         select player_id, look from unnest($1::uuid[], $2::text[]) as new (player_id, look)
         order by player_id
         on conflict do nothing",
        ids,
        looks
    )
    .execute(&mut *tx)
    .await?;
    let listed = sqlx::query!(
        "insert into name_look (player_id, like_player)
         select new.player_id, old.player_id
         from unnest($1::uuid[], $2::text[]) as new (player_id, look)
             join name_look old using (look)
         where old.player_id <> new.player_id
         order by new.player_id
         on conflict do nothing",
        ids,
        looks
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(listed.rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sortie_testing::player;

    #[test]
    fn what_looks_the_same_has_the_same_look() {
        for (one, other) in [
            ("Ada", "ada"),
            // Cyrillic, Greek, fullwidth and mathematical letters.
            ("Ada", "\u{410}d\u{430}"),
            ("Bob", "B\u{3bf}b"),
            ("Ada", "\u{ff21}\u{ff44}\u{ff41}"),
            ("Ada", "\u{1d400}\u{1d41d}\u{1d41a}"),
            ("Lil", "LiI"),
            ("NILS", "n\u{456}ls"),
            ("Adm1n", "ADMIN"),
            ("b0b", "bob"),
            ("modern", "rnodern"),
            // Capitals that become an i with a dot more.
            ("admin", "ADM\u{130}N"),
            ("admin", "admi\u{307}n"),
            // What is not seen.
            ("Ada", "A\u{200b}d\u{ad}a\u{2060}"),
            ("Ada", "\u{202e}Ada"),
        ] {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
        for (one, other) in [("Ada", "Adam"), ("Ada", "Äda"), ("Jo", "Joe"), ("日本", "日木")]
        {
            assert_ne!(of(one), of(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_not_seen_is_ignorable() {
        for char in
            ['\u{ad}', '\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{3164}']
        {
            assert!(is_ignorable(char), "{}", char.escape_unicode());
        }
        for char in ['a', ' ', '\n', 'é', '日', '🙂', '\u{301}'] {
            assert!(!is_ignorable(char), "{}", char.escape_unicode());
        }
    }

    #[sqlx::test(migrator = "crate::store::MIGRATOR")]
    async fn old_names_that_look_the_same_are_listed_and_kept(db: PgPool) {
        let ada = player(&db, "Ada").await;
        let twin = player(&db, "\u{410}d\u{430}").await;
        let bob = player(&db, "Bob").await;
        assert_eq!(fill(&db).await.unwrap(), 1);
        assert_eq!(fill(&db).await.unwrap(), 0);
        let listed: Vec<(Uuid, Uuid)> =
            sqlx::query_as("select player_id, like_player from name_look where look is null")
                .fetch_all(&db)
                .await
                .unwrap();
        assert_eq!(listed, [(twin, ada)]);
        let names: i64 = sqlx::query_scalar("select count(*) from player where name = 'Bob'")
            .fetch_one(&db)
            .await
            .unwrap();
        assert_eq!(names, 1);
        // Whoever changes the name gets a look by itself, and nobody takes another's.
        let mut own = db.acquire().await.unwrap();
        let taken = take(&mut own, bob, "\u{410}da").await.unwrap_err();
        let constraint = taken.as_database_error().and_then(|error| error.constraint());
        assert_eq!(constraint, Some("name_look_taken"));
        sqlx::query("update player set name = 'Eve' where player_id = $1")
            .bind(ada)
            .execute(&mut *own)
            .await
            .unwrap();
        let left: i64 = sqlx::query_scalar("select count(*) from name_look")
            .fetch_one(&mut *own)
            .await
            .unwrap();
        assert_eq!(left, 1, "the look went with the name, and the list with it");
        assert_eq!(fill(&db).await.unwrap(), 0, "the twin has the look now");
    }
}
