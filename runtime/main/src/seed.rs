//! The installation's seed: the secret from which charts' random values follow.
//!
//! Without it whoever knows an application's name could tell its passwords; with another one they would all change. So it is read from a
//! file that is kept (a mounted Secret), and made once where there is none.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use capstan_model::SecretBytes;
use capstan_render::Random;
use miette::{Context as _, IntoDiagnostic as _, miette};
use ring::rand::{SecureRandom as _, SystemRandom};

/// Fewest bytes of a seed.
const LENGTH: usize = 32;

/// The seed in a file, made if there is no such file.
pub(crate) fn read_or_make(file: &Path) -> miette::Result<SecretBytes> {
    match fs::read(file) {
        Ok(seed) if seed.len() < LENGTH => Err(miette!(
            "{} holds {} bytes: a seed has at least {LENGTH}",
            file.display(),
            seed.len()
        )),
        Ok(seed) => Ok(SecretBytes::new(seed)),
        Err(error) if error.kind() == ErrorKind::NotFound => make(file),
        Err(error) => Err(error)
            .into_diagnostic()
            .wrap_err_with(|| format!("the seed {} cannot be read", file.display())),
    }
}

fn make(file: &Path) -> miette::Result<SecretBytes> {
    let mut seed = vec![0; LENGTH];
    SystemRandom::new()
        .fill(&mut seed)
        .map_err(|_| miette!("the machine gives no random bytes"))?;
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut opened| opened.write_all(&seed));
    written.into_diagnostic().wrap_err_with(|| {
        format!(
            "the seed {} cannot be written: name another by --seed-file",
            file.display()
        )
    })?;
    tracing::warn!(file = %file.display(), "made a new seed: passwords that charts draw change with it, so keep the file");
    Ok(SecretBytes::new(seed))
}

/// The machine's random bytes.
pub(crate) struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random for SystemRandomness {
    fn fill(&mut self, _template: &str, bytes: &mut [u8]) -> Result<(), String> {
        self.0
            .fill(bytes)
            .map_err(|_| "the machine gives no random bytes".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("seed");
        let made = read_or_make(&file).unwrap();
        assert_eq!(made.expose().len(), LENGTH);
        assert!(read_or_make(&file).unwrap() == made);
        let other = read_or_make(&folder.path().join("other")).unwrap();
        assert!(made != other);
        fs::write(&file, "short").unwrap();
        let error = read_or_make(&file).err().expect("too short");
        assert!(error.to_string().contains("holds 5 bytes"));
    }
}
