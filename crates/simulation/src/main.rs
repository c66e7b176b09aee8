//! `simulate`: runs many schedules with progress, or replays one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::model::{Bounds, Explored, Slip, explore};
use simulation::{
    Coverage, Mishap, Mutant, Plan, Report, Schedule, Stage, crashes_from, points, share,
};

/// Runs random schedules of the whole payment server, each decided by its seed
///
/// Ends with status 1 at the first broken invariant, and prints the seed, the end of the trace and
/// the command that replays it.
#[derive(Debug, Parser)]
#[command(name = "simulate", bin_name = "cargo xtask simulate")]
struct Args {
    /// How many schedules
    #[arg(long, default_value_t = 10_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replays this seed alone
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Replays one order's life with this mishap at the bank alone
    #[arg(long, conflicts_with_all = ["seeds", "from", "seed"])]
    mishap: Option<Mishap>,
    /// With --mishap: the points at which the process that comes to them dies, from 1, rising
    #[arg(long, value_delimiter = ',', requires = "mishap")]
    crash_at: Vec<u64>,
    /// With --seed or --mishap: prints the whole trace, not only its end
    #[arg(long)]
    trace: bool,
    /// Plants a deliberate bug: the first schedule that shows it ends the run
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Instead of random schedules: a crash at every point of one order's life, for every mishap
    #[arg(long)]
    enumerate: bool,
    /// With --enumerate: also two crashes, at every so many-th pair of points (1: at all)
    #[arg(long, requires = "enumerate", value_parser = clap::value_parser!(u64).range(1..))]
    pairs: Option<u64>,
    /// Instead of schedules: explores the state machine to its end
    #[arg(long)]
    model: bool,
    /// Threads; as many as the machine has processors unless given. Every schedule runs on one
    #[arg(long)]
    jobs: Option<usize>,
}

impl Args {
    fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.unwrap_or_else(processors)
    }

    /// The one schedule that is to be replayed.
    fn one(&self) -> Option<Schedule> {
        let schedule = match (self.mishap, self.seed) {
            (Some(mishap), _) => Schedule::script(mishap, self.crash_at.clone()),
            (None, Some(seed)) => Schedule::random(seed),
            (None, None) => return None,
        };
        Some(Schedule {
            mutant: self.mutant,
            ..schedule
        })
    }
}

/// Lines of trace that a failure prints.
const TAIL: usize = 60;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "a command that reports to a person")]
fn say(text: &str) {
    println!("{text}");
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.model {
        return Ok(explore_the_model());
    }
    if args.enumerate {
        return enumerate(&args);
    }
    match args.one() {
        Some(schedule) => replay(schedule, args.trace),
        None => run(&args),
    }
}

/// Runs one schedule and prints its trace, or the end of it.
fn replay(schedule: Schedule, whole: bool) -> anyhow::Result<ExitCode> {
    let schedule = Schedule {
        trace: true,
        ..schedule
    };
    let report = Stage::new()?.run(&schedule)?;
    let tail = report.trace.len().saturating_sub(TAIL);
    for line in &report.trace[if whole { 0 } else { tail }..] {
        say(line);
    }
    say(&format!(
        "{}: digest {:016x}, {} events, {:?} of virtual time, {}",
        name(&schedule),
        report.digest,
        report.events,
        report.took,
        report.tally
    ));
    let Some(violation) = &report.violation else {
        say("no invariant was broken");
        return Ok(ExitCode::SUCCESS);
    };
    say(&format!("BROKEN at {}: {violation}", name(&schedule)));
    say(&format!("replay: {}", schedule.replay()));
    Ok(ExitCode::FAILURE)
}

fn name(schedule: &Schedule) -> String {
    match &schedule.plan {
        Plan::Random => format!("seed {}", schedule.seed),
        Plan::Script { mishap, crashes } => format!("mishap {mishap} with crashes at {crashes:?}"),
    }
}

/// What many random schedules came to.
struct Sum {
    begun: Instant,
    told: Instant,
    done: u64,
    events: u64,
    slowest: Duration,
    happened: BTreeMap<&'static str, u64>,
    /// The lowest seed that broke something.
    broken: Option<u64>,
}

impl Sum {
    fn new() -> Self {
        let begun = Instant::now();
        Self {
            begun,
            told: begun,
            done: 0,
            events: 0,
            slowest: Duration::ZERO,
            happened: BTreeMap::new(),
            broken: None,
        }
    }

    fn add(&mut self, seed: u64, report: &Report) -> ControlFlow<()> {
        self.done += 1;
        self.events += report.events;
        self.slowest = self.slowest.max(report.decided_after);
        for (what, times) in &report.happened {
            *self.happened.entry(what).or_default() += times;
        }
        if self.told.elapsed() >= PROGRESS {
            self.tell();
        }
        if report.violation.is_none() {
            return ControlFlow::Continue(());
        }
        self.broken = Some(self.broken.map_or(seed, |known| known.min(seed)));
        ControlFlow::Break(())
    }

    fn tell(&mut self) {
        self.told = Instant::now();
        say(&format!(
            "{} schedules, {} a second, {} steps, slowest decision {:?} after the last fault",
            self.done,
            rate(self.done, self.begun.elapsed()),
            self.events,
            self.slowest
        ));
    }
}

