//! Values that stand elsewhere: in a file, in the environment, in a credential of systemd.

use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::signature::text_as_meant;

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    File,
    Variable,
    Credential,
}

/// The longest file of a value: a template, or a chain of certificates.
const BYTES_MAX: u64 = 1024 * 1024;

/// The variable by which systemd says where a unit's credentials are (systemd.exec(5), `LoadCredential=`).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// Whether an error is about a value that another process may have: a variable, or a credential.
#[cfg(feature = "cli")]
pub(crate) fn is_of_another_environment(error: &Error) -> bool {
    let text = error.chain();
    text.contains(NO_VARIABLE) || text.contains(NO_CREDENTIALS)
}

const NO_VARIABLE: &str = "the environment has no variable";

const NO_CREDENTIALS: &str = "there are no credentials of systemd";

impl Reference {
    const ALL: [(Reference, &'static str); 3] = [
        (Reference::File, "_file"),
        (Reference::Variable, "_env"),
        (Reference::Credential, "_credential"),
    ];

    /// The setting that a key speaks of, and where its value stands: `secret_file`.
    pub(super) fn split(key: &str) -> Option<(&str, Reference)> {
        let mut all = Reference::ALL.iter();
        all.find_map(|(reference, suffix)| Some((key.strip_suffix(suffix)?, *reference)))
    }

    /// Reads the value, without the newline that editors add at its end. What files were read is noted.
    ///
    /// # Errors
    /// [`Error::Misuse`] when it is not there; [`Error::Io`] when it cannot be read.
    pub(super) fn read(
        self,
        name: &str,
        folder: &Path,
        files: &mut Vec<PathBuf>,
    ) -> Result<Vec<u8>> {
        let path = match self {
            Reference::File => folder.join(name),
            Reference::Variable => {
                let value = std::env::var_os(name)
                    .ok_or_else(|| Error::misuse(format!("{NO_VARIABLE} {name}; set it")))?;
                return text_as_meant(value.into_vec());
            }
            Reference::Credential => {
                let credentials = std::env::var_os(CREDENTIALS).ok_or_else(|| {
                    Error::misuse(format!(
                        "{NO_CREDENTIALS} ({CREDENTIALS} is not set); give the unit LoadCredential={name}:FILE"
                    ))
                })?;
                // A name with a slash would leave the folder.
                if name.contains('/') {
                    return Err(Error::misuse(format!(
                        "`{name}` is no name of a credential"
                    )));
                }
                Path::new(&credentials).join(name)
            }
        };
        files.push(path.clone());
        let failed = |error| Error::io_at("read", &path, error);
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(BYTES_MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(Error::misuse(format!(
                "{} has more than {BYTES_MAX} bytes; is it the right file?",
                path.display()
            )));
        }
        text_as_meant(bytes)
    }
}
