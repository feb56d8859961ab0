//! Tests parsers with changed inputs: none may panic or take long.
//!
//! Each target has its seeds and the words that its inputs are made of. An input with an outcome not seen
//! before becomes a seed. Inputs that failed once are kept in `tests/corpus/fuzz/TARGET/` and are tried
//! first. `HOOKBOX_FUZZ_SECONDS` sets how long each target runs; without it a few hundred inputs are tried.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::panics::catch_panic;

/// Number of inputs if no time is given.
const FEW: u64 = 400;

/// Most seeds that are kept.
const SEEDS_MAX: usize = 2_000;

/// Longest input, in bytes.
const INPUT_BYTES_MAX: usize = 20_000;

/// Longest time for one input, on the slowest machine.
const TOOK_MAX: Duration = Duration::from_secs(20);

/// Texts that have broken parsers before.
const ODDITIES: [&str; 30] = [
    "0",
    "-1",
    "1e308",
    "-1e999",
    "9223372036854775807",
    "-9223372036854775808",
    "18446744073709551616",
    "99999999999999999999999999999999999999999",
    "0.0000001",
    "NaN",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "\u{301}",
    "\u{1f469}\u{200d}\u{1f680}",
    "\u{10ffff}",
    "ß",
    "\\ud83d",
    "\\u0000",
    "%00",
    "%",
    "\r\n",
    "\n",
    "\"",
    "'",
    "\\",
    "{",
    "[",
    "}",
    "]",
];

#[allow(
    clippy::disallowed_methods,
    reason = "how long to go on is a matter of real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Fuzzes a target, which returns the outcome of an input.
pub(crate) fn fuzz<T: Hash>(
    target: &str,
    seeds: &[&[u8]],
    words: &[&str],
    run: impl Fn(&[u8]) -> T,
) {
    let seconds = number("HOOKBOX_FUZZ_SECONDS");
    let mut random = Rng::with_seed(number("HOOKBOX_SEED").unwrap_or(1));
    let mut seeds: Vec<Vec<u8>> = seeds.iter().map(|seed| seed.to_vec()).collect();
    seeds.extend(kept(target));
    let mut outcomes = HashSet::new();
    let mut slowest = (Duration::ZERO, Vec::new());
    let began = now();
    let mut tried = 0;
    // If an input ends the process, it can be found in this file.
    let last = std::env::temp_dir().join(format!("hookbox-fuzz-{target}"));
    let mut try_one = |input: &[u8]| {
        if seconds.is_some() {
            std::fs::write(&last, input).unwrap();
        }
        let started = now();
        let outcome = catch_panic(|| run(input));
        let took = started.elapsed();
        if took > slowest.0 {
            slowest = (took, input.to_vec());
        }
        match outcome {
            Ok(outcome) => {
                let mut hasher = DefaultHasher::new();
                outcome.hash(&mut hasher);
                outcomes.insert(hasher.finish())
            }
            Err(fault) => {
                let least = least(input, |input| catch_panic(|| run(input)).is_err());
                panic!("{target}: {fault}\ninput: {}", least.escape_ascii());
            }
        }
    };
    for seed in &seeds {
        try_one(seed);
    }
    while match seconds {
        Some(seconds) => began.elapsed() < Duration::from_secs(seconds),
        None => tried < FEW,
    } {
        tried += 1;
        let input = changed(&mut random, &seeds, words);
        if try_one(&input) && seeds.len() < SEEDS_MAX {
            seeds.push(input);
        }
    }
    let _ = std::fs::remove_file(&last);
    let (took, input) = slowest;
    assert!(
        took < TOOK_MAX,
        "{target} took {took:?}: {}",
        input.escape_ascii()
    );
    if seconds.is_some() {
        let text = format!(
            "{target}: {tried} inputs, {} outcomes, the slowest took {took:?}\n",
            outcomes.len()
        );
        // Written past the test's captured output: a longer run is watched for this.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Reads the inputs that failed before.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus/fuzz")
        .join(target);
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut inputs: Vec<Vec<u8>> = files
        .map(|file| std::fs::read(file.path()).unwrap())
        .collect();
    inputs.sort();
    inputs
}

/// Makes an input from one or two seeds, with a few changes.
fn changed(random: &mut Rng, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..6) {
        change(random, &mut input, seeds, words);
        input.truncate(INPUT_BYTES_MAX);
    }
    input
}

fn change(random: &mut Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str]) {
    let at = random.usize(..=input.len());
    let end = (at + random.usize(..=16)).min(input.len());
    match random.u8(..10) {
        0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
        1 if at < input.len() => input[at] = random.u8(..),
        2 => drop(input.drain(at..end)),
        3 => {
            let piece = input[at..end].repeat(random.usize(1..40));
            input.splice(at..at, piece);
        }
        4 => {
            let other = &seeds[random.usize(..seeds.len())];
            let from = random.usize(..=other.len());
            let to = (from + random.usize(..=64)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
        5 => input.truncate(at),
        6 | 7 if !words.is_empty() => {
            let word = words[random.usize(..words.len())];
            input.splice(at..end.min(at + random.usize(..=4)).max(at), word.bytes());
        }
        8 => number_in(random, input, at),
        _ => {
            let odd = ODDITIES[random.usize(..ODDITIES.len())];
            input.splice(at..at, odd.bytes());
        }
    }
}

/// Replaces the next number with an extreme one.
fn number_in(random: &mut Rng, input: &mut Vec<u8>, at: usize) {
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(from) = input[at..].iter().position(digit).map(|place| at + place) else {
        return;
    };
    let length = input[from..].iter().take_while(|byte| digit(byte)).count();
    let odd = ODDITIES[random.usize(..10)];
    input.splice(from..from + length, odd.bytes());
}

/// Makes a failing input shorter by leaving out pieces that are not needed for the failure.
fn least(input: &[u8], fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut least = input.to_vec();
    let mut size = least.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at + size <= least.len() {
            let shorter = [&least[..at], &least[at + size..]].concat();
            match fails(&shorter) {
                true => least = shorter,
                false => at += size,
            }
        }
        size /= 2;
    }
    least
}

/// Returns an outcome's text without the parts that change with each input.
pub(crate) fn kind_of(said: &str) -> String {
    let said = said.split('`').step_by(2).collect::<String>();
    said.chars()
        .filter(|c| !c.is_ascii_digit())
        .take(60)
        .collect()
}

/// Splits an input into `N` parts.
pub(crate) fn parts<const N: usize>(input: &[u8]) -> [String; N] {
    let text = String::from_utf8_lossy(input).into_owned();
    let mut parts = text.splitn(N, '\x1f').map(str::to_owned);
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}
