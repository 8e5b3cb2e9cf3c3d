//! A load in a closed loop, or at a rate of its own.
//!
//! In a closed loop each client asks as fast as it is answered. So the load
//! never exceeds what the server can take, and a waiting client does not ask.
//! If a server stalls for a second, no question is asked in that second, and
//! the stall appears as one bad answer among thousands. This error is called
//! coordinated omission. An open loop asks by a schedule, whatever the server
//! does, and the latency counts from the moment at which a question was *meant*
//! to be asked.

use std::collections::VecDeque;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use zen_harness::proc::{self, Turns};

use crate::load::{BATCH_MAX, Load, Plan, Script, TIME_MAX};
use crate::schedule::{Order, Pace, Round, Schedule};

pub const QUESTIONS_MAX: u64 = 100_000_000;

pub const RATE_MAX: f64 = 1e6;

/// How long to wait for the last answers: as long as the load took, within
/// these limits. Answers still missing then count as answered at that moment,
/// which flatters the server.
const GRACE: [Duration; 2] =
    [Duration::from_millis(100), Duration::from_secs(2)];

const TELL_EVERY: Duration = Duration::from_millis(250);

/// The result of a load. Latencies are in nanoseconds.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Answers received; every one was compared and was right.
    pub answers: u64,
    /// Questions asked, or meant to be asked, without an answer in time.
    pub unanswered: u64,
    /// From the first question to the last answer.
    pub elapsed: Duration,
    /// Measured from the moment at which a question was meant to be asked.
    pub latency: Histogram<u64>,
    /// Measured from the moment of sending, which in an open loop hides how
    /// long a question waited to be sent. In a closed loop both are the same.
    pub since_sent: Histogram<u64>,
    /// What the load itself used of its core.
    pub own: Turns,
}

impl Outcome {
    fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(100, 700_000_000_000, 3)
            .context("a histogram from 100 ns to 700 s")?;
        Ok(Self {
            answers: 0,
            unanswered: 0,
            elapsed: Duration::ZERO,
            latency: histogram.clone(),
            since_sent: histogram,
            own: Turns::default(),
        })
    }

    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Within how many seconds this share of the questions was answered.
    pub fn quantile(&self, share: f64) -> f64 {
        self.latency.value_at_quantile(share) as f64 / 1e9
    }

    fn record(&mut self, round: Round, answered: Instant, questions: u64) {
        let nanoseconds = |since: Instant| {
            let time = answered.saturating_duration_since(since).as_nanos();
            u64::try_from(time).unwrap_or(u64::MAX)
        };
        let latency = nanoseconds(round.intended);
        self.latency.saturating_record_n(latency, questions);
        self.since_sent.saturating_record_n(nanoseconds(round.sent), questions);
    }
}

struct Drive<'a> {
    load: &'a mut Load,
    scripts: Vec<Script>,
    schedule: Schedule,
    /// The round for which each client waits.
    rounds: Vec<Option<Round>>,
    /// Clients that are free to ask; the first has waited longest.
    idle: VecDeque<usize>,
    /// The time before each further round.
    pause: Duration,
    outcome: Outcome,
}

impl Load {
    /// Lets the clients ask as planned, each when it is answered, and expects
    /// every answer; returns their number.
    pub fn ask(&mut self, plan: Plan) -> Result<usize> {
        let Plan { rounds, batch, pause, time_max: time } = plan;
        let questions = self.clients.len() * rounds * batch;
        let questions_max = questions as u64;
        let pace = Pace::Closed;
        let order = Order { pace, batch, time, questions_max };
        let outcome = self.run(&order, pause, &mut |_| ())?;
        ensure!(outcome.answers == questions_max, "not done in {time:?}");
        Ok(questions)
    }

    /// Asks as ordered, and measures; `watch` is shown the results so far every
    /// now and then.
    pub fn drive(
        &mut self,
        order: &Order,
        watch: &mut dyn FnMut(&Outcome),
    ) -> Result<Outcome> {
        self.run(order, Duration::ZERO, watch)
    }

