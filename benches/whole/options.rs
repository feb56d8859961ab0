//! What is to be measured, from the command line.

use std::path::PathBuf;

pub(crate) struct Options {
    pub(crate) json: bool,
    pub(crate) long: bool,
    pub(crate) seconds: f64,
    pub(crate) repeats: usize,
    pub(crate) growth: u64,
    only: Option<String>,
    pub(crate) folder: PathBuf,
}

impl Options {
    pub(crate) fn read(words: &[&str]) -> Options {
        let mut options = Options {
            json: false,
            long: false,
            seconds: 5.0,
            repeats: 3,
            growth: 10_000_000,
            only: None,
            folder: std::env::temp_dir(),
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .unwrap_or_else(|| panic!("{word} needs a value"))
            };
            match *word {
                "--json" => options.json = true,
                "--long" => options.long = true,
                "--seconds" => options.seconds = value().parse().unwrap(),
                "--repeats" => options.repeats = value().parse().unwrap(),
                "--growth" => options.growth = value().parse().unwrap(),
                "--only" => options.only = Some((*value()).to_owned()),
                "--folder" => options.folder = PathBuf::from(value()),
                // What `cargo bench` adds by itself.
                "--bench" => {}
                other => panic!("unknown option {other}"),
            }
        }
        options
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only
            .as_ref()
            .is_none_or(|word| name.contains(word.as_str()))
    }
}

/// The middle of what was measured.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
