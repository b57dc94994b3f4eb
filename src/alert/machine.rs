//! The states of one alert and what moves it between them: a function of verdicts and event time, nothing else.
//!
//! `inactive → pending → firing → recovering → inactive`. Clocks count only minutes that were judged: too few values, no values
//! or an error pause them (AL-1), so downtime and quiet nights neither fire nor clear an alert.

use serde::{Deserialize, Serialize};

use super::rule::{NoData, Rule};
use super::verdict::Verdict;
use crate::event::Timestamp;

/// Where an alert stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing is wrong.
    #[default]
    Inactive,
    /// Wrong, not yet for long enough.
    Pending,
    /// Wrong for long enough.
    Firing,
    /// Right again, not yet for long enough.
    Recovering,
}

impl Phase {
    /// Name in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
        }
    }
}

/// Whether an alert can be judged at present; never a state of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// It can.
    #[default]
    Ok,
    /// Too few values.
    Thin,
    /// No values.
    NoData,
    /// The expression gives no number.
    Error,
}

/// Why an alert moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// `expr` holds.
    Breach,
    /// `expr` stopped holding before `for` was over.
    NotBreached,
    /// Nothing could be judged for too long while pending.
    NothingToJudge,
    /// `recover_expr` holds.
    Clear,
    /// Wrong again before `keep_firing_for` was over.
    Relapse,
    /// Right for `keep_firing_for`.
    Recovered,
    /// No values, and the rule counts that as right.
    NoData,
    /// Too few values for too long: not proven fixed.
    InsufficientTraffic,
    /// No row for a day.
    SeriesGone,
    /// The rule was taken away or switched off.
    RuleRemoved,
    /// Late data showed that it should not have fired.
    Revised,
}

impl Reason {
    /// Name in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Breach => "breach",
            Self::NotBreached => "not_breached",
            Self::NothingToJudge => "nothing_to_judge",
            Self::Clear => "clear",
            Self::Relapse => "relapse",
            Self::Recovered => "recovered",
            Self::NoData => "no_data",
            Self::InsufficientTraffic => "insufficient_traffic",
            Self::SeriesGone => "series_gone",
            Self::RuleRemoved => "rule_removed",
            Self::Revised => "revised",
        }
    }
}

/// The part of an alert that verdicts move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Where it stands.
    pub phase: Phase,
    /// Whether it can be judged.
    pub health: Health,
    /// Start of the first breached minute; meaningless while inactive.
    pub active_at: Timestamp,
    /// Judged time in the present phase: breached while pending, clear while recovering.
    pub clock_us: i64,
    /// Since when it cannot be judged.
    pub unjudged_since: Option<Timestamp>,
    /// End of the newest window that had any row.
    pub seen_at: Timestamp,
    /// Relapses.
    pub flaps: u32,
}

/// How long a series may have no row before its alert ends.
const FORGET_AFTER_US: i64 = Timestamp::DAY_US;

impl Machine {
    /// Moves on to `t` (the end of the window), `elapsed_us` after the last step, and says what changed, in order.
    pub fn step(&mut self, rule: &Rule, verdict: Verdict, t: Timestamp, elapsed_us: i64) -> Vec<(Phase, Phase, Reason)> {
        let mut moves = Vec::new();
        if verdict != Verdict::Missing {
            self.seen_at = t;
        }
        let verdict = match (verdict, rule.no_data, self.phase) {
            (Verdict::Missing, NoData::Alert, _) => Verdict::Breach,
            (Verdict::Missing, NoData::Ok, Phase::Firing | Phase::Recovering) => {
                self.go(Phase::Inactive, Reason::NoData, &mut moves);
                return moves;
            }
            (verdict, ..) => verdict,
        };
        self.health = match verdict {
            Verdict::Thin => Health::Thin,
            Verdict::Missing => Health::NoData,
            Verdict::Error => Health::Error,
            _ => Health::Ok,
        };
        if self.health == Health::Ok {
            self.unjudged_since = None;
            self.judged(rule, verdict, t, elapsed_us, &mut moves);
        } else {
            let since = *self.unjudged_since.get_or_insert(t);
            self.unjudged(rule, verdict, t.0 - since.0, t, &mut moves);
        }
        moves
    }