fn rate(done: u64, took: Duration) -> u128 {
    u128::from(done) * 1_000 / took.as_millis().max(1)
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let planned = |seed: u64| Schedule {
        mutant: args.mutant,
        ..Schedule::random(seed)
    };
    let mut sum = Sum::new();
    share(
        args.jobs(),
        args.from..args.from.saturating_add(args.seeds),
        |stage, seed| stage.run(&planned(*seed)),
        |seed, report| sum.add(seed, &report),
    )?;
    sum.tell();
    for (what, times) in &sum.happened {
        say(&format!("{times:>12}  {what}"));
    }
    if let Some(seed) = sum.broken {
        return replay(planned(seed), false);
    }
    say("no invariant was broken");
    Ok(ExitCode::SUCCESS)
}

fn enumerate(args: &Args) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut all = Coverage::default();
    for mishap in Mishap::ALL {
        let points = points(&Stage::new()?, mishap)?;
        let mut here = Coverage::default();
        share(
            args.jobs(),
            1..=points,
            |stage, first| crashes_from(stage, mishap, *first, args.pairs),
            |_, coverage| {
                here.extend(coverage);
                ControlFlow::Continue(())
            },
        )?;
        say(&format!(
            "{mishap}: {points} crash points, {} singles, {} pairs, {} broken",
            here.singles,
            here.pairs,
            here.broken.len()
        ));
        all.extend(here);
    }
    say(&format!(
        "{} singles, {} pairs, {} schedules in {:.0?}, {} a second, {} broken",
        all.singles,
        all.pairs,
        all.schedules,
        begun.elapsed(),
        rate(all.schedules, begun.elapsed()),
        all.broken.len()
    ));
    for (schedule, violation) in &all.broken {
        say(&format!("BROKEN at {}: {violation}", name(schedule)));
        say(&format!("replay: {}", schedule.replay()));
    }
    match all.broken.into_iter().next() {
        None => Ok(ExitCode::SUCCESS),
        Some((schedule, _)) => replay(schedule, false),
    }
}

fn explore_the_model() -> ExitCode {
    let begun = Instant::now();
    let bounds = Bounds::default();
    say(&bounds.to_string());
    let explored = explore(bounds, Slip::None);
    let Explored {
        states,
        steps,
        depth,
        quiet,
        violation,
    } = explored;
    say(&format!(
        "{states} states, {steps} steps, depth {depth}, {quiet} quiet states, {:.1?}",
        begun.elapsed()
    ));
    let Some((rule, path)) = violation else {
        say("no rule was broken");
        return ExitCode::SUCCESS;
    };
    for step in path {
        say(&step);
    }
    say(&format!("BROKEN: {rule}"));
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The schedule that the printed command replays.
    fn replayed(schedule: &Schedule) -> Schedule {
        let command = schedule.replay();
        let words = command.strip_prefix("cargo xtask ").unwrap();
        let args = Args::try_parse_from(words.split(' ')).unwrap();
        assert!(args.trace, "{command}");
        args.one().unwrap()
    }

    fn same(one: &Schedule, other: &Schedule) {
        let shown = |schedule: &Schedule| {
            let Schedule {
                seed,
                plan,
                mutant,
                trace: _,
            } = schedule;
            format!("{seed} {plan:?} {mutant:?}")
        };
        assert_eq!(shown(one), shown(other));
    }

    #[test]
    fn the_printed_command_replays_a_random_schedule() {
        let schedule = Schedule::random(27);
        assert_eq!(schedule.replay(), "cargo xtask simulate --seed 27 --trace");
        same(&replayed(&schedule), &schedule);
    }

    #[test]
    fn the_printed_command_plants_the_bug_again() {
        for mutant in Mutant::ALL {
            let schedule = Schedule {
                mutant: Some(mutant),
                ..Schedule::random(3)
            };
            same(&replayed(&schedule), &schedule);
        }
    }

    #[test]
    fn the_printed_command_replays_an_enumerated_schedule() {
        for mishap in Mishap::ALL {
            for crashes in [vec![], vec![5], vec![5, 40]] {
                let schedule = Schedule::script(mishap, crashes);
                same(&replayed(&schedule), &schedule);
            }
        }
        let twice = Schedule::script(Mishap::AnswerLost, vec![5, 40]);
        assert_eq!(
            twice.replay(),
            "cargo xtask simulate --mishap AnswerLost --crash-at 5,40 --trace"
        );
    }

    #[test]
    fn the_printed_command_shows_the_same_break() {
        let stage = Stage::new().unwrap();
        let broken = |schedule: &Schedule| stage.run(schedule).unwrap();
        let found = (0..20).find_map(|seed| {
            let schedule = Schedule {
                mutant: Some(Mutant::HoldSkipped),
                ..Schedule::random(seed)
            };
            let report = broken(&schedule);
            report.violation.is_some().then_some((schedule, report))
        });
        let (schedule, report) = found.unwrap();
        let again = broken(&replayed(&schedule));
        assert_eq!(again.violation, report.violation);
        assert_eq!(again.digest, report.digest);
    }
}
