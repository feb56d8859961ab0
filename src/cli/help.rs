//! The help of `hookbox` itself: its commands by what one wants to do, and what its words mean.

use clap::{Command, CommandFactory};

use super::{Arguments, EXIT_CODES, Output};
use crate::error::{Error, Result};

/// What the words mean: tables of two columns, without links.
const WORDS: &str = include_str!("../../docs/words.md");

/// The commands, each once, by what they are for.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Begin", &["demo", "serve", "status", "init"]),
    ("Set up", &["source", "endpoint", "alert", "apply"]),
    ("Look", &["event", "delivery", "attempt", "tail", "stats"]),
    (
        "Send",
        &["enqueue", "replay", "recover", "backfill", "replays"],
    ),
    (
        "Look after",
        &[
            "doctor", "check", "prune", "compact", "backup", "restore", "salvage",
        ],
    ),
    ("Carry", &["export", "import", "move"]),
    ("By hand", &["signature", "completions", "man", "help"]),
];

const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}\n";

const EXAMPLE: &str = "Example: hookbox endpoint add ci https://ci.example.org/hook";

/// The whole command line, as clap would print it.
pub(super) fn plain() -> Command {
    Arguments::command().after_help(EXIT_CODES)
}

/// The whole command line: `-h` names the commands, `--help` says what each does.
pub(super) fn command() -> Command {
    let command = plain();
    let (short, long) = (named(), described(&command));
    let end = format!("hookbox COMMAND --help explains a command.\n{EXAMPLE}\n{EXIT_CODES}");
    command
        .help_template(TEMPLATE)
        .after_help(format!(
            "{short}\n\nhookbox --help says what each does.\n{end}"
        ))
        .after_long_help(format!("{long}\n\n{end}"))
}

/// The commands by their names, a line a group.
fn named() -> String {
    let lines = GROUPS.map(|(group, names)| format!("  {group:<13}{}", names.join("  ")));
    lines.join("\n")
}

/// The commands with what they do.
fn described(command: &Command) -> String {
    let about = |name: &&str| {
        let about = command.find_subcommand(name).and_then(Command::get_about);
        let about = about.map(ToString::to_string).unwrap_or_default();
        format!("  {name:<13}{about}")
    };
    let groups = GROUPS.map(|(group, names)| {
        let lines: Vec<String> = names.iter().map(about).collect();
        format!("{group}:\n{}", lines.join("\n"))
    });
    groups.join("\n\n")
}

/// Prints the help of a command, or what a word means; for a word that is a command too, both.
pub(super) fn explain(out: &Output, topic: &[String]) -> Result<()> {
    let topic = topic.join(" ").to_lowercase();
    let is_all = topic == ALL_WORDS;
    let meant: Vec<Word> = words().filter(|word| is_all || word.is(&topic)).collect();
    if is_all || out.is_json() && !meant.is_empty() {
        let objects: Vec<_> = meant.iter().map(Word::json).collect();
        return out.list(&["word", "means"], &objects);
    }
    let mut root = command();
    root.build();
    let named = topic
        .split_whitespace()
        .try_fold(&mut root, |command, name| command.find_subcommand_mut(name));
    let help = named.map(|command| command.render_long_help().to_string());
    let meaning = meant.iter().map(Word::line).collect::<Vec<_>>().join("\n");
    match help {
        None if meaning.is_empty() => Err(Error::misuse(format!(
            "`{topic}` is no command and none of hookbox's words; `hookbox help {ALL_WORDS}` lists them"
        ))),
        None => out.line(&meaning),
        Some(help) if meaning.is_empty() => out.line(help.trim_end()),
        Some(help) => out.line(&format!("{meaning}\n\n{}", help.trim_end())),
    }
}

/// The topic that is all of them.
const ALL_WORDS: &str = "words";

/// What there is help for: the commands and the words.
pub(super) fn topics() -> Vec<&'static str> {
    let commands = GROUPS.iter().flat_map(|(_, names)| *names).copied();
    let mut topics: Vec<_> = commands.chain(words().map(|word| word.word)).collect();
    topics.push(ALL_WORDS);
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// A word, and where the page has it: some mean one thing of a delivery that waits, and another elsewhere.
struct Word {
    word: &'static str,
    means: String,
    section: Option<&'static str>,
}

impl Word {
    /// Whether it is asked for, also as a plural.
    fn is(&self, topic: &str) -> bool {
        let word = self.word.to_lowercase();
        let plurals = [
            format!("{word}s"),
            format!("{}ies", word.trim_end_matches('y')),
        ];
        word == topic || plurals.iter().any(|plural| plural == topic)
    }

    fn line(&self) -> String {
        match self.section {
            None => format!("{}: {}", self.word, self.means),
            Some(section) => format!("{} ({section}): {}", self.word, self.means),
        }
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "word": self.word, "means": self.means })
    }
}

/// The words in the order of the page.
fn words() -> impl Iterator<Item = Word> {
    let mut section = None;
    WORDS.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            section = Some(heading);
        }
        let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let (word, means) = row.split_once(" | ")?;
        (means != "means" && word != "---").then(|| Word {
            word,
            means: means.replace('`', ""),
            section,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_a_small_terminal_and_has_every_command_once() {
        let mut command = command();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        grouped.sort_unstable();
        let mut all: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        all.sort_unstable();
        assert_eq!(grouped, all);
        let short = command.render_help().to_string();
        assert!(short.lines().count() <= 24, "{short}");
        for help in [short, command.render_long_help().to_string()] {
            assert!(
                help.lines().all(|line| line.chars().count() <= 80),
                "{help}"
            );
            assert!(
                help.contains("serve") && help.contains("Exit codes"),
                "{help}"
            );
        }
    }
}