    /// Ends the alert for a reason outside of its verdicts.
    pub fn end(&mut self, reason: Reason) -> (Phase, Phase, Reason) {
        let mut moves = Vec::new();
        let from = self.phase;
        self.go(Phase::Inactive, reason, &mut moves);
        (from, Phase::Inactive, reason)
    }

    fn judged(&mut self, rule: &Rule, verdict: Verdict, t: Timestamp, elapsed_us: i64, moves: &mut Vec<(Phase, Phase, Reason)>) {
        match (self.phase, verdict) {
            (Phase::Inactive, Verdict::Breach) => {
                self.active_at = t.plus(-elapsed_us);
                self.flaps = 0;
                self.go(Phase::Pending, Reason::Breach, moves);
                self.clock_us = elapsed_us;
                self.fire_if_held(rule, moves);
            }
            (Phase::Pending, Verdict::Breach) => {
                self.clock_us = self.clock_us.saturating_add(elapsed_us);
                self.fire_if_held(rule, moves);
            }
            (Phase::Pending, _) => self.go(Phase::Inactive, Reason::NotBreached, moves),
            (Phase::Firing, Verdict::Clear) => {
                self.go(Phase::Recovering, Reason::Clear, moves);
                self.clock_us = elapsed_us;
                self.resolve_if_kept(rule, moves);
            }
            (Phase::Recovering, Verdict::Clear) => {
                self.clock_us = self.clock_us.saturating_add(elapsed_us);
                self.resolve_if_kept(rule, moves);
            }
            (Phase::Recovering, _) => {
                self.flaps = self.flaps.saturating_add(1);
                self.go(Phase::Firing, Reason::Relapse, moves);
            }
            (Phase::Inactive | Phase::Firing, _) => {}
        }
    }

    fn unjudged(&mut self, rule: &Rule, verdict: Verdict, for_us: i64, t: Timestamp, moves: &mut Vec<(Phase, Phase, Reason)>) {
        match self.phase {
            Phase::Inactive => {}
            Phase::Pending if for_us >= rule.no_data_for_us => self.go(Phase::Inactive, Reason::NothingToJudge, moves),
            Phase::Pending => {}
            Phase::Firing | Phase::Recovering => {
                if t.0 - self.seen_at.0 >= FORGET_AFTER_US {
                    self.go(Phase::Inactive, Reason::SeriesGone, moves);
                } else if verdict == Verdict::Thin && for_us >= 2 * rule.no_data_for_us {
                    self.go(Phase::Inactive, Reason::InsufficientTraffic, moves);
                }
            }
        }
    }

    fn fire_if_held(&mut self, rule: &Rule, moves: &mut Vec<(Phase, Phase, Reason)>) {
        if self.clock_us >= rule.hold_us {
            self.go(Phase::Firing, Reason::Breach, moves);
        }
    }

    fn resolve_if_kept(&mut self, rule: &Rule, moves: &mut Vec<(Phase, Phase, Reason)>) {
        if self.clock_us >= rule.keep_firing_us {
            self.go(Phase::Inactive, Reason::Recovered, moves);
        }
    }

    fn go(&mut self, to: Phase, reason: Reason, moves: &mut Vec<(Phase, Phase, Reason)>) {
        moves.push((self.phase, to, reason));
        self.phase = to;
        self.clock_us = 0;
        self.unjudged_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, Phase, Reason};
    use crate::alert::sample;
    use crate::alert::verdict::Verdict::{self, Breach, Clear, Error, Grey, Missing, Thin};
    use crate::event::Timestamp;

    const MINUTE: i64 = Timestamp::MINUTE_US;

    /// Runs verdicts minute by minute and writes down every move as (minute, to, reason).
    fn run(lines: [&str; 3], verdicts: &[(Verdict, usize)]) -> Vec<(i64, Phase, Reason)> {
        let rule = sample::rule(lines[0], lines[1], lines[2]);
        let mut machine = Machine::default();
        let mut moves = Vec::new();
        let minutes = verdicts.iter().flat_map(|(verdict, times)| std::iter::repeat_n(*verdict, *times));
        for (minute, verdict) in (1..).zip(minutes) {
            for (_, to, reason) in machine.step(&rule, verdict, Timestamp(minute * MINUTE), MINUTE) {
                moves.push((minute, to, reason));
            }
        }
        moves
    }

