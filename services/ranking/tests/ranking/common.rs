//! A server, players and battles to report on.

use sortie_ranking::report::{BattleResult, Outcome, store};
use sortie_ranking::{Settings, eligibility::Reason};
use sortie_rpc::ranking::v1 as rpc;
use sqlx::PgPool;
use uuid::Uuid;

pub(crate) const HZ: u32 = 60;
/// Two minutes.
pub(crate) const TICKS: u32 = 7_200;

/// A database with a server that runs battles.
pub(crate) struct Fixture {
    pub db: PgPool,
    pub server: Uuid,
    pub epoch: u64,
    pub settings: Settings,
}

impl Fixture {
    pub(crate) async fn new(db: PgPool) -> Self {
        let server = server(&db, "first").await;
        Self { db, server, epoch: 1, settings: Settings::default() }
    }

    /// New players `p0`, `p1`, … in the order of their ids.
    pub(crate) async fn players(&self, count: usize) -> Vec<Uuid> {
        let ids: Vec<Uuid> = (0..count).map(|_| Uuid::now_v7()).collect();
        let names: Vec<String> = ids.iter().map(|id| format!("p {}", id.simple())).collect();
        let names: Vec<String> =
            names.iter().map(|name| name[..2].to_owned() + &name[20..]).collect();
        sqlx::query("insert into player (player_id, name) select * from unnest($1, $2)")
            .bind(&ids)
            .bind(&names)
            .execute(&self.db)
            .await
            .unwrap();
        ids
    }

    /// A ranked battle of conquest that runs on the server.
    pub(crate) async fn battle(&self) -> Uuid {
        self.battle_of("conquest", true).await
    }

    pub(crate) async fn battle_of(&self, mode: &str, is_ranked: bool) -> Uuid {
        let battle_id = Uuid::now_v7();
        sqlx::query(
            "insert into battle (battle_id, mode, map, is_ranked, players_max, state, server_id,
                server_epoch, started_at, asked_at, given_at)
            select $1, $2, 'plain', $3, 100, 'running', $4, $5, ago, ago, ago
            from (select now() - interval '1 hour' as ago) as past",
        )
        .bind(battle_id)
        .bind(mode)
        .bind(is_ranked)
        .bind(self.server)
        .bind(self.epoch as i64)
        .execute(&self.db)
        .await
        .unwrap();
        battle_id
    }

    /// A round that team 0 won; the first half of the players is team 0.
    pub(crate) fn report(&self, battle: Uuid, players: &[Uuid]) -> rpc::ReportRequest {
        let half = players.len() / 2;
        let player = |(at, id): (usize, &Uuid)| rpc::PlayerResult {
            team: u32::from(at >= half),
            ..player(*id)
        };
        rpc::ReportRequest {
            server_id: self.server.to_string(),
            epoch: self.epoch,
            battle_id: battle.to_string(),
            last_tick: TICKS,
            tick_hz: HZ,
            state_hash: "0123456789abcdef".to_owned(),
            winner: Some(0),
            ended_by: "round".to_owned(),
            players: players.iter().enumerate().map(player).collect(),
            events: vec![event(10, "kill"), event(10, "kill"), event(TICKS, "capture")],
            replay: Some(rpc::Replay { place: format!("{battle}.journal"), bytes: 1_000 }),
        }
    }

    /// Gives everybody in a report a seat and a join ticket, and stores it.
    pub(crate) async fn store(&self, request: rpc::ReportRequest) -> Outcome {
        seat(&self.db, &request).await;
        self.store_alone(request).await
    }

    /// Stores a report as it is.
    pub(crate) async fn store_alone(&self, request: rpc::ReportRequest) -> Outcome {
        let result = BattleResult::try_from(request).unwrap();
        store(&self.db, &self.settings, &result).await.unwrap()
    }

    /// The reason stored for a player of a battle.
    pub(crate) async fn reason(&self, battle: Uuid, player: Uuid) -> String {
        sqlx::query_scalar(
            "select reason from rating_change where battle_id = $1 and player_id = $2",
        )
        .bind(battle)
        .bind(player)
        .fetch_one(&self.db)
        .await
        .unwrap()
    }

    /// Reasons by player, of one more battle after a change of its report.
    pub(crate) async fn reasons(
        &self,
        players: &[Uuid],
        change: impl FnOnce(&mut rpc::ReportRequest),
    ) -> Vec<String> {
        let battle = self.battle().await;
        let mut report = self.report(battle, players);
        change(&mut report);
        assert!(matches!(self.store(report).await, Outcome::Stored(_)));
        let mut reasons = Vec::new();
        for player in players {
            reasons.push(self.reason(battle, *player).await);
        }
        reasons
    }

    pub(crate) async fn count(&self, what: &'static str) -> i64 {
        sqlx::query_scalar(what).fetch_one(&self.db).await.unwrap()
    }
}

