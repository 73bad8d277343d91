//! Parties, queues, ready checks and rooms: how players come to battles.