    fn run(
        &mut self,
        order: &Order,
        pause: Duration,
        watch: &mut dyn FnMut(&Outcome),
    ) -> Result<Outcome> {
        ensure!(
            (1..=BATCH_MAX).contains(&order.batch),
            "not between 1 and {BATCH_MAX} questions at once"
        );
        ensure!(order.time <= TIME_MAX, "longer than {TIME_MAX:?}");
        ensure!(
            order.questions_max <= QUESTIONS_MAX,
            "more than {QUESTIONS_MAX} questions"
        );
        if let Pace::Open(rate) = order.pace {
            let possible = rate > 0.001 && rate <= RATE_MAX;
            ensure!(possible, "{rate} is not a possible rate");
        }
        let is_owed = self.clients.iter().any(|it| it.is_owed);
        ensure!(!is_owed, "answers to earlier questions are still missing");
        let begun = Instant::now();
        let before = proc::own_turns();
        let clients = self.clients.len();
        let drive = Drive {
            load: self,
            scripts: Script::all(order.batch),
            schedule: Schedule::new(order, begun),
            rounds: vec![None; clients],
            idle: (0..clients).collect(),
            pause,
            outcome: Outcome::new()?,
        };
        let mut outcome = drive.run(watch)?;
        outcome.own = proc::own_turns().since(before);
        Ok(outcome)
    }
}