    const RULE: [&str; 3] = ["expr: value < 0.8", "for: 3m", "keep_firing_for: 2m"];

    #[test]
    fn a_breach_fires_after_its_hold_and_recovers_after_its_keep() {
        assert_eq!(
            run(RULE, &[(Clear, 2), (Breach, 5), (Clear, 5)]),
            [
                (3, Phase::Pending, Reason::Breach),
                (5, Phase::Firing, Reason::Breach),
                (8, Phase::Recovering, Reason::Clear),
                (9, Phase::Inactive, Reason::Recovered)
            ]
        );
    }

    #[test]
    fn one_window_that_is_not_breached_drops_a_pending_alert() {
        for other in [Clear, Grey] {
            assert_eq!(
                run(RULE, &[(Breach, 2), (other, 1), (Breach, 2)]),
                [
                    (1, Phase::Pending, Reason::Breach),
                    (3, Phase::Inactive, Reason::NotBreached),
                    (4, Phase::Pending, Reason::Breach)
                ]
            );
        }
    }

    #[test]
    fn without_a_hold_it_fires_at_once_and_without_a_keep_it_ends_at_once() {
        assert_eq!(
            run(["expr: value < 0.8", "keep_firing_for: 0s", ""], &[(Breach, 1), (Clear, 1)]),
            [
                (1, Phase::Pending, Reason::Breach),
                (1, Phase::Firing, Reason::Breach),
                (2, Phase::Recovering, Reason::Clear),
                (2, Phase::Inactive, Reason::Recovered)
            ]
        );
    }

    #[test]
    fn minutes_that_cannot_be_judged_pause_the_clocks() {
        for gap in [Thin, Missing, Error] {
            assert_eq!(
                run(RULE, &[(Breach, 2), (gap, 10), (Breach, 1), (Clear, 1), (gap, 10), (Clear, 1)]),
                [
                    (1, Phase::Pending, Reason::Breach),
                    (13, Phase::Firing, Reason::Breach),
                    (14, Phase::Recovering, Reason::Clear),
                    (25, Phase::Inactive, Reason::Recovered)
                ],
                "{gap:?}"
            );
        }
    }

    #[test]
    fn a_pending_alert_without_data_is_dropped_and_a_firing_one_is_held_then_ends_unproven() {
        assert_eq!(
            run(RULE, &[(Breach, 1), (Missing, 20)]),
            [(1, Phase::Pending, Reason::Breach), (17, Phase::Inactive, Reason::NothingToJudge)]
        );
        assert_eq!(run(RULE, &[(Breach, 3), (Thin, 40)]).last(), Some(&(34, Phase::Inactive, Reason::InsufficientTraffic)));
        assert_eq!(run(RULE, &[(Breach, 3), (Missing, 1_500)]).last(), Some(&(1_443, Phase::Inactive, Reason::SeriesGone)));
        assert_eq!(run(RULE, &[(Breach, 3), (Error, 1_400)]).last(), Some(&(3, Phase::Firing, Reason::Breach)));
    }

    #[test]
    fn the_policy_for_no_data_decides() {
        assert_eq!(
            run(["expr: value < 0.8", "no_data: alert", "for: 2m"], &[(Missing, 2)]).last(),
            Some(&(2, Phase::Firing, Reason::Breach))
        );
        assert_eq!(
            run(["expr: value < 0.8", "no_data: ok", ""], &[(Breach, 1), (Missing, 1)]).last(),
            Some(&(2, Phase::Inactive, Reason::NoData))
        );
    }

    #[test]
    fn grey_holds_a_firing_alert_and_a_relapse_is_counted_not_a_new_alert() {
        assert_eq!(
            run(RULE, &[(Breach, 3), (Grey, 30), (Clear, 1), (Grey, 1), (Clear, 1), (Breach, 1), (Clear, 2)]),
            [
                (1, Phase::Pending, Reason::Breach),
                (3, Phase::Firing, Reason::Breach),
                (34, Phase::Recovering, Reason::Clear),
                (35, Phase::Firing, Reason::Relapse),
                (36, Phase::Recovering, Reason::Clear),
                (37, Phase::Firing, Reason::Relapse),
                (38, Phase::Recovering, Reason::Clear),
                (39, Phase::Inactive, Reason::Recovered)
            ]
        );
    }
}
