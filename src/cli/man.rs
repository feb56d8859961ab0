//! The man pages, made of the command line: one of `hookbox`, and one of each command.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use super::{Output, help};
use crate::error::{Error, Result};

/// What the page of `serve` ends with: where the packages have what it works on (packaging/hookbox.service).
const FILES: &str = "\
.SH FILES
.TP
/etc/hookbox/hookbox.toml
What the service of a package is to do.
.TP
/var/lib/hookbox/hookbox.db
Its database, for the user hookbox.
";

/// What every other page ends with.
const SEE_ALSO: &str = ".SH \"SEE ALSO\"\n.BR hookbox (1)\n";

/// Writes the pages into a folder and says how many are there.
pub(super) fn write(out: &Output, folder: &Path) -> Result<()> {
    let failed = |error| Error::io_at("write the man pages into", folder, error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut command = help::plain().disable_help_subcommand(true);
    command.build();
    let pages = write_all(&command, folder).map_err(failed)?;
    let object = serde_json::json!({ "folder": folder, "pages": pages });
    let text = format!("{pages} pages are in {}", folder.display());
    out.object(&object, &text)
}

/// Writes the page of a command and those of its own commands; returns how many.
fn write_all(command: &Command, folder: &Path) -> std::io::Result<usize> {
    let mut pages = 1;
    for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        pages += write_all(one, folder)?;
    }
    let man = Man::new(command.clone())
        .source(format!("hookbox {}", env!("CARGO_PKG_VERSION")))
        .manual("hookbox");
    let name = man.get_filename();
    let mut page = Vec::new();
    man.render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).replace(".SH EXTRA\n", ".SH NOTES\n");
    if name == "hookbox-serve.1" {
        page.push_str(FILES);
    }
    if name != "hookbox.1" {
        page.push_str(SEE_ALSO);
    }
    std::fs::write(folder.join(name), page)?;
    Ok(pages)
}