/// Gives everybody in a report who exists the seat in its battle that it tells of, and a join
/// ticket.
pub(crate) async fn seat(db: &PgPool, report: &rpc::ReportRequest) {
    let seat = |player: &rpc::PlayerResult| {
        (player.player_id.parse::<Uuid>().unwrap(), player.team as i16)
    };
    let (players, teams): (Vec<Uuid>, Vec<i16>) = report.players.iter().map(seat).unzip();
    sqlx::query(
        "insert into battle_player (battle_id, player_id, team, joined_at)
         select battle_id, player_id, seat.team, now()
         from unnest($1::uuid[], $2::smallint[]) as seat (player_id, team)
         join player using (player_id) cross join battle
         where battle_id = $3 and seat.team in (0, 1) on conflict do nothing",
    )
    .bind(players)
    .bind(teams)
    .bind(report.battle_id.parse::<Uuid>().unwrap())
    .execute(db)
    .await
    .unwrap();
}

pub(crate) async fn server(db: &PgPool, name: &str) -> Uuid {
    let server_id = Uuid::now_v7();
    sqlx::query(
        "insert into battle_server (server_id, name, address, fingerprint, version,
            protocol_version, battles_max, players_max, state, lease_until)
        values ($1, $2, 'localhost:1', decode(repeat('00', 32), 'hex'), '0.1.0', 1, 4, 1000,
            'ready', now() + interval '1 hour')",
    )
    .bind(server_id)
    .bind(name)
    .execute(db)
    .await
    .unwrap();
    server_id
}

pub(crate) fn player(id: Uuid) -> rpc::PlayerResult {
    rpc::PlayerResult {
        player_id: id.to_string(),
        points: 100,
        kills: 3,
        deaths: 2,
        assists: 1,
        shots: 50,
        hits: 20,
        weapons: vec![
            rpc::WeaponResult { weapon: "rifle".to_owned(), shots: 40, hits: 18, kills: 3 },
            rpc::WeaponResult { weapon: "sniper rifle".to_owned(), shots: 10, hits: 2, kills: 0 },
        ],
        ..rpc::PlayerResult::default()
    }
}

pub(crate) fn event(tick: u32, kind: &str) -> rpc::LogEvent {
    rpc::LogEvent { tick, kind: kind.to_owned(), body: "{\"by\":1}".to_owned() }
}

pub(crate) async fn guest(db: &PgPool, name: &str) -> Uuid {
    let id = sortie_testing::player(db, name).await;
    sqlx::query("update player set is_guest = true where player_id = $1")
        .bind(id)
        .execute(db)
        .await
        .unwrap();
    id
}

pub(crate) fn stored(outcome: &Outcome) -> &sortie_ranking::report::Stored {
    match outcome {
        Outcome::Stored(stored) => stored,
        other => panic!("not stored but {other:?}"),
    }
}

pub(crate) fn ranked(outcome: &Outcome) -> u64 {
    stored(outcome).reasons.get(&Reason::Ranked).copied().unwrap_or_default()
}

/// Random numbers from a seed that is printed and taken back: `SIM_SEED=123`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let seed = std::env::var("SIM_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = seed.unwrap_or_else(|| Uuid::now_v7().as_u128() as u64 ^ 0x5eed);
        println!("SIM_SEED={seed}");
        Self(seed)
    }

    /// Below `end`. Splitmix64.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    /// `count` of `all`, in random order.
    pub(crate) fn choose<T: Copy>(&mut self, all: &[T], count: usize) -> Vec<T> {
        let mut all = all.to_vec();
        for at in 0..count {
            let other = at + self.below(all.len() - at);
            all.swap(at, other);
        }
        all.truncate(count);
        all
    }
}
