//! `simulate`: runs many schedules with progress, or replays one.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::model::{Bounds, Explored, Slip, explore};
use simulation::{
    Coverage, Mishap, Mutant, Report, Schedule, Stage, pairs_of_crashes, single_crashes,
};

/// Runs random schedules of the whole payment server, each decided by its seed.
#[derive(Debug, Parser)]
struct Args {
    /// How many schedules.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replays this seed alone.
    #[arg(long)]
    seed: Option<u64>,
    /// With --seed: prints the whole trace.
    #[arg(long)]
    trace: bool,
    /// Plants a deliberate bug and stops at the first schedule that shows it.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Instead of random schedules: a crash at every point, after every mishap.
    #[arg(long)]
    enumerate: bool,
    /// With --enumerate: also pairs of crashes, every so many-th of them (1: all).
    #[arg(long)]
    pairs: Option<u64>,
    /// Instead of schedules: explores the state machine.
    #[arg(long)]
    model: bool,
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
    let stage = Stage::new()?;
    match args.seed {
        _ if args.enumerate => enumerate(&stage, args.pairs),
        Some(seed) => replay(&stage, &args, seed),
        None => run(&stage, &args),
    }
}

fn schedule(args: &Args, seed: u64, trace: bool) -> Schedule {
    Schedule {
        mutant: args.mutant,
        trace,
        ..Schedule::random(seed)
    }
}

fn replay(stage: &Stage, args: &Args, seed: u64) -> anyhow::Result<ExitCode> {
    let report = stage.run(&schedule(args, seed, true))?;
    let first = if args.trace {
        0
    } else {
        report.trace.len().saturating_sub(TAIL)
    };
    for line in &report.trace[first..] {
        say(line);
    }
    say(&format!(
        "seed {seed}: digest {:016x}, {} events, {:?} of virtual time, {}",
        report.digest, report.events, report.took, report.tally
    ));
    Ok(verdict(&report, seed))
}

fn verdict(report: &Report, seed: u64) -> ExitCode {
    match &report.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            say(&format!("BROKEN at seed {seed}: {violation}"));
            say(&format!(
                "replay: cargo run -p simulation --release -- --seed {seed} --trace"
            ));
            ExitCode::FAILURE
        }
    }
}

fn run(stage: &Stage, args: &Args) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut told = begun;
    let mut slowest = Duration::ZERO;
    let end = args.from.saturating_add(args.seeds);
    for seed in args.from..end {
        let report = stage.run(&schedule(args, seed, false))?;
        slowest = slowest.max(report.decided_after);
        if report.violation.is_some() {
            return replay(stage, args, seed);
        }
        if told.elapsed() >= PROGRESS || seed + 1 == end {
            told = Instant::now();
            let done = seed + 1 - args.from;
            let rate =
                f64::from(u32::try_from(done).unwrap_or(u32::MAX)) / begun.elapsed().as_secs_f64();
            say(&format!(
                "{done} schedules, {rate:.0} a second, slowest decision {slowest:?} after the last fault"
            ));
        }
    }
    say("no invariant was broken");
    Ok(ExitCode::SUCCESS)
}

fn enumerate(stage: &Stage, pairs: Option<u64>) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut all = Coverage::default();
    for mishap in Mishap::ALL {
        let mut runs = vec![single_crashes(stage, mishap, 1)?];
        if let Some(stride) = pairs {
            runs.push(pairs_of_crashes(stage, mishap, stride)?);
        }
        for coverage in runs {
            all.schedules += coverage.schedules;
            all.points += coverage.points;
            all.broken.extend(coverage.broken);
        }
        say(&format!(
            "{mishap:?}: {} schedules, {} crash points or pairs so far, {:?}",
            all.schedules,
            all.points,
            begun.elapsed()
        ));
    }
    for (schedule, violation) in &all.broken {
        say(&format!("BROKEN {:?}: {violation}", schedule.plan));
    }
    Ok(if all.broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn explore_the_model() -> ExitCode {
    let begun = Instant::now();
    let explored = explore(Bounds::default(), Slip::None);
    let Explored {
        states,
        steps,
        depth,
        quiet,
        violation,
    } = explored;
    say(&format!(
        "{states} states, {steps} steps, depth {depth}, {quiet} quiet states, {:?}",
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