impl Drive<'_> {
    fn run(mut self, watch: &mut dyn FnMut(&Outcome)) -> Result<Outcome> {
        let Schedule { begun, order: Order { time, .. }, .. } = self.schedule;
        let deadline = begun + time + time.clamp(GRACE[0], GRACE[1]);
        let mut told = begun;
        loop {
            let now = Instant::now();
            while let Some(&client) = self.idle.front()
                && let Some(round) = self.schedule.take(now)
            {
                self.idle.pop_front();
                self.ask(client, round)?;
            }
            self.outcome.elapsed = now - begun;
            if now - told >= TELL_EVERY {
                watch(&self.outcome);
                told = now;
            }
            let due = self.schedule.due(now);
            let all_idle = self.idle.len() == self.rounds.len();
            if now >= deadline || all_idle && due.is_none() {
                break;
            }
            let mut wake = deadline.min(told + TELL_EVERY);
            if !self.idle.is_empty() {
                wake = wake.min(due.unwrap_or(deadline));
            }
            self.wait(wake.saturating_duration_since(now))?;
        }
        self.give_up();
        Ok(self.outcome)
    }

    fn ask(&mut self, client: usize, round: Round) -> Result<()> {
        self.rounds[client] = Some(round);
        self.load.clients[client].ask(&self.scripts)
    }

    /// Receives what has arrived; a client with its answer may ask again.
    fn wait(&mut self, time_max: Duration) -> Result<()> {
        let batch = self.schedule.order.batch as u64;
        let mut events = std::mem::take(&mut self.load.events);
        events.clear();
        self.load.poller.wait(&mut events, Some(time_max))?;
        for event in events.iter() {
            let client = &mut self.load.clients[event.key];
            if !client.is_answered(&self.scripts)? {
                continue;
            }
            let answered = Instant::now();
            if let Some(round) = self.rounds[event.key].take() {
                self.outcome.answers += batch;
                self.outcome.record(round, answered, batch);
            }
            let next = self.schedule.take(answered);
            if next.is_some() && !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
            match next {
                // Other clients may have waited longer for their turn.
                Some(round) if self.idle.is_empty() => {
                    self.ask(event.key, round)?;
                }
                Some(round) => {
                    self.idle.push_back(event.key);
                    let client = self.idle.pop_front();
                    self.ask(client.context("one was put in")?, round)?;
                }
                None => self.idle.push_back(event.key),
            }
        }
        self.load.events = events;
        Ok(())
    }

    /// Counts missing answers as received now, the earliest they can be.
    fn give_up(&mut self) {
        let (now, batch) = (Instant::now(), self.schedule.order.batch as u64);
        let mut missing: Vec<Round> =
            self.rounds.iter().flatten().copied().collect();
        // Questions that were due, but found no free client.
        if self.schedule.order.pace != Pace::Closed {
            while let Some(round) = self.schedule.take(now) {
                missing.push(round);
            }
        }
        for round in missing {
            self.outcome.unanswered += batch;
            self.outcome.record(round, now, batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn order(pace: Pace) -> Order {
        let time = 100 * MS;
        Order { pace, batch: 1, time, questions_max: 1_000 }
    }

    /// A server that answers at once, except between 20 and 60 ms, and one
    /// client; the clock is simulated.
    fn with_a_stall(pace: Pace) -> Outcome {
        let begun = Instant::now();
        let mut schedule = Schedule::new(&order(pace), begun);
        let mut outcome = Outcome::new().unwrap();
        let mut now = begun;
        while let Some(due) = schedule.due(now) {
            now = now.max(due);
            let round = schedule.take(now).unwrap();
            let stalls = (20 * MS..60 * MS).contains(&(now - begun));
            let answered = if stalls { begun + 60 * MS } else { now + MS };
            outcome.record(round, answered, 1);
            now = answered;
        }
        outcome
    }

    #[test]
    fn a_closed_loop_omits_what_it_does_not_ask() {
        let outcome = with_a_stall(Pace::Closed);
        // 20 questions before the stall, 40 after it, and one that waited.
        assert_eq!(outcome.latency.len(), 61);
        assert!(outcome.quantile(0.95) < 0.002);
        assert!(outcome.quantile(1.0) > 0.039);
    }

    #[test]
    fn an_open_loop_counts_from_the_planned_moment() {
        let outcome = with_a_stall(Pace::Open(500.0));
        assert_eq!(outcome.latency.len(), 50);
        // Twenty were meant to be asked within the stall, and the load then
        // needs time to catch up.
        assert!(outcome.quantile(0.75) > 0.020, "{}", outcome.quantile(0.75));
        // Counted from when they were sent, all but one look good.
        assert!(outcome.since_sent.value_at_quantile(0.97) < 2_000_000);
    }

    #[test]
    fn the_correction_agrees_with_a_hand_calculation() {
        // One client, 100 questions a second, and one answer of 50 ms: those
        // meant at 0, 10, 20, 30 and 40 ms take 50, 40, 30, 20 and 10 ms if a
        // free server answers the late ones at once.
        let begun = Instant::now();
        let mut outcome = Outcome::new().unwrap();
        let mut schedule = Schedule::new(&order(Pace::Open(100.0)), begun);
        let answered = begun + 50 * MS;
        for _ in 0..5 {
            let round = schedule.take(begun + 45 * MS).unwrap();
            outcome.record(round, answered, 1);
        }
        let mut by_library = outcome.latency.clone();
        by_library.reset();
        by_library.record_correct(50_000_000, 10_000_000).unwrap();
        assert_eq!(outcome.latency.len(), by_library.len());
        for share in [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] {
            let ours = outcome.latency.value_at_quantile(share);
            assert_eq!(ours, by_library.value_at_quantile(share), "{share}");
        }
    }

    #[test]
    fn a_schedule_ends_by_time_and_by_number() {
        let begun = Instant::now();
        let late = begun + Duration::from_secs(9);
        let count = |order: Order| {
            let mut schedule = Schedule::new(&order, begun);
            (0..9_999).take_while(|_| schedule.take(late).is_some()).count()
        };
        let open = order(Pace::Open(500.0));
        assert_eq!(count(open), 50);
        assert_eq!(count(Order { questions_max: 7, ..open }), 7);
        assert_eq!(count(Order { questions_max: 7, batch: 2, ..open }), 3);
        assert_eq!(count(order(Pace::Closed)), 0);
    }
}
