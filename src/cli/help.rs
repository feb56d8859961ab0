//! The help of `hookbox` itself: its commands by what one wants to do.

use clap::{Command, CommandFactory};

use super::{Arguments, EXIT_CODES};

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
    ("By hand", &["signature", "completions"]),
];

const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}\n";

const EXAMPLE: &str = "Example: hookbox endpoint add ci https://ci.example.org/hook";

/// The whole command line: `-h` names the commands, `--help` says what each does.
pub(super) fn command() -> Command {
    let command = Arguments::command();
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
